"""Which number a model gives pictures, and how far off it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hubel.results.base import Interval, interval_fields
from hubel.results.naming import number_text


@dataclass(frozen=True)
class Number:
    """The number that a model gives a picture, in the units of the training values.

    Attributes:
        value: It.
        path: The picture's file, where it came from one.
    """

    value: float
    path: str | None = None

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON."""
        return {"path": self.path, "value": self.value}

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs."""
        return [{"path": self.path, "value": f"{self.value:.7g}"}]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        return {"picture": str(self.path), "value": number_text(self.value)}


@dataclass(frozen=True)
class RegressionMetrics:
    """A model of a number measured on one split; all but the loss and R² are in the units of the values.

    The intervals of the three figures are bootstrap ones over pictures (see `hubel.tasks.resampling`).

    Attributes:
        images: How many pictures were measured.
        loss: Mean Huber loss of the standardised values.
        loss_ci95: Its 95 % interval (Student's t of the logarithm); None where it cannot be told.
        mae: Mean absolute error.
        mae_ci95: Its 95 % interval; of a single picture, as of the others, None.
        rmse: Root of the mean squared error.
        rmse_ci95: Its 95 % interval.
        r2: The coefficient of determination: 1 for no error, 0 for as much as always saying these pictures' own mean,
            less for more; None where all their values are the same.
        r2_ci95: Its 95 % interval.
    """

    images: int
    loss: float
    loss_ci95: Interval | None
    mae: float
    mae_ci95: Interval | None
    rmse: float
    rmse_ci95: Interval | None
    r2: float | None
    r2_ci95: Interval | None

    def figures(self) -> dict[str, float]:
        """The errors, and R² where there is one."""
        figures = {"mae": self.mae, "rmse": self.rmse}
        return figures if self.r2 is None else {**figures, "r2": self.r2}

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {"images": self.images}
        for name in ("loss", "mae", "rmse", "r2"):
            values |= interval_fields(name, getattr(self, name), getattr(self, f"{name}_ci95"))
        return values

    def to_full_dict(self) -> dict[str, Any]:
        """The same: there are no classes to tell apart."""
        return self.to_dict()
