"""From a file, bytes, a PIL image or an array to a picture of mode RGB or L: the one road that every verb takes.

Orientation is applied, alpha is composited on white, 16-bit and floating-point values are scaled, never clipped.
Colour profiles are not applied.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, features

from hubel.data.sources import Sample, UnusableBytes
from hubel.errors import DataError

if TYPE_CHECKING:
    from hubel.preprocessing import Preprocess

Source = Sample | Path | str | bytes | Image.Image | npt.NDArray[Any]
_Content = Path | str | bytes | Image.Image

# Pillow warns above its own limit, a quarter of a GiB at three bytes a pixel; here it is an error.
MAX_PIXELS = 89_478_485
# Scaled by its shorter side, a longer picture would become a ribbon of many times the usual bytes.
MAX_ASPECT_RATIO = 100
# Counts up whenever the same file would give other values, decoded or resized.
DECODING_VERSION = 3

_ORIENTATION = 0x0112
_SWAPPING = frozenset({5, 6, 7, 8})  # the orientations that swap width and height
_TIFF_BITS_PER_SAMPLE = 258
_PILLOW_HAS_TURBO = bool(features.check_feature("libjpeg_turbo"))  # or its JPEGs have other pixels here and there
_JPEG_START, _JPEG_SCAN = b"\xff\xd8\xff", b"\xff\xda"
_JPEG_COLOURS = frozenset({"YCbCr", "RGB"})
_JPEG_ASIDES = (b"Exif\x00", b"tiff:Orientation", b"MPF\x00")  # what may say how a picture is turned; several pictures
_DRAFT_MARGIN = 2  # a JPEG decoded at reduced scale still has this many times the pixels that are needed

# What Pillow warns of (size, odd EXIF data, palettes) is an error here, or handled.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableImage(DataError):  # noqa: N818 - the plain word says it
    """A picture that cannot be decoded; `reason` says why without naming it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self) -> tuple[type[UnreadableImage], tuple[str, str]]:
        return type(self), (self.name, self.reason)


def load_image(source: Source, channels: int, *, shorter_side: int | None = None) -> Image.Image:
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
    with _explained(source):
        return _loaded(_content(source), channels, shorter_side)


def load_array(source: Source, channels: int, *, shorter_side: int | None = None) -> npt.NDArray[np.uint8]:
    """The pixels of `load_image`, uint8 of shape (H, W, 3) or (H, W), its arguments and errors.

    Plain JPEGs do not pass through Pillow, and take two thirds of the time: libjpeg-turbo writes into the array.
    """
    with _explained(source):
        content = _content(source)
        if channels == 3 and (pixels := _decoded_directly(content, shorter_side)) is not None:
            return pixels
        return np.array(_loaded(content, channels, shorter_side))


def read_array(source: Source, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Decode a picture and bring it to the network's input size.

    Returns:
        uint8 of shape (height, width, channels), not yet normalised.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    return preprocess.to_array(load_for(source, preprocess))


def load_for(source: Source, preprocess: Preprocess) -> Image.Image:
    """Decode a picture that `preprocess` is to resize, at reduced scale where that changes little.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    return load_image(source, preprocess.channels, shorter_side=_shorter_side(preprocess))


def load_array_for(source: Source, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """The pixels of `load_for`, as `load_array` gives them."""
    return load_array(source, preprocess.channels, shorter_side=_shorter_side(preprocess))


def _shorter_side(preprocess: Preprocess) -> int | None:
    """What `preprocess` scales the shorter side to; None where a reduced scale would change what comes out."""
    if not preprocess.antialias or preprocess.interpolation == "nearest" or preprocess.resize == "native":
        return None
    return preprocess.resize_to if preprocess.resize == "shorter_side" else max(preprocess.size)


def upright_size(source: Source) -> tuple[int, int]:
    """Height and width of a picture as it stands upright; of a file, only its header is read.

    Raises:
        UnreadableImage: It cannot be opened.
    """
    with _explained(source), _opened(_content(source)) as image:
        return _upright_size(image)


@contextmanager
def _explained(source: Source) -> Generator[None]:
    """Say of whatever goes wrong why the picture is unreadable.

    Raises:
        UnreadableImage: Anything has gone wrong.
    """
    try:
        yield
    except Exception as error:  # on damaged files Pillow's decoders raise almost anything
        raise UnreadableImage(_name(source), _reason(error, source)) from error


def _content(source: Source) -> _Content:
    """A source as what Pillow can open, or has opened."""
    if isinstance(source, Sample):
        source = source.path or source.read()
    if isinstance(source, bytes) and not source:
        raise _Reason("it has zero bytes")
    return _from_array(source) if isinstance(source, np.ndarray) else source


def _loaded(content: _Content, channels: int, shorter_side: int | None) -> Image.Image:
    with _opened(content) as image:
        of_caller = image is content  # who may want it at full scale
        return _decoded(image, channels, None if of_caller else shorter_side)


def _opened(content: _Content) -> AbstractContextManager[Image.Image]:
    """A picture of which the header is read, until it is closed; one that was open before stays so."""
    if isinstance(content, Image.Image):
        return nullcontext(content)
    return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)


class _Reason(Exception):  # noqa: N818 - never seen outside this file
    """Why a picture cannot be used."""


def _name(source: Source) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, Sample):
        return source.location
    if isinstance(source, bytes):
        return f"an image of {len(source)} bytes"
    if isinstance(source, np.ndarray):
        return f"an array of shape {source.shape} and type {source.dtype}"
    return f"an image of mode {source.mode}"


def _reason(error: Exception, source: Source) -> str:
    """A short reason for a failure, in the user's words."""
    if isinstance(error, (_Reason, UnusableBytes)):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PIXELS} pixels (a decompression bomb?)"
    if isinstance(error, UnidentifiedImageError):
        path = source.path if isinstance(source, Sample) else source
        empty = isinstance(path, (str, Path)) and Path(path).stat().st_size == 0
        return "it has zero bytes" if empty else "it is no image that Pillow knows"
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "truncated" in text.lower() or "not enough image data" in text.lower() or isinstance(error, EOFError):
        return "it is truncated"
    return f"it is damaged ({text})"


