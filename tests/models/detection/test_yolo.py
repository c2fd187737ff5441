"""`yolo` in its sizes and on other backbones, and YOLO's first version."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hubel.errors import ConfigError
from hubel.models import build_model, model_entry
from hubel.models.complexity import complexity
from hubel.models.detection.csp_darknet import CSPDarknet
from hubel.models.detection.yolo import YOLO, YOLOOutput


@pytest.mark.parametrize(
    ("name", "millions"), [("yolo_n", 2.27), ("yolo_s", 8.99), ("yolo_m", 25.36), ("yolo_l", 54.25)]
)
def test_sizes_are_those_of_yolox(name: str, millions: float):
    """YOLOX's table 3 has 9.0, 25.3 and 54.2 million parameters for S, M and L."""
    network = model_entry(name).build_shapes()
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == millions


@pytest.fixture(scope="module")
def smallest() -> YOLO:
    torch.manual_seed(0)
    network = build_model("yolo_n", num_classes=3)
    assert isinstance(network, YOLO)
    return network


def test_raw_outputs_are_the_same_type_in_both_modes(smallest: YOLO):
    for mode in (True, False):
        with torch.no_grad():
            output = smallest.train(mode)(torch.randn(2, 3, 64, 96))
        points = 8 * 12 + 4 * 6 + 2 * 3
        assert isinstance(output, YOLOOutput)
        assert output.class_logits.shape == (2, points, 3)
        assert output.distances.shape == (2, points, 4, 16)
        assert output.strides.tolist() == [8.0] * 96 + [16.0] * 24 + [32.0] * 6
        assert output.points[:2].tolist() == [[4, 4], [12, 4]]
        assert output.points[-1].tolist() == [80, 48]


@pytest.mark.parametrize("num_classes", [3, 20])
def test_a_fresh_head_expects_five_objects_on_every_level_of_640_pixels(num_classes: int):
    torch.manual_seed(0)
    network = build_model("yolo_n", num_classes=3)
    assert isinstance(network, YOLO)
    network.replace_out(num_classes)
    with torch.no_grad():
        scores = network.eval()(torch.randn(1, 3, 64, 64)).class_logits.sigmoid()[0]
    for level in torch.split(scores, [64, 16, 4]):
        assert level.sum().item() == pytest.approx(5 / 100, rel=0.2)  # the picture is a hundredth of those pixels


# Maps that are not exactly half of the one before: odd sizes, pools that drop a rest, convolutions without padding.
@pytest.mark.parametrize(
    ("backbone", "size"),
    [("resnet18", (75, 101)), ("vgg11_bn", (70, 99)), ("googlenet_bn", (75, 101)), ("inception_v3", (107, 131))],
)
def test_any_backbone_and_any_size(backbone: str, size: tuple[int, int]):
    torch.manual_seed(0)
    network = build_model(f"yolo_n/{backbone}", num_classes=2)
    output = network.train()(torch.randn(2, 3, *size))
    sum(part.float().square().mean() for part in output[:2]).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert len(output.points) == output.class_logits.shape[1]


def test_on_a_backbone_of_timm_and_on_one_with_weights():
    pytest.importorskip("timm")
    assert build_model("yolo_n/timm/tf_efficientnet_lite0").backbone.out_channels == (40, 112, 1280)
    pretrained = CSPDarknet(0.25, 1 / 3, in_channels=1)
    network = YOLO(pretrained, num_classes=2, frozen_norm=True)
    assert network.backbone.stages.stem.conv.weight is pretrained.stages.stem.conv.weight
    assert network(torch.randn(1, 1, 64, 64)).class_logits.shape == (1, 84, 2)
    assert not any(module.training for module in network.backbone.modules() if isinstance(module, nn.BatchNorm2d))


def test_replace_out_changes_the_classes_alone(smallest: YOLO):
    state = {name: value.clone() for name, value in smallest.state_dict().items()}
    smallest.replace_out(7)
    assert smallest.num_classes == 7
    changed = {name for name, value in smallest.state_dict().items() if value.shape != state[name].shape}
    assert len(changed) == 6
    assert all(name.startswith(YOLO.out_layers) for name in changed)
    smallest.replace_out(3)


def test_what_does_not_fit_is_said(smallest: YOLO):
    with pytest.raises(ConfigError, match="yolo_n: bins is 0: expected at least 1"):
        build_model("yolo_n", bins=0)
    with pytest.raises(ConfigError, match="unknown argument of yolo_s/resnet18 'bin': did you mean bins"):
        build_model("yolo_s/resnet18", bin=4)
    with pytest.raises(ConfigError, match=r"yolo_n/lenet5_modern: the backbone has maps of strides .*, none of .*16"):
        build_model("yolo_n/lenet5_modern", in_channels=1)
    with pytest.raises(ValueError, match=r"shape \(1, 1, 64, 64\): this network takes \(N, 3, H, W\)"):
        smallest(torch.zeros(1, 1, 64, 64))


def test_yolov1_is_figure_3():
    network = model_entry("yolov1").build_shapes()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 24
    assert network(torch.empty(2, 3, 448, 448, device="meta")).shape == (2, 7, 7, 2 * 5 + 20)
    # Weights and biases, kernel by kernel: in, out, side of the kernel and of the map.
    rows = [(3, 64, 7, 224), (64, 192, 3, 112), (192, 128, 1, 56), (128, 256, 3, 56), (256, 256, 1, 56)]
    rows += [(256, 512, 3, 56), *[(512, 256, 1, 28), (256, 512, 3, 28)] * 4, (512, 512, 1, 28), (512, 1024, 3, 28)]
    rows += [*[(1024, 512, 1, 14), (512, 1024, 3, 14)] * 2, (1024, 1024, 3, 14), (1024, 1024, 3, 7)]
    rows += [(1024, 1024, 3, 7)] * 2
    dense = [(7 * 7 * 1024, 4096), (4096, 7 * 7 * 30)]
    parameters = sum(c * k * k * n + n for c, n, k, _ in rows) + sum(c * n + n for c, n in dense)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters == 271_703_550
    macs = sum(c * k * k * n * side * side for c, n, k, side in rows) + sum(c * n for c, n in dense)
    assert complexity(network, (3, 448, 448)).macs == macs
    names = [name for name, _ in network.stages.named_children()]
    x, sides = torch.empty(1, 3, 448, 448, device="meta"), []
    for name in names:
        x = network.stages.get_submodule(name)(x)
        sides.append(tuple(x.shape[1:]))
    assert sides == [(64, 112, 112), (192, 56, 56), (512, 28, 28), (1024, 14, 14), (1024, 7, 7), (1024, 7, 7)]


def test_yolov1_takes_one_size():
    network = model_entry("yolov1").build_shapes(num_classes=2, boxes=3)
    assert network(torch.empty(1, 3, 448, 448, device="meta")).shape == (1, 7, 7, 17)
    network.replace_out(5)
    assert network(torch.empty(1, 3, 448, 448, device="meta")).shape == (1, 7, 7, 20)
    with pytest.raises(ValueError, match=r"takes \(N, 3, 448, 448\)"):
        network(torch.empty(1, 3, 224, 224, device="meta"))
    with pytest.raises(ConfigError, match="yolov1: boxes is 0: expected at least 1"):
        build_model("yolov1", boxes=0)
