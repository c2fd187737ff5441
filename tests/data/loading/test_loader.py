from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.data.processes import refuse_processes

from hubel.data.augmentation import Augment
from hubel.data.collecting import labelled_splits
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.decoding import read_array
from hubel.data.layouts.finding import find_source
from hubel.data.loading.loader import Loader, default_workers
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

SMALL = Preprocess(size=(8, 8), resize_to=9)
SQUARE = Preprocess(size=(8, 8), resize_to=8, resize="stretch")


@pytest.fixture
def make_store(class_folders) -> Callable[..., PictureStore]:
    root = class_folders(cat=11, dog=12)
    samples = labelled_splits(find_source(root), ["cat", "dog"])[0][None]

    def make(preprocess: Preprocess = SMALL, **options) -> PictureStore:
        settings = {"classes": ["cat", "dog"], "purpose": "training", "cache_bytes": 10**8, **options}
        return prepare_store(samples, preprocess, **settings)

    return make


@pytest.fixture
def imbalanced(class_folders) -> PictureStore:
    """A store of 17 cats and 3 dogs."""
    samples = labelled_splits(find_source(class_folders(cat=17, dog=3)), ["cat", "dog"])[0][None]
    return prepare_store(samples, SMALL, classes=["cat", "dog"], purpose="training", cache_bytes=10**8)


def equal(one, other) -> bool:
    one, other = list(one), list(other)
    return len(one) == len(other) and all(
        torch.equal(a, b) for first, second in zip(one, other, strict=True) for a, b in zip(first, second, strict=True)
    )


def test_evaluation_gives_every_picture_as_it_is_in_order(make_store):
    for cache_bytes in (0, 10**8):
        store = make_store(purpose="evaluation", cache_bytes=cache_bytes)
        batches = list(Loader(store, batch_size=10, preprocess=SMALL).epoch(0))
        assert [len(batch.labels) for batch in batches] == [10, 10, 3]
        images = torch.cat([batch.images for batch in batches])
        assert images.dtype == torch.uint8
        expected = np.stack([read_array(sample.path, SMALL) for sample in store.samples])
        assert (images.numpy() == expected).all()
        assert torch.cat([batch.labels for batch in batches]).tolist() == [0] * 11 + [1] * 12
        assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(23))


def test_no_augmentation_of_training_pictures_is_the_centre_crop_of_evaluation(make_store):
    for preprocess in (SMALL, SQUARE):
        images = next(iter(Loader(make_store(preprocess), batch_size=23, preprocess=preprocess).epoch(0))).images
        store = make_store(preprocess, purpose="evaluation")
        difference = np.abs(images.numpy().astype(int) - store.block()[np.arange(len(store))])
        assert difference.max() <= 1  # torch's filter instead of Pillow's
        assert difference.mean() < 0.1


def test_an_epoch_has_every_picture_once_in_an_order_of_its_own(make_store):
    store = make_store()
    loader = Loader(store, batch_size=4, preprocess=SMALL, augment=Augment(), shuffle=True, seed=3)
    orders = [torch.cat([batch.indices for batch in loader.epoch(epoch)]).tolist() for epoch in (0, 1, 0)]
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert orders[0] == orders[2] != orders[1]
    other = Loader(store, batch_size=4, preprocess=SMALL, augment=Augment(), shuffle=True, seed=4)
    assert torch.cat([batch.indices for batch in other.epoch(0)]).tolist() != orders[0]
    for batch in loader.epoch(0):
        assert batch.labels.tolist() == store.labels[batch.indices.numpy()].tolist()


def test_drop_last(make_store):
    loader = Loader(make_store(), batch_size=10, preprocess=SMALL, shuffle=True, drop_last=True)
    assert [len(batch.labels) for batch in loader.epoch(0)] == [10, 10]
    assert len(loader) == 2
    assert len(Loader(make_store(), batch_size=10, preprocess=SMALL)) == 3


@pytest.mark.parametrize("cache_bytes", [0, 10**8])
@pytest.mark.parametrize("preset", ["none", "light", "standard"])
def test_the_number_of_workers_changes_nothing(make_store, cache_bytes, preset):
    store = make_store(cache_bytes=cache_bytes)
    epochs = []
    for workers in (0, 1, 2):
        loader = Loader(
            store,
            batch_size=4,
            preprocess=SMALL,
            augment=Augment.preset(preset),
            seed=1,
            shuffle=True,
            workers=workers,
        )
        epochs.append([batch for epoch in (0, 1) for batch in loader.epoch(epoch)])
    assert equal(epochs[0], epochs[1])
    assert equal(epochs[0], epochs[2])


