"""Masks: which class each pixel of a picture has, read from the images that people keep them in.

A mask is uint8 (H, W) with classes 0 to K - 1, and `IGNORED` (255) where a pixel does not count. The images are indexed
PNG (the palette is for the eye, the indices count), grey with arbitrary values such as 0 and 255, or colours; Pascal
VOC's `SegmentationClass` is indexed PNG. What a value or colour means is told by a `Legend`; a value that it does not
know is an error that names the file. For outlines as polygons see `hubel.data.masks.polygons`.

Masks are never scaled with interpolation, which would invent classes along every border: `resized_mask` repeats pixels
and leaves pixels out.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.preprocessing import resample
from hubel.results.naming import some

if TYPE_CHECKING:
    import numpy.typing as npt

IGNORED = 255
MOST_CLASSES = 255  # what uint8 holds beside the ignored value
_MOST_IN_ONE = 64  # values of one mask without a legend; what was scaled smoothly, or numbers objects, has more

# Everingham et al. 2010, The PASCAL Visual Object Classes Challenge, doi:10.1007/s11263-009-0275-4.
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)

Value = int | tuple[int, int, int]

_SHOWN = 5  # values told in an error
_GREY_VALUES = 256
_JPEG = b"\xff\xd8\xff"  # how such files begin


@dataclass(frozen=True)
class Legend:
    """What the values of masks mean.

    Attributes:
        classes: The names of the classes, in the order of their numbers.
        values: The number of the class that each value of a mask means, or `IGNORED`. Values are integers (grey, or
            indices of a palette), or colours (red, green, blue), but not both.
    """

    classes: tuple[str, ...]
    values: Mapping[Value, int]

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= MOST_CLASSES:
            raise DataError(f"a legend of {len(self.classes)} classes came: expected 1 to {MOST_CLASSES}")
        if len({isinstance(value, tuple) for value in self.values}) != 1:
            raise DataError("a legend came that has no values, or both numbers and colours: expected one of the two")
        if wrong := [number for number in self.values.values() if number not in (*range(len(self.classes)), IGNORED)]:
            raise DataError(f"a legend came with the class number {wrong[0]}: it has {len(self.classes)} classes")

    @property
    def in_colours(self) -> bool:
        """Whether the values are colours."""
        return any(isinstance(value, tuple) for value in self.values)

    @classmethod
    def named(cls, names: Mapping[str, Value], ignored: Sequence[Value] = ()) -> Legend:
        """The legend of names and their values, in this order.

        Args:
            names: Of each class its value in masks.
            ignored: The values of pixels that do not count.
        """
        values: dict[Value, int] = {value: number for number, value in enumerate(names.values())}
        if len(values) < len(names):
            raise DataError(f"two of the classes {', '.join(names)} have the same value: expected one for each")
        return cls(tuple(names), {**values, **dict.fromkeys(ignored, IGNORED)})

    def text(self) -> str:
        """The values and what they mean, for messages."""
        names = (*self.classes, *[""] * (IGNORED - len(self.classes)), "ignored")
        return ", ".join(f"{_told(value)} ({names[number]})" for value, number in self.values.items())


def read_legend(path: Path) -> Legend:
    """Read a legend from a text file; see `parse_legend`.

    Raises:
        DataError: It cannot be read, or a line is malformed; the text tells which.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the legend {path}: {getattr(error, 'strerror', None) or error}") from error
    return parse_legend(text, path)


def parse_legend(text: str, path: Path) -> Legend:
    """The legend in a text: one class a line, its name and its value.

    `name,value` or `name,red,green,blue` (CSV, also with semicolons, with or without such a header), or CVAT's
    `labelmap.txt`, `name:red,green,blue::`. A class named `ignore`, `ignored` or `void` is none: its pixels do not
    count.

    Args:
        text: The text.
        path: The file, for messages.

    Raises:
        DataError: A line is none of these; the text tells which.
    """
    names: dict[str, Value] = {}
    ignored: list[Value] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        commas = line.replace(";", ",")  # as spreadsheets write where numbers have commas
        name, *fields = [field.strip() for field in line.split(":")[:2] if field] if ":" in line else commas.split(",")
        cells = [cell.strip() for field in fields for cell in field.split(",") if cell.strip()]
        if len(cells) not in (1, 3) or not all(cell.isdecimal() and int(cell) <= 65535 for cell in cells):
            if number == 1 and cells and not any(cell.isdecimal() for cell in cells):
                continue  # a header
            raise DataError(f"{path}, line {number}: '{line}' came, expected name,value or name,red,green,blue")
        if name in names:
            raise DataError(f"{path}, line {number}: the class '{name}' comes a second time")
        value: Value = int(cells[0]) if len(cells) == 1 else (int(cells[0]), int(cells[1]), int(cells[2]))
        if name.lower() in ("ignore", "ignored", "void"):
            ignored.append(value)
        else:
            names[name] = value
    return Legend.named(names, ignored)


