"""Blocks that three or more networks share."""

from hubel.nn.heads import pooled_linear_head
from hubel.nn.initialisation import kaiming_normal_convolutions

__all__ = ["kaiming_normal_convolutions", "pooled_linear_head"]
