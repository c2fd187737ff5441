"""Small copies of pictures for pages."""

from __future__ import annotations

import base64
import io

from PIL import Image

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.sources import Sample

SIDE = 144  # pixels, of the height of a thumbnail on a page


def thumbnail(sample: Sample, side: int = SIDE) -> str | None:
    """A small copy of a picture as a `data:` address; None where it cannot be read (any more)."""
    try:
        image = load_image(sample, channels=3, shorter_side=side)
    except UnreadableImage:
        return None
    if max(image.size) <= side // 2:  # digits and icons: show the pixels
        factor = side // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((side * 2, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
