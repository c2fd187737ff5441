"""Detection by a model that was trained on whole pictures: it looks at windows of several sizes, slid over the picture.

The textbook's way (`hubel.tasks.sliding_windows`), as a task that prediction and evaluation take like any other.

Windows are cut out, not read off one pass over the picture (`hubel.models.fully_convolutional`): there, a network that
pads answers otherwise, as almost all do. LeNet-5, which does not, would answer at every fourth pixel, and for windows
half a side apart, of a picture of 512×512, that takes 3.1 times the multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hubel.config import DetectionConfig
from hubel.errors import ConfigError
from hubel.models.localization.localizer import LocalizationNetwork
from hubel.tasks.box_views import Size
from hubel.tasks.detection import DetectionTask, FoundInPicture, Pictures
from hubel.tasks.localization import Localized, decode
from hubel.tasks.sliding_windows import classify_windows, detect, windows

if TYPE_CHECKING:
    from hubel.preprocessing import Preprocess
    from hubel.tasks.views import Views

# What a class of windows without an object may be called.
_NOTHING = frozenset({"background", "nothing", "none", "no object", "empty"})

_LEAST_SCORE = 0.5  # most windows show no object, and a classifier is sure of something in many of them
_IOU_THRESHOLD, _MOST = 0.5, 100
_TOGETHER = 64  # windows


@dataclass(frozen=True)
class WindowDetectionTask(DetectionTask):
    """Detection with sliding windows.

    Attributes:
        known: The network's own classes: those of the task, and perhaps one for windows without an object.
        size: Height and width of the network's input.
        sides: Of the square windows, in pixels of the picture.
        step: From window to window, as a share of the side.
        temperature: What a classifier's outputs are divided by, so that its probabilities are calibrated.
    """

    known: tuple[str, ...] = ()
    size: Size = (0, 0)
    sides: tuple[int, ...] = ()
    step: float = 0.5
    temperature: float = 1.0

    @classmethod
    def over(
        cls, known: tuple[str, ...], size: Size, sides: Sequence[int], step: float, temperature: float = 1.0
    ) -> WindowDetectionTask:
        """The task of a model's classes, input size and temperature.

        Raises:
            ConfigError: Sides or step that make no windows.
        """
        if not sides or min(sides) < 1 or not 0 < step <= 1:
            raise ConfigError(
                f"sliding windows with sides {list(sides)} and a step of {step} came: expected sides in pixels of the "
                "pictures, such as 96 and 128, and a step above 0 and up to 1 side"
            )
        classes = tuple(name for name in known if name.lower() not in _NOTHING)
        settings = DetectionConfig(least_score=_LEAST_SCORE)
        return cls(classes, settings, known, size, tuple(dict.fromkeys(sides)), step, temperature)

    @property
    def knows_nothing(self) -> bool:
        """Whether a class is for windows without an object."""
        return self.classes != self.known

    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Pictures,
        sizes: Sequence[Size],
        views: Views | None = None,
    ) -> list[FoundInPicture]:
        """What is found in the windows of each picture, which comes at its own size; see `PlaceTask.predict`."""
        if views is not None:
            raise ConfigError(f"test-time augmentation '{views.name}' is not for sliding windows: leave it out")
        device = next(network.parameters()).device
        found = []
        for picture, size in zip(pictures, sizes, strict=True):
            image = preprocess.normalise(torch.from_numpy(picture.copy())[None].to(device))[0]
            steps = [max(1, round(side * self.step)) for side in self.sides]
            places = windows((image.shape[1], image.shape[2]), [(side, side) for side in self.sides], steps)
            outputs = classify_windows(image, places, network, size=self.size, batch=_TOGETHER).float().cpu()
            detections = detect(
                self._said(network, outputs),
                places,
                size,
                least_score=self.settings.least_score,
                iou_threshold=self.settings.iou_threshold or _IOU_THRESHOLD,
                class_aware=self.settings.class_aware,
                limit=self.settings.most or _MOST,
            )
            found.append(FoundInPicture(detections, size))
        return found

    def _said(self, network: nn.Module, outputs: Tensor) -> Localized:
        """What outputs (K, ...) say of the windows, without the class for nothing."""
        if isinstance(network, LocalizationNetwork):
            found = decode(outputs, len(self.known))
        else:
            found = Localized((outputs / self.temperature).softmax(dim=1))
        objects = [number for number, name in enumerate(self.known) if name in self.classes]
        return found._replace(probabilities=found.probabilities[:, objects])
