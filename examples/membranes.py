"""The slices that U-Net was published on, laid out for `hubel train`: links to the pictures and masks in split folders.

The data are 30 consecutive slices of electron microscopy, 512×512, with masks of cells (255) and membranes (0): ISBI
2012, `images/N.png` with `masks/N.png`. Neighbouring slices look alike, so splits are runs of slices and not drawn by
chance: 0 to 20 train, 21 to 23 choose the settings, 24 to 29 test. What is chosen, the last run trains on 0 to 23
(`data.validation_fraction=0`, as the recipes in docs/results have it).

Run: python examples/membranes.py ../shared/data/membrane membranes
     hubel train membranes --model unet/resnet18
     hubel train membranes --config docs/results/membrane-unet.yaml --out runs/unet
"""

from __future__ import annotations

import argparse
from pathlib import Path

SPLITS = {"train": range(21), "validation": range(21, 24), "test": range(24, 30)}
LEGEND = "membrane,0\ncell,255\n"  # the class of each grey value of a mask


def lay_out(data: Path, folder: Path) -> None:
    """Fill a new folder with `SPLIT/images`, `SPLIT/masks` and the legend of the masks."""
    for split, slices in SPLITS.items():
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
            for number in slices:
                (folder / split / kind / f"{number}.png").symlink_to((data / kind / f"{number}.png").resolve())
    (folder / "legend.csv").write_text(LEGEND, encoding="utf-8")


def main() -> None:
    """Lay out, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="has images/ and masks/")
    parser.add_argument("folder", type=Path, help="a new one")
    arguments = parser.parse_args()
    lay_out(arguments.data, arguments.folder)
    counts = ", ".join(f"{len(slices)} {split}" for split, slices in SPLITS.items())
    print(f"{counts} slices in {arguments.folder}")


if __name__ == "__main__":
    main()
