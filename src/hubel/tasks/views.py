"""Several views of one picture for test-time augmentation: each goes through the network, and the outputs are averaged.

A view is what `Preprocess.to_array` would give, but cropped elsewhere, at another scale, or mirrored. Everything is
deterministic. Views of ten crops: Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural
Networks", section 4.1; of 144: Szegedy et al. 2015, "Going Deeper with Convolutions", arXiv:1409.4842, section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from hubel.errors import ConfigError, unknown_name
from hubel.preprocessing import Preprocess, resample

if TYPE_CHECKING:
    import numpy.typing as npt

NAMES = ("flip", "turns", "five-crop", "ten-crop", "multi-scale", "grid:N", "144-crop")
# Of the default resizing: ×1.15 and ×1.3 look at the middle 76 % and 59 % of what the plain crop shows.
_SCALES = (1.0, 1.15, 1.3)
# The shorter side in units of the input's: 256, 288, 320 and 352 for GoogLeNet's 224.
_GOOGLENET_SCALES = (256 / 224, 288 / 224, 320 / 224, 352 / 224)
_MOST_IN_A_GRID = 12
_FLIP = "+flip"
# Quarter turns, anticlockwise.
_TURNS = (0, 1, 2, 3)
_TRANSPOSED = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class Views:
    """Which views of a picture are taken; `Views.named` makes one.

    Attributes:
        name: As it was asked for, such as `ten-crop` or `grid:3+flip`.
        layout: `centre`, `turns`, `corners`, `scales`, `grid` or `googlenet`.
        mirrored: Whether every view is followed by its mirror image.
        side: Crops along each axis of a grid.
    """

    name: str
    layout: str
    mirrored: bool = False
    side: int = 0

    @classmethod
    def named(cls, name: str) -> Views:
        """The views that a name stands for.

        `flip`: the plain crop and its mirror image. `turns`: the picture turned by 0, 90, 180 and 270 degrees, for what
        has no direction; with mirror images, `turns+flip`, these are all eight symmetries of a square. `five-crop`: the
        plain crop in the centre, and the corners of the square in the middle of the resized picture. `ten-crop`: these
        with their mirror images. `multi-scale`: the centre of the picture resized by 1, 1.15 and 1.3. `grid:N`: N × N
        crops, evenly spaced over all of the resized picture. `144-crop`: GoogLeNet's. Any but `flip`, `ten-crop` and
        `144-crop` takes `+flip` behind it: mirror images, too.

        Raises:
            ConfigError: There are no such views; the nearest name is told.
        """
        base = name.removesuffix(_FLIP)
        flip = base != name
        layouts = {"turns": "turns", "five-crop": "corners", "multi-scale": "scales"}
        always_mirrored = {"flip": "centre", "ten-crop": "corners", "144-crop": "googlenet"}
        if base in layouts:
            return cls(name, layouts[base], flip)
        if base in always_mirrored and not flip:
            return cls(name, always_mirrored[base], True)
        if base.startswith("grid:"):
            side = base.removeprefix("grid:")
            if not side.isdecimal() or not 2 <= int(side) <= _MOST_IN_A_GRID:
                raise ConfigError(
                    f"test-time augmentation '{name}': expected grid:N with N from 2 to {_MOST_IN_A_GRID}"
                )
            return cls(name, "grid", flip, int(side))
        raise unknown_name("test-time augmentation", name, [*NAMES, *(f"{known}{_FLIP}" for known in layouts)])

    @property
    def count(self) -> int:
        """How many views of a picture there are."""
        singles = {
            **{"centre": 1, "turns": len(self.turns), "corners": 5, "scales": len(_SCALES)},
            **{"grid": self.side**2, "googlenet": 72},
        }
        return singles[self.layout] * (2 if self.mirrored else 1)

    @property
    def turns(self) -> tuple[int, ...]:
        """By how many quarter turns, anticlockwise, a picture is turned."""
        return _TURNS if self.layout == "turns" else (0,)

    @property
    def whole(self) -> bool:
        """Whether every view shows all of a picture, where nothing is cropped away."""
        return self.layout in ("centre", "turns", "scales")

    def of_whole(self, scales: Sequence[float]) -> list[tuple[float, int, bool]]:
        """Of each view of a whole picture, its scale, its quarter turns, and whether it is mirrored.

        Args:
            scales: Of `multi-scale`; the other views have the picture's own.
        """
        return [
            (scale, turns, mirrored)
            for scale in (scales if self.layout == "scales" else (1.0,))
            for turns in self.turns
            for mirrored in ((False, True) if self.mirrored else (False,))
        ]

    def of(self, image: Image.Image, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
        """The views of a decoded picture of mode RGB or L.

        Where the preprocessing leaves nothing around the crop (small inputs, or a picture stretched to the input's
        size), the resized picture gets a margin of an eighth of the input's side, black, as the crops of training
        do (He et al. 2015, arXiv:1512.03385, section 4.2).

        Returns:
            uint8 of shape (`count`, height, width, channels); but for a grid and GoogLeNet's, the first one is the
            plain crop, equal to `preprocess.to_array(image)` bit by bit.
        """
        height, width = preprocess.size
        views = np.empty((self.count, height, width, preprocess.channels), dtype=np.uint8)
        step = 2 if self.mirrored else 1
        for number, crop in enumerate(self._crops(image, preprocess)):
            pixels = np.asarray(crop, dtype=np.uint8).reshape(height, width, preprocess.channels)
            views[number * step] = pixels
            if self.mirrored:
                views[number * step + 1] = pixels[:, ::-1]
        return views

    def _crops(self, image: Image.Image, preprocess: Preprocess) -> Iterator[Image.Image | npt.NDArray[np.uint8]]:
        if self.layout == "scales":
            for scale in _SCALES:
                yield _centre(_scaled(image, preprocess, scale), preprocess.size)
        elif self.layout == "turns":
            for turns in self.turns:
                yield preprocess.to_array(_turned(image, turns))
        elif self.layout == "googlenet":
            yield from _googlenet(image, preprocess)
        else:
            resized = preprocess.resized(image)
            if self.layout != "grid":
                yield _centre(resized, preprocess.size)
            if self.layout == "corners":
                yield from _corners(_middle_square(resized, preprocess.size), preprocess.size)
            elif self.layout == "grid":
                yield from _grid(_with_margin(resized, preprocess.size), preprocess.size, self.side)


def _turned(image: Image.Image, turns: int) -> Image.Image:
    """A picture after some quarter turns anticlockwise."""
    return image.transpose(_TRANSPOSED[turns]) if turns else image


def _scaled(image: Image.Image, preprocess: Preprocess, scale: float) -> Image.Image:
    """A picture by the resize rule, and larger than that by a factor."""
    height, width = (round(side * scale) for side in preprocess.resized_size((image.height, image.width)))
    return resample(image, (height, width), preprocess.interpolation, antialias=preprocess.antialias)


def _crop(image: Image.Image, left: int, top: int, size: tuple[int, int]) -> Image.Image:
    return image.crop((left, top, left + size[1], top + size[0]))


def _centre(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The crop of `Preprocess.to_array`."""
    return _crop(image, round((image.width - size[1]) / 2), round((image.height - size[0]) / 2), size)


