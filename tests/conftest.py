"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# The first call of a torch operation is slow, and the machine may have more to do: an example may take its time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and weights beside the repository; a test that asks for it skips without it."""
    folder = Path(os.environ.get("HUBEL_SHARED", Path(__file__).resolve().parents[1] / ".." / "shared")).resolve()
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real images in {folder} (set HUBEL_SHARED to where they are)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the suite out of the user's cache."""
    os.environ["HUBEL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def four_threads() -> Iterator[None]:
    """torch's operators have four threads, whatever the machine has, and afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def coloured_squares(tmp_path: Path) -> Path:
    """Class folders that are easy to tell apart: 3 classes of 20 noisy 40×48 pictures, mostly of one colour."""
    folder = tmp_path / "squares"
    generator = np.random.default_rng(0)
    for name, colour in {"blue": (40, 60, 200), "green": (50, 190, 70), "red": (200, 50, 50)}.items():
        (folder / name).mkdir(parents=True)
        for number in range(20):
            noise = generator.normal(0, 30, size=(40, 48, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def rectangles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Pascal VOC data set: 24 pictures of 64×80 noise with one to three rectangles, red or blue."""
    folder = tmp_path_factory.mktemp("rectangles") / "rectangles"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(24):
        pixels = generator.normal(110, 12, size=(64, 80, 3))
        objects = []
        for _ in range(1 + number % 3):
            name, colour = (("red", (220, 40, 40)), ("blue", (40, 60, 220)))[int(generator.integers(2))]
            height, width = generator.integers(16, 30, size=2)
            top, left = int(generator.integers(0, 64 - height)), int(generator.integers(0, 80 - width))
            pixels[top : top + height, left : left + width] = colour
            box = "".join(
                f"<{end}>{value}</{end}>"
                for end, value in zip(
                    ("xmin", "ymin", "xmax", "ymax"), (left + 1, top + 1, left + width, top + height), strict=True
                )
            )
            objects.append(f"<object><name>{name}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>")
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "JPEGImages" / f"{number:02}.jpg")
        size = "<size><width>80</width><height>64</height><depth>3</depth></size>"
        (folder / "Annotations" / f"{number:02}.xml").write_text(
            f"<annotation><filename>{number:02}.jpg</filename>{size}{''.join(objects)}</annotation>"
        )
    for split, numbers in {"train": range(14), "val": range(14, 19), "test": range(19, 24)}.items():
        text = "".join(f"{number:02}\n" for number in numbers)
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(text)
    return folder


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures beside masks: 20 grey pictures of 48×56 with a light disc, whose pixels are 255 in the mask."""
    folder = tmp_path_factory.mktemp("discs") / "discs"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:48, 0:56]
    for number in range(20):
        y, x, radius = generator.uniform(14, 34), generator.uniform(14, 42), generator.uniform(7, 13)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        pixels = np.where(disc, 190, 70) + generator.normal(0, 18, size=disc.shape)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "images" / f"{number}.png")
        Image.fromarray((255 * disc).astype(np.uint8)).save(folder / "masks" / f"{number}.png")
    return folder
