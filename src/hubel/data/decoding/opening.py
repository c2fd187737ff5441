"""From what a caller has to what Pillow opens; a picture's header."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hubel.data.decoding.orientation import SWAPPING, orientation_of
from hubel.data.decoding.reasons import ImageSource, Unusable, explained
from hubel.data.decoding.values import from_array
from hubel.data.sources import Sample

Content = Path | str | bytes | Image.Image


class Header(NamedTuple):
    """What a picture's header says.

    Attributes:
        stored: Width and height as stored.
        orientation: EXIF's, 1 to 8; 1, upright, where there is none or it cannot be read.
    """

    stored: tuple[int, int]
    orientation: int = 1

    @property
    def swapped(self) -> bool:
        """Whether width and height change places when the picture is turned upright."""
        return self.orientation in SWAPPING

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the picture as it stands upright."""
        return self.stored[::-1] if self.swapped else self.stored


def read_header(source: ImageSource) -> Header:
    """Read a picture's header, and no more where it has a file of its own.

    Raises:
        UnreadableImage: It cannot be opened.
    """
    with explained(source), opened(content_of(source)) as image:
        return Header(image.size, orientation_of(image))


def upright_size(source: ImageSource) -> tuple[int, int]:
    """Height and width of a picture as it stands upright; of a file, only its header is read.

    Raises:
        UnreadableImage: It cannot be opened.
    """
    width, height = read_header(source).upright
    return height, width


def content_of(source: ImageSource) -> Content:
    """A source as what Pillow can open, or has opened."""
    if isinstance(source, Sample):
        source = source.path or source.read()
    if isinstance(source, np.ndarray):
        return from_array(source)
    if hasattr(source, "read") and hasattr(source, "seek"):  # an open file, as servers have them
        source.seek(0)
        content = source.read()
        source = content if isinstance(content, bytes) else source
    elif isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    if isinstance(source, bytes) and not source:
        raise Unusable("it has zero bytes")
    if not isinstance(source, (str, Path, bytes, Image.Image)):  # who calls from Python may give anything
        raise Unusable(f"expected a path, a file's bytes, a PIL image or an array{_instead(source)}")
    return source


def _instead(other: object) -> str:
    """How something that is no picture becomes one, where that is known."""
    if hasattr(other, "permute"):
        return ": of a torch tensor (3, H, W), permute(1, 2, 0).cpu().numpy()"
    return ""


def opened(content: Content) -> AbstractContextManager[Image.Image]:
    """A picture of which the header is read, until it is closed; one that was open before stays so."""
    if isinstance(content, Image.Image):
        return nullcontext(content)
    return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)
