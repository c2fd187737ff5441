"""Which kind of data set lies at a path: found by looking."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable
from pathlib import Path

from hubel.data.containers.archives import ARCHIVE_EXTENSIONS, OTHER_ARCHIVES, is_archive_name, open_archive
from hubel.data.containers.shard_index import is_shard
from hubel.data.files.listing import (
    CSV_EXTENSIONS,
    EXPECTED,
    PARQUET_EXTENSIONS,
    TABLE_EXTENSIONS,
    File,
    Listing,
    is_table_name,
    list_folder,
)
from hubel.data.labels import Labelling
from hubel.data.layouts.archive_manifests import listed_archive
from hubel.data.layouts.class_folders import class_folders_in, wrapping
from hubel.data.layouts.manifest import has_paths, listed_names, manifest_table, read_manifest, source_of
from hubel.data.layouts.patterns import is_tar_pattern, title_of_pattern
from hubel.data.layouts.tables import Table
from hubel.data.sources import Container, Source
from hubel.errors import DataError, cannot_read
from hubel.files import expanded

TORCHVISION = "torchvision:"
SAVED_DATA_SET = ("dataset_dict.json", "state.json")  # what the save_to_disk of `datasets` writes


def find_source(
    data: Path | str, tell: Callable[[str], None] = lambda text: None, labelling: Labelling | None = None
) -> Source:
    """Find a data set and list its pictures.

    Args:
        data: A folder of class folders, with or without split folders above them; a manifest (see
            `hubel.data.layouts.manifest`), or a folder with one; a zip or tar archive of either; a folder of tar
            shards, a single one, or a pattern that names them; a Hugging Face data set with the pictures in its tables;
            `torchvision:` and a name. Pictures with boxes or masks in any of the layouts of
            `hubel.data.layouts.annotated`; a `data.yaml`.
        tell: Hears of what takes a while.
        labelling: The kind of labels that is wanted: it decides where there are several. `"none"`: any images will do.

    Raises:
        ConfigError: A library is needed that is not installed, or torchvision has no such data set.
        DataError: There is nothing of the kind.
    """
    # What packs need takes its time to import: numpy, and torchvision more.
    if str(data).startswith(TORCHVISION):
        from hubel.data.layouts.torchvision_sets import find_torchvision_set

        return find_torchvision_set(str(data).removeprefix(TORCHVISION), tell)
    if is_tar_pattern(str(data)):
        from hubel.data.layouts.shard_sets import shards_matching

        return shards_matching(str(expanded(data)), labelling)
    path = expanded(data)
    if not path.exists():
        raise DataError(f"{path} does not exist: {EXPECTED}")
    if path.is_dir():
        return _found_in_folder(path, tell, labelling)
    if path.suffix.lower() == ".tar" and is_shard(path):
        from hubel.data.layouts.shard_sets import find_shards

        return find_shards(path, [path], labelling)
    if is_archive_name(path.name):
        return _found_in(*open_archive(path, tell), tell=tell, wanted=labelling)
    if path.suffix.lower() in (".yaml", ".yml"):
        from hubel.data.layouts.annotated.yolo import source_of_yaml

        return source_of_yaml(path)
    if path.suffix.lower() in PARQUET_EXTENSIONS:
        from hubel.data.layouts.hugging_face import holds_pictures, read_hugging_face

        if holds_pictures(path):
            return read_hugging_face(path, [path], tell, labelling)
    if is_table_name(path.name):
        if path.suffix.lower() in CSV_EXTENSIONS and (boxes := _boxes_in(path)) is not None:
            return boxes
        return _listed(path, tell, labelling)
    if path.name.lower().endswith(OTHER_ARCHIVES):
        raise DataError(f"{path} is an archive that cannot be read: expected .zip or .tar; pack it again, or unpack it")
    raise DataError(f"{path} is a file: {EXPECTED}")


def settled(data: str) -> str:
    """A data set's path made absolute; a name that is no path as it is."""
    return data if data.startswith(TORCHVISION) else str(expanded(data).resolve())


