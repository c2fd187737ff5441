"""What everything that `hubel evaluate` measures has in common: how it is measured, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hubel.cli.text import print_json, tell


class Measured(Protocol):
    """What was measured on pictures."""

    @property
    def unreadable(self) -> Sequence[object]:
        """The pictures that were left out, each with its reason as text."""

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""


M = TypeVar("M", bound=Measured)


@dataclass(frozen=True)
class Measuring:
    """What is asked of a measurement, whatever it measures.

    Attributes:
        split: Of the pictures.
        device: As for `hubel.runtime.choose_device`.
        max_unreadable: Share of pictures that may be unreadable.
        as_json: Whether it is told as JSON.
    """

    split: str
    device: str
    max_unreadable: float
    as_json: bool

    def run(self, measure: Callable[..., M], *given: Any, **options: Any) -> M:
        """Measure with a bar of its progress, and name the pictures that were left out."""
        from hubel import runtime
        from hubel.cli.progress import evaluation_progress

        runtime.start()
        with evaluation_progress() as progress:
            measured = measure(
                *given,
                **options,
                split=self.split,
                device=self.device,
                max_unreadable=self.max_unreadable,
                progress=progress,
                tell=tell,
            )
        for picture in measured.unreadable:
            tell(f"left out {picture}")
        return measured

    def show(self, measured: M, as_text: Callable[[M], None]) -> None:
        """Print what was measured: as JSON, or as a function does for people."""
        if self.as_json:
            print_json(measured.to_dict())
        else:
            as_text(measured)
