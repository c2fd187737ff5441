"""The pictures that a user names to be looked at: files, folders, patterns, and what holds or lists many."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hubel.data.containers.archives import is_archive_name, open_archive
from hubel.data.files.listing import (
    PARQUET_EXTENSIONS,
    File,
    counted_by_extension,
    is_image_name,
    is_table_name,
    list_folder,
)
from hubel.data.layouts.annotated.mask_pairs import mask_images
from hubel.data.layouts.archive_manifests import listed_archive
from hubel.data.layouts.finding import TORCHVISION, find_source
from hubel.data.layouts.manifest import file_at, listed_names, manifest_table
from hubel.data.layouts.patterns import is_tar_pattern
from hubel.data.layouts.place import Place
from hubel.data.sources import SPLITS, Container, Sample
from hubel.errors import DataError
from hubel.files import expanded


def list_images(patterns: Sequence[str], tell: Callable[[str], None] = lambda text: None) -> list[Path | Sample]:
    """The images that files, folders (searched through), globs, archives and manifests name.

    Args:
        patterns: A file counts whatever its extension; in folders and globs an image's extension is needed. Of a zip
            or tar archive, all images in it count; of an archive or a folder with pictures and their masks, the
            pictures; of a manifest, whose labels are not looked at, all that it lists; of `torchvision:NAME`, a Parquet
            file with pictures in it, tar shards and a Hugging Face data set, the pictures of all splits.
        tell: Hears of what takes a while, and of what is passed over: pictures that are not read, films, and masks.

    Returns:
        Files, or pictures inside something else, which have no label. They come in the order of the patterns; those
        of a folder or an archive in natural order (`2.jpg` before `10.jpg`); none twice.

    Raises:
        DataError: A pattern matches no image, or what it names cannot be read.
    """
    found: dict[str, Path | Sample] = {}
    for pattern in patterns:
        images = _named(pattern, tell)
        if not images:
            raise DataError(_nothing_matches(pattern))
        for image in images:
            place = image.location if isinstance(image, Sample) else os.path.abspath(image)  # noqa: PTH100 - no links
            found.setdefault(place, image)
    return list(found.values())


def _named(pattern: str, tell: Callable[[str], None]) -> list[Path | Sample]:
    path = expanded(pattern)
    if pattern.startswith(TORCHVISION) or is_tar_pattern(pattern) or _is_table_of_pictures(path):
        return _in_source(pattern, tell)
    if path.is_file() and is_archive_name(path.name):
        listing, archive = open_archive(path, tell)
        files = sorted(_pictures_in(Place(listing, archive), tell), key=lambda file: natural_order(file.name))
        return [_inside(file, archive) for file in files]
    if path.is_file() and is_table_name(path.name):
        return _listed(path, tell)
    if found := list(_matching(pattern, tell)):
        return sorted(found, key=lambda image: natural_order(str(image)))
    return _in_containers(path, tell) if path.is_dir() else []


def _in_containers(folder: Path, tell: Callable[[str], None]) -> list[Path | Sample]:
    """The pictures of a folder of tar shards, or of a Hugging Face data set; none where it is neither."""
    if not any(folder.rglob("*.tar")) and not any(folder.rglob("*.parquet")) and not any(folder.rglob("*.arrow")):
        return []
    return _in_source(str(folder), tell)


def _listed(manifest: Path, tell: Callable[[str], None]) -> list[Path | Sample]:
    """What a manifest lists: files, or pictures in an archive."""
    names = listed_names(manifest_table(manifest))
    if (archive := listed_archive(manifest, names, tell)) is not None:
        return [_inside(archive.file(name), archive.container) for name in names]
    return [manifest.parent / file_at(manifest.parent, name).name for name in names]


def _is_table_of_pictures(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in PARQUET_EXTENSIONS:
        return False
    from hubel.data.layouts.hugging_face import holds_pictures

    return holds_pictures(path)


def _in_source(data: str, tell: Callable[[str], None]) -> list[Path | Sample]:
    """The pictures of all splits of a data set."""
    source = find_source(data, tell, "none")
    files = [entry.file for split in (*SPLITS, None) for entry in source.splits.get(split, ())]
    if source.container is None:
        return [source.base / file.name for file in files]
    return [_inside(file, source.container) for file in files]


def _inside(file: File, container: Container) -> Sample:
    """A picture in a container, of which nothing is known."""
    return Sample(None, file.name, (), "", container)


def _pictures_in(place: Place, tell: Callable[[str], None]) -> list[File]:
    """The images in a folder or an archive, less the masks of others; what else may have been meant is told."""
    for line in place.listing.unread():
        tell(line)
    if films := place.listing.films():
        pattern = shlex.quote(f"{place.root}/**/*{films.most_common(1)[0][0]}")
        how = f"name them, as {pattern} does" if place.container is None else "unpack them, and name them"
        tell(f"films passed over: {counted_by_extension(films)}; to predict them, {how}")
    masks = mask_images(place)
    if masks:
        tell(f"masks of pictures passed over: {len(masks):,} (such as {min(masks, key=natural_order)})")
    return [file for file in place.listing.files if file.name not in masks]


def _matching(pattern: str, tell: Callable[[str], None]) -> Iterator[Path]:
    path = expanded(pattern)
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (path / file.name for file in _pictures_in(Place(list_folder(path)), tell))
    elif glob.has_magic(pattern):
        for match in glob.iglob(str(path), recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
            if Path(match).is_dir():
                if not pattern.endswith("**"):  # that one already finds what lies below
                    yield from _matching(match, tell)
            elif is_image_name(match):
                yield Path(match)


def _nothing_matches(pattern: str) -> str:
    path = expanded(pattern)
    if path.is_dir():
        return f"folder {pattern} has no images: expected files such as .jpg, .png or .webp in it"
    if path.is_file():
        return f"{pattern} has no images: expected files such as .jpg, .png or .webp in it"
    if glob.has_magic(pattern):
        return f"no image matches {pattern}: check the pattern (quote it if the shell should not expand it)"
    return f"{pattern} does not exist: expected an image file, a folder of images or a pattern such as 'photos/*.jpg'"


def natural_order(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: runs of digits by their value, letters without regard to case."""
    parts = re.findall(r"(\d+)|(\D+)", text)
    return [(0, int(digits), "") if digits else (1, 0, part.casefold()) for digits, part in parts], text