def voc_legend(classes: Sequence[str] = VOC_CLASSES) -> Legend:
    """The legend of `SegmentationClass`: the number of the class, 255 along the outlines, which is ignored."""
    values: dict[Value, int] = {number: number for number in range(len(classes))}
    return Legend(tuple(classes), {**values, IGNORED: IGNORED})


def legend_of(masks: Iterable[Path]) -> Legend:
    """The legend of masks without one: every value that occurs is a class, in ascending order, named after itself.

    255 is ignored where it occurs beside two other values or more, as in Pascal VOC; beside one it is the second class.

    Args:
        masks: All mask images.

    Raises:
        UnreadableImage: One cannot be read.
        DataError: There are too many values for classes: such images were photographed, scaled or saved as JPEG.
    """
    found: set[Value] = set()
    path = None
    for path in masks:
        values = value_counts(mask_values(path))
        found.update(values)
        check_number(found, path)
        check_flat(values, path, jpeg=is_jpeg(path))
    if path is None:
        raise DataError("no masks came: expected at least one")
    return legend_of_values(found)


def check_number(values: Collection[Value], path: Path | str) -> None:
    """Raise a DataError where there are too many values for classes in the masks up to one."""
    if len(values) > MOST_CLASSES:
        raise DataError(
            f"the masks up to {path} have {len(values)} different values, too many for classes: expected flat areas "
            "(PNG; JPEG and smooth scaling change values), or a legend"
        )


def check_flat(values: Collection[Value], path: Path | str, *, jpeg: bool) -> None:
    """Raise a DataError where the values of one mask without a legend cannot be those of classes.

    Args:
        values: Of the mask.
        path: The mask.
        jpeg: Whether it is a JPEG, which has other values than were drawn, wherever areas meet.
    """
    if len(values) > (2 if jpeg else _MOST_IN_ONE):
        what = "is a JPEG and " if jpeg else ""
        raise DataError(
            f"mask {path} {what}has {len(values)} different values, which are no classes: expected flat areas, one "
            "value for each class, saved as PNG (JPEG and smooth scaling change values)"
            + ("" if jpeg else ", or a legend")
        )


def is_jpeg(mask: Path | Sample) -> bool:
    """Whether an image is a JPEG, whatever it is called."""
    with io.BytesIO(mask.read()) if isinstance(mask, Sample) else mask.open("rb") as file:
        return file.read(len(_JPEG)) == _JPEG


def legend_of_values(found: Collection[Value]) -> Legend:
    """The legend of masks that have these values; see `legend_of`.

    Raises:
        DataError: Some are grey and some are colours.
    """
    if len({isinstance(value, tuple) for value in found}) > 1:
        raise DataError("some of the masks are grey and some have colours: expected one kind, or a legend")
    ordered = sorted(found)
    ignored = [IGNORED] if IGNORED in found and len(found) > 2 else []
    return Legend.named({_told(value): value for value in ordered if value not in ignored}, ignored)


def value_counts(values: npt.NDArray[Any]) -> dict[Value, int]:
    """How many pixels have each value.

    Args:
        values: Of `mask_values`.
    """
    if values.dtype == np.uint8 and values.ndim == 2:
        counts = np.bincount(values.reshape(-1))
        return {value: int(counts[value]) for value in np.flatnonzero(counts).tolist()}
    if values.ndim == 3:
        values = _packed(np.moveaxis(values.astype(np.int64), -1, 0))
        distinct, numbers = np.unique(values, return_counts=True)
        return dict(zip(map(_unpacked, distinct.tolist()), numbers.tolist(), strict=True))
    distinct, numbers = np.unique(values, return_counts=True)
    return dict(zip(distinct.tolist(), numbers.tolist(), strict=True))


