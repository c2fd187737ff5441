"""Other views of pictures whose pixels have classes: turned, mirrored, smaller, larger; and the way back for logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hubel.errors import ConfigError
from hubel.preprocessing import resample

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.tasks.views import Views

SCALES = (0.75, 1.0, 1.25)  # of `multi-scale`


@dataclass(frozen=True)
class PixelView:
    """A view of a whole picture: scaled, then turned, then mirrored.

    Attributes:
        scale: Of its sides.
        turns: Quarter turns anticlockwise, 0 to 3.
        mirrored: Whether left and right are exchanged.
    """

    scale: float = 1.0
    turns: int = 0
    mirrored: bool = False

    @property
    def in_rows(self) -> bool:
        """Whether the view's rows are the picture's, so that what is computed from the top comes from the top."""
        return self.scale == 1 and not self.turns

    def scaled(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A picture uint8 (h, w, C) at the view's scale."""
        if self.scale == 1:
            return picture
        height, width = (max(1, round(self.scale * side)) for side in picture.shape[:2])
        image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
        return np.asarray(resample(image, (height, width), "bilinear")).reshape(height, width, picture.shape[2])

    def seen(self, scaled: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """What the network is fed of the scaled picture (h, w, C): turned and mirrored."""
        turned = np.rot90(scaled, self.turns)
        return turned[:, ::-1] if self.mirrored else turned

    def back(self, strips: Iterator[Tensor]) -> Iterator[Tensor]:
        """Logits of what was seen, as those of the scaled picture.

        Args:
            strips: (num_classes, rows, width) each, from the top of what was seen.

        Yields:
            The same from the top of the scaled picture; of a turned view all at once, as its columns were rows.
        """
        straight = (strip.flip(2) for strip in strips) if self.mirrored else strips
        if self.turns:
            yield torch.rot90(torch.cat(list(straight), dim=1), -self.turns, (1, 2))
        else:
            yield from straight


def pixel_views(views: Views | None) -> list[PixelView]:
    """The views that a name stands for.

    Args:
        views: Of `flip`, `turns`, `turns+flip`, `multi-scale` or `multi-scale+flip`; None: the plain one alone.

    Raises:
        ConfigError: Views of parts of the picture.
    """
    if views is None:
        return [PixelView()]
    if not views.whole:
        raise ConfigError(
            f"test-time augmentation '{views.name}' shows parts of a picture, but every pixel has a class: expected "
            "flip, turns, turns+flip, multi-scale or multi-scale+flip"
        )
    return [PixelView(*each) for each in views.of_whole(SCALES)]
