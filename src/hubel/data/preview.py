"""A sheet of varied pictures, to see what an augmentation does before anything is trained with it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hubel.data.augmentation import Augment
from hubel.data.decoding import UnreadableImage
from hubel.data.labels import label_text
from hubel.data.sources import Sample
from hubel.data.store import decode_picture
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

ROWS, VARIANTS = 6, 7
_SMALLEST_CELL = 160  # pixels; smaller pictures are enlarged by whole factors, so that their pixels can be seen
_MARGIN, _FONT_SIZE, _LINES = 8, 12, 5
_LINE_HEIGHT, _CHARACTER = 15, 6.2  # pixels of a line and, on average, of a character
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
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)

    def put(row: int, column: int, pixels: npt.NDArray[np.uint8], text: str, colour: tuple[int, int, int]) -> None:
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
        left, top = _MARGIN + column * cell_width, _MARGIN + row * cell_height
        sheet.paste(picture.resize((width * factor, height * factor), Image.Resampling.NEAREST), (left, top))
        lines = textwrap.wrap(text, int(width * factor / _CHARACTER))[:_LINES]
        for number, line in enumerate(lines):
            draw.text((left, top + height * factor + 2 + number * _LINE_HEIGHT), line, fill=colour, font=font)

    plain = Augment.preset("none")
    for row, (index, sample, pixels) in enumerate(chosen):
        at = np.array([index])
        put(
            row,
            0,
            plain.batch([pixels], plain.draws(seed, 0, at), preprocess.size)[0],
            _called(sample, classes),
            _BLACK,
        )
        for epoch in range(variants):
            draws = augment.draws(seed, epoch, at)
            varied = augment.batch([pixels], draws, preprocess.size)[0]
            told = ", ".join(augment.plan([pixels], draws, preprocess.size).told(0)) or "as it is"
            put(row, epoch + 1, varied, told, _GREY)
    return sheet


def _readable(
    samples: Sequence[Sample], preprocess: Preprocess, count: int
) -> list[tuple[int, Sample, npt.NDArray[np.uint8]]]:
    """Up to `count` pictures with their indices, evenly over all in the order of their labels."""
    order = sorted(range(len(samples)), key=lambda index: (samples[index].label, samples[index].name))
    tried = dict.fromkeys(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int).tolist())
    tried |= dict.fromkeys(range(len(order)))  # then any, where one of those cannot be read
    found: list[tuple[int, Sample, npt.NDArray[np.uint8]]] = []
    reason = "there are none"
    for place in tried:
        if len(found) == count:
            break
        sample = samples[order[place]]
        try:
            pixels = decode_picture(sample.read(), preprocess, "training")
        except (UnreadableImage, OSError) as error:
            reason = f"{sample.name}: {error}"
            continue
        found.append((order[place], sample, pixels))
    if not found:
        raise DataError(f"no picture can be shown ({reason}): give a folder with pictures that can be read")
    return sorted(found, key=lambda entry: order.index(entry[0]))


def _called(sample: Sample, classes: Sequence[str]) -> str:
    return f"{label_text(sample.label, classes) or 'no class'}: {sample.name.rsplit('/', 1)[-1]}"
