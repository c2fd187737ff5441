"""The doctor's diagnosis: all findings about a data set, the worst first, and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, get_args

from hubel.data.doctor.examination import WHOLE, Examination
from hubel.data.doctor.file_checks import check_files
from hubel.data.doctor.findings import Finding, Level
from hubel.data.doctor.objects import check_places, object_figures, pixel_shares
from hubel.data.doctor.set_checks import check_classes, check_copies, check_groups, check_labels, check_shortcuts

_CHECKS = (check_copies, check_groups, check_classes, check_places, check_files, check_shortcuts, check_labels)


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says of a data set.

    Attributes:
        examination: What the findings are about.
        findings: The problems, then the warnings, then the notes.
    """

    examination: Examination
    findings: tuple[Finding, ...]

    def adding(self, finding: Finding) -> Diagnosis:
        """This diagnosis with one more finding."""
        return _sorted(self.examination, [*self.findings, finding])

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """The findings that are so bad."""
        return tuple(finding for finding in self.findings if finding.level == level)

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """Least, median and greatest width, height and aspect ratio (width / height) of the readable pictures."""
        facts = [picture.facts for picture in self.examination.readable]
        return {
            "width": _spread([fact.width for fact in facts]),
            "height": _spread([fact.height for fact in facts]),
            "aspect_ratio": _spread([round(fact.width / fact.height, 3) for fact in facts]),
            "different": len({(fact.width, fact.height) for fact in facts}),
        }

    def of_files(self, name: str) -> dict[Any, int]:
        """How many readable pictures have each value of one of `PictureFacts`' attributes, the most frequent first."""
        return dict(Counter(getattr(picture.facts, name) for picture in self.examination.readable).most_common())

    @cached_property
    def objects(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Of each split and class, how many objects there are and how large; empty without boxes."""
        return object_figures(self.examination) if self.examination.labelling == "boxes" else {}

    @cached_property
    def pixels(self) -> dict[str, dict[str, float]]:
        """Of each split and class, its share of the pixels; empty without masks."""
        return pixel_shares(self.examination) if self.examination.labelling == "mask" else {}

    def to_dict(self) -> dict[str, Any]:
        """This diagnosis for JSON."""
        examination = self.examination
        values: dict[str, Any] = {
            "data": str(examination.root),
            "pictures": len(examination.pictures),
            "readable": len(examination.readable),
            "labelling": examination.labelling,
            "classes": list(examination.classes),
            "splits": {
                split or WHOLE: sum(picture.split == split for picture in examination.readable)
                for split in examination.splits
            },
            "counts": {split or WHOLE: of_class for split, of_class in examination.counts().items()},
            "sizes": self.sizes,
            "formats": self.of_files("format"),
            "modes": self.of_files("mode"),
            "orientations": {str(value): number for value, number in self.of_files("orientation").items()},
            "notes": list(examination.notes),
            "findings": [finding.to_dict() for finding in self.findings],
        }
        if examination.labelling == "number":
            values["values"] = _spread([float(p.sample.label) for p in examination.readable])  # type: ignore[arg-type]
        if self.objects:
            values["objects"] = self.objects
        if self.pixels:
            values["pixel_shares"] = self.pixels
        return values


def diagnose(examination: Examination) -> Diagnosis:
    """Draw all findings from an examination."""
    return _sorted(examination, [finding for check in _CHECKS for finding in check(examination)])


def _sorted(examination: Examination, findings: Sequence[Finding]) -> Diagnosis:
    order = get_args(Level)
    return Diagnosis(examination, tuple(sorted(findings, key=lambda finding: order.index(finding.level))))


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and greatest."""
    return {"least": min(values), "median": median(values), "greatest": max(values)} if values else {}
