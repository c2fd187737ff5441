"""Which class each pixel of a picture has, and how well that is told."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubel.results.base import Interval, interval_fields

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class PackedMask:
    """A mask, compressed band of rows by band: masks are large areas, so that those of thousands of pictures fit.

    Attributes:
        size: Height and width.
        bands: Compressed uint8 of (rows, width), from the top.
    """

    size: tuple[int, int]
    bands: tuple[bytes, ...]

    @classmethod
    def of(cls, bands: Iterable[npt.NDArray[np.uint8]]) -> PackedMask:
        """Pack a mask that comes as bands of rows, uint8 (rows, width); a whole mask is one band."""
        packed, height, width = [], 0, 0
        for band in bands:
            packed.append(zlib.compress(band.tobytes(), 1))
            height, width = height + len(band), band.shape[1]
        return cls((height, width), tuple(packed))

    def array(self) -> npt.NDArray[np.uint8]:
        """The mask, uint8 (H, W)."""
        import numpy as np

        pixels = bytearray().join(zlib.decompress(band) for band in self.bands)
        return np.frombuffer(pixels, np.uint8).reshape(self.size)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a model says of the pixels of one picture.

    Attributes:
        classes: Every class's name, in the model's order.
        packed: The mask, compressed, at the size of the upright picture.
        pixels: How many pixels each class has.
        path: The picture's file, where it came from one.
    """

    classes: tuple[str, ...]
    packed: PackedMask
    pixels: tuple[int, ...]
    path: str | None = None

    @classmethod
    def of(cls, classes: tuple[str, ...], packed: PackedMask, path: str | None = None) -> Segmentation:
        """The result of a mask; in a true one, 255 is no class."""
        import numpy as np

        pixels = np.bincount(packed.array().ravel(), minlength=len(classes))[: len(classes)]
        return cls(classes, packed, tuple(pixels.tolist()), path)

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """The class of every pixel of the upright picture: uint8 (H, W), positions in `classes`."""
        return self.packed.array()

    @property
    def shares(self) -> dict[str, float]:
        """The share of the picture's pixels that each class has."""
        whole = math.prod(self.packed.size)
        return {name: count / whole for name, count in zip(self.classes, self.pixels, strict=True)}

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k classes with the most pixels and their shares, the largest first; none that has no pixel."""
        ordered = sorted(self.shares.items(), key=lambda item: -item[1])
        return [(name, share) for name, share in ordered[:k] if share]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON, without the mask: the pixels of each class, or of the largest where `top` tells so."""
        pixels, height, width = dict(zip(self.classes, self.pixels, strict=True)), *self.packed.size
        areas = {
            name: {"pixels": pixels[name], "share": share}
            for name, share in (self.shares.items() if top is None else self.top(top))
        }
        return {"path": self.path, "height": height, "width": width, "areas": areas}

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs: the class with the most pixels, and each one's share."""
        ((name, _),) = self.top(1)
        row: dict[str, str | None] = {"path": self.path, "largest": name}
        return [row | {f"share {name}": f"{share:.6f}" for name, share in self.shares.items()}]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in self.top(top))
        return {"picture": str(self.path), "pixels": shares}

    def save_mask(self, path: Path) -> None:
        """Write the mask as an indexed PNG of its classes' numbers, with a palette for the eye; whole or not at all."""
        from io import BytesIO

        from PIL import Image

        from hubel.files import write_whole
        from hubel.results.palette import mask_palette

        image = Image.fromarray(self.mask, "P")
        image.putpalette(mask_palette(self.classes).tobytes())
        encoded = BytesIO()
        image.save(encoded, "PNG", optimize=True)
        write_whole(path, encoded.getvalue())

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in self.top())
        return f"Segmentation({shares}, path={self.path!r})"


@dataclass(frozen=True, eq=False)
class SegmentationMetrics:
    """A model's masks measured against the true ones.

    Attributes:
        classes: Their names.
        counts: int64 (N, 3, K), for each picture and class the pixels that are rightly given it, that have it, and
            that are given it.
        confusion: int64 (K, K), pixels of all pictures; a row for each true class.
        loss: The mean over the pictures of the mean cross entropy of a picture's pixels, in nats; nan where only masks
            were measured.
        loss_ci95: Its 95 % interval (Student's t of the logarithm); None where it cannot be told.
        iou: Of each class, the intersection of its true and its predicted pixels over their union, all pictures
            together; None where the class is in no mask and no prediction.
        dice: Likewise 2 · intersection / (true + predicted pixels).
        mean_iou: The mean of `iou` over the classes that have one.
        mean_dice: Likewise.
        pixel_accuracy: The share of pixels whose class is right.
        intervals: The figures' 95 % intervals: `mean_iou`, `mean_dice`, `pixel_accuracy`, and `iou` and `dice` of each
            class (`iou/NAME`); percentile bootstrap over the pictures, None where one picture alone was measured.
    """

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64] = field(repr=False)
    confusion: npt.NDArray[np.int64] = field(repr=False)
    loss: float
    loss_ci95: Interval | None
    iou: tuple[float | None, ...]
    dice: tuple[float | None, ...]
    mean_iou: float
    mean_dice: float
    pixel_accuracy: float
    intervals: dict[str, Interval | None] = field(repr=False)

    @property
    def images(self) -> int:
        """How many pictures were measured."""
        return len(self.counts)

    def figures(self) -> dict[str, float]:
        """The mean IoU, and the other figures of all classes together."""
        return {"mean_iou": self.mean_iou, "mean_dice": self.mean_dice, "pixel_accuracy": self.pixel_accuracy}

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {"images": self.images}
        if not math.isnan(self.loss):
            values |= interval_fields("loss", self.loss, self.loss_ci95)
        for name, value in self.figures().items():
            values |= interval_fields(name, value, self.intervals[name])
        return values

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, with the classes' figures and the confusion of pixels, for `--json`."""
        per_class = {
            name: {
                **interval_fields("iou", self.iou[number], self.intervals[f"iou/{name}"]),
                **interval_fields("dice", self.dice[number], self.intervals[f"dice/{name}"]),
                "pixels": int(self.confusion[number].sum()),
            }
            for number, name in enumerate(self.classes)
        }
        return self.to_dict() | {"per_class": per_class, "confusion": self.confusion.tolist()}
