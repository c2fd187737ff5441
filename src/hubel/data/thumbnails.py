"""Small copies of pictures, for pages that stand alone."""

from __future__ import annotations

import base64
import io

from PIL import Image

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.sources import Sample

_SIDE = 144  # pixels


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
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