def test_a_pictures_variation_does_not_depend_on_its_batch(make_store):
    store = make_store()

    def varied(batch_size: int, shuffle: bool) -> dict[int, list]:
        loader = Loader(
            store, batch_size=batch_size, preprocess=SMALL, augment=Augment.preset("standard"), shuffle=shuffle
        )
        return {
            int(index): image.tolist()
            for batch in loader.epoch(5)
            for index, image in zip(batch.indices, batch.images, strict=True)
        }

    assert varied(4, shuffle=True) == varied(23, shuffle=False)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_is_the_rest_of_it(make_store, workers, monkeypatch):
    monkeypatch.setattr("hubel.data.loading.requests._BATCHES_DRAWN_AT_ONCE", 3)
    store = make_store()
    loader = Loader(store, batch_size=4, preprocess=SMALL, augment=Augment(), seed=2, shuffle=True, workers=workers)
    whole = list(loader.epoch(7))
    for start in range(7):
        assert equal(loader.epoch(7, start_batch=start), whole[start:])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_balanced_epoch_is_the_rest_of_it(imbalanced, workers, monkeypatch):
    monkeypatch.setattr("hubel.data.loading.requests._BATCHES_DRAWN_AT_ONCE", 3)
    store = imbalanced
    augment = Augment.preset("standard")
    loader = Loader(
        store, batch_size=4, preprocess=SMALL, augment=augment, seed=2, balance=store.labels, workers=workers
    )
    whole = list(loader.epoch(7))
    assert sum(batch.labels.sum().item() for batch in whole) == 10  # half of 20 pictures, where 17 are cats
    for start in range(6):
        assert equal(loader.epoch(7, start_batch=start), whole[start:])
        positions = [p.tolist() for p in loader.positions(7, start)]
        assert positions == [batch.indices.tolist() for batch in whole[start:]]


def test_a_picture_that_comes_again_in_a_balanced_epoch_is_varied_anew(imbalanced):
    augment = Augment.preset("standard")
    loader = Loader(imbalanced, batch_size=20, preprocess=SMALL, augment=augment, balance=imbalanced.labels)
    batch = next(iter(loader.epoch(0)))
    dogs = batch.images[batch.labels == 1]
    assert len(dogs) == 10
    assert len({image.numpy().tobytes() for image in dogs}) == 10


def test_skipped_batches_are_not_decoded(make_store, monkeypatch):
    store = make_store(cache_bytes=0)
    read: list[int] = []
    array = PictureStore.array
    monkeypatch.setattr(PictureStore, "array", lambda self, position: read.append(position) or array(self, position))
    list(Loader(store, batch_size=4, preprocess=SMALL).epoch(0, start_batch=4))
    assert read == list(range(16, 23))


