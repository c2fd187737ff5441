"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


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
