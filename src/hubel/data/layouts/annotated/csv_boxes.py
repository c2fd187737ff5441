"""A CSV file with a row for each object, beside its pictures; it may have a column `split`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from hubel.data.annotated_pictures import BoxReader
from hubel.data.annotations.csv_boxes import box_table, has_boxes, parse_boxes, pictures_named, split_cells
from hubel.data.files.listing import CSV_EXTENSIONS, list_folder
from hubel.data.layouts.annotated.boxes import Listed, source_with_boxes
from hubel.data.layouts.manifest import file_at
from hubel.data.layouts.place import Place
from hubel.data.sources import Source, Split, split_above, split_called
from hubel.errors import DataError


def find_csv(place: Place, tell: Callable[[str], None]) -> Source | None:
    """The data set that CSV files with boxes list; None where there is none.

    Several files are those of the splits: `train.csv`, or `train/_annotations.csv`.

    Raises:
        DataError: A file cannot be read, or there is nothing in it.
    """
    tables = [name for name in place.listing.tables if name.lower().endswith(tuple(CSV_EXTENSIONS))]
    names = [name for name in tables if has_boxes(place.content(name))]
    return source_in_tables(place, names) if names else None


def source_of_table(path: Path, content: bytes) -> Source:
    """The data set that a CSV file with boxes lists; its pictures may lie outside of its folder.

    Raises:
        DataError: There is nothing in it.
    """
    listing = list_folder(path.parent)
    named = {name for name in pictures_named(box_table(path, content)) if name.startswith(("../", "/"))}
    outside = {file for name in named if (file := file_at(path.parent, name)).exists}
    files = tuple(sorted({*listing.files, *outside}, key=attrgetter("name")))
    return replace(source_in_tables(Place(replace(listing, files=files)), [path.name]), root=path)


def source_in_tables(place: Place, names: list[str]) -> Source:
    """The data set that some CSV files with boxes list, by their names."""
    reader, listed = BoxReader(), Listed()
    for name in names:
        table = box_table(place.where(name), place.content(name))
        folder = posixpath.dirname(name)
        near = [folder, posixpath.join(folder, "images"), posixpath.dirname(folder), ""]
        of_file = split_above(posixpath.splitext(name)[0])
        if of_file is None and len(names) > 1:
            raise DataError(
                f"{place.root} has several tables of boxes, of which {name} names no split: give one of them, or call "
                "them train.csv, val.csv and test.csv"
            )
        cells = split_cells(table)
        for picture in parse_boxes(table, reader):
            split: Split | None = of_file
            if cells is not None:
                split = split_called(cells[picture.name])
                if split is None:
                    raise DataError(
                        f"{place.where(name)} has the split '{cells[picture.name]}' for {picture.name}: expected "
                        "train, validation or test in every row"
                    )
            listed.add(place.find(picture.name, near), picture, split)
    return source_with_boxes(place, listed, reader, None)