def read_mask(mask: Path | Sample, legend: Legend, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """Read a mask.

    Args:
        mask: The image.
        legend: What its values mean.
        size: Height and width of its picture; None: not checked.

    Returns:
        uint8 (H, W): classes and `IGNORED`.

    Raises:
        UnreadableImage: It is missing or damaged.
        DataError: It has another size than its picture, or values that the legend does not know.
    """
    values = mask_values(mask, colours=legend.in_colours)
    path = mask.location if isinstance(mask, Sample) else mask
    if size is not None and values.shape[:2] != tuple(size):
        (height, width), (wanted_height, wanted_width) = values.shape[:2], size
        raise DataError(
            f"mask {path} has {width}×{height} pixels, its picture {wanted_width}×{wanted_height}: "
            "expected the same size"
        )
    if values.ndim == 3:
        values = _packed(np.moveaxis(values.astype(np.int64), -1, 0))
    known = {_packed(value) if isinstance(value, tuple) else value: number for value, number in legend.values.items()}
    if values.dtype == np.uint8:
        distinct, places = np.arange(_GREY_VALUES), values  # a table of all values is ten times as fast
        present = np.flatnonzero(np.bincount(values.reshape(-1)))
    else:
        distinct, places = np.unique(values, return_inverse=True)
        present = distinct
    unknown = [value for value in present.tolist() if value not in known]
    if unknown:
        told = [_told(_unpacked(value) if legend.in_colours else value) for value in unknown]
        raise DataError(
            f"mask {path} has values that mean nothing: {some(told, _SHOWN)} "
            f"({np.isin(values, unknown).sum():,} pixels); expected {legend.text()}"
        )
    classes = np.array([known.get(value, IGNORED) for value in distinct.tolist()], np.uint8)
    numbers: npt.NDArray[np.uint8] = classes[places]
    return numbers.reshape(values.shape)


def mask_values(mask: Path | Sample, *, colours: bool | None = None) -> npt.NDArray[Any]:
    """The values of a mask image as they are stored.

    Args:
        mask: The image.
        colours: Whether colours are wanted: then those of a palette, and grey as colours. If not, colours whose three
            parts are equal are given as grey. None: as they come.

    Returns:
        Integers (H, W): indices of a palette, grey values (0 and 255 of images of one bit); or (H, W, 3): colours.

    Raises:
        UnreadableImage: It is missing, damaged, or not of integers.
    """
    name = mask.location if isinstance(mask, Sample) else str(mask)
    try:
        with Image.open(io.BytesIO(mask.read()) if isinstance(mask, Sample) else mask) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except Exception as error:  # on damaged files Pillow's decoders raise almost anything
        load_image(mask, 3)  # says why, as of every picture
        raise UnreadableImage(name, f"it is damaged ({error})") from error
    if image.mode == "F":
        raise UnreadableImage(name, "it has fractional values, a mask has whole ones")
    if image.mode == "1" or image.mode == "LA":
        image = image.convert("L")
    if colours or image.mode not in ("P", "L", "I", "I;16", "I;16B", "I;16L"):
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.ndim == 3 and not colours and (values == values[:, :, :1]).all():
        values = values[:, :, 0]
    return values


def resized_mask(mask: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A mask scaled to a height and width: every pixel of the result is one of the mask's, the nearest.

    Args:
        mask: uint8 (H, W).
        size: Height and width.
    """
    return np.asarray(resample(Image.fromarray(mask), size, "nearest"))


def _packed(colour: Any) -> Any:
    """A colour (red, green, blue) as one number; of arrays, elementwise."""
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _unpacked(number: int) -> tuple[int, int, int]:
    return number >> 16, number >> 8 & 255, number & 255


def _told(value: Value) -> str:
    """A value for messages and names: `255`, `#ff0000`."""
    return str(value) if isinstance(value, int) else "#" + "".join(f"{part:02x}" for part in value)
