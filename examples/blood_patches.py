"""Patches of blood smears with and without a platelet, from the BCCD photographs and their boxes.

Every box of a platelet gives a patch; as many patches of each photograph show neither a platelet nor a white cell.
The photographs are of several smears: the first ones (numbers below 150) differ visibly from the later ones in stain
and focus. Two data sets come of it, as from two laboratories; a patch's name begins with its photograph's.

With `--unlabelled 20` the photographs are divided by BCCD's own lists instead: `labelled/` has the patches of all in
split folders, and `unlabelled/` 20 patches from anywhere in each photograph for training, whatever they show.

Run: python examples/blood_patches.py ../shared/data/bccd blood
     python examples/blood_patches.py ../shared/data/bccd blood --unlabelled 20
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 96  # pixels; a platelet measures some 40, a red cell some 100
FIRST_LABORATORY = 150  # photographs with a smaller number
SIDES = ("xmin", "ymin", "xmax", "ymax")
LISTS = {"train": "train", "val": "validation", "test": "test"}  # BCCD's, and the splits that they are

Box = tuple[int, int, int, int]  # left, top, right, bottom


def boxes(annotation: Path) -> dict[str, list[Box]]:
    """The boxes of a Pascal VOC file by what they hold."""
    found: dict[str, list[Box]] = {}
    for item in ElementTree.parse(annotation).iter("object"):
        sides = [int(float(item.findtext(f"bndbox/{side}", ""))) for side in SIDES]
        found.setdefault(item.findtext("name", ""), []).append((sides[0], sides[1], sides[2], sides[3]))
    return found


def around(x: int, y: int, width: int, height: int) -> Box:
    """The patch whose centre is nearest to a place."""
    left = min(max(x - SIDE // 2, 0), width - SIDE)
    top = min(max(y - SIDE // 2, 0), height - SIDE)
    return left, top, left + SIDE, top + SIDE


def overlap(patch: Box, others: Sequence[Box]) -> bool:
    """Whether a patch shares a pixel with one of the boxes."""
    return any(patch[0] < b[2] and b[0] < patch[2] and patch[1] < b[3] and b[1] < patch[3] for b in others)


def cut(found: dict[str, list[Box]], size: tuple[int, int], generator: np.random.Generator) -> dict[str, list[Box]]:
    """Where in a photograph of a width and height the patches of each class are."""
    platelets, marked = found.get("Platelets", []), found.get("Platelets", []) + found.get("WBC", [])
    # a platelet lies anywhere in its patch, as it would in a patch that nobody has centred
    moves = generator.integers(-SIDE // 4, SIDE // 4 + 1, (len(platelets), 2))
    centres = [((b[0] + b[2]) // 2 + x, (b[1] + b[3]) // 2 + y) for b, (x, y) in zip(platelets, moves, strict=True)]
    patches: dict[str, list[Box]] = {"platelet": [around(x, y, *size) for x, y in centres], "none": []}
    for x, y in generator.integers(0, size, (200, 2)).tolist():
        patch = around(x, y, *size)
        taken = [*marked, *patches["platelet"], *patches["none"]]
        if len(patches["none"]) < max(1, len(platelets)) and not overlap(patch, taken):
            patches["none"].append(patch)
    return patches


def write(image: Image.Image, places: Sequence[Box], folder: Path, name: str) -> None:
    """Write the patches of a photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, patch in enumerate(places):
        image.crop(patch).save(folder / f"{name}_{number}.png")


def main() -> None:
    """Cut and write all patches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bccd", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--unlabelled", type=int, metavar="N", help="patches of each photograph for training")
    arguments = parser.parse_args()
    lists = arguments.bccd / "ImageSets" / "Main"
    split_of = {photo: split for name, split in LISTS.items() for photo in (lists / f"{name}.txt").read_text().split()}
    generator, anywhere = np.random.default_rng(0), np.random.default_rng(1)
    for file in sorted((arguments.bccd / "Annotations").glob("*.xml")):
        with Image.open(arguments.bccd / "JPEGImages" / f"{file.stem}.jpg") as photo:
            image = photo.convert("RGB")
        laboratory = "first" if int(file.stem.rpartition("_")[2]) < FIRST_LABORATORY else "second"
        place = laboratory if arguments.unlabelled is None else f"labelled/{split_of[file.stem]}"
        for label, places in cut(boxes(file), image.size, generator).items():
            write(image, places, arguments.out / place / label, file.stem)
        if arguments.unlabelled is not None and split_of[file.stem] == "train":
            centres = anywhere.integers(0, image.size, (arguments.unlabelled, 2)).tolist()
            places = [around(x, y, *image.size) for x, y in centres]
            write(image, places, arguments.out / "unlabelled", file.stem)
    for folder in sorted({file.parent for file in arguments.out.rglob("*.png")}):
        print(f"{folder}: {len(list(folder.iterdir()))} patches")


if __name__ == "__main__":
    main()
