"""Each family of detectors under one form: how a network of it is trained, and what it detects.

A new family is a module with `losses` and `decode`, and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from hubel.errors import ConfigError
from hubel.models.detection.faster_rcnn import FasterRCNN
from hubel.models.detection.yolo import YOLO
from hubel.models.detection.yolov1 import YOLOv1
from hubel.tasks.detectors import faster_rcnn, yolo, yolov1
from hubel.tasks.detectors.objects import Detections, Objects
from hubel.tasks.detectors.suppression import Suppression

Output = TypeVar("Output", bound="tuple[Any, ...] | Tensor")


@dataclass(frozen=True)
class Detector:
    """A family of detectors.

    Attributes:
        loss: Of a network, normalised images (N, C, H, W) and the objects picture by picture, boxes in pixels of the
            images: the mean loss, and of it the part that is about where objects are; two scalars.
        detect: Of a network in evaluation mode and normalised images: each picture's detections, in the images' pixels.
        suppression: How the family is usually read.
        any_size: Whether its networks take pictures of any size.
    """

    loss: Callable[[nn.Module, Tensor, list[Objects]], tuple[Tensor, Tensor]]
    detect: Callable[[nn.Module, Tensor, Suppression], list[Detections]]
    suppression: Suppression
    any_size: bool = True


def detector_of(network: nn.Module) -> Detector:
    """The family of a network.

    Raises:
        ConfigError: It is no detector.
    """
    for kind, detector in FAMILIES.items():
        if isinstance(network, kind):
            return detector
    raise ConfigError(
        f"{type(network).__name__} is no detector: expected one of `hubel models list --task detection`, such as yolo_n"
    )


def _faster_rcnn_loss(network: nn.Module, images: Tensor, objects: list[Objects]) -> tuple[Tensor, Tensor]:
    output = network(images, select=faster_rcnn.region_sampler(objects))
    with torch.autocast(images.device.type, enabled=False):
        parts = faster_rcnn.losses(_wide(output), objects)
    return parts.total, parts.boxes + parts.proposal_boxes


def _detected_by_faster_rcnn(network: nn.Module, images: Tensor, how: Suppression) -> list[Detections]:
    return faster_rcnn.decode(_wide(network(images)), how)


def _yolo_loss(network: nn.Module, images: Tensor, objects: list[Objects]) -> tuple[Tensor, Tensor]:
    output = network(images)
    with torch.autocast(images.device.type, enabled=False):
        parts = yolo.losses(_wide(output), objects)
    return parts.total, parts.boxes + parts.distributions


def _detected_by_yolo(network: nn.Module, images: Tensor, how: Suppression) -> list[Detections]:
    return yolo.decode(_wide(network(images)), _size(images), how)


def _yolov1_loss(network: nn.Module, images: Tensor, objects: list[Objects]) -> tuple[Tensor, Tensor]:
    output = network(images)
    with torch.autocast(images.device.type, enabled=False):
        classes = cast(YOLOv1, network).num_classes
        parts = yolov1.losses(_wide(output), objects, num_classes=classes, size=_size(images))
    return parts.total, parts.centres + parts.sizes


def _detected_by_yolov1(network: nn.Module, images: Tensor, how: Suppression) -> list[Detections]:
    classes = cast(YOLOv1, network).num_classes
    return yolov1.decode(_wide(network(images)), num_classes=classes, size=_size(images), how=how)


FAMILIES: Mapping[type[nn.Module], Detector] = {
    FasterRCNN: Detector(_faster_rcnn_loss, _detected_by_faster_rcnn, faster_rcnn.USUAL),
    YOLO: Detector(_yolo_loss, _detected_by_yolo, yolo.USUAL),
    YOLOv1: Detector(_yolov1_loss, _detected_by_yolov1, yolov1.USUAL, any_size=False),
}


def _wide(output: Output) -> Output:
    """Raw outputs with every half as float32, in which coordinates of pictures are fine enough."""
    if isinstance(output, Tensor):
        return cast(Output, output.to(torch.promote_types(output.dtype, torch.float32)))
    parts = [_wide(value) if isinstance(value, Tensor) and value.is_floating_point() else value for value in output]
    return cast(Output, output._make(parts))  # type: ignore[attr-defined]


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[2], images.shape[3]
