"""A sheet of varied pictures, to see what an augmentation does before anything is trained with it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from hubel.data.augmentation import Augment
from hubel.data.augmentation.mosaic import Part, mosaic, mosaic_partners
from hubel.data.decoded.pixels import Decoding
from hubel.data.drawing.boxes import DrawnBox, draw_boxes
from hubel.data.drawing.letters import Font, font_of
from hubel.data.drawing.masks import draw_mask
from hubel.data.labels import MaskLabel, ObjectsLabel, label_summary
from hubel.data.sources import Sample
from hubel.data.targets import objects_in
from hubel.errors import DataError
from hubel.preprocessing import Preprocess
from hubel.results.palette import class_colour

ROWS, VARIANTS = 6, 7
_SMALLEST_CELL = 160  # pixels; smaller pictures are enlarged by whole factors, so that their pixels can be seen
_MARGIN, _FONT_SIZE, _LINE_HEIGHT, _LINES = 8, 11, 15, 8
_WHITE, _BLACK, _GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def preview_sheet(
    samples: Sequence[Sample],
    classes: Sequence[str],
    augment: Augment,
    preprocess: Preprocess,
    *,
    rows: int = ROWS,
    variants: int = VARIANTS,
    seed: int = 0,
) -> Image.Image:
    """Draw some pictures as they are evaluated and, beside each, as they would come in the first epochs of training.

    Args:
        samples: Pictures to choose from, evenly over the classes.
        classes: Names of the labels.
        augment: How they are varied.
        preprocess: How they are brought to the network's size.
        rows: How many pictures.
        variants: How many variants of each; under each stands what was drawn.
        seed: Of the run.

    Raises:
        DataError: None of the pictures can be read.
    """
    chosen = _readable(samples, preprocess, rows)
    height, width = preprocess.size
    factor = max(1, -(-_SMALLEST_CELL // width))
    cell_width, cell_height = width * factor + _MARGIN, height * factor + _MARGIN + _LINES * _LINE_HEIGHT
    sheet = Image.new("RGB", (cell_width * (variants + 1) + _MARGIN, cell_height * len(chosen) + _MARGIN), _WHITE)
    draw, font = ImageDraw.Draw(sheet), font_of(_FONT_SIZE)

    def put(row: int, column: int, pixels: npt.NDArray[np.uint8], text: str, colour: tuple[int, int, int]) -> None:
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
        left, top = _MARGIN + column * cell_width, _MARGIN + row * cell_height
        sheet.paste(picture.resize((width * factor, height * factor), Image.Resampling.NEAREST), (left, top))
        for number, line in enumerate(_lines(text, font, width * factor)[:_LINES]):
            draw.text((left, top + height * factor + 2 + number * _LINE_HEIGHT), line, fill=colour, font=font)

    plain = Augment.preset("none")
    for row, picture in enumerate(chosen):
        whole = _varied(plain, picture, np.zeros((1, Augment.DRAWS)), chosen, classes, preprocess.size)
        put(row, 0, whole, _called(picture.sample, classes), _BLACK)
        for epoch in range(variants):
            draws = augment.draws(seed, epoch, np.array([picture.place]))
            told = augment.plan([picture.part.picture], draws, preprocess.size).told(0)
            if augment.mosaic and mosaic_partners(augment.mosaic, draws, 1):
                told.insert(0, "mosaic")
            varied = _varied(augment, picture, draws, chosen, classes, preprocess.size)
            put(row, epoch + 1, varied, ", ".join(told) or "as it is", _GREY)
    return sheet


def _lines(text: str, font: Font, width: int) -> list[str]:
    """A text in lines of at most a width in pixels, all of as many characters as the widest of them lets them have."""
    characters = int(1.3 * width * len(text) / max(font.getlength(text), 1)) + 1
    while True:
        lines = textwrap.wrap(text, characters)
        if characters == 1 or all(font.getlength(line) <= width for line in lines):
            return lines
        characters -= 1


def _varied(
    augment: Augment,
    picture: _Readable,
    draws: npt.NDArray[np.float64],
    others: Sequence[_Readable],
    classes: Sequence[str],
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """A picture varied once, with its boxes or its mask drawn: uint8 (H, W, C).

    In a mosaic it is joined with pictures of the sheet, in training with any.
    """
    pixels, boxes, labels = picture.part
    if isinstance(picture.sample.label, ObjectsLabel):
        partners = mosaic_partners(augment.mosaic, draws, len(others)) if augment.mosaic else {}
        if partners:
            centre, numbers = partners[0]
            pixels, boxes, labels = mosaic([picture.part, *(others[number].part for number in numbers)], centre, size)
        varied = augment.together([pixels], draws, size, boxes=[boxes])
        assert varied.boxes is not None
        assert varied.kept is not None
        drawn = [
            DrawnBox((x1, y1, x2, y2), "", class_colour(int(label)))
            for (x1, y1, x2, y2), label in zip(varied.boxes[0].tolist(), labels[varied.kept[0]], strict=True)
        ]
        return np.asarray(draw_boxes(_image(varied.pictures[0]), drawn).resize(size[::-1]))
    if picture.mask is not None:
        varied = augment.together([pixels], draws, size, masks=[picture.mask])
        assert varied.masks is not None
        drawn_mask = draw_mask(_image(varied.pictures[0]), varied.masks[0], classes, legend={})
        return np.asarray(drawn_mask.resize(size[::-1]))
    plain: npt.NDArray[np.uint8] = augment.batch([pixels], draws, size)[0]
    return plain


def _image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


class _Readable(NamedTuple):
    """A picture that could be read.

    Attributes:
        place: Its number among the samples.
        sample: The picture.
        part: It as it comes into training, with its boxes.
        mask: Its mask; None: it has none.
    """

    place: int
    sample: Sample
    part: Part
    mask: npt.NDArray[np.uint8] | None


def _readable(samples: Sequence[Sample], preprocess: Preprocess, count: int) -> list[_Readable]:
    """Up to `count` pictures, evenly over all in the order of their labels."""
    order = sorted(range(len(samples)), key=lambda index: (_rank(samples[index]), samples[index].name))
    tried = dict.fromkeys(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int).tolist())
    tried |= dict.fromkeys(range(len(order)))  # then any, where one of those cannot be read
    found: list[_Readable] = []
    reason = "there are none"
    for place in tried:
        if len(found) == count:
            break
        sample = samples[order[place]]
        try:
            found.append(_read(order[place], sample, preprocess))
        except (DataError, OSError) as error:
            reason = f"{sample.name}: {error}"
    if not found:
        raise DataError(f"no picture can be shown ({reason}): give a folder with pictures that can be read")
    return sorted(found, key=lambda entry: order.index(entry.place))


def _rank(sample: Sample) -> tuple[int, ...] | tuple[float]:
    """What pictures are ordered by: their class or classes, their number; how many objects they have."""
    label = sample.label
    if isinstance(label, ObjectsLabel):
        return (len(label.boxes),)
    if isinstance(label, MaskLabel):
        return label.classes
    return label if isinstance(label, tuple) else (label or 0,)


def _read(index: int, sample: Sample, preprocess: Preprocess) -> _Readable:
    decoding = Decoding(preprocess, "training", isinstance(sample.label, MaskLabel))
    if decoding.masked:
        pixels, mask = decoding.with_mask(sample)
        return _Readable(index, sample, _part(pixels), mask)
    pixels = decoding.picture(sample)
    if not isinstance(sample.label, ObjectsLabel):
        return _Readable(index, sample, _part(pixels), None)
    placement = preprocess.placement(sample.label.size, whole=True)
    objects = objects_in(sample.label, placement, (pixels.shape[0], pixels.shape[1]))
    return _Readable(index, sample, Part(pixels, objects.boxes.double().numpy(), objects.labels.numpy()), None)


def _part(pixels: npt.NDArray[np.uint8]) -> Part:
    return Part(pixels, np.zeros((0, 4)), np.zeros(0, np.int64))


def _called(sample: Sample, classes: Sequence[str]) -> str:
    return f"{label_summary(sample.label, classes) or 'no class'}: {sample.name.rsplit('/', 1)[-1]}"
