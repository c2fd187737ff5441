"""Small data sets with boxes and masks, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("disc", "square")
SIZE = (48, 64)  # height and width

Drawn = tuple[Image.Image, list[tuple[str, tuple[int, int, int, int]]], np.ndarray]


def draw_places(seed: int, size: tuple[int, int] = SIZE, objects: int | None = None) -> Drawn:
    """A dark, noisy picture with bright squares and red discs, their boxes, and the mask: 0, 1 (disc), 2 (square)."""
    generator = np.random.default_rng(seed)
    height, width = size
    pixels = generator.integers(0, 40, (height, width, 3), dtype=np.uint8)
    mask = np.zeros(size, dtype=np.uint8)
    boxes = []
    for _ in range(int(generator.integers(1, 4)) if objects is None else objects):
        side = int(generator.integers(8, 16))
        top, left = int(generator.integers(height - side)), int(generator.integers(width - side))
        name = CLASSES[int(generator.integers(2))]
        area = np.zeros(size, dtype=bool)
        area[top : top + side, left : left + side] = True
        if name == "disc":
            ys, xs = np.mgrid[:height, :width] + 0.5
            area &= (ys - top - side / 2) ** 2 + (xs - left - side / 2) ** 2 <= (side / 2) ** 2
        pixels[area] = (230, 60, 40) if name == "disc" else (220, 220, 230)
        mask[area] = 1 + CLASSES.index(name)
        boxes.append((name, (left, top, left + side, top + side)))
    return Image.fromarray(pixels), boxes, mask


def write_voc(root: Path, counts: dict[str, int] | int = 6, *, seed: int = 0, masks: bool = False) -> Path:
    """Pascal VOC; with counts by split there are lists of the splits (`train`, `val`, `test`)."""
    folders = [root / name for name in ("JPEGImages", "Annotations", "ImageSets/Main", "ImageSets/Segmentation")]
    for folder in [*folders, *([root / "SegmentationClass"] * masks)]:
        folder.mkdir(parents=True, exist_ok=True)
    number = seed
    for split, count in (counts if isinstance(counts, dict) else {"": counts}).items():
        stems = []
        for _ in range(count):
            picture, boxes, mask = draw_places(number)
            stem = f"p{number:03}"
            stems.append(stem)
            picture.save(root / "JPEGImages" / f"{stem}.png")
            objects = "".join(
                f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>"
                f"<ymax>{y2}</ymax></bndbox></object>"
                for name, (x1, y1, x2, y2) in boxes
            )
            text = f"<filename>{stem}.png</filename><size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>"
            (root / "Annotations" / f"{stem}.xml").write_text(f"<annotation>{text}{objects}</annotation>")
            if masks:
                Image.fromarray(mask).save(root / "SegmentationClass" / f"{stem}.png")
            number += 1
        if split:
            for kind in ("Main", *(["Segmentation"] * masks)):
                (root / "ImageSets" / kind / f"{split}.txt").write_text("\n".join(stems) + "\n")
    return root


def write_coco(root: Path, counts: dict[str, int] | int = 6, *, seed: int = 0) -> Path:
    """COCO: `annotations/instances_SPLIT.json` and `images/SPLIT`, with outlines around the boxes."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    number = seed
    for split, count in (counts if isinstance(counts, dict) else {"all": counts}).items():
        folder = root / "images" / split
        folder.mkdir(parents=True, exist_ok=True)
        images, annotations = [], []
        for _ in range(count):
            picture, boxes, _ = draw_places(number)
            picture.save(folder / f"{number:04}.png")
            images.append({"id": number, "file_name": f"{number:04}.png", "width": SIZE[1], "height": SIZE[0]})
            for name, (x1, y1, x2, y2) in boxes:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": 7 + 3 * CLASSES.index(name),
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": (x2 - x1) * (y2 - y1),
                        "iscrowd": 0,
                        "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                    }
                )
            number += 1
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 7 + 3 * place, "name": name} for place, name in enumerate(CLASSES)],
        }
        name = "instances.json" if split == "all" else f"instances_{split}.json"
        (root / "annotations" / name).write_text(json.dumps(content))
    return root


def write_yolo(root: Path, counts: dict[str, int], *, seed: int = 0, data_yaml: bool = True) -> Path:
    """YOLO: `images/SPLIT`, `labels/SPLIT`, and a `data.yaml`."""
    number = seed
    for split, count in counts.items():
        for folder in ("images", "labels"):
            (root / folder / split).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            picture, boxes, _ = draw_places(number)
            picture.save(root / "images" / split / f"{number:04}.png")
            height, width = SIZE
            lines = [
                f"{CLASSES.index(name)} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} "
                f"{(y2 - y1) / height}\n"
                for name, (x1, y1, x2, y2) in boxes
            ]
            (root / "labels" / split / f"{number:04}.txt").write_text("".join(lines))
            number += 1
    if data_yaml:
        lines = [f"{split}: images/{split}\n" for split in counts]
        (root / "data.yaml").write_text("".join(lines) + f"names: [{', '.join(CLASSES)}]\n")
    return root


def write_masks(root: Path, counts: dict[str, int] | int = 6, *, seed: int = 0) -> Path:
    """Images with masks, in `images` and `masks`, maybe in split folders."""
    number = seed
    for split, count in (counts if isinstance(counts, dict) else {"": counts}).items():
        for folder in ("images", "masks"):
            (root / split / folder).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            picture, _, mask = draw_places(number)
            picture.save(root / split / "images" / f"{number:04}.png")
            Image.fromarray(mask).save(root / split / "masks" / f"{number:04}.png")
            number += 1
    return root
