from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubel.data.listing import list_folder, list_images
from hubel.errors import DataError


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
    assert list_folder(tmp_path).others == 2


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "elsewhere/1.png", "photos/a/1.png")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "a" / "up").symlink_to(tmp_path / "photos")
    assert names(list_folder(tmp_path / "photos").files) == ["a/1.png", "b/1.png"]


def test_list_images_takes_files_folders_and_globs_in_natural_order(tmp_path, monkeypatch):
    touch(tmp_path, "p/10.jpg", "p/2.jpg", "p/deep/1.png", "p/notes.txt", "odd.dat", "q/B3.webp", "q/b20.webp")
    monkeypatch.chdir(tmp_path)
    assert list_images(["odd.dat", "p"]) == [Path("odd.dat"), Path("p/2.jpg"), Path("p/10.jpg"), Path("p/deep/1.png")]
    assert list_images(["q/*"]) == [Path("q/B3.webp"), Path("q/b20.webp")]
    assert list_images(["p/**/*.png", "p/*"]) == [Path("p/deep/1.png"), Path("p/2.jpg"), Path("p/10.jpg")]
    assert list_images([str(tmp_path / "p" / "2.jpg"), "./p/2.jpg", "p/2*"]) == [tmp_path / "p" / "2.jpg"]


def test_list_images_takes_names_that_look_like_patterns(tmp_path):
    touch(tmp_path, "[a].png", "[b]/1.png")
    assert list_images([str(tmp_path / "[a].png")]) == [tmp_path / "[a].png"]
    assert list_images([str(tmp_path / "[b]")]) == [tmp_path / "[b]" / "1.png"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("gone.jpg", r"gone\.jpg does not exist: expected an image file, a folder of images or a pattern"),
        ("*.gif", r"no image matches .*\*\.gif: check the pattern"),
        ("empty", r"folder .*empty has no images"),
    ],
)
def test_list_images_says_what_matches_nothing(tmp_path, pattern, message):
    (touch(tmp_path, "a.jpg") / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        list_images([str(tmp_path / "a.jpg"), str(tmp_path / pattern)])


def test_listing_and_dividing_load_neither_torch_nor_pillow():
    code = "import hubel.data.splits, sys; print({'torch', 'PIL', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
