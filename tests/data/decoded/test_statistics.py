from __future__ import annotations

import numpy as np
import pytest
from tests.data.stores import prepare, samples_of

from hubel.data.decoded.statistics import channel_statistics
from hubel.data.decoding import UnreadableImage
from hubel.data.sources import Sample
from hubel.preprocessing import Preprocess


@pytest.fixture
def samples(class_folders) -> tuple[Sample, ...]:
    return samples_of(class_folders(cat=11, dog=12))


def test_channel_statistics(samples):
    store = prepare(samples)
    pixels = np.concatenate([store.array(n).reshape(-1, 3) for n in range(len(store))]) / 255
    mean, std = channel_statistics(store)
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-12)
    assert channel_statistics(prepare(samples, cache_bytes=0)) == (mean, std)


def test_channel_statistics_of_grey_and_of_one_colour(samples):
    grey = Preprocess(channels=1, size=(8, 8), resize_to=9, mean=(0.5,), std=(0.5,))
    store = prepare(samples, grey)
    pixels = np.concatenate([store.array(n).ravel() for n in range(len(store))]) / 255
    assert channel_statistics(store) == (pytest.approx((pixels.mean(),)), pytest.approx((pixels.std(),)))
    store.array = lambda position: np.full((4, 4, 1), 51, dtype=np.uint8)
    mean, std = channel_statistics(store)
    assert mean == pytest.approx((0.2,))
    assert std == (1 / 255,)
    assert Preprocess(channels=1, mean=mean, std=std)


def test_channel_statistics_of_many_pictures_take_evenly_spaced_ones(samples, monkeypatch):
    monkeypatch.setattr("hubel.data.decoded.statistics._MOST_PICTURES", 3)
    store = prepare(samples)
    pixels = np.concatenate([store.array(n).reshape(-1, 3) for n in (0, 11, 22)]) / 255
    assert channel_statistics(store)[0] == pytest.approx(pixels.mean(axis=0), abs=1e-12)


def test_channel_statistics_leave_out_what_cannot_be_read(samples):
    store = prepare(samples, cache_bytes=0)
    store.samples[3].path.unlink()
    pixels = np.concatenate([store.array(n).reshape(-1, 3) for n in range(len(store)) if n != 3]) / 255
    mean, std = channel_statistics(store)
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-12)
    for number, sample in enumerate(store.samples):
        if number != 3:
            sample.path.unlink()
    with pytest.raises(UnreadableImage, match=r"cannot read .*dog/9\.png: it does not exist"):
        channel_statistics(store)
