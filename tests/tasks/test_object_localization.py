"""Localisation as a task: one object a picture, its box in original pixels, metrics, baselines, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tests.apple_gpu import on_apple_gpu

from hubel.bundle import Bundle
from hubel.config import TrainConfig
from hubel.data.labels import ObjectsLabel
from hubel.errors import ConfigError, DataError
from hubel.models import build_model
from hubel.models.localization import LocalizationNetwork
from hubel.preprocessing import Preprocess
from hubel.tasks.detectors import Objects
from hubel.tasks.localization import losses
from hubel.tasks.object_localization import LocalizationTask, Located
from hubel.tasks.task import PlaceTask
from hubel.tasks.views import Views

CLASSES = ("cat", "dog", "owl")
TASK = LocalizationTask(CLASSES)


def array_of(*labels: ObjectsLabel) -> np.ndarray:
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def label(*rows: tuple[float, ...], ignored: tuple[int, ...] = ()) -> ObjectsLabel:
    """Rows of x1, y1, x2, y2, class, in a picture 100 high and 200 wide."""
    boxes = tuple((row[0], row[1], row[2], row[3]) for row in rows)
    return ObjectsLabel(
        (100, 200), boxes, tuple(int(row[4]) for row in rows), tuple(number in ignored for number in range(len(rows)))
    )


def said(position: int, *box: float) -> Located:
    probabilities = torch.full((3,), 0.1, dtype=torch.float64)
    probabilities[position] = 0.8
    return Located(probabilities, torch.tensor(box, dtype=torch.float32), (100, 200))


class Teller(LocalizationNetwork):
    """Tells class 2, and the box around what is bright."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows_of = []
        for image in x:
            rows, columns = (image.mean(dim=0) > 0.7).nonzero(as_tuple=True)
            high, wide = image.shape[1:]
            top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
            shares = torch.stack(
                [(left + right) / 2 / wide, (top + bottom) / 2 / high, (right - left) / wide, (bottom - top) / high]
            )
            rows_of.append(torch.cat([torch.tensor([0.0, 0.0, 3.0]), shares.logit()]))
        return torch.stack(rows_of)


def test_what_an_apple_gpu_gives_is_read_on_the_cpu():
    preprocess = Preprocess(size=(128, 128), resize="stretch", mean=(0.0,) * 3, std=(1.0,) * 3)
    image = Image.new("RGB", (160, 240))
    image.paste((255, 255, 255), (20, 60, 100, 180))
    network = Teller()
    network.register_forward_hook(lambda module, given, output: on_apple_gpu(output))
    with torch.inference_mode():
        (told,) = TASK.predict(network, preprocess, [preprocess.to_array(image)], [(240, 160)])
    assert told.probabilities.dtype == torch.float64
    assert told.box.tolist() == pytest.approx([20, 60, 100, 180], abs=3)


@pytest.mark.parametrize("views", [None, "flip", "turns+flip", "multi-scale"])
def test_the_box_is_in_the_pixels_of_the_upright_original(views: str | None):
    preprocess = Preprocess(size=(128, 128), resize="stretch", mean=(0.0,) * 3, std=(1.0,) * 3)
    sizes, boxes = [(240, 160), (90, 300)], [(20, 60, 100, 180), (120, 10, 280, 80)]
    arrays = []
    for (height, width), (x1, y1, x2, y2) in zip(sizes, boxes, strict=True):
        image = Image.new("RGB", (width, height))
        image.paste((255, 255, 255), (x1, y1, x2, y2))
        arrays.append(preprocess.to_array(image))
    named = None if views is None else Views.named(views)
    with torch.inference_mode():
        predicted = TASK.predict(Teller(), preprocess, arrays, sizes, named)
    for result, size, box in zip(TASK.results(predicted, ["a", "b"]), sizes, boxes, strict=True):
        assert result.size == size
        assert result.label == "owl"
        assert result.probabilities.sum() == pytest.approx(1)
        assert result.box == pytest.approx(box, abs=3)


def test_the_loss_is_of_the_largest_object_and_of_pictures_that_show_one():
    torch.manual_seed(0)
    network, images = build_model("localizer/resnet18", num_classes=3).eval(), torch.randn(3, 3, 64, 64)
    several = Objects(torch.tensor([[0.0, 0, 8, 8], [16, 8, 48, 40]]), torch.tensor([0, 2]))
    one = Objects(torch.tensor([[32.0, 32, 64, 64]]), torch.tensor([1]))
    with torch.no_grad():
        total, right = TASK.loss(network, images, [several, Objects.none(), one])
        outputs = network(images)[[0, 2]]
    boxes = torch.tensor([[0.5, 0.375, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]])
    labels = torch.tensor([2, 1])
    assert total.item() == pytest.approx(losses(outputs, labels, boxes, 3).total.item(), rel=1e-5)
    assert right.item() == pytest.approx(1.5 * int((outputs[:, :3].argmax(1) == labels).sum()))
    giou = LocalizationTask(CLASSES, "giou")
    with torch.no_grad():
        other, _ = giou.loss(network, images, [several, Objects.none(), one])
        nothing, none_right = TASK.loss(network, images, [Objects.none()] * 3)
    assert other.item() == pytest.approx(losses(outputs, labels, boxes, 3, box_loss="giou").total.item(), rel=1e-5)
    assert (nothing.item(), none_right.item()) == (0, 0)


