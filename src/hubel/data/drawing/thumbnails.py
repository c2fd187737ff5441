"""Small copies of pictures, for pages that stand alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.drawing.labels import draw_label
from hubel.data.labels import MaskLabel, ObjectsLabel
from hubel.data.sources import Sample
from hubel.errors import DataError

_SIDE = 144  # pixels
_SIDE_WITH_LABEL = 260  # of the shorter side, so that texts can be read


def thumbnail(sample: Sample) -> str | None:
    """A small copy of a picture as a `data:` address; None where it cannot be read (any more)."""
    try:
        image = load_image(sample, channels=3, shorter_side=_SIDE)
    except UnreadableImage:
        return None
    if max(image.size) <= _SIDE // 2:  # digits and icons: show the pixels
        factor = _SIDE // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((_SIDE * 2, _SIDE))
    return as_address(image)


def thumbnail_with_label(sample: Sample, classes: Sequence[str]) -> str | None:
    """A small copy of a picture with its boxes or its mask drawn, as a `data:` address; of others, `thumbnail`."""
    if not isinstance(sample.label, ObjectsLabel | MaskLabel):
        return thumbnail(sample)
    try:
        image = load_image(sample, channels=3, shorter_side=_SIDE_WITH_LABEL)
        factor = min(1.0, _SIDE_WITH_LABEL / min(image.size))
        image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
        return as_address(draw_label(image, sample.label, classes, legend=False))
    except DataError:
        return thumbnail(sample)


def as_address(image: Image.Image) -> str:
    """A picture of mode RGB as a `data:` address, a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
