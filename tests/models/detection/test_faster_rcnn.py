"""Faster R-CNN: torchvision's detections and losses, any backbone, any size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.models.parity import disturb
from torch import nn

from hubel.errors import ConfigError, WeightsError
from hubel.models import build_model
from hubel.models.detection.faster_rcnn import FasterRCNN
from hubel.tasks.detectors import Objects
from hubel.tasks.detectors.faster_rcnn import decode, losses, region_sampler
from hubel.weights import create_model
from hubel.weights.names.faster_rcnn import torchvision_faster_rcnn

EVERYTHING = 10**6  # a sample so large that nothing is left to chance
CLASSES = 5


def torchvisions(*, frozen: bool = False, **options: object) -> nn.Module:
    """torchvision's network with random weights that detect something, in float64, for pictures as they are."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.models.detection.faster_rcnn import FasterRCNN as Theirs
    from torchvision.ops import FrozenBatchNorm2d

    as_they_are = {"min_size": 1, "max_size": 10**6, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    if frozen:
        backbone = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=5
        )
        network = Theirs(backbone, CLASSES + 1, **as_they_are, **options)
    else:
        network = fasterrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=CLASSES + 1, **as_they_are, **options
        )
    # The transformation would still scale a picture to its shorter side: it has it already.
    network.transform.resize = lambda image, target: (image, target)
    disturb(network)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            for buffer, low, high in (("weight", 0.3, 0.7), ("bias", -0.3, 0.3), ("running_var", 0.5, 1.5)):
                nn.init.uniform_(getattr(module, buffer), low, high)
    predictor = network.roi_heads.box_predictor
    nn.init.normal_(predictor.cls_score.weight, std=0.3)
    nn.init.normal_(predictor.bbox_pred.weight, std=0.1)
    nn.init.normal_(network.rpn.head.cls_logits.weight, std=0.3)
    nn.init.normal_(network.rpn.head.bbox_pred.weight, std=0.05)
    return network.double()


def ours_like(theirs: nn.Module) -> FasterRCNN:
    ours = build_model("faster_rcnn", num_classes=CLASSES)
    assert isinstance(ours, FasterRCNN)
    left = dict(theirs.state_dict())
    ours.load_state_dict({name: left.pop(torchvision_faster_rcnn(name)) for name in ours.state_dict()}, strict=True)
    assert not left, list(left)[:5]
    return ours.double()


@pytest.mark.parametrize("size", [(64, 96), (75, 53)], ids=["multiples of 32", "odd"])
def test_the_same_detections_as_torchvisions(size: tuple[int, int]):
    torch.manual_seed(0)
    theirs = torchvisions().eval()
    ours = ours_like(theirs).eval()
    images = torch.rand(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(list(images))
        found = decode(ours(images))
    assert sum(len(each["boxes"]) for each in expected) > 20
    for own, other in zip(found, expected, strict=True):
        torch.testing.assert_close(own.boxes, other["boxes"], rtol=0, atol=0.01)
        torch.testing.assert_close(own.scores, other["scores"], rtol=0, atol=1e-4)
        assert torch.equal(own.labels, other["labels"] - 1)  # 0 is the background there


def test_the_same_losses_and_gradients_as_torchvisions():
    torch.manual_seed(1)
    theirs = torchvisions(rpn_batch_size_per_image=EVERYTHING, box_batch_size_per_image=EVERYTHING).train()
    ours = ours_like(theirs).train()
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    objects = [
        Objects(torch.tensor([[10.0, 12, 50, 60], [60, 5, 90, 40]]).double(), torch.tensor([0, 4])),
        Objects(torch.zeros(0, 4).double(), torch.zeros(0, dtype=torch.int64)),
    ]
    expected = theirs(list(images), [{"boxes": each.boxes, "labels": each.labels + 1} for each in objects])
    output = ours(images, select=region_sampler(objects, count=EVERYTHING))
    found = losses(output, objects, count=EVERYTHING)
    names = {
        "objectness": "loss_objectness",
        "proposal_boxes": "loss_rpn_box_reg",
        "classes": "loss_classifier",
        "boxes": "loss_box_reg",
    }
    for own, other in names.items():
        # torchvision's targets of the proposals are float32.
        torch.testing.assert_close(getattr(found, own), expected[other], rtol=1e-6, atol=0, check_dtype=False)
    assert all(value > 0 for value in found)
    found.total.backward()
    sum(expected.values()).backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients[torchvision_faster_rcnn(name)], rtol=1e-5, atol=1e-7, msg=name
        )


