"""The probabilities of the classes at every pixel of a picture: computed and kept in bands of rows.

Logits of a large picture do not fit into memory, and those of a whole split never do. So they are computed band by
band, from tiles where the picture is large, and what is kept of a band is its mask and its probabilities in steps of
1/255, both compressed: near 0 or 1 almost everywhere, they take a small part of the room of floats. That is enough to
average them with those of other models; the mask itself comes from exact ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.results.segmentation import PackedMask
from hubel.tasks.segmentation_losses import IGNORED

if TYPE_CHECKING:
    import numpy.typing as npt

_ROWS = 256  # of a band
_STEPS = 255

# The cross entropy of each kept value in nats: below half a step a probability is not known, and taken for that.
_CROSS_ENTROPY = -np.log(np.maximum(np.arange(_STEPS + 1), 0.5) / _STEPS)


@dataclass(frozen=True)
class PixelPrediction:
    """What a model says of the pixels of a picture.

    Attributes:
        mask: The most probable class of each, at the size of the upright picture.
        probabilities: Of each band of rows, compressed uint8 (num_classes, rows, W), in steps of 1/255.
    """

    mask: PackedMask
    probabilities: tuple[bytes, ...]

    @classmethod
    def of(cls, bands: Iterable[Tensor]) -> PixelPrediction:
        """Keep probabilities that come as bands: float (num_classes, `_ROWS` or fewer in the last one, W)."""
        kept: list[bytes] = []

        def masks() -> Iterator[npt.NDArray[np.uint8]]:
            for band in bands:
                steps = (_STEPS * band).round().to(torch.uint8)
                kept.append(zlib.compress(steps.numpy().tobytes(), 1))
                yield band.argmax(dim=0).to(torch.uint8).numpy()

        return cls(PackedMask.of(masks()), tuple(kept))

    def bands(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The kept probabilities: uint8 (num_classes, rows, W), in steps of 1/255."""
        width = self.mask.size[1]
        for start, band in zip(range(0, self.mask.size[0], _ROWS), self.probabilities, strict=True):
            rows = min(_ROWS, self.mask.size[0] - start)
            yield np.frombuffer(zlib.decompress(band), np.uint8).reshape(-1, rows, width)

    def cross_entropy(self, truth: npt.NDArray[np.uint8]) -> float:
        """The mean cross entropy of the pixels that count, in nats; at most that of half a step, 6.2. 0 for none.

        Args:
            truth: uint8 (H, W): classes, and 255 where a pixel does not count.
        """
        total = 0.0
        for start, band in zip(range(0, len(truth), _ROWS), self.bands(), strict=True):
            rows = truth[start : start + _ROWS]
            counts = rows != IGNORED
            of_truth = np.take_along_axis(band, np.where(counts, rows, 0)[None].astype(np.int64), axis=0)[0]
            total += float(_CROSS_ENTROPY[of_truth[counts]].sum())
        return total / max(1, int((truth != IGNORED).sum()))


def averaged(predictions: Sequence[PixelPrediction]) -> PixelPrediction:
    """The mean of several models' probabilities of one picture."""
    if len(predictions) == 1:
        return predictions[0]
    together = zip(*(prediction.bands() for prediction in predictions), strict=True)
    return PixelPrediction.of(torch.from_numpy(np.mean(bands, axis=0, dtype=np.float32) / _STEPS) for bands in together)


def in_bands(strips: Iterable[Tensor]) -> Iterator[Tensor]:
    """The same rows as they come, (C, rows, W) each, in bands of `_ROWS`; the last one has what is left."""
    waiting: list[Tensor] = []
    for strip in strips:
        waiting.append(strip)
        while sum(each.shape[1] for each in waiting) >= _ROWS:
            joined = torch.cat(waiting, dim=1)
            yield joined[:, :_ROWS]
            waiting = [joined[:, _ROWS:]]
    if rest := [each for each in waiting if each.shape[1]]:
        yield torch.cat(rest, dim=1)


def scaled_bands(logits: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Logits scaled to a height and width by bilinear interpolation, in bands: as `F.interpolate` does it at once.

    Args:
        logits: Float (num_classes, h, w).
        size: Height and width.

    Yields:
        (num_classes, rows, width).
    """
    height, width = size
    last = logits.shape[1] - 1
    centres = ((torch.arange(height) + 0.5) * (logits.shape[1] / height) - 0.5).clamp(min=0)
    above = centres.long()
    below, share = (above + 1).clamp(max=last), (centres - above).to(logits.dtype)[:, None]
    for start in range(0, height, _ROWS):
        rows = slice(start, start + _ROWS)
        band = torch.lerp(logits[:, above[rows]], logits[:, below[rows]], share[rows])  # (num_classes, rows, w)
        yield F.interpolate(band, size=width, mode="linear", align_corners=False)
