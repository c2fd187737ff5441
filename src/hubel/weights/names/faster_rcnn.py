"""The names of Faster R-CNN's parameters elsewhere."""

from __future__ import annotations

import re

from hubel.weights.names.resnet import torchvision_resnet

_ELSEWHERE = {
    "rpn.conv.": "rpn.head.conv.0.0.",
    "rpn.objectness.": "rpn.head.cls_logits.",
    "rpn.deltas.": "rpn.head.bbox_pred.",
    "head.dense1.": "roi_heads.box_head.fc6.",
    "head.dense2.": "roi_heads.box_head.fc7.",
    "head.classes.": "roi_heads.box_predictor.cls_score.",
    "head.deltas.": "roi_heads.box_predictor.bbox_pred.",
}


def torchvision_faster_rcnn(name: str) -> str:
    """The name in torchvision, on a ResNet with a feature pyramid: of `rpn.conv.bias`, it is `rpn.head.conv.0.0.bias`.

    The second stage's columns need no map: in both the background comes first.
    """
    if name.startswith("backbone."):
        return f"backbone.body.{torchvision_resnet(name.removeprefix('backbone.'))}"
    name = re.sub(r"^pyramid\.lateral\.(\d+)\.", r"backbone.fpn.inner_blocks.\1.0.", name)
    name = re.sub(r"^pyramid\.smooth\.(\d+)\.", r"backbone.fpn.layer_blocks.\1.0.", name)
    for own, theirs in _ELSEWHERE.items():
        if name.startswith(own):
            return theirs + name.removeprefix(own)
    return name
