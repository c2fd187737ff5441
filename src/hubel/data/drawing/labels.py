"""Labels drawn onto their pictures: boxes with their classes, masks in the classes' colours."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from hubel.data.drawing.boxes import DrawnBox, draw_boxes
from hubel.data.drawing.masks import draw_mask
from hubel.data.labels import Label, MaskLabel, ObjectsLabel
from hubel.data.masks.reading import resized_mask
from hubel.preprocessing import Placement
from hubel.results.palette import class_colour

_CROWD = 12  # with more objects, colours alone tell the classes: texts would hide them


def draw_label(image: Image.Image, label: Label, classes: Sequence[str], *, legend: bool = True) -> Image.Image:
    """A picture with its objects or its mask; with another label, the picture itself.

    Args:
        image: Upright, perhaps scaled.
        label: Of it.
        classes: The classes' names.
        legend: Whether a mask has a legend below it.

    Returns:
        A picture of mode RGB; a small one is enlarged by a whole factor.

    Raises:
        DataError: The mask cannot be read.
    """
    if isinstance(label, ObjectsLabel):
        scaled = Placement(image.height / label.size[0], image.width / label.size[1], 0, 0)
        return draw_boxes(image, drawn_boxes(label, classes, scaled))
    if isinstance(label, MaskLabel):
        mask = resized_mask(label.read(), (image.height, image.width))
        return draw_mask(image, mask, classes, None if legend else {})
    return image if image.mode == "RGB" else image.convert("RGB")


def drawn_boxes(label: ObjectsLabel, classes: Sequence[str], placement: Placement) -> list[DrawnBox]:
    """The objects of a label as they are drawn where a picture has been placed; what does not count is dashed."""
    texts = len(label.boxes) <= _CROWD
    drawn = []
    for (x1, y1, x2, y2), number, ignored in zip(label.boxes, label.classes, label.ignored, strict=True):
        box = (
            x1 * placement.scale_x + placement.left,
            y1 * placement.scale_y + placement.top,
            x2 * placement.scale_x + placement.left,
            y2 * placement.scale_y + placement.top,
        )
        drawn.append(DrawnBox(box, classes[number] if texts else "", class_colour(number), dashed=ignored))
    return drawn
