"""From a file, bytes, a PIL image or an array to a picture of mode RGB or L: the one road that every verb takes.

Orientation is applied, alpha is composited on white, 16-bit and floating-point values are scaled, never clipped.
Colour profiles are not applied.

`opening` opens what came, and `pictures` decodes it, with `jpeg`, `orientation` and `values`. Whatever goes wrong has
one of the reasons in `reasons`.
"""

from hubel.data.decoding.opening import Header, read_header, upright_size
from hubel.data.decoding.pictures import (
    DECODING_VERSION,
    load_array,
    load_array_for,
    load_for,
    load_image,
    read_array,
)
from hubel.data.decoding.reasons import ImageSource, UnreadableImage

__all__ = [
    "DECODING_VERSION",
    "Header",
    "ImageSource",
    "UnreadableImage",
    "load_array",
    "load_array_for",
    "load_for",
    "load_image",
    "read_array",
    "read_header",
    "upright_size",
]
