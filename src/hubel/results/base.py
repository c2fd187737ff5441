"""What the results and the figures of every task have in common."""

from __future__ import annotations

from typing import Any, Protocol

Interval = tuple[float, float]


class Result(Protocol):
    """What a model says of one picture."""

    @property
    def path(self) -> str | None:
        """The picture's file, where it came from one."""

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON; of classes, the most probable ones alone where `top` tells how many."""

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """Rows of a table for programs, by column: one, or one for each object."""

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people, by heading."""


class Metrics(Protocol):
    """A model measured on one split."""

    @property
    def images(self) -> int:
        """How many pictures were measured."""

    @property
    def loss(self) -> float:
        """The mean loss; nan where predictions do not tell it."""

    def figures(self) -> dict[str, float]:
        """The figures that an epoch is judged by, the headline first; each by its usual name."""

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals (`<name>_ci95`), for `metrics.json`."""

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, for `--json`."""


class Difference(Protocol):
    """A figure of one model minus that of another, on the same pictures."""

    @property
    def difference(self) -> float:
        """The first one's minus the second one's."""

    @property
    def ci95(self) -> Interval | None:
        """Its 95 % interval."""

    @property
    def distinguishable(self) -> bool:
        """Whether chance alone seldom parts two equally good models that far."""

    def text(self) -> str:
        """The difference for people, with its interval and the test."""

    def aside(self, first: str, second: str) -> str:
        """What else is to be said where the two have names; may be empty."""

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""


def interval_fields(name: str, value: float | None, ci95: Interval | None) -> dict[str, Any]:
    """A figure and its interval under their names in JSON."""
    return {name: value, f"{name}_ci95": None if ci95 is None else list(ci95)}
