"""Networks run on shapes alone."""

from __future__ import annotations

import torch
from torch import nn

from hubel.models import build_model
from hubel.models.dry_run import dry_run, empty_image


def test_shapes_come_out_and_nothing_changes():
    network = build_model("resnet20_cifar").double()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    image = empty_image(network, (3, 32, 32))
    assert (image.shape, image.dtype, image.is_meta) == ((1, 3, 32, 32), torch.float64, True)
    outputs = dry_run(network.train(), image)  # in training mode, BatchNorm would take the image's statistics
    assert (outputs.shape, outputs.is_meta) == ((1, 10), True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_module_without_tensors_takes_the_usual_type():
    assert dry_run(nn.Flatten(), empty_image(nn.Flatten(), (1, 4, 4))).shape == (1, 16)
