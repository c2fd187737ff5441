"""Batches from tar shards: in the order of the bytes through a buffer, exactly the same whoever loads them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.shard_files import picture, write_shards, write_tar

from hubel.data.augmentation import Augment
from hubel.data.collecting import labelled_splits
from hubel.data.containers.shards import Shards, reading_order
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.layouts.finding import find_source
from hubel.data.loading.loader import Loader
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

SMALL = Preprocess(size=(8, 8), resize_to=9)
BUFFER = 6


def store_of(folder: Path, *, cache_bytes: int = 0, **options: object) -> PictureStore:
    samples = labelled_splits(find_source(folder), ["0", "1"])[0]["train"]
    settings = {"classes": ["0", "1"], "purpose": "training", "cache_bytes": cache_bytes, **options}
    return prepare_store(samples, SMALL, **settings)


def loader_of(store: PictureStore, **options: object) -> Loader:
    settings = {"batch_size": 4, "preprocess": SMALL, "augment": Augment(), "shuffle": True, "shuffle_buffer": BUFFER}
    return Loader(store, **{**settings, **options})


def equal(one, other) -> bool:
    one, other = list(one), list(other)
    return len(one) == len(other) and all(
        torch.equal(a, b) for first, second in zip(one, other, strict=True) for a, b in zip(first, second, strict=True)
    )


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    write_shards(tmp_path / "shards", shards=5, pictures=7)
    return tmp_path / "shards"


def test_an_epoch_has_every_picture_once_in_the_order_of_its_shards(shards: Path):
    store = store_of(shards)
    loader = loader_of(store)
    orders = []
    for epoch in range(4):
        positions = torch.cat([batch.indices for batch in loader.epoch(epoch)]).tolist()
        assert sorted(positions) == list(range(35))
        lie_in = [position // 7 for position in positions]
        order = list(dict.fromkeys(lie_in))
        for place, shard in enumerate(order):  # nothing comes much before or after its shard's turn
            at = np.flatnonzero(np.array(lie_in) == shard)
            assert at.min() > 7 * place - BUFFER
            assert at.max() < 7 * (place + 1) + BUFFER
        orders.append(order)
    assert len({tuple(order) for order in orders}) > 1
    labels = torch.cat([batch.labels for batch in loader.epoch(0)])
    indices = torch.cat([batch.indices for batch in loader.epoch(0)])
    assert labels.tolist() == (indices % 2).tolist()


@pytest.mark.parametrize("cache_bytes", [0, 10**8])
def test_workers_and_the_cache_change_nothing(shards: Path, cache_bytes: int):
    expected = [batch for epoch in (0, 1) for batch in loader_of(store_of(shards)).epoch(epoch)]
    store = store_of(shards, cache_bytes=cache_bytes)
    assert store.cached == bool(cache_bytes)
    for workers in (0, 1, 2):
        loader = loader_of(store, workers=workers)
        assert equal([batch for epoch in (0, 1) for batch in loader.epoch(epoch)], expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_is_the_rest_of_it(shards: Path, workers: int):
    loader = loader_of(store_of(shards), workers=workers, seed=3)
    whole = list(loader.epoch(5))
    for start in (0, 1, 4, 8):
        assert equal(loader.epoch(5, start_batch=start), whole[start:])


def test_all_that_is_read_was_asked_for_before_and_once(shards: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[str, str]] = []
    read = Shards.read
    monkeypatch.setattr(Shards, "read_ahead", lambda self, names: told.extend(("ahead", name) for name in names))
    monkeypatch.setattr(Shards, "read", lambda self, name: told.append(("read", name)) or read(self, name))
    store = store_of(shards)
    order = reading_order(store.samples)
    assert order is not None
    told.clear()
    for start in (0, 5):
        list(loader_of(store).epoch(1, start_batch=start))
        ahead = [name for what, name in told if what == "ahead"]
        in_shards = [(name.split("/")[0], name) for name in ahead]
        assert len(set(ahead)) == len(ahead)
        assert len({shard for shard, _ in in_shards}) == sum(
            one[0] != other[0] for one, other in zip([("", ""), *in_shards], in_shards, strict=False)
        )  # a shard is read to its end before the next
        assert all(one[1] < other[1] for one, other in pairwise(in_shards) if one[0] == other[0])
        for at, (what, name) in enumerate(told):
            assert what == "ahead" or ("ahead", name) in told[:at]
        told.clear()


def test_what_cannot_be_decoded_is_found_on_the_way(shards: Path):
    members = {"x.png": b"no picture", "x.cls": "0"} | {f"{n}.png": picture(n + 99) for n in range(9)}
    write_tar(shards / "train-000009.tar", members | {f"{n}.cls": "1" for n in range(9)})
    store = store_of(shards)
    assert len(store) == 45  # nothing was tried: that would take as long as an epoch
    loader = loader_of(store, workers=1)
    indices = torch.cat([batch.indices for batch in loader.epoch(0)])
    assert len(indices) == 45
    lost = [(item.sample.name, item.reason) for item in loader.lost]
    assert lost == [("train-000009.tar/x.png", "it is no image that Pillow knows")]
    assert len(store_of(shards, cache_bytes=10**8, max_unreadable=0.1)) == 44
    assert len(store_of(shards, purpose="evaluation", max_unreadable=0.1)) == 44


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shard_that_breaks_costs_its_pictures_only(shards: Path, workers: int):
    store = store_of(shards)
    (shards / "train-000002.tar").write_bytes(b"")
    loader = loader_of(store, workers=workers, batch_size=8, max_unreadable=0.3, shuffle_buffer=35)
    assert sum(len(batch.labels) for batch in loader.epoch(0)) == 35
    assert sorted(item.sample.name for item in loader.lost) == [f"train-000002.tar/{n:06}.png" for n in range(14, 21)]
    reasons = {"its shard is cut off", "its shard has changed since it was listed"}  # the one where it was open already
    assert {item.reason for item in loader.lost} <= reasons
    with pytest.raises(DataError, match=r"of 35 images cannot be read .* \(its shard "):
        list(loader_of(store, workers=workers, batch_size=4, shuffle_buffer=35).epoch(0))
