"""Localisation: the class and the box of the one object that each picture shows.

`LocalizationTask` is the shell that training, prediction and evaluation hold; the loss, the decoding and the figures
are the functions of `hubel.tasks.localization`. Of a picture with several objects the largest one counts; a data set
where such pictures are no exception is one for detection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hubel.data.labels import Labelling, ObjectsLabel
from hubel.data.targets import Objects
from hubel.errors import ConfigError, DataError
from hubel.models.localization.localizer import LocalizationNetwork
from hubel.nn.boxes import area, clip, to_relative, xyxy_to_cxcywh
from hubel.results import Localization, LocalizationMetrics, Metrics, Result
from hubel.results.detection import DetectedObjects
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.box_views import BoxView, Size, box_views
from hubel.tasks.detection import draw_objects, true_objects
from hubel.tasks.localization import BoxLoss, Localized, decode, in_pixels, losses, measure, right_on_both
from hubel.tasks.paired import PairedDifference, paired_difference

if TYPE_CHECKING:
    from PIL import Image

    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.preprocessing import Preprocess
    from hubel.tasks.task import Labels
    from hubel.tasks.views import Views

# Where more of the pictures than this show several objects, they are no exception.
_MOST_WITH_SEVERAL = 0.1


class Located(NamedTuple):
    """A prediction: what and where the object of a picture is.

    Attributes:
        probabilities: float64 (num_classes,).
        box: float32 (4,), `xyxy` in pixels of the upright original.
        size: Its height and width.
    """

    probabilities: Tensor
    box: Tensor
    size: Size


@dataclass(frozen=True)
class LocalizationTask:
    """What training, prediction and evaluation need to know of localisation.

    Attributes:
        classes: The classes' names; a label is a position among them.
        box_loss: What a box costs, see `hubel.tasks.localization.losses`.
    """

    classes: tuple[str, ...]
    box_loss: BoxLoss = "squared"

    name: ClassVar[str] = "localization"
    labelling: ClassVar[Labelling] = "boxes"
    score_name: ClassVar[str] = "accuracy"

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run.

        Raises:
            DataError: Many pictures show several objects, or some show none.
        """
        several = sum(sum(not ignored for ignored in label.ignored) > 1 for label in labels)
        if several > _MOST_WITH_SEVERAL * len(labels):
            raise DataError(
                f"{several:,} of {len(labels):,} training pictures show several objects, and localization tells one a "
                "picture: expected at most a tenth, of which the largest object counts; use --task detection"
            )
        _check_one_each(labels, "training ")
        return cls(classes, config.detection.box_loss)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        return cls(bundle.classes, bundle.config.get("detection", {}).get("box_loss", "squared"))

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it; the box's loss is in its configuration."""
        return {"classes": self.classes}

    @property
    def outputs(self) -> int:
        """As many as there are classes; the box's four come by themselves."""
        return len(self.classes)

    def describe(self) -> str:
        """`with an object each, of 10 classes`."""
        return f"with an object each, of {len(self.classes)} classes"

    def loss(self, network: nn.Module, images: Tensor, targets: list[Objects]) -> tuple[Tensor, Tensor]:
        """The mean loss, and how many of the classes are right.

        A picture whose object was cut away by its augmentation teaches nothing, and counts as right as often as the
        others do.
        """
        outputs = _localizer(network)(images)
        shown = [position for position, each in enumerate(targets) if len(each.labels)]
        if not shown:
            return outputs.float().sum() * 0, outputs.new_zeros((), dtype=torch.float32)
        chosen = [_largest(targets[position]) for position in shown]
        labels = torch.stack([label for label, _ in chosen]).to(images.device)
        boxes = torch.stack([box for _, box in chosen]).to(images.device, torch.float32)
        size = (images.shape[2], images.shape[3])
        told, truth = outputs[shown], xyxy_to_cxcywh(to_relative(boxes, size))
        count = len(self.classes)
        total = losses(told, labels, truth, count, box_loss=self.box_loss).total
        right = (told[:, :count].argmax(dim=1) == labels).sum()
        return total, right * len(images) / len(shown)

    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Sequence[npt.NDArray[np.uint8]],
        sizes: Sequence[Size],
        views: Views | None = None,
    ) -> list[Located]:
        """What and where the object of each picture is; see `PlaceTask.predict`."""
        _localizer(network)
        device = next(network.parameters()).device
        images = preprocess.normalise(torch.from_numpy(np.stack(pictures)).to(device))
        of_views = [self._located(network, preprocess, images, sizes, view) for view in box_views(views)]
        return self.average(of_views) if len(of_views) > 1 else of_views[0]

    def _located(
        self, network: nn.Module, preprocess: Preprocess, images: Tensor, sizes: Sequence[Size], view: BoxView
    ) -> list[Located]:
        seen = view.of(images)
        found = decode(network(seen).cpu().double(), len(self.classes))
        assert found.boxes is not None
        in_view, in_input = (seen.shape[2], seen.shape[3]), (images.shape[2], images.shape[3])
        boxes = view.back(in_pixels(found.boxes, in_view), in_view, in_input)
        return [
            Located(probabilities, clip(preprocess.placement(size).to_picture(box), size).float(), size)
            for probabilities, box, size in zip(found.probabilities, boxes, sizes, strict=True)
        ]

    def average(self, of_models: Sequence[Sequence[Located]]) -> list[Located]:
        """Of several models, or views, the mean of the probabilities and the mean of the boxes."""
        return [
            Located(
                torch.stack([each.probabilities for each in of_picture]).mean(dim=0),
                torch.stack([each.box for each in of_picture]).mean(dim=0),
                of_picture[0].size,
            )
            for of_picture in zip(*of_models, strict=True)
        ]

    def results(self, predictions: Sequence[Located], paths: Sequence[str | None]) -> list[Localization]:
        """A result for each picture."""
        results = []
        for (probabilities, box, size), path in zip(predictions, paths, strict=True):
            x1, y1, x2, y2 = box.tolist()
            results.append(Localization(self.classes, probabilities.numpy(), (x1, y1, x2, y2), size, path))
        return results

    def truth(self, labels: Labels, paths: Sequence[str | None]) -> list[DetectedObjects]:
        """The objects that there are."""
        return [true_objects(self.classes, label, path) for label, path in zip(labels, paths, strict=True)]

    def measure(self, predictions: Sequence[Located], labels: Labels) -> LocalizationMetrics:
        """Metrics against the largest object of each picture.

        Raises:
            DataError: A picture has no object.
        """
        found, classes, boxes = self._beside(predictions, labels)
        return measure(found, classes, boxes, box_loss=self.box_loss)

    def _beside(self, predictions: Sequence[Located], labels: Labels) -> tuple[Localized, Tensor, Tensor]:
        """What is said of all pictures, and what is true: labels (N,) and boxes (N, 4), `cxcywh` and relative."""
        classes, truth = _true(labels)
        told = torch.stack([xyxy_to_cxcywh(to_relative(found.box, found.size)) for found in predictions])
        return Localized(torch.stack([found.probabilities for found in predictions]), told), classes, truth

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The share that is right on both, then the mean IoU, then the lower loss."""
        figures = metrics.figures()
        return figures["localization_accuracy"], figures["mean_iou"], -metrics.loss

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Always saying the most frequent class and the mean box."""
        known, mean_of = _true(training_labels if training_labels is not None else labels)
        said = int(known.bincount(minlength=len(self.classes)).argmax())
        classes, truth = _true(labels)
        probabilities = torch.nn.functional.one_hot(torch.tensor(said), len(self.classes)).double()
        constant = Localized(probabilities.expand(len(labels), -1), mean_of.mean(dim=0).expand(len(labels), -1))
        metrics = measure(constant, classes, truth, box_loss=self.box_loss)
        whom = whose(training_labels is not None)
        figures = {name: (value, getattr(metrics, f"{name}_ci95")) for name, value in metrics.figures().items()}
        return (Baseline(f"always '{self.classes[said]}', and the mean box, of {whom}", figures),)

    def compare(self, first: Sequence[Located], second: Sequence[Located], labels: Labels) -> PairedDifference:
        """The difference of the shares that are right on both."""
        own, other = (right_on_both(*self._beside(each, labels)) for each in (first, second))
        return paired_difference(own.numpy(), other.numpy())

    def draw(self, image: Image.Image, result: Result) -> Image.Image:
        """The picture with the box, its class and its probability."""
        return draw_objects(image, cast("Localization | DetectedObjects", result).objects, self.classes)


