"""What detectors' raw outputs mean: the loss against a picture's objects, and the detections.

A module per detector, each with `losses` and `decode`: pure functions of what `forward` returned.
"""

from hubel.tasks.detectors.objects import Detections, Objects

__all__ = ["Detections", "Objects"]
