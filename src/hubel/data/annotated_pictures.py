"""What every annotation file is read to, and the checks that every box goes through."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Box = tuple[float, float, float, float]
ProblemKind = Literal["unreadable", "malformed", "unknown class", "no area", "outside", "clipped", "another size"]

# Boxes that leave the picture by no more are rounded, not wrong: files count pixels from 0 or from 1.
TOLERANCE = 1.0


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One object.

    Attributes:
        name: Its class.
        box: `xyxy` in pixels.
        difficult: The file says that it is hard to recognise (VOC), so that finding it or not should not count.
        crowd: The box is around many objects (COCO's `iscrowd`).
    """

    name: str
    box: Box
    difficult: bool = False
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """A picture with its objects; there may be none.

    Attributes:
        name: The picture's path as the file tells it, with forward slashes.
        size: Width and height as the file tells them; None where it does not.
        boxes: Its objects, in the file's order.
    """

    name: str
    size: tuple[int, int] | None
    boxes: tuple[LabelledBox, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that could not be taken as it is.

    Attributes:
        where: The file, and the object or line in it.
        kind: For counting.
        what: What came, and what became of it.
    """

    where: str
    kind: ProblemKind
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Annotations:
    """All pictures of a data set with their objects.

    Attributes:
        pictures: In the order of the files, or of their names.
        classes: The classes' names, in the order of the labels.
        problems: What was clipped or left out.
    """

    pictures: tuple[AnnotatedPicture, ...]
    classes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


@dataclass
class BoxReader:
    """Takes boxes as files tell them, and keeps those that are fine; the rest becomes problems.

    Attributes:
        classes: The only classes that there are; None: whatever comes.
        problems: What came up so far.
    """

    classes: Sequence[str] | None = None
    problems: list[Problem] = field(default_factory=list)

    def report(self, where: str, kind: ProblemKind, what: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, kind, what))

    def reasons_since(self, count: int) -> str:
        """What came up after the first `count` problems, as a reason for leaving a picture out."""
        return "; ".join(problem.what.removesuffix("; left out") for problem in self.problems[count:])

    def numbers(self, where: str, values: Sequence[object]) -> Box | None:
        """Four values as numbers; None, and a problem, where they are not."""
        try:
            box = tuple(float(value) for value in values)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            box = ()
        if len(box) != 4 or not all(map(math.isfinite, box)):
            shown = ", ".join(map(str, values))
            self.report(where, "malformed", f"its box is ({shown}): expected four numbers; left out")
            return None
        x1, y1, x2, y2 = box
        return x1, y1, x2, y2

    def box(
        self,
        where: str,
        name: str,
        box: Box,
        size: tuple[int, int] | None,
        *,
        difficult: bool = False,
        crowd: bool = False,
    ) -> LabelledBox | None:
        """A box `xyxy` as an object, cut off at the picture's borders; None, and a problem, where it is none.

        Args:
            where: The file, and the object in it.
            name: Its class.
            box: In pixels.
            size: Width and height of the picture; None: not known, so nothing is cut off.
            difficult: See `LabelledBox`.
            crowd: See `LabelledBox`.
        """
        if self.classes is not None and name not in self.classes:
            nearest = difflib.get_close_matches(name, self.classes, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(self.classes)}"
            self.report(where, "unknown class", f"unknown class '{name}' ({hint}); left out")
            return None
        x1, y1, x2, y2 = box
        if x2 <= x1 or y2 <= y1:
            self.report(where, "no area", f"the box {_shown(box)} has no width or no height; left out")
            return None
        if size is not None:
            width, height = size
            inside = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
            if inside[2] <= inside[0] or inside[3] <= inside[1]:
                self.report(where, "outside", f"the box {_shown(box)} is outside of {width}×{height} pixels; left out")
                return None
            if max(abs(a - b) for a, b in zip(box, inside, strict=True)) > TOLERANCE:
                self.report(
                    where, "clipped", f"the box {_shown(box)} reaches out of {width}×{height} pixels; cut off there"
                )
            box = inside
        return LabelledBox(name, box, difficult, crowd)

    def annotations(self, pictures: Iterable[AnnotatedPicture]) -> Annotations:
        """All pictures, with the given classes or the names that came, sorted."""
        pictures = tuple(pictures)
        classes = self.classes
        if classes is None:
            classes = sorted({box.name for picture in pictures for box in picture.boxes})
        return Annotations(pictures, tuple(classes), tuple(self.problems))


_WHAT: Mapping[ProblemKind, str] = {
    "unreadable": "files that cannot be read",
    "malformed": "annotations that are malformed",
    "unknown class": "objects of unknown classes",
    "no area": "boxes without width or height",
    "outside": "boxes outside of their picture",
    "clipped": "boxes that reach out of their picture, cut off there",
    "another size": "pictures of another size than their annotations say",
}


def in_brief(problems: Sequence[Problem]) -> list[str]:
    """A line for each kind of problem: how many there are, and one of them."""
    counts = Counter(problem.kind for problem in problems)
    first = {problem.kind: problem for problem in reversed(problems)}
    return [f"{_WHAT[kind]}: {number} (such as {first[kind]})" for kind, number in counts.items()]


def _shown(box: Box) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"
