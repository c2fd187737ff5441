"""Why a picture cannot be used, in the user's words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from hubel.data.sources import Sample, UnusableBytes
from hubel.errors import DataError

ImageSource = Sample | Path | str | bytes | Image.Image | npt.NDArray[Any]

# Pillow warns above its own limit, a quarter of a GiB at three bytes a pixel; here it is an error.
MAX_PIXELS = 89_478_485
# Scaled by its shorter side, a longer picture would become a ribbon of many times the usual bytes.
MAX_ASPECT_RATIO = 100
# What a file of ISO/IEC 23008-12 calls its content behind `ftyp`: telephones' pictures, often renamed to .jpg.
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


class UnreadableImage(DataError):  # noqa: N818 - the plain word says it
    """A picture that cannot be decoded; `reason` says why without naming it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self) -> tuple[type[UnreadableImage], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class Unusable(Exception):  # noqa: N818 - never seen outside of this package
    """A reason, on its way to `explained`."""


@contextmanager
def explained(source: ImageSource) -> Generator[None]:
    """Say of whatever goes wrong why the picture is unreadable.

    Raises:
        UnreadableImage: Anything has gone wrong.
    """
    try:
        yield
    except Exception as error:  # on damaged files Pillow's decoders raise almost anything
        raise UnreadableImage(_name(source), _reason(error, source)) from error


def check_size(width: int, height: int) -> None:
    """Refuse a picture that is too large, or a ribbon.

    Raises:
        Unusable: It is.
    """
    if width < 1 or height < 1:
        raise Unusable(f"it has {width}×{height} pixels")
    if width * height > MAX_PIXELS:
        raise Unusable(f"it has {width}×{height} pixels, more than {MAX_PIXELS} (a decompression bomb?)")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise Unusable(f"it has {width}×{height} pixels, one side more than {MAX_ASPECT_RATIO} times the other")


def _name(source: ImageSource) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, Sample):
        return source.location
    if isinstance(source, bytes):
        return f"an image of {len(source)} bytes"
    if isinstance(source, np.ndarray):
        return f"an array of shape {source.shape} and type {source.dtype}"
    if isinstance(source, Image.Image):
        return f"an image of mode {source.mode}"
    return f"an object of type {type(source).__name__}"


def _reason(error: Exception, source: ImageSource) -> str:
    """A short reason for a failure, in the user's words."""
    if isinstance(error, (Unusable, UnusableBytes)):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "it is an address, no file: download it first" if _is_address(source) else "it does not exist"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PIXELS} pixels (a decompression bomb?)"
    if isinstance(error, UnidentifiedImageError):
        start = _start(source)
        if not start:
            return "it has zero bytes"
        if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
            return "it is a HEIC picture, whatever it is called: convert it to JPEG or PNG"
        return "it is no image that Pillow knows"
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "truncated" in text.lower() or "not enough image data" in text.lower() or isinstance(error, EOFError):
        return "it is truncated"
    return f"it is damaged ({text})"


def _is_address(source: ImageSource) -> bool:
    return isinstance(source, str) and source.lower().startswith(("http://", "https://", "ftp://", "s3://", "gs://"))


def _start(source: ImageSource) -> bytes:
    """The first bytes of a picture that could not be identified; none where it is not a file's."""
    if isinstance(source, Sample):
        source = source.path or source.read()
    if isinstance(source, (str, Path)):
        with Path(source).open("rb") as file:
            return file.read(12)
    return source[:12] if isinstance(source, bytes) else b""
