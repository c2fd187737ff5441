"""How N varied pictures look, whatever they show: what was drawn of blur, colour, policies, noise and erasing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from hubel.data.augmentation import colour
from hubel.data.augmentation.draws import Draw, centred
from hubel.data.augmentation.policies import AFFINE_COLOUR, GEOMETRIC, OPERATIONS, Chosen

if TYPE_CHECKING:
    from hubel.data.augmentation.augment import Augment

# Blur and noise come to a quarter of the pictures: one that all had would only make the task harder.
_SHARE_BLURRED = _SHARE_NOISY = 0.25
_ERASED_RATIO = 0.3  # the least aspect ratio of an erased box, and its inverse the greatest (Zhong et al. 2020)
_PCA = (Draw.PCA_1, Draw.PCA_2, Draw.PCA_3)

Floats = npt.NDArray[np.float64]
_Array = TypeVar("_Array", Floats, npt.NDArray[np.int64])
Step = tuple[str, npt.NDArray[np.int64], Floats]


@dataclass(frozen=True)
class Looks:
    """What is done to N pictures after their geometry, in this order.

    Attributes:
        blur: σ in pixels, (N,); None: no picture is blurred.
        most_blur: The greatest σ that could have been drawn.
        maps: Affine colour maps (N, C, 2 C + 1), or None where they would change nothing; one more than `operations`:
            they come before, between and after these.
        operations: Further operations on colours: their name, which pictures they are for, int64 (n,), and their values
            (n,).
        noise: σ of 255, (N,); None: no noise.
        noise_places: int64 (N,): where the pictures' noise begins.
        erased: int64 (N, 4): top, left, bottom and right of boxes that are filled with the picture's mean; None: none.
        even: bool (N,): whether there is one map, the same for every channel, and nothing else but erasing.
    """

    blur: Floats | None
    most_blur: float
    maps: tuple[colour.Maps | None, ...]
    operations: tuple[tuple[Step, ...], ...]
    noise: Floats | None
    noise_places: npt.NDArray[np.int64]
    erased: npt.NDArray[np.int64] | None
    even: npt.NDArray[np.bool_]

    @property
    def change(self) -> bool:
        """Whether anything happens to any picture."""
        return self.maps[0] is not None or self.erased is not None or not self.even.all()

    def of(self, number: int) -> Looks:
        """One picture's, without what does not happen to it."""

        def one(values: _Array | None) -> _Array | None:
            return None if values is None or not values[number].any() else values[number : number + 1]

        operations = tuple(
            tuple(
                (name, np.zeros(1, np.int64), values[rows == number]) for name, rows, values in steps if number in rows
            )
            for steps in self.operations
        )
        return replace(
            self,
            blur=one(self.blur),
            maps=tuple(None if maps is None else maps[number : number + 1] for maps in self.maps),
            operations=operations,
            noise=one(self.noise),
            noise_places=self.noise_places[number : number + 1],
            erased=one(self.erased),
            even=self.even[number : number + 1],
        )


def plan_looks(
    augment: Augment, draws: Floats, channels: int, size: tuple[int, int], chosen: Chosen | None
) -> tuple[Looks, dict[str, Floats]]:
    """What the random numbers (N, columns) mean for the looks of pictures.

    Returns:
        The plan, and what was drawn, (N,) each, by the setting's name: relative changes, degrees, σ.
    """
    count = len(draws)
    shared = in_share(augment, draws)
    drawn: dict[str, Floats] = {}
    changes: list[colour.Maps] = []
    for name, column, make in (
        ("brightness", Draw.BRIGHTNESS, colour.brightness),
        ("contrast", Draw.CONTRAST, colour.contrast),
        ("saturation", Draw.SATURATION, colour.saturation),
    ):
        if largest := getattr(augment, name):
            drawn[name] = largest * centred(draws, column) * (shared if name == "saturation" else 1)
            changes.append(make(1 + drawn[name], channels))
    if augment.hue:
        drawn["hue"] = augment.hue * centred(draws, Draw.HUE) * shared
        changes.append(colour.hue(drawn["hue"], channels))
    if augment.pca:
        amounts = augment.pca * _normal(draws[:, _PCA]) * shared[:, None]
        drawn["pca"] = amounts[:, 0]
        changes.append(colour.principal_components(amounts, channels))
    mixing = channels == 3 and bool(augment.saturation or augment.hue or augment.pca)
    even = ~shared if mixing else np.ones(count, dtype=np.bool_)
    stages: list[colour.Maps | None] = [colour.all_composed(changes)] if changes else [None]
    operations: tuple[tuple[Step, ...], ...] = ()
    if chosen is not None:
        base = colour.identities(count, channels) if stages[0] is None else stages[0]
        stages, operations = _with_policy(base, chosen, channels)
        even = np.zeros(count, dtype=np.bool_)
    blur = noise = erased = None
    if augment.blur:
        blur = drawn["blur"] = augment.blur * _some(draws[:, Draw.BLUR], _SHARE_BLURRED) * shared
        even = even & (blur == 0)
    if augment.noise:
        drawn["noise"] = augment.noise * _some(draws[:, Draw.NOISE], _SHARE_NOISY) * shared
        noise = 255 * drawn["noise"]
        even = even & (noise == 0)
    if augment.erase:
        erased = _erased(augment, draws, size)
        drawn["erase"] = (erased[:, 2:] - erased[:, :2]).prod(axis=1) / (size[0] * size[1])
    looks = Looks(
        blur=blur,
        most_blur=augment.blur,
        maps=tuple(stages),
        operations=operations,
        noise=noise,
        noise_places=_noise_places(augment, draws),
        erased=erased,
        even=even,
    )
    return looks, drawn


