"""RandAugment and TrivialAugment: a few operations for each picture, drawn from the same fourteen.

Cubuk, Zoph, Shlens, Le: RandAugment: Practical Automated Data Augmentation with a Reduced Search Space. 2020,
arXiv:1909.13719. Müller, Hutter: TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation. ICCV 2021,
arXiv:2103.10158 (the wide space). The ranges are those of torchvision's `RandAugment` and `TrivialAugmentWide`; of a
translation, TrivialAugment's 32 pixels count as a seventh of the side, which they are of 224.

Departures: the geometric operations of a picture go into its one resampling, before those on colours, which keep their
order; shears are about the centre, not the corner. Contrast, brightness and saturation compose without clipping in
between.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hubel.data.randomness import Stream, uniform

PolicyName = Literal["randaugment", "trivialaugment"]
Operation = Literal[
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "saturation",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
AFFINE_COLOUR = ("brightness", "saturation", "contrast")

MAGNITUDES = 31  # steps of strength: 0 to 30
_SIGNED = (*GEOMETRIC, *AFFINE_COLOUR, "sharpness")
_NUMBERS = 3  # per operation: which, how strong, which sign


@dataclass(frozen=True)
class _Range:
    """Values at the least and the greatest strength."""

    least: float
    greatest: float

    def at(self, strength: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return self.least + (self.greatest - self.least) * strength


# Shears are tangents, translations shares of the side, rotations degrees, brightness, saturation, contrast and
# sharpness relative changes; posterize keeps so many bits, solarize inverts values from a threshold on.
_RANDAUGMENT: dict[str, _Range] = {
    **dict.fromkeys(("shear_x", "shear_y"), _Range(0, 0.3)),
    **dict.fromkeys(("translate_x", "translate_y"), _Range(0, 150 / 331)),
    "rotate": _Range(0, 30),
    **dict.fromkeys((*AFFINE_COLOUR, "sharpness"), _Range(0, 0.9)),
    "posterize": _Range(8, 4),
    "solarize": _Range(255, 0),
}
_TRIVIALAUGMENT: dict[str, _Range] = {
    **dict.fromkeys(("shear_x", "shear_y"), _Range(0, 0.99)),
    **dict.fromkeys(("translate_x", "translate_y"), _Range(0, 32 / 224)),
    "rotate": _Range(0, 135),
    **dict.fromkeys((*AFFINE_COLOUR, "sharpness"), _Range(0, 0.99)),
    "posterize": _Range(8, 2),
    "solarize": _Range(255, 0),
}


@dataclass(frozen=True)
class Chosen:
    """What a policy has drawn for N pictures, K operations each.

    Attributes:
        kinds: int64 (N, K): positions in `OPERATIONS`.
        values: float64 (N, K): how much, with its sign; 0 where an operation knows no strength.
    """

    kinds: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def of(self, operation: Operation, slot: int) -> npt.NDArray[np.bool_]:
        """Which pictures have an operation in a slot: bool (N,)."""
        chosen: npt.NDArray[np.bool_] = self.kinds[:, slot] == OPERATIONS.index(operation)
        return chosen


def choose(
    policy: PolicyName,
    words: npt.NDArray[np.int64],
    *,
    operations: int,
    magnitude: int,
    excluded: Collection[str] = (),
) -> Chosen:
    """Draw operations.

    Args:
        policy: `randaugment`: `operations` of them, of strength `magnitude`. `trivialaugment`: one, of any strength.
        words: int64 (N,) below 2^32: a picture's draw follows from its own.
        operations: How many for each picture, one after the other.
        magnitude: 0 to 30.
        excluded: What is never drawn.
    """
    ranges = _RANDAUGMENT if policy == "randaugment" else _TRIVIALAUGMENT
    slots = operations if policy == "randaugment" else 1
    allowed = np.array([at for at, name in enumerate(OPERATIONS) if name not in excluded])
    numbers = uniform(0, 0, words, _NUMBERS * slots, Stream.POLICY).reshape(len(words), slots, _NUMBERS)
    kinds = allowed[(numbers[:, :, 0] * len(allowed)).astype(np.int64)]
    steps = np.full(kinds.shape, float(magnitude))
    if policy == "trivialaugment":
        steps = np.floor(numbers[:, :, 1] * MAGNITUDES)
    signs = np.where(numbers[:, :, 2] < 0.5, -1.0, 1.0)
    values = np.zeros(kinds.shape)
    for at, name in enumerate(OPERATIONS):
        if name in ranges:
            drawn = ranges[name].at(steps / (MAGNITUDES - 1))
            if name == "posterize":
                drawn = np.rint(drawn)
            values = np.where(kinds == at, drawn * signs if name in _SIGNED else drawn, values)
    return Chosen(kinds, values)
