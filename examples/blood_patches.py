"""Patches of blood smears with and without a platelet, from the BCCD photographs and their boxes.

Every box of a platelet gives a patch; as many patches of each photograph show neither a platelet nor a white cell.
The photographs are of several smears: the first ones (numbers below 150) differ visibly from the later ones in stain
and focus. Two data sets come of it, as from two laboratories; a patch's name begins with its photograph's.

Run: python examples/blood_patches.py ../shared/data/bccd blood
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


def main() -> None:
    """Cut and write all patches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bccd", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    for file in sorted((arguments.bccd / "Annotations").glob("*.xml")):
        with Image.open(arguments.bccd / "JPEGImages" / f"{file.stem}.jpg") as photo:
            image = photo.convert("RGB")
        found = boxes(file)
        platelets, marked = found.get("Platelets", []), found.get("Platelets", []) + found.get("WBC", [])
        # a platelet lies anywhere in its patch, as it would in a patch that nobody has centred
        moves = generator.integers(-SIDE // 4, SIDE // 4 + 1, (len(platelets), 2))
        centres = [((b[0] + b[2]) // 2 + x, (b[1] + b[3]) // 2 + y) for b, (x, y) in zip(platelets, moves, strict=True)]
        patches = {"platelet": [around(x, y, *image.size) for x, y in centres], "none": []}
        for x, y in generator.integers(0, image.size, (200, 2)).tolist():
            patch = around(x, y, *image.size)
            taken = [*marked, *patches["platelet"], *patches["none"]]
            if len(patches["none"]) < max(1, len(platelets)) and not overlap(patch, taken):
                patches["none"].append(patch)
        laboratory = "first" if int(file.stem.rpartition("_")[2]) < FIRST_LABORATORY else "second"
        for label, places in patches.items():
            folder = arguments.out / laboratory / label
            folder.mkdir(parents=True, exist_ok=True)
            for number, patch in enumerate(places):
                image.crop(patch).save(folder / f"{file.stem}_{number}.png")
    for folder in sorted(arguments.out.glob("*/*")):
        print(f"{folder}: {len(list(folder.iterdir()))} patches")


if __name__ == "__main__":
    main()
