"""Objects in the form of COCO's JSON (T.-Y. Lin et al. 2014, arXiv:1405.0312; cocodataset.org, "data format")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hubel.results.detection import DetectedObject

_DIGITS = 2  # of a pixel


class WithObjects(Protocol):
    """A result that tells the objects of a picture: a `DetectedObjects` or a `Localization`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class's name, in the model's order."""

    @property
    def objects(self) -> tuple[DetectedObject, ...]:
        """The picture's objects."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright picture."""

    @property
    def path(self) -> str | None:
        """The picture's file."""


def coco_document(results: Sequence[WithObjects]) -> dict[str, Any]:
    """Predictions of one model as one document that COCO's tools, and those for labelling, read.

    `images` and `categories` are numbered from 1, in the order of the results and of the model's classes. Every one of
    the `annotations` has, beside what COCO wants, its `score`: so `annotations` alone is COCO's form of results.
    """
    annotations: list[dict[str, Any]] = []
    for image, result in enumerate(results, start=1):
        category = {name: number for number, name in enumerate(result.classes, start=1)}
        for found in result.objects:
            x1, y1, x2, y2 = found.box
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": category[found.label],
                "bbox": [round(value, _DIGITS) for value in (x1, y1, x2 - x1, y2 - y1)],
                "area": round((x2 - x1) * (y2 - y1), _DIGITS),
                "iscrowd": int(found.ignored),
            }
            score = {} if found.score is None else {"score": round(found.score, 6)}
            annotations.append(annotation | score)
    images = [
        {"id": number, "file_name": result.path, "width": result.size[1], "height": result.size[0]}
        for number, result in enumerate(results, start=1)
    ]
    classes = results[0].classes if results else ()
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    return {"images": images, "categories": categories, "annotations": annotations}
