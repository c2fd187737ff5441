"""Pictures as a network gives them back, and how far they are from the originals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubel.results.base import Interval, interval_fields
from hubel.results.naming import number_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What a network gives back of a picture.

    Attributes:
        picture: uint8 (H, W, C), of the size of the network's input.
        input: The picture as the network took it, uint8 of the same shape.
        error: The mean squared difference of the two, values from 0 to 1, before rounding.
        ssim: Their structural similarity; None where they are smaller than its window.
        elbo: The evidence lower bound of the picture in nats, from a variational autoencoder; else None.
        anomalous: Whether the error is above the threshold, where one was set; else None.
        path: The picture's file, where it came from one.
    """

    picture: npt.NDArray[np.uint8] = field(repr=False)
    input: npt.NDArray[np.uint8] = field(repr=False)
    error: float
    ssim: float | None = None
    elbo: float | None = None
    anomalous: bool | None = None
    path: str | None = None

    @property
    def psnr(self) -> float | None:
        """The peak signal-to-noise ratio in dB; None without any error."""
        return -10 * math.log10(self.error) if self.error > 0 else None

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """The figures for JSON; the picture itself is no text."""
        values: dict[str, Any] = {"path": self.path, "mean_squared_error": self.error, "psnr": self.psnr}
        others = {"ssim": self.ssim, "elbo": self.elbo, "anomalous": self.anomalous}
        return values | {name: value for name, value in others.items() if value is not None}

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs."""
        values = self.to_dict()
        texts = {name: value if isinstance(value, str | None) else f"{value:.7g}" for name, value in values.items()}
        return [texts]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        row = {"picture": str(self.path)}
        if self.anomalous is not None:
            row["anomaly"] = "yes" if self.anomalous else "no"
        row["squared error"] = number_text(self.error)
        row["PSNR"] = "–" if self.psnr is None else f"{self.psnr:.2f} dB"
        if self.ssim is not None:
            row["SSIM"] = f"{self.ssim:.3f}"
        if self.elbo is not None:
            row["ELBO"] = f"{number_text(self.elbo)} nats"
        return row


@dataclass(frozen=True)
class ReconstructionMetrics:
    """A network that gives pictures back, measured on one split; every figure is a mean over pictures.

    Attributes:
        images: How many pictures were measured.
        values: The figures by name, the headline first. `psnr` (dB), `mean_squared_error` (of values from 0 to 1) and
            `ssim` of reconstructions against originals; `mean_picture_psnr`, what these pictures' own mean would have
            in the place of every reconstruction. Of a network that was trained with noise, `restored_psnr` of what it
            makes of noisy pictures and `noisy_psnr` of these themselves. Of a variational autoencoder, `elbo` (nats a
            picture), `bits_per_dimension` that follow from it, and `importance_weighted_bound`.
        intervals: Their 95 % intervals over pictures (Student's t); None for a single picture.
        quantiles: Of the squared errors, by share, such as `0.99`: what a threshold for anomalies may be.
    """

    images: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    quantiles: Mapping[str, float]

    @property
    def loss(self) -> float:
        """nan: the figures tell what is learnt."""
        return math.nan

    def figures(self) -> dict[str, float]:
        """The means, the headline first."""
        return dict(self.values)

    def to_dict(self) -> dict[str, Any]:
        """The figures with their intervals, and the quantiles of the errors."""
        values: dict[str, Any] = {"images": self.images}
        for name, value in self.values.items():
            values |= interval_fields(name, value, self.intervals[name])
        return values | {"error_quantiles": dict(self.quantiles)}

    def to_full_dict(self) -> dict[str, Any]:
        """The same: there are no classes to tell apart."""
        return self.to_dict()
