"""Hugging Face image data sets on disk: Parquet files with the pictures' bytes in them, or what `save_to_disk` writes.

Only pyarrow is needed. A table cannot be read at random, so the pictures are kept in a pack. Which column is what is
told by the features that `datasets` writes into the schema's metadata (`Image`, `ClassLabel`), and otherwise by the
columns' names and types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hubel.data.containers.archives import MAX_MEMBER_BYTES
from hubel.data.containers.packs import Pack, Packing, packed
from hubel.data.files.listing import PARQUET_EXTENSIONS, File
from hubel.data.labels import LABELLING_OF, Labelling, NamedLabel
from hubel.data.layouts.tables import import_pyarrow, open_parquet
from hubel.data.sources import SPLIT_NAMES, Entry, Source, Split, in_usual_order
from hubel.errors import DataError

_SAVED, _SAVED_DICT = "state.json", "dataset_dict.json"  # what save_to_disk writes beside its Arrow files
_IMAGE_COLUMNS = ("image", "img", "picture", "photo")
_LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "value")
_ROWS_AT_ONCE = 64
_UNLABELLED = -1  # what `datasets` writes where a class is not known


@dataclass(frozen=True)
class _Columns:
    """Which columns are what.

    Attributes:
        image: Bytes, or a struct of bytes and a path.
        label: The pictures' labels; None: there are none.
        labelling: Which kind they are.
        names: The classes' names by their numbers; None where the labels themselves are the names.
        there: All of them, for people.
    """

    image: str
    label: str | None
    labelling: Labelling
    names: Sequence[str] | None
    there: str


def holds_pictures(file: Path) -> bool:
    """Whether a Parquet file has pictures in it, and not their paths alone.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: It is no Parquet file.
    """
    return _image_column(open_parquet(file, file).schema_arrow) is not None


def read_hugging_face(
    root: Path, files: Sequence[Path], tell: Callable[[str], None], wanted: Labelling | None = None
) -> Source:
    """List the pictures in Parquet files or in a folder of `save_to_disk`.

    Args:
        root: What the user named.
        files: The Parquet files; none for a folder of `save_to_disk`.
        tell: Hears that this takes a while, where it is not done already.
        wanted: The kind of labels that is wanted; `"none"`: pictures without any count, too.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: They cannot be read, or have no labels.
    """
    parts = [(file, _split_in(file, root)) for file in files] or list(_saved_parts(root))
    states = [(str(file), status.st_size, status.st_mtime_ns) for file, _ in parts for status in [file.stat()]]
    size = sum(size for _, size, _ in states)
    every = wanted == "none"

    def fill(packing: Packing) -> None:
        tell(f"the pictures in {root.name} are copied from their tables into the cache, once ({size / 1e6:,.0f} MB)")
        _fill(root, parts, packing, every=every)

    pack = packed(root, [*states, "with and without labels"], fill, needed=size)
    if every:
        return source_of_pack(root, pack)
    if pack.told["no_labels"]:
        raise DataError(pack.told["no_labels"])
    return _labelled(source_of_pack(root, pack))


def source_of_pack(root: Path, pack: Pack) -> Source:
    """The data set of a pack that was told `names`, `labels`, `splits`, `labelling` and `notes`."""
    told, sizes = pack.told, pack.sizes
    of_split: dict[Split | None, list[Entry]] = {}
    classes: set[str] = set()
    for name, label, split in zip(told["names"], told["labels"], told["splits"], strict=True):
        named: NamedLabel = tuple(label) if isinstance(label, list) else label
        classes.update(named if isinstance(named, tuple) else (named,) if isinstance(named, str) else ())
        of_split.setdefault(split, []).append(Entry(File(name, sizes[name], *pack.stamp[1:]), named))
    return Source(
        root=root,
        base=root,
        classes=tuple(sorted(classes)),
        splits=in_usual_order(of_split),
        labelling=told["labelling"],
        container=pack,
        notes=tuple(told["notes"]),
    )


def _labelled(source: Source) -> Source:
    """The same without the pictures that have no label, which a note counts."""
    labelled = {
        split: kept
        for split, entries in source.splits.items()
        if (kept := tuple(entry for entry in entries if entry.label is not None))
    }
    if not labelled:
        raise _nothing_in(source.root)
    left_out = sum(map(len, source.splits.values())) - sum(map(len, labelled.values()))
    notes = [f"pictures without a label were left out: {left_out}"] if left_out else []
    return replace(source, splits=labelled, notes=(*source.notes, *notes))


def _nothing_in(root: Path) -> DataError:
    return DataError(f"{root} has no pictures with labels: expected rows with an image and a label")


def _split_in(file: Path, root: Path) -> Split | None:
    """The split that a file's name or one of its folders tells, as `train-00000-of-00002.parquet` does."""
    relative = file.relative_to(root) if root.is_dir() else Path(file.name)
    for part in reversed(relative.parts):
        for word in re.split(r"[\W_]+", part.lower()):
            if word in SPLIT_NAMES:
                return SPLIT_NAMES[word]
    return None


def _saved_parts(root: Path) -> Iterator[tuple[Path, Split | None]]:
    """The Arrow files of a folder of `save_to_disk`, each with its split."""
    folders = [root]
    try:
        if (root / _SAVED_DICT).is_file():
            folders = [root / name for name in json.loads((root / _SAVED_DICT).read_bytes())["splits"]]
        for folder in folders:
            split = SPLIT_NAMES.get(folder.name.lower()) if folder != root else None
            for file in json.loads((folder / _SAVED).read_bytes())["_data_files"]:
                yield folder / file["filename"], split
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{root} is no whole data set of save_to_disk ({error}): save it again") from error


