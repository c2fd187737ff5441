from __future__ import annotations

import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image

from hubel.data.decoding import load_image
from hubel.data.division.splits import open_splits
from hubel.data.layouts import torchvision_sets
from hubel.data.layouts.finding import find_source
from hubel.errors import ConfigError, DataError


@pytest.fixture
def root(cache: Path) -> Path:
    return cache / "torchvision"


@pytest.fixture
def offline(monkeypatch):
    """Whatever torchvision would fetch cannot be reached."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", fail)


def write_mnist(folder: Path, count: int = 40) -> np.ndarray:
    """Files as MNIST has them, of random digits."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2 * count, 28, 28), dtype=np.uint8)
    for part, name in enumerate(("train", "t10k")):
        own = pixels[part * count : (part + 1) * count]
        header = struct.pack(">4BLLL", 0, 0, 8, 3, count, 28, 28)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(header + own.tobytes())
        labels = bytes(number % 10 for number in range(count))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">4BL", 0, 0, 8, 1, count) + labels)
    return pixels


def test_arrays_are_kept_losslessly_with_their_own_splits(root, offline, monkeypatch):
    pixels = write_mnist(root / "MNIST")
    told: list[str] = []
    source = find_source("torchvision:MNIST", told.append)
    assert source.classes == tuple("0123456789")
    assert {split: len(entries) for split, entries in source.splits.items()} == {"train": 40, "test": 40}
    assert source.root == root / "MNIST"
    entry = source.splits["test"][13]
    assert entry.label == "3"
    splits = open_splits("torchvision:MNIST")
    sample = next(sample for sample in splits.test if sample.name == entry.file.name)
    assert (np.asarray(load_image(sample, 1)) == pixels[40 + 13]).all()
    assert splits.notes[-1].startswith("no validation split: taken from train")
    assert told == []
    monkeypatch.setattr(torchvision_sets, "_open", lambda *arguments: pytest.fail("opened again"))
    assert open_splits("torchvision:MNIST").fingerprint == splits.fingerprint


def test_cifar10(root, offline, monkeypatch):
    folder = root / "CIFAR10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
    for part, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        content = {"data": pixels[part * 10 : part * 10 + 10].reshape(10, -1), "labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(content))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *arguments: True)
    source = find_source("torchvision:cifar10")
    assert (source.classes, source.root.name) == (tuple(names), "CIFAR10")
    assert [entry.label for entry in source.splits["test"]] == names
    picture = load_image(source.read(source.splits["test"][4].file.name), 3)
    assert (np.asarray(picture) == pixels[54].transpose(1, 2, 0)).all()


def test_files_are_read_where_they_are(root, offline, draw):
    folder = root / "DTD" / "dtd" / "dtd"
    for name in ("banded", "dotted"):
        for number in range(3):
            draw(folder / "images" / name / f"{name}_{number}.jpg", number)
    (folder / "labels").mkdir()
    for number, split in enumerate(("train", "val", "test")):
        lines = [f"{name}/{name}_{number}.jpg" for name in ("banded", "dotted")]
        (folder / "labels" / f"{split}1.txt").write_text("\n".join(lines))
    source = find_source("torchvision:DTD")
    assert source.classes == ("banded", "dotted")
    assert {split: [entry.file.name for entry in entries] for split, entries in source.splits.items()} == {
        split: [f"dtd/dtd/images/{name}/{name}_{number}.jpg" for name in ("banded", "dotted")]
        for number, split in enumerate(("train", "validation", "test"))
    }
    assert source.read("dtd/dtd/images/banded/banded_0.jpg") == (folder / "images/banded/banded_0.jpg").read_bytes()
    assert source.container is None
    assert not (root.parent / "packs").exists()


def test_sets_that_open_their_files_themselves(root, offline, draw):
    folder = root / "OxfordIIITPet" / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for number, name in enumerate(("Abyssinian_1", "beagle_7")):
        draw(folder / "images" / f"{name}.jpg", number)
    for split in ("trainval", "test"):
        (folder / "annotations" / f"{split}.txt").write_text("Abyssinian_1 1 1 1\nbeagle_7 2 2 1\n")
    source = find_source("torchvision:OxfordIIITPet")
    assert source.classes == ("Abyssinian", "Beagle")
    assert [(e.file.name, e.label) for e in source.splits["train"]] == [
        ("oxford-iiit-pet/images/Abyssinian_1.jpg", "Abyssinian"),
        ("oxford-iiit-pet/images/beagle_7.jpg", "Beagle"),
    ]


@pytest.mark.parametrize("name", ["CIFAR10", "Flowers102", "FER2013"])
def test_without_a_network_one_line_says_so(root, offline, name):
    with pytest.raises(
        DataError, match=rf"torchvision:{name} is not in .*torchvision/{name} and cannot be downloaded \("
    ):
        find_source(f"torchvision:{name}")


def test_a_name_that_torchvision_does_not_have(root):
    with pytest.raises(ConfigError, match=r"unknown data set of torchvision 'CIFAR': did you mean CIFAR10"):
        find_source("torchvision:CIFAR")


@pytest.mark.parametrize("name", [*torchvision_sets._ARRAYS, *torchvision_sets._FILES])
def test_every_name_is_torchvisions(name):
    assert hasattr(torchvision.datasets, name)


def test_the_documentation_lists_them():
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"`(?:torchvision:)?(\w+)`", text.split("### torchvision's data sets")[1].split("torchvision downloads")[0]
    )
    assert sorted(listed) == sorted([*torchvision_sets._ARRAYS, *torchvision_sets._FILES])


def test_names_of_classes():
    def named(**attributes: object) -> list[str]:
        names = torchvision_sets._class_names(type("Set", (), attributes)())
        return [names(0), names(1)]

    assert named(classes=["0 - zero", "1 - one"]) == ["0", "1"]
    assert named(classes=[("tench", "Tinca"), ("crane",)]) == ["tench, Tinca", "crane"]
    assert named(classes=["crane", "crane"]) == ["crane (0)", "crane (1)"]
    assert named(categories=["a", "b"]) == ["a", "b"]
    assert named() == ["0", "1"]


@pytest.mark.parametrize(
    ("mode", "size", "extension"), [("RGB", (8, 8), ".ppm"), ("L", (8, 8), ".ppm"), ("RGB", (300, 300), ".png")]
)
def test_pictures_are_kept_losslessly(mode, size, extension):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3) if mode == "RGB" else size, dtype=np.uint8)
    content, kind = torchvision_sets._lossless(Image.fromarray(pixels))
    assert kind == extension
    assert (np.asarray(load_image(content, 3 if mode == "RGB" else 1)) == pixels).all()
