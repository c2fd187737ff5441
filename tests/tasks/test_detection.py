"""Detection as a task: boxes in original pixels, what is reported and measured, comparison, drawing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from hubel.bundle import Bundle
from hubel.config import DetectionConfig, TrainConfig
from hubel.data.labels import ObjectsLabel
from hubel.errors import ConfigError, DataError
from hubel.models import build_model
from hubel.models.detection.yolo import YOLO, YOLOOutput
from hubel.preprocessing import Preprocess
from hubel.results import DetectedObject
from hubel.tasks.detection import DetectionTask, FoundInPicture
from hubel.tasks.detectors import Detections, Objects, yolo
from hubel.tasks.detectors.families import detector_of
from hubel.tasks.task import LabelTask, PlaceTask
from hubel.tasks.views import Views

CLASSES = ("cat", "dog")
TASK = DetectionTask(CLASSES)


class Spotter(YOLO):
    """A detector that sees what is bright: sure of one box around it, of class 1."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.anything = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> YOLOOutput:
        boxes = []
        for image in x:
            rows, columns = (image.mean(dim=0) > 0.7).nonzero(as_tuple=True)
            boxes.append(torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float())
        all_ = torch.stack(boxes)  # (N, 4)
        points = (all_[:, :2] + all_[:, 2:]) / 2
        half = (all_[:, 2:] - all_[:, :2]) / 2
        logits = torch.full((len(x), len(x), 2), -20.0)
        logits[range(len(x)), range(len(x)), 1] = 3.0
        distances = half.repeat(1, 2).expm1().log().expand(len(x), -1, -1)[..., None]  # softplus gives them back
        return YOLOOutput(logits, distances, points, torch.ones(len(x)))


