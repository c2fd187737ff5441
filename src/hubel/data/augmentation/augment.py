"""How training pictures are varied: a value that turns stored uint8 pictures into a uint8 batch.

What happens to a picture is a function of its row of random numbers alone, see `hubel.data.randomness`. Geometry is
one copy, or one resampling; colour is one affine map of the channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional as F

from hubel.data.randomness import Stream, uniform
from hubel.errors import ConfigError, unknown_name

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L
_SMALL = 2**14  # bytes; smaller pictures are mirrored all at once, larger ones one by one, in the processor's cache
_STEP = 4  # every fourth pixel of every fourth row is enough to know a picture's mean


class _Draw(IntEnum):
    """Which of a picture's random numbers is for what; new ones go to the end, so that old pictures stay."""

    MIRROR = 0
    TOP = 1
    LEFT = 2
    AREA = 3
    RATIO = 4
    BRIGHTNESS = 5
    CONTRAST = 6
    SATURATION = 7


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How training pictures are varied.

    With `scale`, a part of the picture is cropped and resized to the network's input (bilinear, antialiased), as in
    Szegedy et al. 2015 (arXiv:1409.4842, section 6); a part that would not fit is made smaller, its aspect ratio
    kept. Without it, the crop has the input's size at the scale of evaluation; along an axis where the picture is no
    larger than that, it is padded with zeros first (He et al. 2015, arXiv:1512.03385, section 4.2).

    Attributes:
        crop: Whether the crop lies anywhere; otherwise in the centre. Counts where `scale` and `pad` are None.
        mirror: Probability of a left-right mirror image.
        scale: Least and greatest share of the picture's area that a resized crop covers; None: no resizing.
        ratio: Least and greatest aspect ratio (width : height) of a resized crop.
        pad: Pixels of padding; None: an eighth of the input's side where the crop lies anywhere.
        brightness: Largest relative change of brightness, 0 to 1.
        contrast: Largest relative change of contrast, around the picture's mean luminance, 0 to 1.
        saturation: Largest relative change of saturation, 0 to 1; grey pictures have none.

    Raises:
        ConfigError: A field is outside its range, or two exclude each other.
    """

    crop: bool = True
    mirror: float = 0.5
    scale: tuple[float, float] | None = None
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    pad: int | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    DRAWS: ClassVar[int] = len(_Draw)

    def __post_init__(self) -> None:
        for name in ("mirror", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"augment.{name} is {getattr(self, name)}: expected a number from 0 to 1")
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ConfigError(
                f"augment.scale is {self.scale}: expected two shares of the area, 0 < least <= greatest <= 1"
            )
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ConfigError(f"augment.ratio is {self.ratio}: expected two aspect ratios, 0 < least <= greatest")
        if self.pad is not None and self.pad < 0:
            raise ConfigError(f"augment.pad is {self.pad}: expected 0 or more pixels")
        if self.pad is not None and self.scale is not None:
            raise ConfigError("augment.pad and augment.scale exclude each other: a resized crop needs no padding")

    @classmethod
    def preset(cls, name: str) -> Augment:
        """One of the presets.

        `none`: the centre crop of evaluation. `light`: a crop anywhere, and mirror images. `standard`: a resized
        crop of 25 to 100 % of the area (the 8 % of ImageNet recipes loses small objects in small data sets), mirror
        images, and up to 20 % of brightness and contrast.

        Raises:
            ConfigError: There is no such preset.
        """
        presets = {
            "none": cls(crop=False, mirror=0.0),
            "light": cls(),
            "standard": cls(scale=(0.25, 1.0), brightness=0.2, contrast=0.2),
        }
        if name not in presets:
            raise unknown_name("augmentation preset", name, presets)
        return presets[name]

    def draws(self, seed: int, epoch: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The random numbers of pictures in an epoch: float64 of shape (N, `DRAWS`) in [0, 1)."""
        return uniform(seed, epoch, indices, self.DRAWS, Stream.AUGMENTATION)

    def batch(
        self, pictures: Sequence[npt.NDArray[np.uint8]], draws: npt.NDArray[np.float64], size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        """Vary pictures of any shapes.

        Args:
            pictures: N of them, uint8 of shape (h, w, C), at least of `size` unless there is a `scale`.
            draws: Of shape (N, `DRAWS`).
            size: Height and width of the network's input.

        Returns:
            uint8 of shape (N, height, width, C).
        """
        height, width = size
        out = np.empty((len(pictures), height, width, pictures[0].shape[2]), dtype=np.uint8)
        for picture, draw, target in zip(pictures, draws, out, strict=True):
            if self.scale is None:
                self._crop(picture, draw, target)
            else:
                self._resized_crop(picture, draw, target)
        return self._finished(out, draws)

    def block(
        self, pictures: npt.NDArray[np.uint8], draws: npt.NDArray[np.float64], size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        """Vary pictures of one shape (N, h, w, C), without `scale`: the same as `batch`, in a few array operations."""
        count, picture_height, picture_width, channels = pictures.shape
        height, width = size
        pad_y, pad_x = self._padding(picture_height, height), self._padding(picture_width, width)
        if pad_y or pad_x:
            padded = np.zeros((count, picture_height + 2 * pad_y, picture_width + 2 * pad_x, channels), dtype=np.uint8)
            padded[:, pad_y : pad_y + picture_height, pad_x : pad_x + picture_width] = pictures
            pictures = padded
        top = self._offsets(draws[:, _Draw.TOP], pictures.shape[1] - height)
        left = self._offsets(draws[:, _Draw.LEFT], pictures.shape[2] - width)
        # Every window of every picture as a view: (N, tops, lefts, height, bytes of a row); then one of each is taken.
        stride_n, stride_y, stride_x, _ = pictures.strides
        windows = np.lib.stride_tricks.as_strided(
            pictures,
            (count, pictures.shape[1] - height + 1, pictures.shape[2] - width + 1, height, width * channels),
            (stride_n, stride_y, stride_x, stride_y, 1),
            writeable=False,
        )
        out = windows[np.arange(count), top, left].reshape(count, height, width, channels)
        return self._finished(out, draws)

    def _padding(self, picture_side: int, side: int) -> int:
        """How many pixels of zeros go to both ends of an axis."""
        if picture_side > side or not (self.crop or self.pad is not None):
            return 0
        return side // 8 if self.pad is None else self.pad

    def _offsets(self, draws: npt.NDArray[np.float64], slack: int) -> npt.NDArray[np.int64]:
        """Where crops begin along an axis with `slack` pixels too many."""
        if not (self.crop or self.pad is not None):
            return np.full(len(draws), slack // 2)
        return (draws * (slack + 1)).astype(np.int64)

    def _crop(
        self, picture: npt.NDArray[np.uint8], draw: npt.NDArray[np.float64], target: npt.NDArray[np.uint8]
    ) -> None:
        (picture_height, picture_width), (height, width) = picture.shape[:2], target.shape[:2]
        pad_y, pad_x = self._padding(picture_height, height), self._padding(picture_width, width)
        top = int(self._offsets(draw[[_Draw.TOP]], picture_height + 2 * pad_y - height)[0]) - pad_y
        left = int(self._offsets(draw[[_Draw.LEFT]], picture_width + 2 * pad_x - width)[0]) - pad_x
        if pad_y or pad_x:
            target[...] = 0
        above, before = max(0, -top), max(0, -left)
        part = picture[max(0, top) : top + height, max(0, left) : left + width]
        target[above : above + part.shape[0], before : before + part.shape[1]] = part

    def _resized_crop(
        self, picture: npt.NDArray[np.uint8], draw: npt.NDArray[np.float64], target: npt.NDArray[np.uint8]
    ) -> None:
        assert self.scale is not None
        picture_height, picture_width = picture.shape[:2]
        share = self.scale[0] + draw[_Draw.AREA] * (self.scale[1] - self.scale[0])
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratio = math.exp(low + draw[_Draw.RATIO] * (high - low))
        area = share * picture_height * picture_width
        height, width = math.sqrt(area / ratio), math.sqrt(area * ratio)
        fit = min(1.0, picture_height / height, picture_width / width)
        rows, columns = max(1, round(height * fit)), max(1, round(width * fit))
        top = int(draw[_Draw.TOP] * (picture_height - rows + 1))
        left = int(draw[_Draw.LEFT] * (picture_width - columns + 1))
        # The copy, with its leading axis, makes a channels_last tensor, on which torch is 2.5 times as fast.
        part = torch.from_numpy(picture[None, top : top + rows, left : left + columns].copy()).permute(0, 3, 1, 2)
        resized = F.interpolate(part, target.shape[:2], mode="bilinear", antialias=True)
        torch.from_numpy(target[None]).permute(0, 3, 1, 2).copy_(resized)

    def _finished(self, out: npt.NDArray[np.uint8], draws: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        """Mirror and recolour a batch."""
        mirrored = draws[:, _Draw.MIRROR] < self.mirror
        images = torch.from_numpy(out)
        if mirrored.any() and out[0].size < _SMALL:
            rows = torch.from_numpy(np.flatnonzero(mirrored))
            images[rows] = images[rows].flip(2)
        else:
            for position in np.flatnonzero(mirrored).tolist():
                images[position] = images[position].flip(1)
        if self.brightness or self.contrast or self.saturation:
            for position, draw in enumerate(draws):
                out[position] = self._recoloured(out[position], draw)
        return out

    def _recoloured(self, picture: npt.NDArray[np.uint8], draw: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
        """Change brightness, then contrast, then saturation: one affine map of the channels, rounded once."""
        brightness = 1 + self.brightness * (2 * draw[_Draw.BRIGHTNESS] - 1)
        contrast = 1 + self.contrast * (2 * draw[_Draw.CONTRAST] - 1)
        saturation = 1 + self.saturation * (2 * draw[_Draw.SATURATION] - 1)
        gain = brightness * contrast
        shift = brightness * (1 - contrast) * _mean_luminance(picture)
        if picture.shape[2] == 1 or saturation == 1:
            values = np.clip(np.rint(np.arange(256) * gain + shift), 0, 255).astype(np.uint8)
            mapped = bytearray(picture).translate(values.tobytes())
            return np.frombuffer(mapped, dtype=np.uint8).reshape(picture.shape)
        matrix = []
        for row in range(3):
            matrix += [gain * ((1 - saturation) * _LUMA[column] + (row == column) * saturation) for column in range(3)]
            matrix.append(shift)
        return np.asarray(Image.fromarray(picture).convert("RGB", tuple(matrix)), dtype=np.uint8)


def _mean_luminance(picture: npt.NDArray[np.uint8]) -> float:
    """About the mean luminance of a picture (H, W, C), 0 to 255."""
    some = picture[::_STEP, ::_STEP]
    means = [int(some[:, :, channel].sum()) / some[:, :, channel].size for channel in range(picture.shape[2])]
    return means[0] if len(means) == 1 else sum(mean * weight for mean, weight in zip(means, _LUMA, strict=True))
