"""Decoding itself: pictures as Pillow has them, or as arrays."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from hubel.data.decoding.jpeg import decoded_directly, draft
from hubel.data.decoding.opening import Content, content_of, opened
from hubel.data.decoding.orientation import upright
from hubel.data.decoding.reasons import ImageSource, check_size, explained
from hubel.data.decoding.values import converted

if TYPE_CHECKING:
    from hubel.preprocessing import Preprocess

# Counts up whenever the same file would give other values, decoded or resized.
DECODING_VERSION = 3

# What Pillow warns of (size, odd EXIF data, palettes) is an error here, or handled.
warnings.filterwarnings("ignore", module=r"PIL\.")


def load_image(source: ImageSource, channels: int, *, shorter_side: int | None = None) -> Image.Image:
    """Decode a picture.

    Grey pictures of 16 bits (or of the bits that a TIFF file states) are scaled from their whole range to 0..255.
    32-bit integers count as 16-bit values if all lie in 0..65535, floats as 0..1 or 0..255 if all lie there;
    otherwise, the least value becomes 0 and the greatest 255. Of an animation, the first frame counts.

    Args:
        source: A sample, a path, a file's bytes, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
            of bool, uint8, uint16 or floats.
        channels: 3 for mode RGB, 1 for mode L.
        shorter_side: What the shorter side will be scaled to, in pixels; JPEGs are then decoded at 1/2, 1/4 or 1/8
            where at least twice that remains.

    Returns:
        The picture, of mode RGB or L.

    Raises:
        UnreadableImage: The file is missing, truncated, empty, no image, too large or of an unknown kind.
    """
    with explained(source):
        content = content_of(source)
        if channels == 1 and (pixels := decoded_directly(content, shorter_side)) is not None:
            return Image.fromarray(pixels).convert("L")  # in RGB, handing the pixels over would take what is gained
        return _loaded(content, channels, shorter_side)


def load_array(source: ImageSource, channels: int, *, shorter_side: int | None = None) -> npt.NDArray[np.uint8]:
    """The pixels of `load_image`, uint8 of shape (H, W, 3) or (H, W), its arguments and errors.

    Plain JPEGs do not pass through Pillow, and take two thirds of the time: libjpeg-turbo writes into the array.
    """
    with explained(source):
        content = content_of(source)
        if channels == 3 and (pixels := decoded_directly(content, shorter_side)) is not None:
            return pixels
        return np.array(_loaded(content, channels, shorter_side))


def read_array(source: ImageSource, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Decode a picture and bring it to the network's input size.

    Returns:
        uint8 of shape (height, width, channels), not yet normalised.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    return preprocess.to_array(load_for(source, preprocess))


def load_for(source: ImageSource, preprocess: Preprocess) -> Image.Image:
    """Decode a picture that `preprocess` is to resize, at reduced scale where that changes little.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    return load_image(source, preprocess.channels, shorter_side=_shorter_side(preprocess))


def load_array_for(source: ImageSource, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """The pixels of `load_for`, as `load_array` gives them."""
    return load_array(source, preprocess.channels, shorter_side=_shorter_side(preprocess))


def _shorter_side(preprocess: Preprocess) -> int | None:
    """What `preprocess` scales the shorter side to; None where a reduced scale would change what comes out."""
    if not preprocess.antialias or preprocess.interpolation == "nearest" or preprocess.resize == "native":
        return None
    return preprocess.resize_to if preprocess.resize == "shorter_side" else max(preprocess.size)


def _loaded(content: Content, channels: int, shorter_side: int | None) -> Image.Image:
    with opened(content) as image:
        of_caller = image is content  # who may want it at full scale
        return _decoded(image, channels, None if of_caller else shorter_side)


def _decoded(image: Image.Image, channels: int, shorter_side: int | None) -> Image.Image:
    check_size(*image.size)
    if shorter_side is not None:
        draft(image, shorter_side)
    image.load()
    return converted(upright(image), "RGB" if channels == 3 else "L")