def test_an_abandoned_epoch_does_not_disturb_the_next(make_store):
    store = make_store()
    loader = Loader(store, batch_size=2, preprocess=SMALL, augment=Augment(), shuffle=True, workers=2)
    expected = list(Loader(store, batch_size=2, preprocess=SMALL, augment=Augment(), shuffle=True).epoch(1))
    assert len(list(islice(loader.epoch(0), 3))) == 3
    assert equal(loader.epoch(1), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_torchs_random_numbers_alone(make_store, workers):
    loader = Loader(make_store(), batch_size=4, preprocess=SMALL, augment=Augment(), shuffle=True, workers=workers)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(loader.epoch(0))
    assert torch.equal(torch.rand(3), expected)


def vanish(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("harm", "reason"), [(vanish, "it does not exist"), (cut_off, "it is truncated")], ids=["vanished", "truncated"]
)
def test_a_picture_that_breaks_later_gives_its_place_to_the_next_of_its_batch(make_store, workers, harm, reason):
    store = make_store(cache_bytes=0)
    whole = list(Loader(store, batch_size=4, preprocess=SMALL, shuffle=True).epoch(3))
    harm(store.samples[10].path)
    loader = Loader(store, batch_size=4, preprocess=SMALL, shuffle=True, workers=workers)
    for batch, before in zip(loader.epoch(3), whole, strict=True):
        positions = before.indices.tolist()
        taken = list(range(len(positions)))
        if 10 in positions:
            taken[positions.index(10)] = (positions.index(10) + 1) % len(positions)
        assert equal([batch], [tuple(part[taken] for part in before)])
    assert [(item.sample.name, item.reason) for item in loader.lost] == [("cat/9.png", reason)]
    assert loader.newly_lost() == loader.lost
    assert loader.newly_lost() == ()


@pytest.mark.parametrize("workers", [0, 2])
def test_in_the_stores_order_a_grey_picture_stands_in(make_store, workers):
    store = make_store(cache_bytes=0, purpose="evaluation")
    whole = next(Loader(store, batch_size=23, preprocess=SMALL).epoch(0))
    vanish(store.samples[10].path)
    loader = Loader(store, batch_size=4, preprocess=SMALL, workers=workers)
    images = torch.cat([batch.images for batch in loader.epoch(0)])
    assert (images[10] == 128).all()
    kept = [position for position in range(23) if position != 10]
    store, rest = loader.without_lost(images)
    assert torch.equal(rest, whole.images[kept])
    assert store.labels.tolist() == whole.labels[kept].tolist()
    assert [(item.sample.name, item.reason) for item in store.unreadable] == [("cat/9.png", "it does not exist")]
    assert all((store.array(n) == image.numpy()).all() for n, image in enumerate(rest))
    indices = torch.cat([batch.indices for batch in loader.epoch(0)])
    assert indices.tolist() == list(range(23))


def test_a_loader_in_order_shares_what_is_lost(make_store):
    store = make_store(cache_bytes=0)
    loader = Loader(store, batch_size=4, preprocess=SMALL, shuffle=True)
    vanish(store.samples[10].path)
    list(loader.in_order(augmented=False).epoch(0))
    assert [item.sample.name for item in loader.lost] == ["cat/9.png"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_disk_that_is_gone_ends_the_epoch_in_one_line(make_store, workers):
    store = make_store(cache_bytes=0)
    for sample in store.samples:
        vanish(sample.path)
    loader = Loader(store, batch_size=4, preprocess=SMALL, workers=workers)
    message = r"none of the 4 pictures of a batch .* such as .*cat/0\.png \(it does not exist\): is the disk"
    with pytest.raises(DataError, match=message):
        list(loader.epoch(0))


def test_more_than_a_batch_and_the_share_that_may_ends_the_epoch(make_store):
    store = make_store(cache_bytes=0)
    for sample in store.samples[::4]:
        vanish(sample.path)
    with pytest.raises(
        DataError, match=r"5 of 23 images cannot be read \(21\.7%; 20\.0% may\): .*max_unreadable=0\.22"
    ):
        list(Loader(store, batch_size=4, preprocess=SMALL, max_unreadable=0.2).epoch(0))
    loader = Loader(store, batch_size=4, preprocess=SMALL, max_unreadable=0.3)
    assert sum(len(batch.labels) for batch in loader.epoch(0)) == 23
    assert len(loader.lost) == 6


def _die(sample: Sample) -> np.ndarray:
    if sample.name == "cat/5.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros((9, 9, 3), dtype=np.uint8)


def test_a_worker_that_is_killed_is_named_with_what_it_held(make_store):
    store = make_store(cache_bytes=0)
    store._decoding = SimpleNamespace(picture=_die)
    loader = Loader(store, batch_size=4, preprocess=SMALL, workers=1)
    message = r"a process that loads images was killed while it held cat/5\.png \(.*\); .* try fewer workers"
    with pytest.raises(DataError, match=message):
        list(loader.epoch(0))
    store._decoding = SimpleNamespace(picture=lambda sample: np.zeros((9, 9, 3), dtype=np.uint8))
    assert len(list(loader.epoch(0))) == 6  # and it can start again


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods()[:1], reason="processes are not forked here")
def test_workers_that_are_refused_are_told_in_one_line(make_store, monkeypatch, recwarn):
    loader = Loader(make_store(cache_bytes=0), batch_size=4, preprocess=SMALL, workers=2)
    with monkeypatch.context() as patch:
        refuse_processes(patch, after=1)
        message = r"2 processes that load images cannot be started \(Resource temporarily .*\): .* data\.workers=0"
        with pytest.raises(DataError, match=message):
            list(loader.epoch(0))
    assert not recwarn.list
    assert len(list(loader.epoch(0))) == 6  # and it can start again


def test_spawned_workers_give_the_same(make_store, tmp_path):
    """As on macOS and Windows, where workers are started afresh and everything is sent to them."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import hashlib, sys
        from pathlib import Path
        import torch
        from hubel.data.augmentation import Augment
        from hubel.data.loading.loader import Loader
        from hubel.data.layouts.finding import find_source
        from hubel.data.collecting import labelled_splits
        from hubel.data.decoded.store import prepare_store
        from hubel.preprocessing import Preprocess

        if __name__ == "__main__":
            torch.multiprocessing.set_start_method("spawn")
            preprocess = Preprocess(size=(8, 8), resize_to=9)
            found = find_source(Path(sys.argv[1]))
            samples = labelled_splits(found, ["cat", "dog"])[0][None]
            for cache_bytes in (10**8, 0):
                store = prepare_store(samples, preprocess, classes=["cat", "dog"], purpose="training",
                                      cache_bytes=cache_bytes)
                for workers in (0, 2):
                    loader = Loader(store, batch_size=4, preprocess=preprocess, augment=Augment(), shuffle=True,
                                    workers=workers)
                    images = torch.cat([batch.images for batch in loader.epoch(0)])
                    print(hashlib.sha256(images.numpy().tobytes()).hexdigest())
        """)
    )
    root = make_store().samples[0].path.parents[1]
    done = subprocess.run([sys.executable, str(script), str(root)], capture_output=True, text=True, check=True)
    digests = done.stdout.split()
    assert len(digests) == 4
    assert len(set(digests)) == 1


def test_default_workers(make_store, monkeypatch):
    monkeypatch.setattr("hubel.data.loading.loader.available_cpus", lambda: 6)
    assert default_workers(make_store(), torch.device("cpu")) == 0
    assert default_workers(make_store(), torch.device("cuda")) == 6
    assert default_workers(make_store(cache_bytes=0), torch.device("cpu")) == 6
    monkeypatch.setattr("hubel.data.loading.loader.available_cpus", lambda: 64)
    assert default_workers(make_store(), torch.device("cuda")) == 8
