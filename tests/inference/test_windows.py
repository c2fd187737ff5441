"""A classifier slid over pictures: objects where they are, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import nn

from hubel.bundle import Bundle
from hubel.errors import ConfigError
from hubel.inference.predictor import Predictor
from hubel.inference.windows import doubt, sliding
from hubel.models import build_model
from hubel.preprocessing import Preprocess
from hubel.results import DetectedObjects

CLASSES = ("background", "bright", "red")


class Eye(nn.Module):
    """Sees the mean colour of a window: sure of what fills it, and else of nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red, green = x.mean(dim=(2, 3))[:, :2].T
        logits = torch.stack([torch.full_like(red, 0.7), green, red - green], dim=1)
        return 20 * logits


def eye(classes: tuple[str, ...] = CLASSES) -> Predictor:
    preprocess = Preprocess(size=(28, 28), resize_to=28, mean=(0.0,) * 3, std=(1.0,) * 3)
    predictor = Predictor(
        Bundle("classification", "simple_cnn", preprocess, classes),
        build_model("simple_cnn", num_classes=len(classes), in_channels=3),
        device="cpu",
    )
    predictor.network = Eye().eval()
    return predictor


def test_objects_are_found_where_they_are():
    image = Image.new("RGB", (200, 120))
    image.paste((255, 255, 255), (32, 16, 64, 48))
    image.paste((255, 0, 0), (96, 32, 128, 64))
    found = sliding(eye(), [32, 64], step=0.5).predict(image)
    assert isinstance(found, DetectedObjects)
    assert found.size == (120, 200)
    assert {(each.label, each.box) for each in found.objects} == {
        ("bright", (32.0, 16.0, 64.0, 48.0)),
        ("red", (96.0, 32.0, 128.0, 64.0)),
    }
    assert sliding(eye(), [32]).predict(Image.new("RGB", (50, 40))).objects == ()


def test_scores_are_calibrated_as_the_model_is():
    predictor = eye()
    predictor.bundle = replace(predictor.bundle, temperature=10.0)
    (found,) = sliding(predictor, [32]).predict(Image.new("RGB", (32, 32), (255, 255, 255))).objects
    assert found.score == pytest.approx(torch.tensor([1.4, 2.0, 0.0]).softmax(0)[1].item(), abs=1e-5)


def test_a_localizer_tells_the_box_in_the_window():
    torch.manual_seed(0)
    network = build_model("localizer/resnet18", num_classes=2, objectness=True)
    bundle = Bundle(
        "localization",
        "localizer/resnet18",
        Preprocess(size=(32, 32), resize="stretch"),
        ("cat", "dog"),
        arguments={"objectness": True},
    )
    slid = sliding(Predictor(bundle, network, device="cpu"), [32])
    slid.task = slid.task.reporting_from(0.0)
    found = slid.predict(Image.new("RGB", (70, 50), (90, 120, 60)))
    assert len(found.objects) > 1
    for each in found.objects:  # a fresh head says: in the middle, half as wide and as high
        assert each.box[2] - each.box[0] == pytest.approx(16)
    assert doubt(slid) is None


def test_a_model_that_cannot_say_nothing_is_doubted():
    assert doubt(sliding(eye(), [32])) is None
    note = doubt(sliding(eye(("cat", "bright", "red")), [32]))
    assert note is not None
    assert "no class for windows without an object" in note


def test_what_makes_no_windows_is_refused():
    with pytest.raises(ConfigError, match=r"sides \[\] and a step of 0.5 came: expected sides in pixels"):
        sliding(eye(), [])
    with pytest.raises(ConfigError, match=r"sides \[32\] and a step of 0 came"):
        sliding(eye(), [32], step=0)
    with pytest.raises(ConfigError, match="'flip' is not for sliding windows"):
        sliding(eye(), [32]).predict(Image.new("RGB", (64, 64)), tta="flip")
    detector = Predictor(
        Bundle("detection", "yolo_n", Preprocess(size=(64, 64), resize="fit"), ("a",)),
        build_model("yolo_n", num_classes=1),
        device="cpu",
    )
    with pytest.raises(
        ConfigError, match="sliding windows came for a model of detection: expected one of classification"
    ):
        sliding(detector, [32])
