"""Where the pixels of a varied picture come from: a window, a mirror image, one affine map, one displacement field.

Points are in pixels, (x, y), measured from the top left corner: the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.augmentation.elastic import displacements_at

Floats = npt.NDArray[np.float64]

# Of a moved box, less than a tenth of its area, or a side of less than two pixels, shows nothing to learn from.
LEAST_SHARE_OF_BOX, LEAST_SIDE_OF_BOX = 0.1, 2.0

# A box is sampled at so many points of each side where a displacement field bends it.
_POINTS_PER_SIDE = 16
# Steps of a fixed-point iteration, and the pixels that it may be wrong by; where a field is steepest, it is by more.
_MOST_INVERSIONS, _EXACT = 30, 1e-3


@dataclass(frozen=True)
class Geometry:
    """What is seen in N varied pictures.

    Attributes:
        size: Height and width of the output.
        windows: int64 (N, 4): the crop's top, left, rows and columns; it may reach beyond the picture's edge.
        mirrored: bool (N,): left and right exchanged.
        flipped: bool (N,): top and bottom exchanged.
        bent: bool (N,): whether the picture is resampled by `matrices` and `fields`; otherwise its window, mirrored and
            flipped, is copied or resized.
        moves: float64 (N, 2, 3): where points of the output come from before zoom, shear, rotation and translation;
            None: from where they are.
        fields: float64 (N, 2, G, G), displacements (x, y) in pixels of the output, added to its points before the
            matrix (see `hubel.data.augmentation.elastic`); None: none.
    """

    size: tuple[int, int]
    windows: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]
    flipped: npt.NDArray[np.bool_]
    bent: npt.NDArray[np.bool_]
    moves: Floats | None = None
    fields: Floats | None = None

    @cached_property
    def matrices(self) -> Floats:
        """From points of the output to points of the picture, all but the fields included: float64 (N, 2, 3)."""
        top, left, rows, columns = (self.windows[:, column].astype(np.float64) for column in range(4))
        matrices = np.zeros((len(self.windows), 2, 3))
        matrices[:, 0, 0] = np.where(self.mirrored, -columns, columns) / self.size[1]
        matrices[:, 0, 2] = np.where(self.mirrored, left + columns, left)
        matrices[:, 1, 1] = np.where(self.flipped, -rows, rows) / self.size[0]
        matrices[:, 1, 2] = np.where(self.flipped, top + rows, top)
        return matrices if self.moves is None else composed(matrices, self.moves)

    def with_rows(self, numbers: list[int], other: Geometry) -> Geometry:
        """This geometry with those of some pictures taken from another one, which has these pictures alone."""

        def taken(own: Any, others: Any) -> Any:
            own = own.copy()
            own[numbers] = others
            return own

        return Geometry(
            self.size,
            windows=taken(self.windows, other.windows),
            mirrored=taken(self.mirrored, other.mirrored),
            flipped=taken(self.flipped, other.flipped),
            bent=taken(self.bent, other.bent),
            moves=None if self.moves is None else taken(self.moves, unmoved(1) if other.moves is None else other.moves),
            fields=None if self.fields is None else taken(self.fields, 0.0),
        )

    def field(self, number: int) -> Floats | None:
        """The displacement field of a picture, (2, G, G), if it has one."""
        field: Floats | None = None if self.fields is None else self.fields[number]
        return field if field is not None and field.any() else None

    def sources(self, number: int, points: Floats) -> Floats:
        """Where points (K, 2) of an output lie in its picture: (K, 2)."""
        field = self.field(number)
        if field is not None:
            points = points + displacements_at(field, points, self.size)
        matrix = self.matrices[number]
        moved: Floats = points @ matrix[:, :2].T + matrix[:, 2]
        return moved

    def targets(self, number: int, points: Floats) -> Floats:
        """Where points (K, 2) of a picture come to lie in the output: (K, 2), the inverse of `sources`."""
        matrix = self.matrices[number]
        undisplaced: Floats = np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T
        field = self.field(number)
        moved = undisplaced
        if field is not None:
            for _ in range(_MOST_INVERSIONS):
                before, moved = moved, undisplaced - displacements_at(field, moved, self.size)
                if np.abs(moved - before).max(initial=0.0) < _EXACT:
                    break
        return moved


def moved_boxes(
    geometry: Geometry, number: int, boxes: Floats, *, least_share: float, least_side: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Boxes around what the boxes of a picture held, in the output's pixels.

    A moved box is bounded by its moved corners (where a field bends it, by points all along its sides) and clipped to
    the output. It is dropped where less than `least_share` of its area is left after clipping, or a side is shorter
    than `least_side` pixels.

    Args:
        geometry: Of a batch.
        number: The picture's place in it.
        boxes: `xyxy` pixels of the picture, (K, 4).
        least_share: 0 to 1.
        least_side: In pixels of the output.

    Returns:
        `xyxy`, float32 (M, 4), and which boxes they were, int64 (M,), in order.
    """
    steps = np.array([0.0, 1.0]) if geometry.field(number) is None else np.linspace(0, 1, _POINTS_PER_SIDE)
    sides = np.concatenate(
        [np.stack([steps, np.full_like(steps, end)], axis=1) for end in (0.0, 1.0)]
        + [np.stack([np.full_like(steps, end), steps], axis=1) for end in (0.0, 1.0)]
    )  # (P, 2) places on a box's border, in shares of its width and height
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    corners, extents = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    points = corners[:, None] + sides * extents[:, None]  # (K, P, 2)
    moved = geometry.targets(number, points.reshape(-1, 2)).reshape(points.shape)
    height, width = geometry.size
    bounds = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    clipped = np.clip(bounds, 0, [width, height, width, height])
    left = clipped[:, 2:] - clipped[:, :2]
    share = left.prod(axis=1) / np.maximum((bounds[:, 2:] - bounds[:, :2]).prod(axis=1), np.finfo(np.float64).tiny)
    kept = np.flatnonzero((share >= least_share) & (left.min(axis=1) >= least_side))
    return clipped[kept].astype(np.float32), kept


def unmoved(count: int) -> Floats:
    """Affine maps (N, 2, 3) that leave every point where it is."""
    return np.eye(2, 3)[None].repeat(count, axis=0)


def about_centre(linear: Floats, translation: Floats, size: tuple[int, int]) -> Floats:
    """Affine maps of points of the output that are linear (N, 2, 2) about its centre, then translate (N, 2)."""
    centre = np.array([size[1], size[0]]) / 2
    offset = centre - linear @ centre + translation
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def composed(outer: Floats, inner: Floats) -> Floats:
    """The affine maps (N, 2, 3) that do the inner ones first."""
    linear = outer[:, :, :2] @ inner[:, :, :2]
    offset = (outer[:, :, :2] @ inner[:, :, 2:])[:, :, 0] + outer[:, :, 2]
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def rotations(degrees: Floats) -> Floats:
    """Linear maps (N, 2, 2) that turn pictures counter-clockwise, as they are seen (y points down)."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([np.stack([cosine, sine], axis=1), np.stack([-sine, cosine], axis=1)], axis=1)


def shears(x: Floats, y: Floats) -> Floats:
    """Linear maps (N, 2, 2): a point (a, b) goes to (a + x b, b), then to (a, b + y a)."""
    ones = np.ones_like(x)
    return np.stack([np.stack([ones, x], axis=1), np.stack([y, 1 + x * y], axis=1)], axis=1)
