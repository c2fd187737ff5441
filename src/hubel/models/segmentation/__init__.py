"""Segmentation networks, one file per paper."""

from hubel.models.segmentation import fcn, fcn_resnet, unet, unet_on_backbone
from hubel.models.segmentation.network import SegmentationNetwork

__all__ = ["SegmentationNetwork", "fcn", "fcn_resnet", "unet", "unet_on_backbone"]
