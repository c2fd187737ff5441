"""Which layout with boxes or masks lies in a folder or an archive, if any does."""

from __future__ import annotations

from collections.abc import Callable

from hubel.data.labels import Labelling
from hubel.data.layouts.annotated.coco import find_coco
from hubel.data.layouts.annotated.csv_boxes import find_csv
from hubel.data.layouts.annotated.mask_pairs import find_masks
from hubel.data.layouts.annotated.voc import find_voc
from hubel.data.layouts.annotated.yolo import find_yolo
from hubel.data.layouts.place import Place
from hubel.data.sources import Source

Finder = Callable[[Place, Callable[[str], None]], Source | None]


def find_annotated(place: Place, wanted: Labelling | None, tell: Callable[[str], None]) -> Source | None:
    """The data set with boxes or masks in a folder or an archive; None where there is none.

    Args:
        place: The folder or archive.
        wanted: What the task needs: it decides where there are both, or outlines, from which either can be made.
        tell: Hears of what takes a while.

    Raises:
        DataError: There is one, but it cannot be used.
    """
    if wanted in ("class", "classes", "number"):  # boxes tell classes, too; masks do not
        finders = (*_BOXES,)
    elif wanted == "mask":
        finders = (*_MASKS, *_BOXES)
    else:
        finders = (*_BOXES, *_MASKS)
    for find in finders:
        if (source := find(place, tell)) is not None:
            return source
    return None


def _coco_boxes(place: Place, tell: Callable[[str], None]) -> Source | None:
    return find_coco(place, masks=False)


def _coco_masks(place: Place, tell: Callable[[str], None]) -> Source | None:
    return find_coco(place, masks=True)


_BOXES: tuple[Finder, ...] = (find_voc, _coco_boxes, find_yolo, find_csv)
_MASKS: tuple[Finder, ...] = (find_masks, _coco_masks)
