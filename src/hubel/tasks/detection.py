"""Detection: all objects of a picture, each with its class and its box.

`DetectionTask` is the shell that training, prediction and evaluation hold; what networks' outputs mean is in
`hubel.tasks.detectors`, the figures in `hubel.tasks.detection_metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from hubel.config import DetectionConfig
from hubel.data.drawing.boxes import DrawnBox, draw_boxes
from hubel.data.labels import Labelling, ObjectsLabel
from hubel.data.targets import Objects
from hubel.errors import DataError
from hubel.nn.boxes import clip, to_absolute, to_relative
from hubel.results import DetectedObject, DetectedObjects, DetectionMetrics, Metrics, Result
from hubel.results.naming import counted
from hubel.results.palette import class_colour
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.box_fusion import fused
from hubel.tasks.box_views import BoxView, Size, box_views
from hubel.tasks.detection_metrics import detection_metrics, resampled_map50
from hubel.tasks.detectors.families import Detector, detector_of
from hubel.tasks.detectors.objects import Detections
from hubel.tasks.detectors.suppression import Suppression
from hubel.tasks.paired import BootstrapDifference, bootstrap_difference

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.preprocessing import Preprocess
    from hubel.tasks.task import Labels
    from hubel.tasks.views import Views

# Precision is read at all values of recall, so nearly everything that a network says is measured.
MEASURED_FROM = 0.001

Pictures = Sequence["npt.NDArray[np.uint8]"]  # (h, w, C) each


class FoundInPicture(NamedTuple):
    """A prediction: what a detector found in a picture, with scores from `MEASURED_FROM` on.

    Attributes:
        detections: In pixels of the upright original, on the CPU.
        size: Its height and width.
    """

    detections: Detections
    size: Size


@dataclass(frozen=True)
class DetectionTask:
    """What training, prediction and evaluation need to know of detection.

    Attributes:
        classes: The classes' names; a label is a position among them.
        settings: What is reported.
    """

    classes: tuple[str, ...]
    settings: DetectionConfig = field(default_factory=DetectionConfig)

    name: ClassVar[str] = "detection"
    labelling: ClassVar[Labelling] = "boxes"
    score_name: ClassVar[str] = "box_loss"

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run.

        Raises:
            DataError: No training picture has an object.
        """
        if not any(_counted(label).any() for label in labels):
            raise DataError(
                f"none of {counted(len(labels), 'training picture')} has an object that counts: there is nothing to "
                "learn; expected boxes in their annotations"
            )
        return cls(classes, config.detection)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model, with the settings that it was trained with."""
        return cls(bundle.classes, DetectionConfig(**bundle.config.get("detection", {})))

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it; the settings are in its configuration."""
        return {"classes": self.classes}

    def reporting_from(self, least_score: float) -> Self:
        """The same task with another least score of what is reported."""
        return replace(self, settings=self.settings.model_copy(update={"least_score": least_score}))

    @property
    def outputs(self) -> int:
        """As many as there are classes; a background is the network's own affair."""
        return len(self.classes)

    def describe(self) -> str:
        """`with objects of 3 classes`."""
        return f"with objects of {len(self.classes)} class{'es' if len(self.classes) > 1 else ''}"

    def loss(self, network: nn.Module, images: Tensor, targets: list[Objects]) -> tuple[Tensor, Tensor]:
        """The detector's own mean loss, and the sum over the pictures of the part that is about places."""
        total, boxes = detector_of(network).loss(network, images, targets)
        return total, boxes.detach() * len(images)

    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Pictures,
        sizes: Sequence[Size],
        views: Views | None = None,
    ) -> list[FoundInPicture]:
        """What the network finds in each picture, in the upright original's pixels; see `PlaceTask.predict`."""
        detector = detector_of(network)
        how = self._measured(detector)
        of_views = [
            self._predict_view(network, detector, preprocess, pictures, sizes, view, how)
            for view in box_views(views, any_size=detector.any_size)
        ]
        return self.average(of_views) if len(of_views) > 1 else of_views[0]

    def _measured(self, detector: Detector) -> Suppression:
        """How the detector is read where it is measured."""
        usual, asked = detector.suppression, self.settings
        return Suppression(
            least_score=min(MEASURED_FROM, asked.least_score),
            iou_threshold=usual.iou_threshold if asked.iou_threshold is None else asked.iou_threshold,
            most=usual.most if asked.most is None else asked.most,
            class_aware=asked.class_aware,
            soft=asked.soft,
        )

    @staticmethod
    def _predict_view(
        network: nn.Module,
        detector: Detector,
        preprocess: Preprocess,
        pictures: Pictures,
        sizes: Sequence[Size],
        view: BoxView,
        how: Suppression,
    ) -> list[FoundInPicture]:
        device = next(network.parameters()).device
        found: dict[int, FoundInPicture] = {}
        for positions in _of_one_shape(pictures):
            stack = torch.from_numpy(np.stack([pictures[at] for at in positions]))
            images = preprocess.normalise(stack.to(device))
            seen = view.of(images)
            for at, (boxes, labels, scores) in zip(positions, detector.detect(network, seen, how), strict=True):
                plain = view.back(boxes.float(), _sides(seen), _sides(images)).cpu()
                inside = clip(preprocess.placement(sizes[at]).to_picture(plain), sizes[at])
                some = (inside[:, 2:] > inside[:, :2]).all(dim=1)  # not in the frame around the picture
                there = Detections(inside[some], labels.cpu()[some], scores.float().cpu()[some])
                found[at] = FoundInPicture(there, sizes[at])
        return [found[at] for at in range(len(pictures))]

    def average(self, of_models: Sequence[Sequence[FoundInPicture]]) -> list[FoundInPicture]:
        """What several models, or views, find together: weighted box fusion."""
        return [
            FoundInPicture(fused([each.detections for each in of_picture]), of_picture[0].size)
            for of_picture in zip(*of_models, strict=True)
        ]

    def results(self, predictions: Sequence[FoundInPicture], paths: Sequence[str | None]) -> list[DetectedObjects]:
        """What is reported of each picture: objects with the least score or more."""
        return [
            DetectedObjects(self.classes, self._objects(found.detections), found.size, path)
            for found, path in zip(predictions, paths, strict=True)
        ]

    def _objects(self, found: Detections) -> tuple[DetectedObject, ...]:
        rows = zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
        return tuple(
            DetectedObject(self.classes[label], tuple(box), score)
            for box, label, score in rows
            if score >= self.settings.least_score
        )

    def truth(self, labels: Labels, paths: Sequence[str | None]) -> list[DetectedObjects]:
        """The objects that there are, those that do not count among them."""
        return [true_objects(self.classes, label, path) for label, path in zip(labels, paths, strict=True)]

    def measure(self, predictions: Sequence[FoundInPicture], labels: Labels) -> DetectionMetrics:
        """Average precisions; their intervals are computed when they are asked for."""
        return detection_metrics(
            [found.detections for found in predictions],
            [_objects_of(label) for label in labels],
            self.classes,
            ignored=[~_counted(label) for label in labels],
            least_score=self.settings.least_score,
        )

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The mean average precision at the overlap 0.5, then that over all overlaps."""
        figures = metrics.figures()
        return figures["map50"], figures["map"]

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Reporting each class's mean box in every picture, as sure as the class is frequent.

        Where objects lie anywhere, it finds next to none; where photographers put them into the middle, some.
        """
        known = training_labels if training_labels is not None else labels
        constant = _mean_boxes(known, len(self.classes))
        said = [
            FoundInPicture(constant._replace(boxes=to_absolute(constant.boxes, label.size)), label.size)
            for label in labels
        ]
        metrics = self.measure(said, labels)
        name = f"each class's mean box of {whose(training_labels is not None)} in every picture"
        return (Baseline(name, {"map50": (metrics.map50 or 0.0, metrics.map50_ci95)}),)

    def compare(
        self, first: Sequence[FoundInPicture], second: Sequence[FoundInPicture], labels: Labels
    ) -> BootstrapDifference:
        """The difference of mAP at the overlap 0.5, by pictures drawn anew for both."""
        objects = [_objects_of(label) for label in labels]
        ignored = [~_counted(label) for label in labels]
        own, other = ([found.detections for found in each] for each in (first, second))
        drawn = resampled_map50(own, objects, ignored) - resampled_map50(other, objects, ignored)
        figures = [self.measure(each, labels).figures()["map50"] for each in (first, second)]
        return bootstrap_difference("map50", figures[0] - figures[1], drawn, len(labels))

    def draw(self, image: Image.Image, result: Result) -> Image.Image:
        """The picture with boxes, classes and scores."""
        return draw_objects(image, cast(DetectedObjects, result).objects, self.classes)