def title_of(data: str) -> str:
    """What a data set is called in short: its folder, its file without what tells the format, its name."""
    if data.startswith(TORCHVISION):
        return data.removeprefix(TORCHVISION)
    if is_tar_pattern(data):
        return title_of_pattern(data) or "shards"
    name = expanded(data).resolve().name
    endings = (*sorted(ARCHIVE_EXTENSIONS, key=len, reverse=True), *TABLE_EXTENSIONS)
    ending = next((ending for ending in endings if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] or name or "data"


def _listed(path: Path, tell: Callable[[str], None], wanted: Labelling | None) -> Source:
    """What a manifest lists: files, or pictures in an archive.

    Raises:
        DataError: It is no manifest, or its pictures lie in several archives.
    """
    table = manifest_table(path)
    archive = listed_archive(path, listed_names(table) if has_paths(table) else [], tell)
    if archive is None:
        return read_manifest(path, table, wanted)
    return source_of(table, path, archive.file, base=archive.path, container=archive.container, wanted=wanted)


def _boxes_in(table: Path) -> Source | None:
    """The data set that a CSV file with boxes lists; None where it has none."""
    from hubel.data.annotations.csv_boxes import has_boxes
    from hubel.data.layouts.annotated.csv_boxes import source_of_table

    try:
        content = table.read_bytes()
    except OSError as error:
        raise cannot_read(table, error) from error
    return source_of_table(table, content) if has_boxes(content) else None


def _found_in_folder(folder: Path, tell: Callable[[str], None], wanted: Labelling | None) -> Source:
    """What lies in a folder, which may be a Hugging Face data set."""
    if any((folder / name).is_file() for name in SAVED_DATA_SET):
        from hubel.data.layouts.hugging_face import read_hugging_face

        return read_hugging_face(folder, [], tell, wanted)
    listing = list_folder(folder)
    parquet = [folder / name for name in listing.tables if name.lower().endswith(tuple(PARQUET_EXTENSIONS))]
    if parquet and not listing.files:
        from hubel.data.layouts.hugging_face import holds_pictures, read_hugging_face

        if holds_pictures(parquet[0]):
            return read_hugging_face(folder, parquet, tell, wanted)
    if not listing.files and (shards := sorted(path for path in folder.rglob("*.tar") if path.is_file())):
        from hubel.data.layouts.shard_sets import find_shards

        return find_shards(folder, shards, wanted)
    if not (listing.files or listing.tables or listing.documents):  # a manifest may list pictures in an archive
        archive = next((each for each in sorted(folder.rglob("*")) if is_archive_name(each.name)), None)
        if archive is not None:
            raise DataError(f"{folder} has no images, but an archive: give that itself, {archive}")
    return _found_in(listing, tell=tell, wanted=wanted)


def _found_in(
    listing: Listing,
    container: Container | None = None,
    *,
    tell: Callable[[str], None],
    wanted: Labelling | None,
) -> Source:
    """What lies in a folder or an archive.

    Boxes or masks; else class folders; else what the manifest in it lists; else what lies in its only folder.
    """
    if _may_be_annotated(listing):
        from hubel.data.layouts.annotated.finding import find_annotated
        from hubel.data.layouts.place import Place

        if (annotated := find_annotated(Place(listing, container), wanted, tell)) is not None:
            return annotated
    if wanted == "none":
        from hubel.data.layouts.place import Place
        from hubel.data.layouts.plain import find_plain

        return find_plain(Place(listing, container))
    source: Source | DataError
    try:
        source = class_folders_in(listing, container)
        if len(source.classes) > 1:
            return source
    except DataError as error:
        source = error
    manifests = [name for name in listing.tables if _lists_pictures(listing, name, container)]
    if len(manifests) > 1:
        raise DataError(
            f"{listing.root} has no class folders but more than one manifest ({', '.join(manifests)}): "
            + ("give one of them" if container is None else "unpack it and give one of them")
        )
    if manifests:
        return _manifest_in(listing, manifests[0], container)
    if prefix := wrapping(listing):
        return class_folders_in(listing, container, prefix=prefix)
    if isinstance(source, DataError):
        raise source
    return source


def _may_be_annotated(listing: Listing) -> bool:
    """Whether there is anything beside images that may tell what is in them, or a folder called as those of masks."""
    from hubel.data.layouts.annotated.folder_names import MASKS

    tables = any(name.lower().endswith(tuple(CSV_EXTENSIONS)) for name in listing.tables)
    return (
        bool(listing.documents) or tables or any(name.rpartition("/")[2].lower() in MASKS for name in listing.folders)
    )


def _lists_pictures(listing: Listing, name: str, container: Container | None) -> bool:
    """Whether a table in a folder, or right below it, is a manifest."""
    return name.count("/") <= 1 and has_paths(_table_in(listing, name, container))


def _table_in(listing: Listing, name: str, container: Container | None) -> Table:
    if container is None:
        return manifest_table(listing.root / name)
    try:
        content = container.read(name)
    except OSError as error:
        raise DataError(f"cannot read {listing.root / name}: {error}; pack it again") from error
    return manifest_table(listing.root / name, io.BytesIO(content))


def _manifest_in(listing: Listing, name: str, container: Container | None) -> Source:
    """What a manifest lists that lies in a folder or, with its pictures, in an archive."""
    if container is None:
        return read_manifest(listing.root / name)
    above = posixpath.dirname(name)
    inside = {file.name: file for file in listing.files}

    def find(path: str) -> File:
        of_member = posixpath.normpath(posixpath.join(above, path.replace("\\", "/")))
        return inside.get(of_member, File.missing(of_member))

    return source_of(_table_in(listing, name, container), listing.root, find, base=listing.root, container=container)