def _decoded(image: Image.Image, channels: int, shorter_side: int | None) -> Image.Image:
    _check_size(*image.size)
    if shorter_side is not None and _is_reducible(image.size, shorter_side):
        image.draft(None, (_DRAFT_MARGIN * shorter_side, _DRAFT_MARGIN * shorter_side))
    image.load()
    return _converted(_upright(image), "RGB" if channels == 3 else "L")


def _decoded_directly(content: _Content, shorter_side: int | None) -> npt.NDArray[np.uint8] | None:
    """A JPEG's pixels (H, W, 3), the same that Pillow gives, whose decoder is libjpeg-turbo, too.

    Returns:
        None where that is another; where more than decoding is to be done; and where libjpeg-turbo has anything to
        complain of, for it is Pillow that decides which damage can be borne.
    """
    data = _jpeg_bytes(content) if _PILLOW_HAS_TURBO else None
    if data is None:
        return None
    import simplejpeg

    header = _jpeg_header(data)
    if any(mark in header for mark in _JPEG_ASIDES) and not _is_upright_jpeg(data):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _JPEG_COLOURS or (shorter_side is not None and _is_reducible((height, width), shorter_side)):
            return None
        _check_size(width, height)
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data)
    except ValueError:
        return None
    return pixels


def _jpeg_bytes(content: _Content) -> bytes | None:
    """A JPEG file's bytes; None if it is no JPEG, or no file."""
    if isinstance(content, Image.Image):
        return None
    if isinstance(content, bytes):
        return content if content.startswith(_JPEG_START) else None
    with Path(content).open("rb", buffering=0) as file:
        start = file.read(len(_JPEG_START))
        return start + file.read() if start == _JPEG_START else None


def _jpeg_header(data: bytes) -> bytes:
    """What stands before a JPEG's first scan; all of it where that is not told at once.

    The header is passed through segment by segment: a thumbnail in one has a scan of its own, a profile its bytes.
    """
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] not in (b"\xff", b""):
        if data[at : at + 2] == _JPEG_SCAN:
            return data[:at]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data


def _is_upright_jpeg(data: bytes) -> bool:
    """Whether a JPEG file has one picture, and stands upright."""
    with Image.open(io.BytesIO(data)) as image:
        return image.format == "JPEG" and _orientation(image) == 1


def _is_reducible(size: tuple[int, int], shorter_side: int) -> bool:
    """Whether a JPEG is decoded at reduced scale if its shorter side is to be scaled to so many pixels."""
    return min(size) >= 2 * _DRAFT_MARGIN * shorter_side


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise _Reason(f"it has {width}×{height} pixels")
    if width * height > MAX_PIXELS:
        raise _Reason(f"it has {width}×{height} pixels, more than {MAX_PIXELS} (a decompression bomb?)")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise _Reason(f"it has {width}×{height} pixels, one side more than {MAX_ASPECT_RATIO} times the other")


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation shows it; damaged EXIF data counts as none."""
    try:
        return image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
    except Exception:  # a picture with damaged metadata is still a picture
        return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    swapped = _orientation(image) in _SWAPPING
    return (image.width, image.height) if swapped else (image.height, image.width)


def _orientation(image: Image.Image) -> int:
    """How a picture is turned, 1 to 8, by its EXIF data; 1, upright, where they are damaged or none."""
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a picture with damaged metadata is still a picture
        return 1
    return orientation


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_uint8(np.asarray(image), bits=_bits(image)))
    elif image.has_transparency_data:
        image = _on_white(image)
    elif image.mode == "P":
        image = image.convert("RGB")
    try:
        return image if image.mode == mode else image.convert(mode)
    except ValueError as error:
        raise _Reason(f"its colour mode {image.mode} cannot be converted") from error


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


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise _Reason("expected the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.dtype != np.uint8:
        if not (array.dtype == np.uint16 or np.issubdtype(array.dtype, np.floating)):
            raise _Reason("expected bool, uint8, uint16 or a floating-point type")
        array = _to_uint8(array, bits=16)
    return Image.fromarray(np.ascontiguousarray(array))


def _to_uint8(values: npt.NDArray[Any], *, bits: int) -> npt.NDArray[np.uint8]:
    """Scale wide integers or floats to 0..255; see `load_image` for the ranges."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise _Reason("it has values that are not finite")
    if np.issubdtype(values.dtype, np.integer):
        bounds = (0.0, 2.0**bits - 1)
    else:
        bounds = (0.0, 1.0) if high <= 1 else (0.0, 255.0)
    if low < bounds[0] or high > bounds[1]:
        bounds = (low, high)
    scale = 255 / (bounds[1] - bounds[0])
    return np.rint((values.astype(np.float64) - bounds[0]) * scale).astype(np.uint8)
