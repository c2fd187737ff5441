"""Detectors: networks that return raw outputs for many boxes at once, in both modes."""

from hubel.models.detection import faster_rcnn, yolo, yolov1

__all__ = ["faster_rcnn", "yolo", "yolov1"]
