"""From pictures with boxes, as annotation files tell them, to a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hubel.data.annotated_pictures import AnnotatedPicture, BoxReader
from hubel.data.annotations.upright import fit_to_picture
from hubel.data.decoding import Header
from hubel.data.layouts.place import Place
from hubel.data.sources import SPLITS, Entry, Source, Split, in_usual_order
from hubel.errors import DataError
from hubel.results.naming import counted


@dataclass
class Listed:
    """The pictures of a data set as its annotation files list them.

    Attributes:
        pictures: By the name of the picture's file, as the files tell it; None: its annotations cannot be used.
        split_of: The split of each; those of a data set without splits are None.
        reasons: Why the annotations of a picture cannot be used.
    """

    pictures: dict[str, AnnotatedPicture | None] = field(default_factory=dict)
    split_of: dict[str, Split | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, picture: AnnotatedPicture | None, split: Split | None, reason: str = "") -> None:
        """List a picture; in several splits it stays in test before validation before train."""
        before = self.split_of.get(name)
        if before is not None and split is not None and SPLITS.index(split) < SPLITS.index(before):
            split = before
        self.pictures[name], self.split_of[name] = picture, split
        if picture is None:
            self.reasons[name] = reason


def source_with_boxes(
    place: Place, listed: Listed, reader: BoxReader, classes: Sequence[str] | None, notes: Sequence[str] = ()
) -> Source:
    """The source of pictures with boxes: each checked against its picture's size.

    Args:
        place: Where they lie.
        listed: The pictures.
        reader: Has the problems so far, and takes more.
        classes: The classes, in the order of their labels; None: those of the objects, sorted.
        notes: What else is to be said.

    Raises:
        DataError: There is nothing to learn from.
    """
    if not listed.pictures:
        raise DataError(
            f"{place.root} has annotations but no picture that they are of: expected the images beside them"
        )
    reader = replace(reader, classes=None)  # they were checked when the boxes were read
    headers = place.headers([name for name in listed.pictures if name in place.images])
    unusable = dict(listed.reasons)
    entries: dict[Split | None, list[Entry]] = {}
    for name in sorted(listed.pictures):
        picture = _fitted(place, name, listed.pictures[name], headers, reader, unusable)
        entries.setdefault(listed.split_of[name], []).append(Entry(place.file(name), picture))
    usable = [each.label for some in entries.values() for each in some if isinstance(each.label, AnnotatedPicture)]
    if not usable:
        first = min(listed.pictures)
        raise DataError(
            f"none of {counted(len(listed.pictures), 'picture')} in {place.root} can be used (such as {first}: "
            f"{unusable.get(first, 'it does not exist')}): mend them, or give others"
        )
    if classes is None:
        classes = sorted({box.name for picture in usable for box in picture.boxes})
    if not classes:
        raise DataError(
            f"{place.root} has no objects in any of {counted(len(listed.pictures), 'picture')}: expected boxes"
        )
    return Source(
        root=place.root,
        base=place.root,
        classes=tuple(classes),
        splits=in_usual_order(entries),
        labelling="boxes",
        container=place.container,
        notes=(*place.listing.notes, *notes),
        problems=tuple(reader.problems),
        unusable=unusable,
    )


def _fitted(
    place: Place,
    name: str,
    picture: AnnotatedPicture | None,
    headers: Mapping[str, object],
    reader: BoxReader,
    unusable: dict[str, str],
) -> AnnotatedPicture | None:
    """A picture with its upright size and its boxes within; None, and a reason, where it cannot be used."""
    header = headers.get(name)
    if picture is None or header is None:  # what is missing is found when files are read
        return None
    if not isinstance(header, Header):
        unusable[name] = getattr(header, "reason", str(header))
        return None
    since = len(reader.problems)
    fitted = fit_to_picture(picture, place.sample(name), reader, header)
    if fitted is None:
        unusable[name] = reader.reasons_since(since)
    return fitted
