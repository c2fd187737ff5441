"""A data set with planted defects, and what a doctor should find in it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Pair = frozenset[str]


def scene(seed: int, side: int = 160) -> Image.Image:
    """A synthetic picture with structure at every scale: smooth noise in colour, with a few shapes."""
    generator = np.random.default_rng(seed)
    pixels = np.zeros((side, side, 3))
    for cells, strength in ((3, 70), (6, 45), (12, 30), (32, 18)):
        noise = generator.normal(0, strength, (cells, cells, 3))
        layer = [Image.fromarray(noise[:, :, c].astype(np.float32)).resize((side, side), 3) for c in range(3)]
        pixels += np.stack([np.asarray(channel) for channel in layer], axis=2)
    return Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8))


def crop(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Cut shares of the width and height off."""
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
    )


def recoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def _resized(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    factor = generator.uniform(0.35, 0.8)
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


# How a near duplicate is made of a picture; the generator decides by how much.
CHANGES: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "re-encoded": lambda image, generator: recoded(image, int(generator.integers(30, 90))),
    "resized": _resized,
    "brighter or darker": lambda image, generator: ImageEnhance.Brightness(image).enhance(
        float(generator.choice([generator.uniform(0.6, 0.85), generator.uniform(1.1, 1.25)]))
    ),
    "grey": lambda image, generator: image.convert("L"),
    "mirrored": lambda image, generator: ImageOps.mirror(image),
    "cropped": lambda image, generator: crop(image, *generator.uniform(0.0, 0.05, 4)),
    "cropped, resized and re-encoded": lambda image, generator: recoded(
        _resized(crop(image, *generator.uniform(0.0, 0.04, 4)), generator), 70
    ),
}


@dataclass
class Planted:
    """What was planted: names of pictures by kind of finding, and pairs of copies by how they were made."""

    root: Path
    pictures: dict[str, set[str]] = field(default_factory=dict)
    identical: set[Pair] = field(default_factory=set)
    near: dict[str, set[Pair]] = field(default_factory=dict)
    contradicting: set[Pair] = field(default_factory=set)

    def add(self, kind: str, name: str) -> Path:
        self.pictures.setdefault(kind, set()).add(name)
        return self.root / name


def clean_set(root: Path, originals: Sequence[Image.Image], classes: Sequence[str] = ("cat", "dog", "owl")) -> Path:
    """Divide pictures among classes and splits: 60 % train, 20 % validation, 20 % test."""
    for number, image in enumerate(originals):
        split = ("train", "train", "train", "validation", "test")[number // len(classes) % 5]
        folder = root / split / classes[number % len(classes)]
        folder.mkdir(parents=True, exist_ok=True)
        image.convert("RGB").save(folder / f"{number:04}.jpg", quality=92)
    return root


def plant(root: Path, each: int, seed: int = 0) -> Planted:
    """Plant defects into a clean set: so many of each kind, each beside or in place of another picture."""
    generator = np.random.default_rng(seed)
    planted = Planted(root)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    taken = iter(generator.permutation(len(names)))

    def source() -> str:
        return names[next(taken)]

    def elsewhere(name: str, *, same_class: bool = True) -> str:
        """A folder in another split, of the same class or of another one."""
        split, label, _ = name.split("/")
        others = [s for s in ("train", "validation", "test") if s != split]
        labels = [label] if same_class else sorted({n.split("/")[1] for n in names} - {label})
        return f"{generator.choice(others)}/{generator.choice(labels)}"

    for number in range(each):
        original = source()
        copy = f"{elsewhere(original)}/copy{number}.jpg"
        shutil.copy(root / original, root / copy)
        planted.identical.add(frozenset((original, copy)))

        original = source()
        copy = f"{elsewhere(original, same_class=False)}/other{number}.jpg"
        shutil.copy(root / original, root / copy)
        planted.identical.add(frozenset((original, copy)))
        planted.contradicting.add(frozenset((original, copy)))

        for change, make in CHANGES.items():
            original = source()
            copy = f"{elsewhere(original)}/{change.replace(' ', '-')}{number}.jpg"
            make(Image.open(root / original).convert("RGB"), generator).save(root / copy, quality=88)
            planted.near.setdefault(change, set()).add(frozenset((original, copy)))

        content = (root / source()).read_bytes()
        folder = f"train/{names[0].split('/')[1]}"
        planted.add("unreadable", f"{folder}/cut{number}.jpg").write_bytes(content[: len(content) // 2])
        planted.add("unreadable", f"{folder}/text{number}.jpg").write_text(f"this is no picture {number}")
        planted.add("unreadable", f"{folder}/empty{number}.jpg").touch()
        _plant_odd_files(planted, folder, number, seed)
    return planted


def _plant_odd_files(planted: Planted, folder: str, number: int, seed: int) -> None:
    image = scene(10_000 + 100 * seed + number)
    value = 5 + 12 * number
    Image.new("RGB", (150, 150), (value, value, value)).save(planted.add("blank", f"{folder}/blank{number}.jpg"))
    deep = (np.asarray(image.convert("L"), dtype=np.uint16) << 8) + number
    Image.fromarray(deep).save(planted.add("deep", f"{folder}/deep{number}.png"))
    clear = scene(20_000 + 100 * seed + number).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(planted.add("transparent", f"{folder}/clear{number}.png"))
    strip = scene(30_000 + 100 * seed + number).crop((0, 0, 160, 30 + number))
    strip.resize((900, 160)).save(planted.add("elongated", f"{folder}/strip{number}.jpg"))
    inked = scene(40_000 + 100 * seed + number).convert("CMYK")
    inked.save(planted.add("colour_mode", f"{folder}/ink{number}.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = scene(50_000 + 100 * seed + number)
    turned.save(planted.add("rotated", f"{folder}/turned{number}.jpg"), exif=exif)
    scene(60_000 + 100 * seed + number).save(planted.add("extension", f"{folder}/misnamed{number}.jpg"), "PNG")
    tiny = scene(70_000 + 100 * seed + number).resize((24, 24))
    tiny.save(planted.add("small", f"{folder}/tiny{number}.jpg"), quality=95)
    frames = [scene(80_000 + 100 * seed + 2 * number + k).quantize(64) for k in range(2)]
    frames[0].save(
        planted.add("animated", f"{folder}/moving{number}.gif"), save_all=True, append_images=frames[1:], duration=100
    )
