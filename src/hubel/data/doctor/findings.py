"""What the doctor finds: a finding has a kind, says how bad it is and what to do, and names the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hubel.data.doctor.examination import Picture

# A problem spoils training or makes figures wrong, a warning is worth a look, a note is good to know.
Level = Literal["problem", "warning", "note"]


@dataclass(frozen=True)
class Case:
    """One instance of a finding.

    Attributes:
        pictures: One picture, or those that the finding is about together.
        remark: What is to be said of them.
    """

    pictures: tuple[Picture, ...]
    remark: str = ""


@dataclass(frozen=True)
class Finding:
    """Something about a data set that its owner should know.

    Attributes:
        kind: One of a fixed set of words, for scripts.
        level: How bad it is.
        title: What it is, with numbers.
        advice: What it means and what to do.
        cases: The pictures, where it is about single ones.
    """

    kind: str
    level: Level
    title: str
    advice: str
    cases: tuple[Case, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """This finding for JSON; pictures by their names."""
        return {
            "kind": self.kind,
            "level": self.level,
            "title": self.title,
            "advice": self.advice,
            "cases": [
                {"pictures": [picture.name for picture in case.pictures], "remark": case.remark} for case in self.cases
            ],
        }


def count_of(number: int, one: str, several: str | None = None) -> str:
    """`1 picture`, `3,000 pictures`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
