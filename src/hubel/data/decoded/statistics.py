"""Mean and standard deviation of the pictures in a store."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hubel.data.decoded.store import PictureStore
from hubel.data.decoding import UnreadableImage

_MOST_PICTURES = 2000
_SMALLEST_STD = 1 / 255  # of pictures that are all of one colour


def channel_statistics(store: PictureStore) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the pictures, or over 2,000 evenly spaced ones.

    Returns:
        Both for values in 0 to 1; each picture counts by its pixels, one that cannot be read does not.

    Raises:
        DataError: None of them can be read.
    """
    positions = np.unique(np.linspace(0, len(store) - 1, min(len(store), _MOST_PICTURES)).round().astype(int))
    count, total, squares = 0, np.zeros(store.channels), np.zeros(store.channels)
    values, last = np.arange(256), None
    for position in positions:
        try:
            picture = store.array(int(position))
        except UnreadableImage as error:
            last = error
            continue
        count += picture.shape[0] * picture.shape[1]
        image = Image.fromarray(picture[:, :, 0] if store.channels == 1 else picture)
        histograms = np.array(image.histogram()).reshape(store.channels, 256)
        total += histograms @ values  # whole numbers: nothing is rounded
        squares += histograms @ values**2
    if last is not None and not count:
        raise last
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return (
        tuple(float(value) for value in mean / 255),
        tuple(max(float(value), _SMALLEST_STD) for value in std / 255),
    )
