"""Whatever a picture's values are, made 0 to 255 of grey or of red, green and blue."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hubel.data.decoding.reasons import Unusable

_TIFF_BITS_PER_SAMPLE = 258


def converted(image: Image.Image, mode: str) -> Image.Image:
    """A picture in mode RGB or L.

    Raises:
        Unusable: It cannot be converted.
    """
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_uint8(np.asarray(image), bits=_bits(image)))
    elif image.has_transparency_data:
        image = _on_white(image)
    elif image.mode == "P":
        image = image.convert("RGB")
    try:
        return image if image.mode == mode else image.convert(mode)
    except ValueError as error:
        raise Unusable(f"its colour mode {image.mode} cannot be converted") from error


def from_array(array: npt.NDArray[Any]) -> Image.Image:
    """An array as a picture of 8 bits.

    Raises:
        Unusable: It is no picture.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise Unusable("expected the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.dtype != np.uint8:
        if not (array.dtype == np.uint16 or np.issubdtype(array.dtype, np.floating)):
            raise Unusable("expected bool, uint8, uint16 or a floating-point type")
        array = _to_uint8(array, bits=16)
    return Image.fromarray(np.ascontiguousarray(array))


def _on_white(image: Image.Image) -> Image.Image:
    """Composite a picture with transparency on a white background: mode L for LA, RGB for all others."""
    if image.mode in ("LA", "La"):
        grey = image.convert("LA")
        background = Image.new("L", image.size, 255)
        background.paste(grey.getchannel("L"), mask=grey.getchannel("A"))
        return background
    colour = image.convert("RGBA")
    background = Image.new("RGB", image.size, (255, 255, 255))
    background.paste(colour.convert("RGB"), mask=colour.getchannel("A"))
    return background


def _bits(image: Image.Image) -> int:
    """How many bits a value of an integer picture has: 16, or fewer where a TIFF file says so."""
    tags = getattr(image, "tag_v2", None)
    stated = tags.get(_TIFF_BITS_PER_SAMPLE) if tags is not None else None
    bits = stated[0] if isinstance(stated, tuple) and stated else stated
    return bits if isinstance(bits, int) and 8 < bits < 16 else 16


def _to_uint8(values: npt.NDArray[Any], *, bits: int) -> npt.NDArray[np.uint8]:
    """Scale wide integers or floats to 0..255; see `load_image` for the ranges."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Unusable("it has values that are not finite")
    if np.issubdtype(values.dtype, np.integer):
        bounds = (0.0, 2.0**bits - 1)
    else:
        bounds = (0.0, 1.0) if high <= 1 else (0.0, 255.0)
    if low < bounds[0] or high > bounds[1]:
        bounds = (low, high)
    scale = 255 / (bounds[1] - bounds[0])
    return np.rint((values.astype(np.float64) - bounds[0]) * scale).astype(np.uint8)
