"""Pictures of networks, drawn from what a forward pass shows."""

from hubel.models.drawing.anatomy import anatomy
from hubel.models.drawing.page import draw

__all__ = ["anatomy", "draw"]