def _corners(image: Image.Image, size: tuple[int, int]) -> Iterator[Image.Image]:
    right, bottom = image.width - size[1], image.height - size[0]
    for left, top in ((0, 0), (right, 0), (0, bottom), (right, bottom)):
        yield _crop(image, left, top, size)


def _grid(image: Image.Image, size: tuple[int, int], side: int) -> Iterator[Image.Image]:
    tops = np.linspace(0, image.height - size[0], side).round().astype(int)
    lefts = np.linspace(0, image.width - size[1], side).round().astype(int)
    for top in tops.tolist():
        for left in lefts.tolist():
            yield _crop(image, left, top, size)


def _googlenet(image: Image.Image, preprocess: Preprocess) -> Iterator[Image.Image]:
    """Four scales; of each three squares along the longer side; of each the corners, the centre, and all of it."""
    for scale in _GOOGLENET_SCALES:
        shorter = round(max(preprocess.size) * scale)
        height, width = (round(shorter * side / min(image.size)) for side in (image.height, image.width))
        resized = resample(image, (height, width), preprocess.interpolation, antialias=preprocess.antialias)
        for share in (0.0, 0.5, 1.0):
            square = _crop(resized, round((width - shorter) * share), round((height - shorter) * share), (shorter,) * 2)
            yield from _corners(square, preprocess.size)
            yield _centre(square, preprocess.size)
            yield resample(square, preprocess.size, preprocess.interpolation, antialias=preprocess.antialias)


def _middle_square(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """What the corners are the corners of: as much to every side of the centre crop, bounded by the shorter side."""
    image = _with_margin(image, size)
    margin = min(image.height - size[0], image.width - size[1])
    return _centre(image, (size[0] + margin, size[1] + margin))


def _with_margin(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture that is larger than a crop along both axes, by black margins where it was not."""
    extra = tuple(side // 8 if length <= side else 0 for length, side in zip(image.size, size[::-1], strict=True))
    return ImageOps.expand(image, border=extra) if any(extra) else image
