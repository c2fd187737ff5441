"""Pictures made on the spot, and a cache of each test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HUBEL_CACHE", str(folder))
    return folder


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Writes a picture of random pixels, different for every seed, and returns its path."""

    def write(path: Path, seed: int = 0, *, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
        height, width = size
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def class_folders(tmp_path: Path, draw: Callable[..., Path]) -> Callable[..., Path]:
    """Makes class folders of different pictures: `class_folders("train", cat=3, dog=2)`."""
    made = iter(range(10**6))

    def make(under: str = "", **counts: int) -> Path:
        root = tmp_path / "photos"
        for name, count in counts.items():
            for number in range(count):
                draw(root / under / name / f"{number}.png", next(made))
        return root

    return make
