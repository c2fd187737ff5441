"""Segmentation: a class for every pixel of a picture of any size.

`SegmentationTask` puts the pieces together: `hubel.tasks.mask_loss` to train on, `hubel.tasks.tiles` to predict,
`hubel.tasks.pixel_prediction` for what is kept of a picture, `hubel.tasks.segmentation_metrics` to measure it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.config import SegmentationConfig
from hubel.data.drawing.masks import draw_mask
from hubel.data.labels import Labelling
from hubel.data.masks.reading import IGNORED
from hubel.errors import ConfigError, TrainingError
from hubel.models.segmentation import SegmentationNetwork
from hubel.preprocessing import Preprocess
from hubel.results import Metrics, Result, Segmentation, SegmentationMetrics
from hubel.results.segmentation import PackedMask
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.mask_loss import MaskLoss, pixels_of_classes
from hubel.tasks.paired import BootstrapDifference
from hubel.tasks.pixel_prediction import PixelPrediction, averaged, in_bands, scaled_bands
from hubel.tasks.pixel_views import PixelView, pixel_views
from hubel.tasks.segmentation_losses import inverse_pixel_frequencies
from hubel.tasks.segmentation_metrics import MaskCounts, difference_of_mean_iou
from hubel.tasks.tiles import logit_strips, mirrored, sensible_overlap

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.tasks.task import Labels
    from hubel.tasks.views import Views


@dataclass(frozen=True)
class SegmentationTask:
    """What training, prediction and evaluation need to know of masks.

    Attributes:
        classes: The classes' names; a mask has positions among them, and 255 where a pixel does not count.
        mask_loss: What is trained on.
        settings: How large pictures are cut into tiles.
    """

    classes: tuple[str, ...]
    mask_loss: MaskLoss = field(default_factory=MaskLoss)
    settings: SegmentationConfig = field(default_factory=SegmentationConfig)

    name: ClassVar[str] = "segmentation"
    labelling: ClassVar[Labelling] = "mask"
    score_name: ClassVar[str] = "pixel_accuracy"

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run, with the loss that the settings ask for.

        Raises:
            ConfigError: A setting that is about whole pictures is set.
            DataError: A mask cannot be read.
        """
        instead = {
            f"imbalance={config.imbalance}": (
                config.imbalance != "none",
                "say it of pixels: segmentation.loss=weighted, focal or dice, or several joined by +",
            ),
            f"label_smoothing={config.label_smoothing}": (bool(config.label_smoothing), "leave it out"),
            f"augment.mixup={config.augment.mixup}": (bool(config.augment.mixup), "leave it out"),
            f"augment.cutmix={config.augment.cutmix}": (bool(config.augment.cutmix), "leave it out"),
        }
        for setting, (is_set, hint) in instead.items():
            if is_set:
                raise ConfigError(
                    f"{setting} came, but the pictures have masks, and it is for one class a picture: {hint}"
                )
        parts = config.segmentation.parts
        weights = None
        if "weighted" in parts:
            weights = inverse_pixel_frequencies(pixels_of_classes(labels.tolist(), len(classes)))
        return cls(classes, MaskLoss(parts, weights), config.segmentation)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        known = {name: bundle.config.get("segmentation", {}).get(name) for name in ("tile", "overlap")}
        return cls(bundle.classes, settings=SegmentationConfig(**{k: v for k, v in known.items() if v is not None}))

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it."""
        return {"classes": self.classes}

    @property
    def outputs(self) -> int:
        """A logit for each class at every pixel."""
        return len(self.classes)

    def describe(self) -> str:
        """`with masks of 3 classes`."""
        return f"with masks of {len(self.classes)} classes"

    def loss(self, network: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the sum of its pictures' shares of pixels that are right.

        The losses of auxiliary heads that train are added, each with the network's weight for them. Pictures of a size
        that the network does not take are continued by mirroring; where it gives less than it is given, the masks are
        cut to that.

        Args:
            network: A `SegmentationNetwork`.
            images: Normalised, float (N, C, H, W).
            targets: int64 (N, H, W): classes, and 255 where a pixel does not count.
        """
        network = cast(SegmentationNetwork, network)
        images, targets = _fitted(images, targets, network)
        trained = [name for name, head in network.aux_heads.items() if any(p.requires_grad for p in head.parameters())]
        if trained:
            logits, aux = network.forward_with_aux(images)
            others = [network.aux_weight * self.mask_loss(aux[name], targets) for name in trained]
        else:
            logits, others = network(images), []
        right, counts = logits.detach().argmax(dim=1) == targets, targets != IGNORED
        shares = right.sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1)
        return sum(others, start=self.mask_loss(logits, targets)), shares.sum()

    @torch.inference_mode()
    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Sequence[npt.NDArray[np.uint8]],
        sizes: Sequence[tuple[int, int]],
        views: Views | None = None,
    ) -> list[PixelPrediction]:
        """The probabilities of every pixel of pictures, at the sizes of the upright originals.

        Args:
            network: A `SegmentationNetwork`, in evaluation mode, on any device.
            preprocess: By which the pictures were brought to size; nothing of them is cropped away.
            pictures: uint8 (h, w, C) each; what the network's stride does not divide is padded and cut back.
            sizes: Height and width of each upright original.
            views: Of the whole picture (see `hubel.tasks.pixel_views`), whose probabilities are averaged; None: the
                plain one.

        Raises:
            ConfigError: Other views; a tile that is too small for the network.
            TrainingError: The network gives values that are not finite.
        """
        network = cast(SegmentationNetwork, network)
        wanted = pixel_views(views)
        predictions = []
        for picture, size in zip(pictures, sizes, strict=True):
            bands_of = partial(self._of_view, network, preprocess, picture, size)
            # Views that give their rows from the top are computed side by side, so that no more than some rows of each
            # are held; the others are added up before, one after the other.
            side_by_side = [bands_of(view) for view in wanted if view.in_rows]
            added = _added(bands_of(view) for view in wanted if not view.in_rows)
            together = zip(*side_by_side, *([added] if added else []), strict=True)
            predictions.append(PixelPrediction.of(sum(bands) / len(wanted) for bands in together))
        return predictions

    def _of_view(
        self,
        network: SegmentationNetwork,
        preprocess: Preprocess,
        picture: npt.NDArray[np.uint8],
        size: tuple[int, int],
        view: PixelView,
    ) -> Iterator[Tensor]:
        """The probabilities of one view, in bands of the original's rows: float32 (num_classes, rows, W) on the CPU."""
        scaled = view.scaled(picture)
        tile: int | None = None
        overlap: int | None = None
        if max(scaled.shape[:2]) > self.settings.tile:
            tile, overlap = self.settings.tile, self.settings.overlap
            overlap = sensible_overlap(network, tile) if overlap is None else overlap
        strips = view.back(logit_strips(network, view.seen(scaled), preprocess.normalise, tile=tile, overlap=overlap))
        if scaled.shape[:2] == size:
            bands = in_bands(strips)
        else:
            rows, columns = _part_with_the_picture(preprocess, size, picture.shape, scaled.shape)
            bands = scaled_bands(torch.cat(list(strips), dim=1)[:, rows, columns], size)
        for band in bands:
            if not band.isfinite().all():
                raise TrainingError(
                    "the network gives values that are not finite: lower the learning rate, or take other weights"
                )
            yield band.softmax(dim=0)

    def average(self, of_models: Sequence[Sequence[PixelPrediction]]) -> list[PixelPrediction]:
        """The mean of several models' probabilities, picture by picture."""
        return [averaged(of_one) for of_one in zip(*of_models, strict=True)]

    def results(self, predictions: Sequence[PixelPrediction], paths: Sequence[str | None]) -> list[Segmentation]:
        """A result for each prediction."""
        return [Segmentation.of(self.classes, each.mask, path) for each, path in zip(predictions, paths, strict=True)]

    def truth(self, labels: Labels, paths: Sequence[str | None]) -> list[Segmentation]:
        """The true masks as results."""
        return [
            Segmentation.of(self.classes, PackedMask.of([label.read()]), path)
            for label, path in zip(labels, paths, strict=True)
        ]

    def measure(self, predictions: Sequence[PixelPrediction], labels: Labels) -> SegmentationMetrics:
        """Metrics of predictions against masks, which are read one after the other.

        Raises:
            DataError: A mask cannot be read, or no pixel of any counts.
        """
        counts = MaskCounts(self.classes)
        for prediction, label in zip(predictions, labels, strict=True):
            truth = label.read()
            counts.add(truth, prediction.mask.array(), prediction.cross_entropy(truth))
        return counts.measure()

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The mean IoU, then the lower loss."""
        return metrics.figures()["mean_iou"], -metrics.loss

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Saying the most frequent class of all pixels everywhere."""
        known = training_labels if training_labels is not None else labels
        said = int(np.argmax(pixels_of_classes(known.tolist(), len(self.classes))))
        counts = MaskCounts(self.classes)
        for label in labels:
            truth = label.read()
            counts.add(truth, np.full_like(truth, said))
        metrics = counts.measure()
        name = f"'{self.classes[said]}' everywhere, the most frequent class of {whose(training_labels is not None)}"
        figures = {figure: (value, metrics.intervals[figure]) for figure, value in metrics.figures().items()}
        return (Baseline(name, figures),)

    def compare(
        self, first: Sequence[PixelPrediction], second: Sequence[PixelPrediction], labels: Labels
    ) -> BootstrapDifference:
        """The difference of the mean IoUs."""
        return difference_of_mean_iou(self.measure(first, labels), self.measure(second, labels))

    def draw(self, image: Image.Image, result: Result) -> Image.Image:
        """The upright picture with a mask over it, and below it the classes that occur with their shares."""
        assert isinstance(result, Segmentation)
        legend = {name: f"{name} {100 * share:.1f} %" for name, share in result.shares.items() if share}
        return draw_mask(image, result.mask, self.classes, legend)


