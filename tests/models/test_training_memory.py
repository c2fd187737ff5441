"""What a step of training keeps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hubel.models import build_model
from hubel.models.registry import model_entry
from hubel.models.training_memory import training_memory


def test_worked_by_hand():
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),  # keeps its input, 3×8×8
        nn.ReLU(inplace=True),  # keeps its output, 5×8×8, which lies where the convolution put it
        nn.MaxPool2d(2),  # keeps its input, which is the ReLU's output, and indices of 8 bytes, 5×4×4
        nn.Flatten(1),
        nn.Linear(80, 7),  # keeps its input, 5×4×4, and its weight, which is a parameter
    ).to("meta")
    memory = training_memory(network, (3, 8, 8))
    parameters = 3 * 3 * 3 * 5 + 5 + 80 * 7 + 7
    assert memory.parameters == memory.gradients == 4 * parameters
    assert memory.optimizer == 2 * 4 * parameters
    assert memory.saved == 4 * (3 * 64 + 5 * 64) + 8 * 5 * 16 + 4 * 5 * 16
    assert memory.total == 16 * parameters + memory.saved


def test_images_count_one_by_one():
    def saved(batch: int) -> int:
        return training_memory(model_entry("resnet18").build_shapes(), (3, 64, 64), batch=batch).saved

    assert saved(32) == 32 * saved(1)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet_bn"])
def test_meta_keeps_what_the_cpu_keeps(name: str):
    network = build_model(name, num_classes=10).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network.forward_with_aux(torch.randn(2, 3, 64, 64))
    assert outputs.logits.shape == (2, 10)
    entry = model_entry(name)
    assert training_memory(entry.build_shapes(num_classes=10), (3, 64, 64)).saved == sum(kept.values()) // 2


def test_auxiliary_heads_train_too():
    entry = model_entry("googlenet")
    network = entry.build_shapes()
    whole = training_memory(network, entry.input_size)
    network.aux_heads.clear()
    without = training_memory(network, entry.input_size)
    assert whole.gradients - without.gradients == 4 * 6_379_728
    assert whole.saved > without.saved
