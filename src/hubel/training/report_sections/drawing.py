"""Examples on a run's page: which pictures, and results drawn on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.drawing.thumbnails import as_address
from hubel.tasks.task import PlaceTask

if TYPE_CHECKING:
    from hubel.data.sources import Sample
    from hubel.results import Result


def spaced(count: int, most: int) -> list[int]:
    """Positions of at most so many of some things, evenly spaced."""
    positions: list[int] = np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
    return positions


def drawn(task: PlaceTask, sample: Sample, result: Result, side: int) -> str | None:
    """A picture with a result drawn on it as a `data:` address; None where it cannot be read (any more).

    Args:
        task: Of the result.
        sample: The picture.
        result: A prediction, or the truth.
        side: The longer one's greatest length, in pixels.
    """
    try:
        image = task.draw(load_image(sample, channels=3), result)
    except UnreadableImage:
        return None
    image.thumbnail((side, side))
    return as_address(image)
