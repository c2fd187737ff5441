import pytest
import torch
from tests.depths import networks
from torch import nn

from hubel.errors import ConfigError
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import build_model, list_models, model_entry
from hubel.transfer.freezing import FrozenStages, fingerprint, layer_groups, stages_of, trainable_stages


def stage_names(network: nn.Module) -> list[str]:
    return [name for name, _ in network.stages.named_children()]


def small_input(network: ClassificationNetwork, standard: tuple[int, ...]) -> tuple[int, ...]:
    """Channels, height and width: 64 pixels or what else is the least, where the network takes any size."""
    channels, *size = standard
    return (channels, *(network.size or [min(side, max(64, network.smallest)) for side in size]))


def train_a_step(network: ClassificationNetwork, size: tuple[int, ...]) -> None:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=0.1)
    logits, aux = network.forward_with_aux(torch.randn(4, *size))
    sum(values.square().mean() for values in (logits, *aux.values())).backward()
    optimizer.step()


@pytest.mark.parametrize("name", networks(list_models("classification")))
def test_a_frozen_stage_is_frozen_statistics_included_and_the_rest_trains(name: str) -> None:
    torch.manual_seed(0)
    network = build_model(name, num_classes=3)
    names = stage_names(network)
    frozen = FrozenStages(network, "later")
    frozen.set_training_mode()
    parts = {f"stage {stage}": network.stages.get_submodule(stage) for stage in names}
    parts |= {f"auxiliary head {stage}": head for stage, head in network.aux_heads.items()}
    before = {part: fingerprint([module]) for part, module in parts.items()}
    train_a_step(network, small_input(network, model_entry(name).input_size))
    changed = {part for part, module in parts.items() if fingerprint([module]) != before[part]}
    assert frozen.trained, "nothing trains"
    assert len(frozen.trained) < len(names), "nothing is frozen"
    assert changed == {
        part for part, module in parts.items() if part.split()[-1] in frozen.trained and [*module.state_dict()]
    }
    frozen.check()


def test_training_only_the_head_leaves_every_stage() -> None:
    network = build_model("resnet20_cifar", num_classes=3)
    frozen = FrozenStages(network, "head")
    frozen.set_training_mode()
    before = fingerprint([network.stages])
    train_a_step(network, (3, 32, 32))
    assert fingerprint([network.stages]) == before
    assert not any(module.training for module in network.stages.modules() if isinstance(module, nn.BatchNorm2d))


def test_frozen_batch_norm_keeps_its_statistics_but_its_scale_trains() -> None:
    network = build_model("resnet20_cifar", num_classes=3)
    FrozenStages(network, "all", freeze_batch_norm=True).set_training_mode()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    means, scales = [n.running_mean.clone() for n in norms], [n.weight.detach().clone() for n in norms]
    train_a_step(network, (3, 32, 32))
    assert all(torch.equal(n.running_mean, mean) for n, mean in zip(norms, means, strict=True))
    assert any(not torch.equal(n.weight, scale) for n, scale in zip(norms, scales, strict=True))


@pytest.mark.parametrize("kind", ["parameter", "buffer"])
def test_a_change_of_a_frozen_tensor_is_found(kind: str) -> None:
    network = build_model("resnet20_cifar", num_classes=3)
    frozen = FrozenStages(network, "head")
    tensors = network.stages.parameters() if kind == "parameter" else network.stages.buffers()
    with torch.no_grad():
        next(iter(tensors)).add_(1)
    with pytest.raises(RuntimeError, match="a frozen stage has changed"):
        frozen.check()


def test_a_later_phase_unfreezes() -> None:
    network = build_model("lenet5_modern")
    FrozenStages(network, "head")
    FrozenStages(network, "all")
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_stages_that_train() -> None:
    network = build_model("resnet18")
    names = stage_names(network)
    assert trainable_stages(network, "all") == tuple(names)
    assert trainable_stages(network, "head") == ()
    assert trainable_stages(network, names[-2]) == tuple(names[-2:])
    with pytest.raises(ConfigError, match=f"there is no stage 'layer9' to train from: .*{names[0]}"):
        trainable_stages(network, "layer9")


def test_layer_groups_hold_every_trainable_parameter_once_the_head_last() -> None:
    network = build_model("resnet18")
    groups = layer_groups(network, trainable_stages(network, "all"))
    assert len(groups) == 3
    assert groups[-1] == [network.head]
    members = [id(p) for group in groups for module in group for p in module.parameters()]
    assert sorted(members) == sorted(id(p) for p in network.parameters())
    assert layer_groups(network, ()) == [[network.head]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("yolo_n", {}),
        ("yolo_n/resnet18", {"frozen_norm": True}),
        ("faster_rcnn/resnet18", {"frozen_norm": True}),
        ("localizer/resnet18", {}),
        ("unet/resnet18", {}),
        ("fcn_resnet50", {}),
        ("unet", {}),
    ],
)
@pytest.mark.parametrize("train", ["head", "later", "all"])
def test_every_network_has_stages_to_freeze_and_a_rest_that_trains(name: str, arguments: dict[str, bool], train: str):
    network = build_model(name, **arguments)
    frozen = FrozenStages(network, train)
    members = [p for group in layer_groups(network, frozen.trained) for module in group for p in module.parameters()]
    trained = {id(p) for p in network.parameters() if p.requires_grad}
    assert trained <= {id(p) for p in members}
    assert len({id(p) for p in members}) == len(members)
    assert not any(p.requires_grad for module in frozen.frozen for p in module.parameters())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if arguments.get("frozen_norm"):
        frozen.set_training_mode()
        held = [norm for norm in norms if norm in set(network.backbone.modules())]
        assert held
        assert not any(p.requires_grad for norm in held for p in norm.parameters())
        assert not any(norm.training for norm in held)


def test_what_follows_a_backbone_trains_with_the_head() -> None:
    network = build_model("unet/resnet18")
    assert list(stages_of(network)) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    ((*rest,),) = layer_groups(network, ())
    assert rest == [*(network.stages[f"up{stride}"] for stride in (16, 8, 4, 2, 1)), network.head]
    detector = build_model("yolo_n/resnet18")
    assert layer_groups(detector, ()) == [[detector.neck, detector.heads]]


def test_a_module_without_stages_is_told() -> None:
    with pytest.raises(ValueError, match="a Linear came: expected a network with stages or a backbone"):
        stages_of(nn.Linear(1, 1))
