"""From a picture's random numbers to what is done with it: for a whole batch at once, in a few array operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hubel.data.augmentation.draws import Draw, centred, words
from hubel.data.augmentation.elastic import displacement_fields
from hubel.data.augmentation.geometry import (
    Floats,
    Geometry,
    about_centre,
    composed,
    rotations,
    shears,
    unmoved,
)
from hubel.data.augmentation.looks import Looks, in_share, plan_looks
from hubel.data.augmentation.policies import OPERATIONS, Chosen, choose

if TYPE_CHECKING:
    from hubel.data.augmentation.augment import Augment

_UNITS = {"rotate": "°", "turn": "°", "shear": "°", "hue": "°", "blur": " px"}
_UNSIGNED = ("crop", "turn", "elastic", "erase", "blur", "noise")


@dataclass(frozen=True)
class Plan:
    """What is done with N pictures.

    Attributes:
        geometry: What of them is seen.
        looks: How that looks.
        drawn: What was drawn, (N,) each, by the setting's name.
        chosen: What a policy has drawn.
    """

    geometry: Geometry
    looks: Looks
    drawn: dict[str, Floats]
    chosen: Chosen | None

    def told(self, number: int) -> list[str]:
        """What is done with one picture, in a few words each; what does nothing is left out."""
        texts = [name for name in ("mirrored", "flipped") if getattr(self.geometry, name)[number]]
        for name, values in self.drawn.items():
            if value := float(values[number]):
                amount = f"{value:+.1f}{_UNITS[name]}" if name in _UNITS else f"{value:+.2f}"
                texts.append(f"{name} {amount.removeprefix('+') if name in _UNSIGNED else amount}")
        if self.chosen is not None:
            for kind, value in zip(self.chosen.kinds[number], self.chosen.values[number], strict=True):
                texts.append(f"{OPERATIONS[kind]} {value:.3g}" if value else OPERATIONS[kind])
        return texts


def make_plan(
    augment: Augment, shapes: npt.NDArray[np.int64], draws: Floats, size: tuple[int, int], channels: int
) -> Plan:
    """Plan a batch.

    Args:
        augment: The settings.
        shapes: Heights and widths of the pictures, (N, 2).
        draws: Their random numbers, (N, columns).
        size: Height and width of the output.
        channels: Of the pictures.
    """
    chosen = None
    if augment.policy is not None:
        chosen = choose(
            augment.policy,
            words(draws, Draw.POLICY),
            operations=augment.operations,
            magnitude=augment.magnitude,
            excluded=augment.excluded,
        )
    geometry, moved = _plan_geometry(augment, shapes, draws, size, chosen)
    looks, changed = plan_looks(augment, draws, channels, size, chosen)
    return Plan(geometry, looks, {**moved, **changed}, chosen)


def _plan_geometry(
    augment: Augment, shapes: npt.NDArray[np.int64], draws: Floats, size: tuple[int, int], chosen: Chosen | None
) -> tuple[Geometry, dict[str, Floats]]:
    count = len(draws)
    windows = plan_windows(augment, shapes, draws, size)
    mirrored = draws[:, Draw.MIRROR] < augment.mirror
    nothing = np.zeros(count, dtype=np.bool_)
    flipped = draws[:, Draw.FLIP] < augment.flip if augment.flip else nothing
    drawn: dict[str, Floats] = {}
    if augment.scale is not None:
        drawn["crop"] = windows[:, 2:].prod(axis=1) / shapes.prod(axis=1)
    shared = in_share(augment, draws) if augment.moves or augment.elastic else nothing
    bent, moves, fields = shared, None, None
    if augment.moves:
        inverse, drawn_moves = _inverse_moves(augment, draws, shared, size)
        moves = np.where(shared[:, None, None], inverse, unmoved(count))
        drawn |= drawn_moves
    if augment.turn:
        degrees = _quarter_turns(augment, draws)
        turns = about_centre(_inverted(rotations(degrees)), np.zeros((count, 2)), size)
        moves = unmoved(count) if moves is None else moves
        moves = np.where((degrees > 0)[:, None, None], composed(moves, turns), moves)
        bent = bent | (degrees > 0)
        drawn["turn"] = degrees
    if chosen is not None:
        moves = unmoved(count) if moves is None else moves
        for slot in range(chosen.kinds.shape[1]):
            inverse, moving = _inverse_operation(chosen, slot, size)
            moves = np.where(moving[:, None, None], composed(moves, inverse), moves)
            bent = bent | moving
    if augment.elastic:
        fields = displacement_fields(words(draws, Draw.ELASTIC), augment.elastic, augment.elastic_smoothness, size)
        fields[~shared] = 0.0
        drawn["elastic"] = np.where(shared, augment.elastic, 0.0)
    return Geometry(size, windows, mirrored, flipped, bent, moves, fields), drawn


def plan_windows(
    augment: Augment, shapes: npt.NDArray[np.int64], draws: Floats, size: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """The crops: int64 (N, 4) of top, left, rows, columns; where there is padding, beyond the edge."""
    starts = []
    if augment.scale is None:
        extents = [np.full(len(shapes), side) for side in size]
        anywhere = augment.crop or augment.pad is not None
        for axis, column in ((0, Draw.TOP), (1, Draw.LEFT)):
            pads = padding(augment, shapes[:, axis], size[axis])
            slack = shapes[:, axis] + 2 * pads - size[axis]
            places = (draws[:, column] * (slack + 1)).astype(np.int64) if anywhere else slack // 2
            starts.append(places - pads)
    else:
        extents = _resized_extents(augment, shapes, draws, augment.scale)
        for axis, column in ((0, Draw.TOP), (1, Draw.LEFT)):
            starts.append((draws[:, column] * (shapes[:, axis] - extents[axis] + 1)).astype(np.int64))
    return np.stack([*starts, *extents], axis=1)


def padding(augment: Augment, sides: npt.ArrayLike, target: int) -> npt.NDArray[np.int64]:
    """How many pixels of zeros go to both ends of an axis of pictures, before a crop that is not resized."""
    pad = 0
    if augment.crop or augment.pad is not None:
        pad = target // 8 if augment.pad is None else augment.pad
    return np.where(np.asarray(sides) <= target, pad, 0)


def _resized_extents(
    augment: Augment, shapes: npt.NDArray[np.int64], draws: Floats, scale: tuple[float, float]
) -> list[npt.NDArray[np.int64]]:
    """Rows and columns of resized crops, each (N,), of a drawn area and aspect ratio, made smaller where needed."""
    share = scale[0] + draws[:, Draw.AREA] * (scale[1] - scale[0])
    low, high = np.log(augment.ratio[0]), np.log(augment.ratio[1])
    ratio = np.exp(low + draws[:, Draw.RATIO] * (high - low))
    area = share * shapes.prod(axis=1)
    extents = np.sqrt(area / ratio), np.sqrt(area * ratio)
    fit = np.minimum(1.0, np.minimum(shapes[:, 0] / extents[0], shapes[:, 1] / extents[1]))
    return [np.maximum(1, np.rint(extent * fit)).astype(np.int64) for extent in extents]


def _inverse_moves(
    augment: Augment, draws: Floats, shared: npt.NDArray[np.bool_], size: tuple[int, int]
) -> tuple[Floats, dict[str, Floats]]:
    """The inverse of zoom, shear, rotation and translation about the centre, in this order: (N, 2, 3)."""
    turned = augment.rotate * centred(draws, Draw.ROTATE)
    zoomed = np.exp(np.log1p(augment.zoom) * centred(draws, Draw.ZOOM))
    sheared = [augment.shear * centred(draws, column) for column in (Draw.SHEAR_X, Draw.SHEAR_Y)]
    moved = np.stack([centred(draws, column) for column in (Draw.TRANSLATE_X, Draw.TRANSLATE_Y)], axis=1)
    moved = moved * (augment.translate * np.array([size[1], size[0]]))
    tangents = [np.tan(np.radians(degrees)) for degrees in sheared]
    linear = rotations(turned) @ shears(*tangents) * zoomed[:, None, None]
    inverse = _inverted(linear)
    back = -(inverse @ moved[:, :, None])[:, :, 0]
    drawn = {
        "rotate": turned * shared,
        "zoom": (zoomed - 1) * shared,
        "shear": sheared[0] * shared,
        "translate": moved[:, 0] / size[1] * shared,
    }
    return about_centre(inverse, back, size), {name: values for name, values in drawn.items() if getattr(augment, name)}


def _quarter_turns(augment: Augment, draws: Floats) -> Floats:
    """By how many degrees each picture is turned, (N,): 0, 90, 180 or 270."""
    share = draws[:, Draw.TURN] / augment.turn
    degrees: Floats = np.where(share < 1, 90 + 90 * np.floor(3 * share), 0.0)
    return degrees


def _inverted(linear: Floats) -> Floats:
    return np.linalg.inv(linear).astype(np.float64)


def _inverse_operation(chosen: Chosen, slot: int, size: tuple[int, int]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The inverse of what a policy moves in a slot, (N, 2, 3), and which pictures it moves, (N,)."""
    values = chosen.values[:, slot]
    x, y, across, down, turned = (
        np.where(chosen.of(name, slot), values, 0.0)
        for name in ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
    )
    inverse = _inverted(rotations(turned) @ shears(x, y))
    moved = np.stack([across * size[1], down * size[0]], axis=1)
    moving = (x != 0) | (y != 0) | (turned != 0) | moved.any(axis=1)
    return about_centre(inverse, -(inverse @ moved[:, :, None])[:, :, 0], size), moving
