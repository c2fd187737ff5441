from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.data.shard_files import picture, write_shards, write_tar

from hubel.data.inputs import list_images
from hubel.data.sources import Sample
from hubel.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


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


def test_list_images_tells_of_pictures_that_are_not_read(tmp_path):
    touch(tmp_path, "photos/1.jpg", "photos/2.HEIC", "photos/more/3.heic", "photos/notes.txt")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in ("1.jpg", "2.dng"):
            packed.writestr(name, name)
    told: list[str] = []
    assert len(list_images([str(tmp_path / "photos"), str(tmp_path / "a.zip")], told.append)) == 2
    assert told == [
        "pictures passed over that hubel does not read: 2 (2 .heic); convert them to JPEG or PNG",
        "pictures passed over that hubel does not read: 1 (1 .dng); convert them to JPEG or PNG",
    ]


def test_list_images_tells_of_films_and_how_to_name_them(tmp_path):
    folder = touch(tmp_path / "my photos", "1.jpg", "2.mp4", "more/3.MP4", "4.mov", "notes.txt")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in ("1.jpg", "2.mp4"):
            packed.writestr(name, name)
    told: list[str] = []
    assert len(list_images([str(folder), str(tmp_path / "a.zip")], told.append)) == 2
    assert told == [
        f"films passed over: 3 (2 .mp4, 1 .mov); to predict them, name them, as '{folder}/**/*.mp4' does",
        "films passed over: 1 (1 .mp4); to predict them, unpack them, and name them",
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("files", "pictures", "told"),
    [
        (
            ("images/1.jpg", "images/2.jpg", "images/10.jpg", "masks/1.png", "masks/2_mask.png"),
            ("images/1.jpg", "images/2.jpg", "images/10.jpg"),  # the last one's is what a model may be asked for
            "masks of pictures passed over: 2 (such as masks/1.png)",
        ),
        (
            ("cells/images/train/1.jpg", "cells/masks/train/1.png", "cells/images/test/2.jpg"),
            ("cells/images/test/2.jpg", "cells/images/train/1.jpg"),
            "masks of pictures passed over: 1 (such as cells/masks/train/1.png)",
        ),
        (
            ("JPEGImages/a.jpg", "Annotations/a.xml", "SegmentationClass/a.png", "SegmentationObject/a.png"),
            ("JPEGImages/a.jpg",),
            "masks of pictures passed over: 2 (such as SegmentationClass/a.png)",
        ),
        (("images/1.jpg", "target/x.jpg"), ("images/1.jpg", "target/x.jpg"), None),  # no name agrees: classes, perhaps
        (("masks/1.png", "masks/2.png"), ("masks/1.png", "masks/2.png"), None),
    ],
)
def test_masks_are_no_pictures(tmp_path, packed, files, pictures, told):
    root = touch(tmp_path / "set", *files)
    if packed:
        root = tmp_path / "set.zip"
        with zipfile.ZipFile(root, "w") as archive:
            for name in files:
                archive.write(tmp_path / "set" / name, name)
    lines: list[str] = []
    images = list_images([str(root)], lines.append)
    names = [image.name if isinstance(image, Sample) else image.relative_to(root).as_posix() for image in images]
    assert names == list(pictures)
    assert lines == ([] if told is None else [told])


def test_list_images_looks_into_archives(tmp_path):
    names = ["p/10.jpg", "p/2.jpg", "notes.txt", "__MACOSX/p/2.jpg", "deep/er/1.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in names:
            packed.writestr(name, name)
    for name, mode in (("b.tar", "w:"), ("c.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as packed:
            for each in names:
                packed.add(touch(tmp_path / "x", each) / each, each)
    for name in ("a.zip", "b.tar", "c.tgz"):
        images = list_images([str(tmp_path / name), str(tmp_path / name)])
        assert [image.location for image in images if isinstance(image, Sample)] == [
            f"{tmp_path / name}/{inside}" for inside in ("deep/er/1.png", "p/2.jpg", "p/10.jpg")
        ]
    assert list_images([str(tmp_path / "a.zip")])[1].read() == b"p/2.jpg"


def test_list_images_takes_what_a_manifest_lists_in_its_order(tmp_path):
    touch(tmp_path, "b.jpg", "a.jpg")
    (tmp_path / "m.csv").write_text("path\nb.jpg\na.jpg\ngone.jpg\n")
    assert list_images([str(tmp_path / "m.csv")]) == [tmp_path / name for name in ("b.jpg", "a.jpg", "gone.jpg")]


def test_list_images_takes_what_a_manifest_lists_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
            packed.writestr(name, name)
    (tmp_path / "m.csv").write_text("path,label\na.zip/dog/1.jpg,dog\na.zip/cat/2.jpg,cat\na.zip/cat/9.jpg,cat\n")
    images = list_images([str(tmp_path / "m.csv")])
    assert [image.name for image in images if isinstance(image, Sample)] == ["dog/1.jpg", "cat/2.jpg", "cat/9.jpg"]
    assert images[1].read() == b"cat/2.jpg"
    with pytest.raises(OSError, match="it is not in the archive"):
        images[2].read()


def test_list_images_takes_the_pictures_in_a_table(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    images = arrow.array([{"bytes": b"one"}, {"bytes": b"two"}], arrow.struct([("bytes", arrow.binary())]))
    parquet.write_table(arrow.table({"image": images, "label": [0, 1]}), tmp_path / "pets.parquet")
    assert [image.read() for image in list_images([str(tmp_path / "pets.parquet")])] == [b"one", b"two"]


def test_an_archive_without_images(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("notes.txt", "x")
    with pytest.raises(DataError, match=r"a\.zip has no images: expected files such as \.jpg"):
        list_images([str(tmp_path / "a.zip")])


def test_list_images_takes_shards(tmp_path):
    write_shards(tmp_path / "shards", shards=2, pictures=2)
    expected = [f"train-{shard:06}.tar/{number:06}.png" for shard, number in ((0, 0), (0, 1), (1, 2), (1, 3))]
    for named in (tmp_path / "shards", f"{tmp_path}/shards/train-{{000000..000001}}.tar"):
        images = list_images([str(named)])
        assert [image.name for image in images if isinstance(image, Sample)] == expected
    write_tar(tmp_path / "bare" / "0.tar", {"a.png": picture(0)})  # without labels, which are not looked at
    assert list_images([str(tmp_path / "bare")])[0].read() == picture(0)