def _localizer(network: nn.Module) -> nn.Module:
    """The network, if it tells a box.

    Raises:
        ConfigError: It does not.
    """
    if not isinstance(network, LocalizationNetwork):
        raise ConfigError(
            f"{type(network).__name__} tells no box: expected a localizer on a backbone, such as localizer/resnet18"
        )
    return network


def _check_one_each(labels: Labels, which: str = "") -> None:
    """Raise a DataError that counts the pictures without an object."""
    if none := sum(not label.boxes for label in labels):
        raise DataError(
            f"{none:,} of {len(labels):,} {which}pictures show no object, and localization tells one a picture: leave "
            "them out, or use --task detection, for which they are good data"
        )


def _true(labels: Labels) -> tuple[Tensor, Tensor]:
    """Of the largest object of each picture, the class (N,) and the box (N, 4), `cxcywh` and relative."""
    _check_one_each(labels)
    chosen = [_largest_of(label) for label in labels]
    boxes = [xyxy_to_cxcywh(to_relative(box, label.size)) for (_, box), label in zip(chosen, labels, strict=True)]
    return torch.tensor([number for number, _ in chosen]), torch.stack(boxes).clamp(0, 1)


def _largest_of(label: ObjectsLabel) -> tuple[int, Tensor]:
    """Class and box (4,), float64 `xyxy`, of the largest object, if possible of one that counts."""
    boxes = torch.tensor(label.boxes, dtype=torch.float64)
    counts = torch.tensor([not ignored for ignored in label.ignored])
    chosen = int(torch.where(counts | ~counts.any(), area(boxes), -1).argmax())
    return label.classes[chosen], boxes[chosen]


def _largest(objects: Objects) -> tuple[Tensor, Tensor]:
    """Label and box of the largest object in an input."""
    chosen = area(objects.boxes).argmax()
    return objects.labels[chosen], objects.boxes[chosen]