def picture(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Black, with a bright rectangle."""
    image = Image.new("RGB", (size[1], size[0]))
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(255, 255, 255))
    return image


def array_of(*labels: ObjectsLabel) -> np.ndarray:
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def label(*rows: tuple[float, ...], ignored: tuple[int, ...] = ()) -> ObjectsLabel:
    """Rows of x1, y1, x2, y2, class."""
    boxes = tuple((row[0], row[1], row[2], row[3]) for row in rows)
    return ObjectsLabel(
        (100, 100), boxes, tuple(int(row[4]) for row in rows), tuple(number in ignored for number in range(len(rows)))
    )


def found(*rows: tuple[float, ...]) -> FoundInPicture:
    """Rows of x1, y1, x2, y2, class, score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return FoundInPicture(Detections(table[:, :4], table[:, 4].long(), table[:, 5]), (100, 100))


def test_it_is_a_task_about_places():
    assert isinstance(TASK, PlaceTask)
    assert not isinstance(TASK, LabelTask)
    assert TASK.describe() == "with objects of 2 classes"


@pytest.mark.parametrize("resize", ["fit", "stretch"])
@pytest.mark.parametrize("views", [None, "flip", "turns+flip", "multi-scale", "multi-scale+flip"])
def test_boxes_are_in_the_pixels_of_the_upright_original(resize: str, views: str | None):
    preprocess = Preprocess(size=(128, 128), resize=resize, mean=(0.0,) * 3, std=(1.0,) * 3)
    sizes = [(240, 160), (90, 300), (128, 128)]
    boxes = [(20, 60, 100, 180), (120, 10, 280, 80), (0, 64, 64, 128)]
    arrays = [preprocess.to_array(picture(size, box)) for size, box in zip(sizes, boxes, strict=True)]
    named = None if views is None else Views.named(views)
    with torch.inference_mode():
        predicted = TASK.predict(Spotter().eval(), preprocess, arrays, sizes, named)
    for (detections, size), own, box in zip(predicted, sizes, boxes, strict=True):
        assert size == own
        assert detections.labels.tolist() == [1]
        assert detections.boxes.dtype == torch.float32
        assert detections.boxes[0].tolist() == pytest.approx(box, abs=5 if views else 2.5)
        assert (detections.boxes >= 0).all()
        assert detections.boxes[0, 2] <= own[1]
        assert detections.boxes[0, 3] <= own[0]
        assert detections.scores.tolist() == pytest.approx([0.95257], abs=1e-4)


def test_pictures_of_several_shapes_go_through_in_groups():
    preprocess = Preprocess(resize="native", mean=(0.0,) * 3, std=(1.0,) * 3)
    sizes, boxes = [(64, 96), (96, 64), (64, 96)], [(8, 8, 40, 40), (20, 30, 50, 90), (60, 4, 90, 60)]
    arrays = [preprocess.to_array(picture(size, box)) for size, box in zip(sizes, boxes, strict=True)]
    predicted = TASK.predict(Spotter().eval(), preprocess, arrays, sizes)
    for (detections, _), box in zip(predicted, boxes, strict=True):
        assert detections.boxes[0].tolist() == pytest.approx(box, abs=1e-3)


@pytest.mark.parametrize("name", ["yolo_n", "faster_rcnn/resnet18"])
def test_every_family_learns_and_predicts_through_the_same_calls(name: str):
    torch.manual_seed(0)
    side = 64
    network = build_model(name, num_classes=2)
    objects = [Objects(torch.tensor([[8.0, 8, 40, 56]]), torch.tensor([1])), Objects.none()]
    total, boxes = TASK.loss(network.train(), torch.randn(2, 3, side, side), objects)
    total.backward()
    assert total.ndim == boxes.ndim == 0
    assert not boxes.requires_grad
    assert boxes >= 0
    preprocess = Preprocess(size=(side, side), resize="fit")
    arrays = [np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(2)]
    with torch.inference_mode():
        predicted = TASK.predict(network.eval(), preprocess, arrays, [(50, 80), (80, 50)])
    for detections, (height, width) in predicted:
        assert (detections.boxes[:, 2:] > detections.boxes[:, :2]).all()
        assert (detections.boxes <= torch.tensor([width, height, width, height])).all()
        assert (detections.scores > 0.001).all()


def test_the_score_of_a_step_is_the_sum_of_the_losses_of_boxes():
    torch.manual_seed(0)
    network, images = build_model("yolo_n", num_classes=2).eval(), torch.randn(3, 3, 64, 64)
    objects = [Objects(torch.tensor([[8.0, 8, 40, 56]]), torch.tensor([1]))] * 3
    with torch.no_grad():
        total, boxes = TASK.loss(network, images, objects)
        parts = yolo.losses(network(images), objects)
    assert total.item() == pytest.approx(parts.total.item())
    assert boxes.item() == pytest.approx(3 * (parts.boxes + parts.distributions).item())


def test_the_settings_decide_what_is_reported():
    predictions = [found((0, 0, 9, 9, 1, 0.8), (20, 20, 30, 40, 0, 0.3), (50, 50, 60, 60, 0, 0.1))]
    (usual,) = TASK.results(predictions, ["a.png"])
    assert usual.objects[0] == DetectedObject("dog", (0.0, 0.0, 9.0, 9.0), pytest.approx(0.8))
    assert [each.label for each in usual.objects] == ["dog", "cat"]
    assert (usual.path, usual.size) == ("a.png", (100, 100))
    (sure,) = TASK.reporting_from(0.5).results(predictions, [None])
    assert len(sure.objects) == 1
    config = TrainConfig.from_values({"detection": {"least_score": 0.05, "iou_threshold": 0.4, "soft": True}})
    task = DetectionTask.for_training(CLASSES, array_of(label((0, 0, 9, 9, 1))), config)
    assert len(task.results(predictions, [None])[0].objects) == 3
    how = task._measured(detector_of(build_model("yolo_n")))
    assert (how.least_score, how.iou_threshold, how.most, how.soft) == (0.001, 0.4, 300, True)
    bundle = Bundle("detection", "yolo_n", Preprocess(), CLASSES, config=config.model_dump())
    assert DetectionTask.of_bundle(bundle) == task
    assert DetectionTask.of_bundle(Bundle("detection", "yolo_n", Preprocess(), CLASSES)).settings == DetectionConfig()


def test_figures_count_what_counts():
    labels = array_of(label((0, 0, 10, 10, 0), (50, 50, 90, 90, 0), ignored=(1,)), label())
    predictions = [found((0, 0, 10, 10, 0, 0.6), (50, 50, 90, 90, 0, 0.9)), found()]
    metrics = TASK.measure(predictions, labels)
    assert (metrics.images, metrics.objects, metrics.ignored) == (2, 1, 1)
    assert metrics.figures() == {"map50": 1.0, "map": 1.0}
    assert TASK.rank(metrics) == (1.0, 1.0)
    assert metrics.to_dict()["map50"] == 1.0
    assert metrics.to_dict()["map50_ci95"] == [1.0, 1.0]
    assert metrics.to_full_dict()["per_class"]["cat"]["recall"] == 1.0
    truth, nothing = TASK.truth(labels, ["a.png", "b.png"])
    assert [each.ignored for each in truth.objects] == [False, True]
    assert nothing.objects == ()


def test_the_baseline_says_the_mean_box_everywhere():
    here, there = label((0, 0, 50, 50, 1)), label((10, 10, 60, 60, 1), (0, 0, 9, 9, 0))
    (baseline,) = TASK.baselines(array_of(label((5, 5, 55, 55, 1))), array_of(here, there))
    assert baseline.name == "each class's mean box of the training pictures in every picture"
    assert baseline.figures["map50"][0] == 1.0
    (missed,) = TASK.baselines(array_of(label((60, 60, 99, 99, 1))), array_of(here, there))
    assert missed.figures["map50"][0] == 0.0
    (own,) = TASK.baselines(array_of(here), None)
    assert own.name == "each class's mean box of these pictures in every picture"
    assert own.figures["map50"][0] == 1.0


def test_two_models_are_compared_on_the_same_pictures():
    labels = array_of(*[label((0, 0, 50, 50, 0))] * 12)
    good = [found((0, 0, 50, 50, 0, 0.9))] * 12
    bad = [found((0, 0, 50, 50, 0, 0.9))] * 4 + [found((60, 60, 90, 90, 0, 0.9))] * 8
    difference = TASK.compare(good, bad, labels)
    assert difference.figure == "map50"
    assert difference.difference == pytest.approx(1 - TASK.measure(bad, labels).map50)
    assert difference.distinguishable
    assert TASK.compare(good, good, labels).difference == 0
    assert not TASK.compare(good, good, labels).distinguishable


def test_models_are_averaged_box_by_box():
    one, other = [found((0, 0, 10, 10, 0, 0.9))], [found((2, 0, 12, 10, 0, 0.9))]
    ((detections, size),) = TASK.average([one, other])
    assert size == (100, 100)
    assert detections.boxes[0].tolist() == pytest.approx([1, 0, 11, 10])


def test_what_cannot_be_learnt_or_run_is_said():
    with pytest.raises(DataError, match="none of 2 training pictures has an object that counts"):
        DetectionTask.for_training(CLASSES, array_of(label(), label((0, 0, 9, 9, 1), ignored=(0,))), TrainConfig())
    with pytest.raises(ConfigError, match=" is no detector: expected one of `hubel models list --task det"):
        detector_of(build_model("simple_cnn"))
    with pytest.raises(ConfigError, match="'ten-crop' shows parts of a picture"):
        TASK.predict(Spotter(), Preprocess(), [], [], Views.named("ten-crop"))


def test_a_drawn_picture_has_the_boxes():
    image = Image.new("RGB", (300, 300), (255, 255, 255))
    (result,) = TASK.results([found((10, 60, 90, 90, 1, 0.8))], [None])
    drawn = np.asarray(TASK.draw(image, result))
    assert drawn.shape == (300, 300, 3)
    assert (drawn[75, 10] == (86, 180, 233)).all()  # the left side, in the second class's colour
    assert (drawn[75, 50] == 255).all()  # inside
    assert np.asarray(image).min() == 255  # the picture itself is as it was
