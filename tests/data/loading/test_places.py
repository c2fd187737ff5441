"""Batches with boxes and masks: what is on the disk is in the batch, with workers and without."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.places import CLASSES, SIZE, draw_places, write_masks, write_voc

from hubel.data.augmentation import Augment
from hubel.data.decoded.statistics import channel_statistics
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.division.splits import open_splits
from hubel.data.loading.loader import Loader
from hubel.data.targets import Objects
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

FIT = Preprocess(size=(32, 32), resize="fit", interpolation="nearest")
NATIVE = Preprocess(size=(32, 32), resize="native")
PLENTY = 10**8


def boxes_store(root: Path, preprocess: Preprocess = FIT, **options) -> PictureStore:
    splits = open_splits(write_voc(root, {"train": 9, "val": 3}))
    settings = {"purpose": "training", "cache_bytes": PLENTY, **options}
    return prepare_store(splits.train, preprocess, classes=splits.classes, labelling="boxes", **settings)


def masks_store(root: Path, preprocess: Preprocess = NATIVE, **options) -> PictureStore:
    splits = open_splits(write_masks(root, {"train": 9, "val": 3}))
    settings = {"purpose": "training", "cache_bytes": PLENTY, **options}
    return prepare_store(splits.train, preprocess, classes=splits.classes, labelling="mask", **settings)


def same(first: object, second: object) -> bool:
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and torch.equal(first, second)
    return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_objects_of_a_batch_are_those_of_the_files(tmp_path: Path, cache_bytes: int) -> None:
    store = boxes_store(tmp_path, cache_bytes=cache_bytes)
    (batch,) = Loader(store, batch_size=9, preprocess=FIT).epoch(0)
    assert batch.images.shape == (9, 32, 32, 3)
    for number, objects in enumerate(batch.labels):
        assert isinstance(objects, Objects)
        _, boxes, _ = draw_places(number)
        expected = [[side * 0.5 + (0, 4)[place % 2] for place, side in enumerate(box)] for _, box in boxes]
        assert np.allclose(objects.boxes.numpy(), expected)
        assert objects.labels.tolist() == [CLASSES.index(name) for name, _ in boxes]


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
@pytest.mark.parametrize("purpose", ["training", "evaluation"])
def test_masks_are_those_of_the_files_at_the_size_of_the_pictures(
    tmp_path: Path, cache_bytes: int, purpose: str
) -> None:
    store = masks_store(tmp_path / "native", purpose=purpose, cache_bytes=cache_bytes)
    for number in range(9):
        picture, _, mask = draw_places(number)
        assert (store.array(number) == np.asarray(picture)).all()
        assert (store.mask(number) == mask).all()
    smaller = Preprocess(size=(24, 24), resize_to=24, interpolation="nearest")
    store = masks_store(tmp_path / "smaller", smaller, purpose=purpose, cache_bytes=cache_bytes)
    for number in range(9):
        _, _, mask = draw_places(number)
        assert store.array(number).shape == (24, 32, 3)  # nothing is cropped, even for evaluation
        assert (
            store.mask(number) == np.asarray(Image.fromarray(mask).resize((32, 24), Image.Resampling.NEAREST))
        ).all()
    fitted = masks_store(tmp_path / "fitted", FIT, purpose=purpose, cache_bytes=cache_bytes)
    assert (fitted.mask(0)[:4] == 255).all()
    assert (fitted.mask(0)[4:28] != 255).all()


def test_masks_come_out_of_the_loader(tmp_path: Path) -> None:
    store = masks_store(tmp_path)
    augment = Augment(crop=True, mirror=0.5, flip=0.5)
    batches = list(Loader(store, batch_size=4, preprocess=NATIVE, augment=augment, shuffle=True, seed=3).epoch(1))
    assert [tuple(batch.labels.shape) for batch in batches] == [(4, 32, 32), (4, 32, 32), (1, 32, 32)]
    assert batches[0].labels.dtype == torch.int64
    for batch in batches:  # bright red is a disc, bright is a square, and the rest is dark
        red = (batch.images[..., 0] > 100) & (batch.images[..., 2] < 100)
        assert torch.equal(red, batch.labels == 1)
        assert torch.equal(batch.images[..., 2] > 100, batch.labels == 2)


@pytest.mark.parametrize("kind", ["boxes", "mask"])
@pytest.mark.parametrize("preset", ["standard", "strong"])
def test_workers_change_nothing(tmp_path: Path, kind: str, preset: str) -> None:
    make, preprocess, task = {"boxes": (boxes_store, FIT, "detection"), "mask": (masks_store, NATIVE, "segmentation")}[
        kind
    ]
    store = make(tmp_path)
    settings = {"batch_size": 4, "preprocess": preprocess, "augment": Augment.preset(preset, task), "shuffle": True}
    alone = list(Loader(store, seed=5, **settings).epoch(2))
    with_workers = Loader(store, seed=5, workers=2, **settings)
    assert same([tuple(batch) for batch in with_workers.epoch(2)], [tuple(batch) for batch in alone])
    assert same([tuple(batch) for batch in with_workers.epoch(2, 1)], [tuple(batch) for batch in alone[1:]])
    assert not same([tuple(batch) for batch in Loader(store, seed=6, **settings).epoch(2)], [tuple(b) for b in alone])


def test_what_moves_with_the_picture_is_varied_where_it_is_loaded(tmp_path: Path) -> None:
    loader = Loader(boxes_store(tmp_path), batch_size=9, preprocess=FIT, augment_on=torch.device("meta"))
    assert next(iter(loader.epoch(0))).images.device.type == "cpu"


@pytest.mark.parametrize("kind", ["boxes", "mask"])
def test_a_picture_that_vanishes_does_not_end_an_epoch(tmp_path: Path, kind: str) -> None:
    make, preprocess = {"boxes": (boxes_store, FIT), "mask": (masks_store, NATIVE)}[kind]
    store = make(tmp_path, cache_bytes=0)
    store.samples[2].path.unlink()
    loader = Loader(store, batch_size=9, preprocess=preprocess, shuffle=True, max_unreadable=0.5)
    (batch,) = loader.epoch(0)
    assert len(batch.images) == len(batch.labels) == 9
    assert 2 not in batch.indices.tolist()
    assert [item.sample for item in loader.lost] == [store.samples[2]]
    in_order = Loader(store, batch_size=9, preprocess=preprocess, max_unreadable=0.5)
    (batch,) = in_order.epoch(0)
    assert (batch.images[2] == 128).all()
    if kind == "mask":
        assert (batch.labels[2] == 255).all()


def test_a_mosaic_of_a_picture_that_vanished_is_the_picture_alone(tmp_path: Path) -> None:
    store = boxes_store(tmp_path, cache_bytes=0)
    for sample in store.samples[1:]:
        sample.path.unlink()
    augment = Augment(crop=False, mirror=0.0, mosaic=1.0)
    loader = Loader(store, batch_size=9, preprocess=FIT, augment=augment, max_unreadable=1.0, shuffle=True)
    (batch,) = loader.epoch(0)
    assert (batch.images == torch.from_numpy(store.array(0).copy())).all()


def test_a_store_survives_pickling(tmp_path: Path) -> None:
    store = masks_store(tmp_path)
    again = pickle.loads(pickle.dumps(store))
    assert (again.mask(4) == store.mask(4)).all()
    assert again.labels[4] == store.labels[4]


def test_masks_do_not_fit_their_pictures(tmp_path: Path) -> None:
    root = write_masks(tmp_path, {"train": 9, "val": 3})
    Image.new("L", (5, 5)).save(root / "train" / "masks" / "0003.png")
    splits = open_splits(root)
    with pytest.raises(
        DataError, match=r"1 of 9 images cannot be read .*0003.png \(it has 64×48 pixels, its mask 5×5\)"
    ):
        prepare_store(splits.train, NATIVE, classes=splits.classes, labelling="mask", purpose="training", cache_bytes=0)
    store = prepare_store(
        splits.train,
        NATIVE,
        classes=splits.classes,
        labelling="mask",
        purpose="training",
        cache_bytes=PLENTY,
        max_unreadable=0.2,
    )
    assert len(store) == 8


def test_another_mask_makes_another_file_of_pictures(tmp_path: Path, cache: Path) -> None:
    store = masks_store(tmp_path)
    before = store.mask(0).copy()
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "train" / "masks" / "0000.png")
    splits = open_splits(tmp_path)
    again = prepare_store(
        splits.train, NATIVE, classes=splits.classes, labelling="mask", purpose="training", cache_bytes=PLENTY
    )
    assert before.any()
    assert not again.mask(0).any()


def test_statistics_are_of_the_pictures_without_their_masks(tmp_path: Path) -> None:
    store = masks_store(tmp_path)
    pixels = np.stack([np.asarray(draw_places(number)[0]) for number in range(9)]) / 255
    assert np.allclose(channel_statistics(store)[0], pixels.mean(axis=(0, 1, 2)))