def _fitted(images: Tensor, targets: Tensor, network: SegmentationNetwork) -> tuple[Tensor, Tensor]:
    """Pictures (N, C, H, W) of a size that a network takes, and the masks (N, h, w) of what it gives for them."""
    for axis in (2, 3):
        length = images.shape[axis]
        side = network.nearest_side(length)
        if side > length:
            before = (side - length) // 2
            shown = torch.from_numpy(mirrored(np.arange(-before, side - before), length)).to(images.device)
            images = images.index_select(axis, shown)
            around = (before, side - length - before)
            targets = F.pad(targets, (0, 0, *around) if axis == 2 else around, value=IGNORED)
    bottom, right = (side - network.margin for side in targets.shape[1:])
    return images, targets[:, network.margin : bottom, network.margin : right]


def _added(of_views: Iterable[Iterator[Tensor]]) -> list[Tensor]:
    """The sums of views' bands, band by band; empty for no views."""
    sums: list[Tensor] = []
    for bands in of_views:
        for number, band in enumerate(bands):
            if number < len(sums):
                sums[number] += band
            else:
                sums.append(band)
    return sums


def _part_with_the_picture(
    preprocess: Preprocess, size: tuple[int, int], pictured: tuple[int, ...], viewed: tuple[int, ...]
) -> tuple[slice, slice]:
    """Rows and columns of a scaled picture that show the picture itself, which may lie in a frame.

    Args:
        preprocess: By which a picture was brought to size.
        size: Height and width of the upright original.
        pictured: The shape of the picture that the preprocessing gave.
        viewed: The shape of the scaled one.
    """
    place = preprocess.placement(size, whole=True)
    parts = []
    for start, scale, side, of_picture, of_view in zip(
        (place.top, place.left), (place.scale_y, place.scale_x), size, pictured, viewed, strict=False
    ):
        factor = of_view / of_picture
        first, last = round(start * factor), round((start + side * scale) * factor)
        parts.append(slice(first, max(first + 1, last)))
    return parts[0], parts[1]
