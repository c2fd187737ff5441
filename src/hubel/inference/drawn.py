"""What was predicted as files: drawn onto the pictures, and masks."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from hubel.data.decoding import load_image
from hubel.data.drawing.boxes import letter_size, readable, write_on_ground
from hubel.data.sources import Sample
from hubel.errors import ConfigError
from hubel.files import write_whole
from hubel.results import Result, Segmentation
from hubel.tasks.task import AnyTask, PlaceTask

if TYPE_CHECKING:
    from hubel.inference.predictor import Picture

_GROUND = (20, 20, 20)  # of a caption
_QUALITY = 92  # of JPEG
_AS_JPEG = (".jpg", ".jpeg")


def draw_result(task: AnyTask, image: Image.Image, result: Result) -> Image.Image:
    """An upright picture with a result on it: where it is, or, of a whole picture, a caption.

    Returns:
        A new picture of mode RGB; a small one is enlarged by a whole factor.
    """
    if isinstance(task, PlaceTask):
        return task.draw(image, result)
    canvas, _ = readable(image)
    told = ", ".join(text for heading, text in result.table_row(1).items() if heading != "picture")
    write_on_ground(ImageDraw.Draw(canvas), (0, 0), told, _GROUND, letter_size(canvas.size))
    return canvas


def draw_each(
    predicted: Iterable[tuple[Picture, Result]], task: AnyTask, folder: Path, pictures: Sequence[Picture]
) -> Iterator[tuple[Picture, Result]]:
    """Pass predictions on, and write each picture with its result into a folder.

    A picture keeps its name, and the folders between it and what all pictures have in common; JPEGs stay JPEGs, all
    others become PNGs.

    Args:
        predicted: Pictures from files with their results.
        task: The model's.
        folder: Where to.
        pictures: All that may come.

    Raises:
        ConfigError: Drawn pictures would replace the pictures themselves.
        HubelError: The folder cannot be written.
    """
    places = places_below([_location(picture) for picture in pictures], _AS_JPEG)
    for picture, result in predicted:
        place = _free_place(folder / places[_location(picture)], picture, "--draw")
        save_picture(place, draw_result(task, load_image(picture, channels=3), result))
        yield picture, result


def save_masks(
    predicted: Iterable[tuple[Picture, Result]], folder: Path, pictures: Sequence[Picture]
) -> Iterator[tuple[Picture, Result]]:
    """Pass masks on, and write each into a folder: an indexed PNG of the classes' numbers, named as its picture.

    Args:
        predicted: Pictures from files with their results.
        folder: Where to.
        pictures: All that may come.

    Raises:
        ConfigError: Masks would replace the pictures.
        HubelError: The folder cannot be written.
    """
    places = places_below([_location(picture) for picture in pictures])
    for picture, result in predicted:
        if isinstance(result, Segmentation):
            result.save_mask(_free_place(folder / places[_location(picture)], picture, "--output"))
        yield picture, result


def save_picture(path: Path, image: Image.Image) -> None:
    """Write a picture, whole or not at all, as its name's ending says: JPEG or PNG."""
    encoded = io.BytesIO()
    if path.suffix.lower() in _AS_JPEG:
        image.save(encoded, "JPEG", quality=_QUALITY)
    else:
        image.save(encoded, "PNG")
    write_whole(path, encoded.getvalue())


def _free_place(place: Path, picture: Picture, option: str) -> Path:
    """A place that is not that of the picture itself.

    Raises:
        ConfigError: It is.
    """
    if place.resolve() == Path(_location(picture)).resolve():
        raise ConfigError(f"{option} {place.parent} would replace {place} itself: give another folder")
    return place


def _location(picture: Picture) -> str:
    return picture.location if isinstance(picture, Sample) else str(picture)


def places_below(locations: Sequence[str], kept: Collection[str] = ()) -> dict[str, str]:
    """For each file, where it is written to below a folder, no two at the same place.

    Args:
        locations: The files.
        kept: The endings that stay; all others become `.png`.
    """
    folders = [os.path.dirname(os.path.abspath(location)) for location in locations]  # noqa: PTH100, PTH120
    root = os.path.commonpath(folders) if folders else ""
    places: dict[str, str] = {}
    taken: set[str] = set()
    for location in locations:
        below = Path(os.path.relpath(os.path.abspath(location), root))  # noqa: PTH100 - `resolve` would follow links
        named = below if below.suffix.lower() in kept else below.with_suffix(".png")
        if named.as_posix() in taken:  # a.bmp beside a.png
            named = named.with_name(f"{below.name}.png")
        taken.add(named.as_posix())
        places[location] = named.as_posix()
    return places
