"""How a picture is turned: EXIF's orientation, which is applied to every picture."""

from __future__ import annotations

from PIL import Image, ImageOps

SWAPPING = frozenset({5, 6, 7, 8})  # the orientations that swap width and height

_ORIENTATION = 0x0112


def orientation_of(image: Image.Image) -> int:
    """How a picture is turned, 1 to 8, by its EXIF data; 1, upright, where they are damaged or none."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a picture with damaged metadata is still a picture
        return 1
    return int(orientation) if orientation in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation shows it; damaged EXIF data counts as none."""
    try:
        return image if orientation_of(image) == 1 else ImageOps.exif_transpose(image)
    except Exception:  # a picture with damaged metadata is still a picture
        return image
