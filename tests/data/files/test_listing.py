from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubel.data.files.listing import list_folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def names(files):
    return [file.name for file in files]


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "JPG", "TiFf"])
def test_extensions_of_images(tmp_path, extension):
    assert names(list_folder(touch(tmp_path, f"a.{extension}", "b.txt", "c")).files) == [f"a.{extension}"]
    assert list_folder(tmp_path).others == {".txt": 1, "": 1}


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "elsewhere/1.png", "photos/a/1.png")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "a" / "up").symlink_to(tmp_path / "photos")
    assert names(list_folder(tmp_path / "photos").files) == ["a/1.png", "b/1.png"]


def test_listing_and_dividing_load_neither_torch_nor_pillow():
    code = "import hubel.data.division.splits, sys; print({'torch', 'PIL', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