def test_figures_baselines_and_comparison():
    labels = array_of(label((0, 0, 100, 50, 0)), label((100, 50, 200, 100, 1)), label((0, 0, 100, 50, 0)))
    right = [said(0, 0, 0, 100, 50), said(1, 100, 50, 200, 100), said(0, 0, 0, 100, 50)]
    wrong = [said(1, 0, 0, 100, 50), said(1, 0, 0, 50, 50), said(0, 0, 0, 100, 50)]
    metrics = TASK.measure(right, labels)
    assert metrics.figures() == {"localization_accuracy": 1.0, "accuracy": 1.0, "mean_iou": pytest.approx(1.0)}
    metrics = TASK.measure(wrong, labels)
    assert metrics.figures() == pytest.approx({"localization_accuracy": 1 / 3, "accuracy": 2 / 3, "mean_iou": 2 / 3})
    assert TASK.rank(metrics)[0] == pytest.approx(1 / 3)
    (baseline,) = TASK.baselines(labels, array_of(label((0, 0, 100, 50, 0)), label((0, 0, 100, 50, 0))))
    assert baseline.name == "always 'cat', and the mean box, of the training pictures"
    assert baseline.figures["localization_accuracy"][0] == pytest.approx(2 / 3)
    difference = TASK.compare(right, wrong, labels)
    assert (difference.only_first, difference.only_second) == (2, 0)
    (average, *_) = TASK.average([right, wrong])
    assert average.probabilities.tolist() == pytest.approx([0.45, 0.45, 0.1])


def test_of_several_objects_the_largest_that_counts_is_meant():
    several = label((0, 0, 20, 20, 1), (0, 0, 50, 50, 2), (0, 0, 200, 100, 0), ignored=(2,))
    assert TASK.measure([said(2, 0, 0, 50, 50)], array_of(several)).localization_accuracy == 1
    task = LocalizationTask.for_training(CLASSES, array_of(*[label((0, 0, 9, 9, 1))] * 19, several), TrainConfig())
    assert task == TASK
    (truth,) = TASK.truth(array_of(several), ["x.png"])
    assert len(truth.objects) == 3


def test_what_makes_no_sense_is_refused():
    one, two = label((0, 0, 9, 9, 1)), label((0, 0, 9, 9, 1), (20, 20, 40, 40, 1))
    with pytest.raises(DataError, match=r"1 of 4 training pictures show several objects, .*use --task detection"):
        LocalizationTask.for_training(CLASSES, array_of(one, one, one, two), TrainConfig())
    with pytest.raises(DataError, match=r"1 of 3 training pictures show no object, .*leave them out, or use --task"):
        LocalizationTask.for_training(CLASSES, array_of(one, one, label()), TrainConfig())
    with pytest.raises(DataError, match="1 of 1 pictures show no object"):
        TASK.measure([said(0, 0, 0, 9, 9)], array_of(label()))
    with pytest.raises(ConfigError, match="tells no box: expected a localizer on a backbone"):
        TASK.loss(build_model("simple_cnn"), torch.zeros(1, 3, 32, 32), [Objects.none()])


def test_a_bundle_keeps_the_loss_of_the_box():
    assert isinstance(TASK, PlaceTask)
    config = TrainConfig.from_values({"detection": {"box_loss": "giou"}})
    bundle = Bundle("localization", "localizer/resnet18", Preprocess(), CLASSES, config=config.model_dump())
    assert LocalizationTask.of_bundle(bundle) == LocalizationTask(CLASSES, "giou")
    assert TASK.in_bundle() == {"classes": CLASSES}


def test_prediction_and_truth_are_drawn():
    image = Image.new("RGB", (200, 100), (255, 255, 255))
    (result,) = TASK.results([said(1, 40, 30, 120, 90)], [None])
    (truth,) = TASK.truth(array_of(label((40, 30, 120, 90, 1))), [None])
    for each in (result, truth):
        drawn = np.asarray(TASK.draw(image, each))
        assert drawn.shape == (300, 600, 3)  # three times as large, to be read
        assert (drawn == (86, 180, 233)).all(axis=2).any()