def _fill(root: Path, parts: Sequence[tuple[Path, Split | None]], packing: Packing, *, every: bool) -> None:
    """Copy the pictures, and tell their labels.

    Raises:
        DataError: They cannot be read; or a file has no labels at all, and not every picture is wanted.
    """
    arrow = import_pyarrow(root)
    told: dict[str, Any] = {"names": [], "labels": [], "splits": [], "notes": [], "labelling": "class", "no_labels": ""}
    known = any(split is not None for _, split in parts)
    for file, split in parts:
        if known and split is None:
            told["notes"].append(f"{file.name} is of no split and was passed over")
            continue
        try:
            columns, batches = _open(file)
            if columns.label is None:
                told["no_labels"] = (
                    f"{file} has no column of labels (it has {columns.there}): expected one called label"
                )
                if not every:
                    raise DataError(told["no_labels"])
            told["labelling"] = columns.labelling
            for image, value in _rows(batches, columns):
                label = _label(value, columns, file)
                name = f"{split or 'data'}/{len(told['names']):08}{_extension(image)}"
                _add(packing, name, image, file)
                told["names"].append(name)
                told["labels"].append(label)
                told["splits"].append(split)
        except (OSError, arrow.ArrowException) as error:
            raise DataError(f"cannot read {file}: {str(error).splitlines()[0]}; copy or write it again") from error
    if not told["names"]:
        raise _nothing_in(root)
    packing.told = told


def _open(file: Path) -> tuple[_Columns, Iterator[Any]]:
    """The columns of a file, and its record batches."""
    if file.suffix.lower() in PARQUET_EXTENSIONS:
        opened = open_parquet(file, file)
        columns = _columns(opened.schema_arrow, file)
        names = [name for name in (columns.image, columns.label) if name is not None]
        return columns, opened.iter_batches(_ROWS_AT_ONCE, columns=names)
    arrow = import_pyarrow(file)
    stream = arrow.ipc.open_stream(arrow.memory_map(str(file)))
    return _columns(stream.schema, file), iter(stream)


def _rows(batches: Iterator[Any], columns: _Columns) -> Iterator[tuple[Any, Any]]:
    """The image and the label of each row."""
    for batch in batches:
        images = batch.column(columns.image)
        labels = None if columns.label is None else batch.column(columns.label)
        for start in range(0, len(images), _ROWS_AT_ONCE):
            some = images[start : start + _ROWS_AT_ONCE].to_pylist()
            of_some = [None] * len(some) if labels is None else labels[start : start + _ROWS_AT_ONCE].to_pylist()
            yield from zip(some, of_some, strict=True)


def _add(packing: Packing, name: str, image: Any, file: Path) -> None:
    content = image.get("bytes") if isinstance(image, Mapping) else image
    if content is None and isinstance(image, Mapping) and image.get("path"):
        try:
            content = (file.parent / image["path"]).read_bytes()
        except OSError:
            packing.leave_out(name, f"it has no bytes, and {image['path']} does not exist")
            return
    if content is None:
        packing.leave_out(name, "it has no bytes")
    elif len(content) > MAX_MEMBER_BYTES:
        packing.leave_out(name, f"it has {len(content):,} bytes, too many for a picture")
    else:
        packing.add(name, content)


def _extension(image: Any) -> str:
    path = image.get("path") if isinstance(image, Mapping) else None
    return Path(path).suffix.lower() if path else ""


def _label(value: Any, columns: _Columns, file: Path) -> str | list[str] | float | None:
    """A label as JSON has it; None where there is none."""
    if value is None or (value == _UNLABELLED and columns.names is not None):
        return None
    if columns.labelling == "number":
        return float(value)
    try:
        if columns.labelling == "classes":
            return [_named(each, columns) for each in value]
        return _named(value, columns)
    except IndexError:
        raise DataError(
            f"{file} has the label {value}, but names for {len(columns.names or ())} classes: write it again"
        ) from None


def _named(value: Any, columns: _Columns) -> str:
    if columns.names is None:
        return str(value)
    if value < 0:
        raise IndexError
    return str(columns.names[value])


def _columns(schema: Any, file: Path) -> _Columns:
    """Which columns of a schema are what.

    Raises:
        DataError: There are no pictures.
    """
    there = ", ".join(schema.names)
    image = _image_column(schema)
    if image is None:
        raise DataError(f"{file} has no column of pictures (it has {there}): expected one called image")
    features = _features(schema)
    of_class = {name: names for name in schema.names if (names := _class_names(features.get(name))) is not None}
    candidates = [name for name in _LABEL_COLUMNS if name in of_class] or list(of_class)
    candidates += [name for name in _LABEL_COLUMNS if name in schema.names]
    if not candidates:
        return _Columns(image, None, "none", None, there)
    label = candidates[0]
    return _Columns(image, label, _labelling(schema.field(label).type, label), of_class.get(label), there)


def _features(schema: Any) -> Mapping[str, Any]:
    """The features that `datasets` has written into a schema's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _class_names(feature: Any) -> list[str] | None:
    """The classes of a feature, or of the list that it is."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    return [str(name) for name in feature["names"]] if feature.get("names") else None


def _image_column(schema: Any) -> str | None:
    """The column that has pictures: by the features, else by its name and its type."""
    features = _features(schema)
    found = [
        name for name in schema.names if isinstance(features.get(name), dict) and features[name].get("_type") == "Image"
    ]
    return next(
        iter(found or [name for name in _IMAGE_COLUMNS if name in schema.names and _has_bytes(schema, name)]), None
    )


def _has_bytes(schema: Any, name: str) -> bool:
    from pyarrow import types

    kind = schema.field(name).type
    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _labelling(kind: Any, name: str) -> Labelling:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "classes"
    return "number" if types.is_floating(kind) or LABELLING_OF.get(name) == "number" else "class"