def test_torchvisions_file_with_frozen_norms_loads_and_detects_the_same(tmp_path: Path):
    from torchvision.models.detection._utils import overwrite_eps

    torch.manual_seed(2)
    theirs = torchvisions(frozen=True).float().eval()
    overwrite_eps(theirs, 0.0)  # as torchvision does for its published file
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    options = {"frozen_norm": True, "norm_eps": 0.0, "weights": tmp_path / "theirs.pth"}
    ours = create_model("faster_rcnn", num_classes=CLASSES, **options)
    assert isinstance(ours, FasterRCNN)
    images = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        (expected,), (found,) = theirs.double()(list(images.double())), decode(ours.double().eval()(images.double()))
    assert len(expected["boxes"]) > 5
    torch.testing.assert_close(found.boxes, expected["boxes"], rtol=0, atol=0.01)
    torch.testing.assert_close(found.scores, expected["scores"], rtol=0, atol=1e-4)
    other = create_model("faster_rcnn", num_classes=2, weights=tmp_path / "theirs.pth")
    assert isinstance(other, FasterRCNN)
    assert other.num_classes == 2
    assert torch.equal(other.rpn.conv.weight, ours.rpn.conv.weight.float())
    with pytest.raises(WeightsError, match=r"head.classes.weight \(6, 1024\) in the file, \(91, 1024\) in the network"):
        create_model("faster_rcnn", weights=tmp_path / "theirs.pth")


@pytest.fixture(scope="module")
def small() -> FasterRCNN:
    torch.manual_seed(0)
    network = build_model("faster_rcnn/resnet18", num_classes=3)
    assert isinstance(network, FasterRCNN)
    return network


def test_raw_outputs_are_the_same_type_in_both_modes(small: FasterRCNN):
    x = torch.randn(2, 3, 64, 96)
    for mode in (True, False):
        with torch.no_grad():
            output = small.train(mode)(x)
        anchors = 3 * sum((64 // s) * (96 // s) for s in (4, 8, 16, 32)) + 3 * 1 * 2
        assert output.objectness.shape == (2, anchors)
        assert output.anchor_deltas.shape == (2, anchors, 4)
        assert output.anchors.shape == (anchors, 4)
        regions = sum(map(len, output.regions))
        assert output.class_logits.shape == (regions, 4)
        assert output.region_deltas.shape == (regions, 4, 4)
        assert all(boxes.min() >= 0 and boxes[:, 2].max() <= 96 and boxes[:, 3].max() <= 64 for boxes in output.regions)


def test_without_a_pyramid_it_works_on_the_map_of_stride_16():
    network = build_model("faster_rcnn/vgg11", num_classes=2, pyramid=False).eval()
    with torch.no_grad():
        output = network(torch.randn(1, 3, 64, 80))
    assert output.anchors.shape == (4 * 5 * 9, 4)
    assert set(network.backbone.out_channels) == {512}
    sides = output.anchors[:9, 2:] - output.anchors[:9, :2]
    assert sides[4].tolist() == [256, 256]  # sizes 128, 256, 512 in each of the ratios 0.5, 1, 2


def test_a_narrow_pyramid_and_second_stage():
    network = build_model("faster_rcnn/resnet18", num_classes=3, pyramid_width=32, hidden=48).eval()
    assert network.rpn.conv.weight.shape == (32, 32, 3, 3)
    assert network.head.dense1.weight.shape == (48, 32 * 7 * 7)
    with torch.no_grad():
        assert network(torch.randn(1, 3, 64, 64)).class_logits.shape[1] == 4


def test_frozen_norms_stay_as_they_are():
    network = build_model("faster_rcnn/resnet18", num_classes=2, frozen_norm=True).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 20
    before = [norm.running_mean.clone() for norm in norms]
    network(torch.randn(1, 3, 64, 64))
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)


def test_replace_out_changes_the_classes_alone(small: FasterRCNN):
    state = {name: value.clone() for name, value in small.state_dict().items()}
    small.replace_out(7)
    assert small.num_classes == 7
    changed = {
        name
        for name, value in small.state_dict().items()
        if value.shape != state[name].shape or (value != state[name]).any()
    }
    assert changed
    assert all(name.startswith(FasterRCNN.out_layers) for name in changed)
    small.replace_out(3)


def test_a_backbone_without_the_strides_is_told():
    with pytest.raises(
        ConfigError, match=r"maps of strides 1, 2, 4, none of 8, 16, 32: expected one whose stages have"
    ):
        build_model("faster_rcnn/resnet20_cifar")
    with pytest.raises(ConfigError, match="did you mean resnet50"):
        build_model("faster_rcnn/resnet55")
    with pytest.raises(ValueError, match=r"shape \(1, 1, 64, 64\): this network takes \(N, 3, H, W\)"):
        build_model("faster_rcnn/resnet18", num_classes=1)(torch.zeros(1, 1, 64, 64))


def test_on_a_backbone_of_timm():
    pytest.importorskip("timm")
    network = build_model("faster_rcnn/timm/tf_efficientnet_lite0", num_classes=2).eval()
    assert network.backbone.out_channels == (24, 40, 112, 1280)
    with torch.no_grad():
        assert network(torch.randn(1, 3, 65, 97)).class_logits.isfinite().all()