def in_share(augment: Augment, draws: Floats) -> npt.NDArray[np.bool_]:
    """Which pictures belong to `Augment.share`: (N,)."""
    if augment.share == 1:
        return np.ones(len(draws), dtype=np.bool_)
    return draws[:, Draw.SHARE] < augment.share


def _with_policy(
    base: colour.Maps, chosen: Chosen, channels: int
) -> tuple[list[colour.Maps | None], tuple[tuple[Step, ...], ...]]:
    """The colour maps and the operations between them; what is affine goes into the maps."""
    count, slots = chosen.kinds.shape
    maps = [base, *(colour.identities(count, channels) for _ in range(slots))]
    stage = np.zeros(count, dtype=np.int64)  # how many operations that are no affine maps each picture has had
    operations: list[list[Step]] = [[] for _ in range(slots)]
    makers = {"brightness": colour.brightness, "saturation": colour.saturation, "contrast": colour.contrast}
    for slot in range(slots):
        for name in OPERATIONS:
            rows = np.flatnonzero(chosen.of(name, slot))
            if name == "identity" or name in GEOMETRIC or len(rows) == 0:
                continue
            values = chosen.values[rows, slot]
            if name in AFFINE_COLOUR:
                change = makers[name](1 + values, channels)
                for place, row in enumerate(rows):
                    before = maps[stage[row]]
                    before[row] = colour.composed(change[place : place + 1], before[row : row + 1])[0]
            else:
                for at in np.unique(stage[rows]):
                    here = stage[rows] == at
                    operations[at].append((name, rows[here], values[here]))
                stage[rows] += 1
    used = [maps[0], *(None if (later == colour.identities(1, channels)).all() else later for later in maps[1:])]
    return used, tuple(tuple(steps) for steps in operations)


def _erased(augment: Augment, draws: Floats, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Boxes wholly inside the output, (N, 4); empty where nothing is erased."""
    height, width = size
    least, greatest = augment.erase_area
    area = (least + draws[:, Draw.ERASE_AREA] * (greatest - least)) * height * width
    ratio = np.exp(np.log(_ERASED_RATIO) * centred(draws, Draw.ERASE_RATIO))
    rows = np.clip(np.rint(np.sqrt(area / ratio)), 1, height)
    columns = np.clip(np.rint(np.sqrt(area * ratio)), 1, width)
    top = np.floor(draws[:, Draw.ERASE_TOP] * (height - rows + 1))
    left = np.floor(draws[:, Draw.ERASE_LEFT] * (width - columns + 1))
    boxes = np.stack([top, left, top + rows, left + columns], axis=1).astype(np.int64)
    return np.where(draws[:, [Draw.ERASE]] < augment.erase, boxes, 0)


def _some(draws: Floats, share: float) -> Floats:
    """Even in (0, 1] for a share of the pictures, 0 for the others."""
    return np.maximum(0.0, 1 - draws / share)


def _noise_places(augment: Augment, draws: Floats) -> npt.NDArray[np.int64]:
    if not augment.noise:
        return np.zeros(len(draws), dtype=np.int64)
    return (draws[:, Draw.NOISE_PLACE] * 2**20).astype(np.int64)


def _normal(draws: Floats) -> Floats:
    """Standard normal numbers from even ones."""
    from scipy.special import ndtri

    normal: Floats = ndtri(np.clip(draws, 2.0**-33, 1 - 2.0**-33))
    return normal
