"""Augmentation happens while pictures are loaded: the same with any number of processes, and never on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hubel.data.augmentation import Augment
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.loading.loader import Loader
from hubel.data.sources import Sample
from hubel.preprocessing import Preprocess

USUAL = Preprocess(size=(32, 32), resize_to=40)
CPU = torch.device("cpu")
EVERYTHING = Augment(
    **{"scale": (0.3, 1.0), "flip": 0.3, "rotate": 30.0, "zoom": 0.2, "shear": 5.0, "translate": 0.1, "elastic": 0.02},
    **{"outside": "reflect", "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 10.0, "pca": 0.1},
    **{"erase": 0.3, "blur": 1.0, "noise": 0.05, "policy": "randaugment", "share": 0.7},
)


@pytest.fixture
def store(draw: Callable[..., Path], tmp_path: Path) -> PictureStore:
    paths = [draw(tmp_path / "photos" / f"{n}.png", n, size=(44 + n, 60 - n)) for n in range(14)]
    samples = [Sample(path.parent, path.name, n % 2, f"{n:032}") for n, path in enumerate(paths)]
    return prepare_store(samples, USUAL, classes=["a", "b"], purpose="training", cache_bytes=10**8)


def loader(store: PictureStore, augment: Augment, **more) -> Loader:
    return Loader(store, batch_size=4, preprocess=USUAL, augment=augment, seed=1, shuffle=True, **more)


@pytest.mark.parametrize("augment_on", [None, CPU])
@pytest.mark.parametrize("name", ["strong", "everything"])
def test_the_number_of_workers_and_a_resume_change_nothing(store, name, augment_on):
    augment = EVERYTHING if name == "everything" else Augment.preset(name)
    epochs = []
    for workers in (0, 1, 2):
        of_workers = loader(store, augment, workers=workers, augment_on=augment_on)
        epochs.append([batch.images for batch in of_workers.epoch(3)])
        resumed = [batch.images for batch in of_workers.epoch(3, start_batch=2)]
        assert all((one == other).all() for one, other in zip(epochs[-1][2:], resumed, strict=True))
    assert all((one == other).all() for epoch in epochs for one, other in zip(epoch, epochs[0], strict=True))
    again = [batch.images for batch in loader(store, augment, augment_on=augment_on).epoch(4)]
    assert not all((one == other).all() for one, other in zip(epochs[0], again, strict=True))


def test_pictures_varied_on_a_device_are_those_of_the_workers(store):
    here = next(iter(loader(store, Augment.preset("strong")).epoch(0)))
    there = next(iter(loader(store, Augment.preset("strong"), augment_on=CPU).epoch(0)))
    assert (here.indices == there.indices).all()
    assert (here.labels == there.labels).all()
    assert (here.images.int() - there.images.int()).abs().max() <= 3
    in_order = loader(store, Augment.preset("strong"), augment_on=CPU).in_order(augmented=False)
    assert next(iter(in_order.epoch(0))).images.shape == (4, 32, 32, 3)


def listing(*folders: Path) -> dict[str, tuple[int, int]]:
    """Every file below some folders with its size and when it was last written."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_augmentation_writes_no_file(store, workers, cache: Path, tmp_path: Path, monkeypatch):
    """Neither beside the pictures, nor in the cache, nor among temporary files: every epoch is drawn anew."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path, cache)
    assert any(name.endswith(".pictures") for name in before)  # the decoded pictures, as they are
    varied = loader(store, EVERYTHING, workers=workers)
    for epoch in range(3):
        images = torch.cat([batch.images for batch in varied.epoch(epoch)])
        assert images.shape == (14, 32, 32, 3)
    del varied
    assert listing(tmp_path, cache) == before


def test_every_epoch_varies_a_picture_anew(store):
    of_epochs = []
    for epoch in range(4):
        batches = list(loader(store, Augment.preset("strong")).epoch(epoch))
        images, indices = torch.cat([b.images for b in batches]), torch.cat([b.indices for b in batches])
        of_epochs.append(images[indices.argsort()].numpy())
    for one in range(4):
        for other in range(one):
            assert (of_epochs[one] != of_epochs[other]).any(axis=(1, 2, 3)).mean() > 0.9
    assert np.abs(of_epochs[0].mean() - of_epochs[1].mean()) < 20
