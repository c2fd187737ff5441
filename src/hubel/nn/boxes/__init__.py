"""The arithmetic of boxes: pure functions on tensors, in `xyxy` unless a name says otherwise."""

from hubel.nn.boxes.anchors import anchor_shapes, map_anchors, map_points
from hubel.nn.boxes.coding import (
    decode_deltas,
    decode_distances,
    decode_in_grid,
    decode_logistic,
    encode_deltas,
    encode_distances,
    encode_in_grid,
    encode_logistic,
)
from hubel.nn.boxes.conversions import (
    cxcywh_to_xyxy,
    to_absolute,
    to_relative,
    xywh_to_xyxy,
    xyxy_to_cxcywh,
    xyxy_to_xywh,
)
from hubel.nn.boxes.matching import BACKGROUND, IGNORED, match_by_threshold, match_one_to_one
from hubel.nn.boxes.overlap import area, ciou, clip, diou, giou, iou, pairwise, pairwise_iou
from hubel.nn.boxes.suppression import nms, soft_nms

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "anchor_shapes",
    "area",
    "ciou",
    "clip",
    "cxcywh_to_xyxy",
    "decode_deltas",
    "decode_distances",
    "decode_in_grid",
    "decode_logistic",
    "diou",
    "encode_deltas",
    "encode_distances",
    "encode_in_grid",
    "encode_logistic",
    "giou",
    "iou",
    "map_anchors",
    "map_points",
    "match_by_threshold",
    "match_one_to_one",
    "nms",
    "pairwise",
    "pairwise_iou",
    "soft_nms",
    "to_absolute",
    "to_relative",
    "xywh_to_xyxy",
    "xyxy_to_cxcywh",
    "xyxy_to_xywh",
]