def draw_objects(image: Image.Image, objects: Sequence[DetectedObject], classes: Sequence[str]) -> Image.Image:
    """A picture with the boxes of objects, each in its class's colour; broken lines for what does not count."""
    number = {name: position for position, name in enumerate(classes)}
    boxes = [DrawnBox(each.box, each.text, class_colour(number[each.label]), each.ignored) for each in objects]
    return draw_boxes(image, boxes)


def true_objects(classes: tuple[str, ...], label: ObjectsLabel, path: str | None) -> DetectedObjects:
    """The objects of a label, as a detector would tell them."""
    rows = zip(label.boxes, label.classes, label.ignored, strict=True)
    objects = tuple(DetectedObject(classes[number], box, None, ignored) for box, number, ignored in rows)
    return DetectedObjects(classes, objects, label.size, path)


def _objects_of(label: ObjectsLabel) -> Objects:
    """All objects of a label, in pixels of the upright picture."""
    boxes = torch.tensor(label.boxes, dtype=torch.float32).reshape(-1, 4)
    return Objects(boxes, torch.tensor(label.classes, dtype=torch.int64))


def _counted(label: ObjectsLabel) -> Tensor:
    """Which of its objects count: bool (G,)."""
    return ~torch.tensor(label.ignored, dtype=torch.bool)


def _mean_boxes(labels: Labels, classes: int) -> Detections:
    """Of each class that occurs, the mean box relative to the picture; the score is the share of pictures with it."""
    boxes: list[list[Tensor]] = [[] for _ in range(classes)]
    pictures = np.zeros(classes)
    for label in labels:
        counted = _counted(label)
        objects = _objects_of(label)
        numbers = objects.labels[counted]
        for number, box in zip(numbers.tolist(), to_relative(objects.boxes[counted], label.size), strict=True):
            boxes[number].append(box)
        pictures[list(set(numbers.tolist()))] += 1
    present = [number for number in range(classes) if boxes[number]]
    order = sorted(present, key=lambda number: -pictures[number])
    return Detections(
        torch.stack([torch.stack(boxes[number]).mean(dim=0) for number in order]) if order else torch.zeros(0, 4),
        torch.tensor(order, dtype=torch.int64),
        torch.tensor(pictures[order] / max(len(labels), 1), dtype=torch.float32),
    )


def _of_one_shape(pictures: Pictures) -> list[list[int]]:
    """The positions of the pictures, those of one shape together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for position, picture in enumerate(pictures):
        alike.setdefault(picture.shape, []).append(position)
    return list(alike.values())


def _sides(images: Tensor) -> Size:
    return images.shape[2], images.shape[3]
