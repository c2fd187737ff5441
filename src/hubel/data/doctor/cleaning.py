"""`hubel data --fix`: a manifest without what is wrong; the pictures themselves are never touched."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hubel.data.containers.archives import is_archive_name
from hubel.data.division.disjoint_sets import DisjointSets
from hubel.data.doctor.examination import Examination, Picture
from hubel.data.duplicates.near_duplicates import near_duplicate_units
from hubel.data.labels import COLUMN_OF, ObjectsLabel, label_text
from hubel.data.sources import SPLITS, Split
from hubel.errors import DataError
from hubel.files import write_whole
from hubel.results.naming import counted


@dataclass(frozen=True)
class Cleaning:
    """What a cleaned manifest has, and how it differs from the data set.

    Attributes:
        rows: The pictures that stay, with the split each is in.
        left_out: The pictures that do not stay, with the reason.
        moved: The pictures that are in another split than before.
    """

    rows: tuple[tuple[Picture, Split | None], ...]
    left_out: tuple[tuple[Picture, str], ...]
    moved: tuple[Picture, ...]

    def summary(self) -> str:
        """What was done, as a line."""
        reasons = Counter(reason for _, reason in self.left_out)
        out = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
        before = {picture.split for picture, _ in self.rows}
        emptied = " and ".join(str(split) for split in SPLITS if split in before - {split for _, split in self.rows})
        return (
            f"left in: {counted(len(self.rows), 'picture')}; "
            f"left out: {len(self.left_out):,}{f' ({out})' * bool(out)}; "
            f"moved to another split: {len(self.moved):,}{f', so that {emptied} is empty' * bool(emptied)}"
        )


def clean(examination: Examination) -> Cleaning:
    """Leave out what cannot be used or is there twice, and bring together what belongs together.

    Unreadable pictures are left out. Of identical files one stays: that of test before validation before train, as
    when hubel reads the data set itself; none where their labels differ, for one at least is wrong. Near duplicates
    and the pictures of a group go to one split: that which has most of them, of equals the earlier one, for training
    suffers least from pictures that are alike.
    """
    left_out = [(picture, "unreadable") for picture in examination.pictures if not picture.readable]
    copies: dict[str, list[Picture]] = defaultdict(list)
    for picture in examination.readable:
        copies[picture.sample.digest].append(picture)
    kept = []
    for pictures in copies.values():
        if len({picture.sample.label for picture in pictures}) > 1:
            left_out += [(picture, "identical with different labels") for picture in pictures]
            continue
        last = max(pictures, key=lambda picture: SPLITS.index(picture.split) if picture.split else 0)
        kept.append(last)
        left_out += [(picture, "identical to another") for picture in pictures if picture is not last]
    unit_of = _units(examination, kept)
    members: dict[str, Counter[Split]] = defaultdict(Counter)
    for picture in kept:
        if picture.split is not None:
            members[unit_of[picture.name]][picture.split] += 1
    home = {unit: max(SPLITS, key=lambda split, held=held: held[split]) for unit, held in members.items()}  # type: ignore[misc]
    rows = [(picture, home.get(unit_of[picture.name])) for picture in kept]
    moved = [picture for picture, split in rows if split != picture.split]
    return Cleaning(tuple(rows), tuple(left_out), tuple(moved))


def _units(examination: Examination, pictures: list[Picture]) -> Mapping[str, str]:
    """What each picture must stay with, by its name: its near duplicates, its group, and theirs."""
    alike = near_duplicate_units(examination.near_duplicates)
    united = DisjointSets[str]()
    own = {}
    for picture in pictures:
        own[picture.name] = f"picture {alike.get(picture.sample.digest, picture.sample.digest)}"
        if picture.group is not None:
            united.link(own[picture.name], f"group {picture.group}")
    return {name: united.least(unit) for name, unit in own.items()}


def write_manifest(path: Path, examination: Examination, cleaning: Cleaning) -> None:
    """Write the pictures that stay as CSV: `path` relative to the file's folder, label, and split and group if any.

    Pictures with boxes have a row for each object, without those that do not count.

    Raises:
        DataError: The pictures lie in shards or a table, where no path leads to them; or they have masks.
    """
    if examination.labelling == "mask":
        raise DataError(
            "--fix writes a table of labels, and masks are none: remove what is wrong yourself (the page names it), or "
            "leave --fix out"
        )
    if examination.labelling == "boxes":
        write_whole(path, _boxes_table(path, examination, cleaning))
        return
    divided = examination.splits != (None,)
    labels = [] if examination.labelling == "none" else [COLUMN_OF[examination.labelling]]
    columns = ["path", *labels, *(["split"] * divided), *(["group"] * examination.grouped)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    folder = path.resolve().parent
    for picture, split in sorted(cleaning.rows, key=lambda row: row[0].name):
        relative = _relative(picture, folder, examination)
        label = [label_text(picture.sample.label, examination.classes)] * len(labels)
        writer.writerow([relative, *label, *([split or ""] * divided), *([picture.group or ""] * examination.grouped)])
    write_whole(path, text.getvalue())


def _boxes_table(path: Path, examination: Examination, cleaning: Cleaning) -> str:
    """The pictures that stay as CSV with a row for each object, and one for each picture without any."""
    divided, folder = examination.splits != (None,), path.resolve().parent
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", *(["split"] * divided), "label", "x1", "y1", "x2", "y2", "width", "height"])
    for picture, split in sorted(cleaning.rows, key=lambda row: row[0].name):
        label = picture.sample.label
        if not isinstance(label, ObjectsLabel):
            continue
        relative = _relative(picture, folder, examination)
        start, size = [relative, *([split or ""] * divided)], label.size[::-1]
        counting = [
            each
            for each, out in zip(zip(label.boxes, label.classes, strict=True), label.ignored, strict=True)
            if not out
        ]
        for box, number in counting:
            sides = [int(side) if side == int(side) else side for side in box]
            writer.writerow([*start, examination.classes[number], *sides, *size])
        if not counting:
            writer.writerow([*start, "", "", "", "", "", *size])
    return text.getvalue()


def _relative(picture: Picture, folder: Path, examination: Examination) -> str:
    """The path of a picture from a folder; that of one in an archive goes on behind the archive's."""
    sample = picture.sample
    if sample.path is not None:
        return os.path.relpath(sample.path.resolve(), folder).replace(os.sep, "/")
    archive = sample.container.path if sample.container is not None else None
    if archive is None or not is_archive_name(archive.name) or examination.labelling == "boxes":
        raise DataError(
            f"--fix writes a table of paths, but the pictures lie inside {examination.root}: unpack it, and give the "
            "folder"
        )
    return f"{os.path.relpath(archive.resolve(), folder)}/{sample.name}".replace(os.sep, "/")
