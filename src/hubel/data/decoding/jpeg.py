"""JPEGs: decoded at reduced scale, and plain ones without Pillow, by libjpeg-turbo, in two thirds of the time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from hubel.data.decoding.opening import Content
from hubel.data.decoding.orientation import orientation_of
from hubel.data.decoding.reasons import check_size

_PILLOW_HAS_TURBO = bool(features.check_feature("libjpeg_turbo"))  # or its JPEGs have other pixels here and there
_START, _SCAN = b"\xff\xd8\xff", b"\xff\xda"
_COLOURS = frozenset({"YCbCr", "RGB"})
_ASIDES = (b"Exif\x00", b"tiff:Orientation", b"MPF\x00")  # what may say how a picture is turned; several pictures
_EIGHTHS = 8  # libjpeg-turbo's scales are multiples of an eighth
_DRAFT_MARGIN = 2  # a picture decoded at reduced scale still has this many times the pixels that are needed


def draft(image: Image.Image, shorter_side: int) -> None:
    """Have a JPEG that is opened decoded at reduced scale where its shorter side is to be scaled to so many pixels."""
    if _reduction(image.size, shorter_side) > 1:
        image.draft(None, (_DRAFT_MARGIN * shorter_side, _DRAFT_MARGIN * shorter_side))


def decoded_directly(content: Content, shorter_side: int | None) -> npt.NDArray[np.uint8] | None:
    """A JPEG's pixels (H, W, 3), the same that Pillow gives, whose decoder is libjpeg-turbo, too.

    Returns:
        None where that is another; where more than decoding is to be done; and where libjpeg-turbo has anything to
        complain of, for it is Pillow that decides which damage can be borne.
    """
    data = _bytes_of(content) if _PILLOW_HAS_TURBO else None
    if data is None:
        return None
    import simplejpeg

    header = _header_of(data)
    if any(mark in header for mark in _ASIDES) and not _is_upright(data):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _COLOURS:
            return None
        check_size(width, height)
        part = _reduction((width, height), shorter_side)
        if part > 1 and min(height, width) < _EIGHTHS:
            return None  # libjpeg-turbo, asked for a size, takes the least scale that gives it: here, maybe another
        least = (-(-height // part), -(-width // part)) if part > 1 else (0, 0)  # 0: the whole scale
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, min_height=least[0], min_width=least[1])
    except ValueError:
        return None
    return pixels


def _bytes_of(content: Content) -> bytes | None:
    """A JPEG file's bytes; None if it is no JPEG, or no file."""
    if isinstance(content, Image.Image):
        return None
    if isinstance(content, bytes):
        return content if content.startswith(_START) else None
    with Path(content).open("rb", buffering=0) as file:
        start = file.read(len(_START))
        return start + file.read() if start == _START else None


def _header_of(data: bytes) -> bytes:
    """What stands before a JPEG's first scan; all of it where that is not told at once.

    The header is passed through segment by segment: a thumbnail in one has a scan of its own, a profile its bytes.
    """
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] not in (b"\xff", b""):
        if data[at : at + 2] == _SCAN:
            return data[:at]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data


def _is_upright(data: bytes) -> bool:
    """Whether a JPEG file has one picture, and stands upright."""
    with Image.open(io.BytesIO(data)) as image:
        return image.format == "JPEG" and orientation_of(image) == 1


def _reduction(size: tuple[int, int], shorter_side: int | None) -> int:
    """By what width and height are divided in decoding if the shorter side is to be scaled to so many pixels."""
    if shorter_side is None:
        return 1
    return next((part for part in (8, 4, 2) if min(size) >= part * _DRAFT_MARGIN * shorter_side), 1)
