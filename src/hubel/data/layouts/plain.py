"""Images without labels, for what is learnt from pictures alone; their folders may still say splits, or classes."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from hubel.data.files.listing import IMAGE_EXTENSIONS
from hubel.data.layouts.class_folders import class_folders_in, wrapping
from hubel.data.layouts.place import Place
from hubel.data.sources import Entry, Source, Split, in_usual_order, split_called
from hubel.errors import DataError


def find_plain(place: Place) -> Source:
    """All images of a folder or an archive, in split folders or not.

    Where they lie in class folders, their classes are kept, for views that colour by class; nothing is learnt from
    them.

    Raises:
        DataError: There are no images.
    """
    listing = place.listing
    if not listing.files:
        endings = ", ".join(sorted(IMAGE_EXTENSIONS))
        seen = "".join(f"; {line}" for line in listing.passed_over())
        raise DataError(f"{listing.root} has no images{seen}: expected some ({endings}), in any folders")
    prefix = wrapping(listing)
    below = [file.name[len(prefix) :] for file in listing.files]
    tops = {name.partition("/")[0] for name in below if "/" in name}
    if all(split_called(top) is None for top in tops) or any(name.count("/") > 1 for name in below):
        classes = _in_class_folders(place, prefix)
        if classes is not None:
            return classes
    splits: dict[Split | None, list[Entry]] = {}
    divided = bool(tops) and all(split_called(top) is not None for top in tops) and all("/" in name for name in below)
    for file, name in zip(listing.files, below, strict=True):
        split = split_called(name.partition("/")[0]) if divided else None
        splits.setdefault(split, []).append(Entry(file, None))
    return Source(
        root=listing.root,
        base=listing.root,
        classes=(),
        splits=in_usual_order(splits),
        labelling="none",
        container=place.container,
        notes=(*listing.notes, *listing.passed_over()),
    )


def _in_class_folders(place: Place, prefix: str) -> Source | None:
    """The images with the classes of their folders; None where folders are no classes of all of them."""
    try:
        source = class_folders_in(place.listing, place.container, prefix=prefix)
    except DataError:
        return None
    listed = sum(len(entries) for entries in source.splits.values())
    if len(source.classes) < 2 or listed < len(place.listing.files):
        return None
    folders = {posixpath.dirname(file.name) for file in place.listing.files}
    return replace(source, labelling="none") if len(folders) > 1 else None
