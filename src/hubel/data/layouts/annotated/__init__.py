"""Data sets whose labels lie in the pictures: boxes as Pascal VOC, COCO, YOLO and CSV tell them, and masks."""
