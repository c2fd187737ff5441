"""Data sets whose labels lie in the pictures: boxes as Pascal VOC, COCO, YOLO and CSV tell them, and masks."""

from hubel.data.annotated_layouts.finding import find_annotated
from hubel.data.annotated_layouts.place import Place

__all__ = ["Place", "find_annotated"]
