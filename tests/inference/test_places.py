"""Models whose answer lies in the picture: from files and from stores, alone and together, in several views."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.bundle import Bundle
from hubel.data.collecting import labelled_splits
from hubel.data.decoded.store import prepare_store
from hubel.data.layouts.finding import find_source
from hubel.data.loading.loader import Loader
from hubel.data.sources import Sample
from hubel.errors import ConfigError, DataError
from hubel.inference.ensemble import predict_each
from hubel.inference.predictor import Predictor
from hubel.models import build_model
from hubel.preprocessing import Preprocess
from hubel.results import Segmentation
from hubel.tasks.views import Views

CLASSES = ("background", "disc")
PREPROCESS = Preprocess(channels=1, size=(32, 32), resize="native", mean=(0.4,), std=(0.2,))


def segmenter(seed: int) -> Predictor:
    """A network that knows nothing, with opinions of its own."""
    torch.manual_seed(seed)
    network = build_model("unet/resnet20_cifar", num_classes=2, in_channels=1)
    return Predictor(Bundle("segmentation", "unet/resnet20_cifar", PREPROCESS, CLASSES), network, device="cpu")


@pytest.fixture
def samples(discs: Path, tmp_path: Path) -> tuple[Sample, ...]:
    """Ten pictures with masks, in a folder that may be changed."""
    shutil.copytree(discs, tmp_path / "discs")
    source = find_source(tmp_path / "discs")
    of_split, _ = labelled_splits(source, source.classes)
    return of_split[None][:10]


def loader_of(samples: tuple[Sample, ...], preprocess: Preprocess = PREPROCESS) -> Loader:
    store = prepare_store(
        samples, preprocess, classes=CLASSES, labelling="mask", purpose="evaluation", cache_bytes=0, max_unreadable=1.0
    )
    return Loader(store, batch_size=4, preprocess=preprocess, max_unreadable=0.5)


def test_a_store_and_files_give_the_same(samples: tuple[Sample, ...]) -> None:
    model = segmenter(0)
    _, predictions = model.predictions_of(loader_of(samples))
    of_store = model.task.results(predictions, [None] * len(samples))
    of_files = model.predict([sample.path for sample in samples])
    for ours, theirs in zip(of_store, of_files, strict=True):
        assert isinstance(ours, Segmentation)
        assert isinstance(theirs, Segmentation)
        np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_a_picture_that_vanishes_is_left_out_and_counted(samples: tuple[Sample, ...]) -> None:
    model, loader = segmenter(0), loader_of(samples)
    _, whole = model.predictions_of(loader)
    assert samples[3].path is not None
    samples[3].path.unlink()
    store, predictions = model.predictions_of(loader)
    assert len(store) == len(predictions) == len(samples) - 1
    assert [item.sample.name for item in loader.lost] == [samples[3].name]
    kept = [prediction for at, prediction in enumerate(whole) if at != 3]
    results = [model.task.results(of, [None] * len(kept)) for of in (kept, predictions)]
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_too_many_that_vanish_end_it(samples: tuple[Sample, ...]) -> None:
    loader = loader_of(samples)
    for sample in samples[:6]:
        assert sample.path is not None
        sample.path.unlink()
    with pytest.raises(DataError, match=r"6 of 10 images cannot be read"):
        segmenter(0).predictions_of(loader)


def test_several_models_are_averaged_whatever_their_preprocessing(samples: tuple[Sample, ...]) -> None:
    first, second = segmenter(0), segmenter(1)
    second.bundle = replace(second.bundle, preprocess=replace(PREPROCESS, resize="shorter_side", resize_to=40))
    files = [sample.path for sample in samples[:3]]
    together = [result for _, result in predict_each([first, second], files)]
    size = (48, 56)
    alone = []
    for model in (first, second):
        arrays = [model.preprocess.to_array(Image.open(file).convert("L"), whole=True) for file in files]
        alone.append(model.places(arrays, [size] * 3))
    expected = first.task.results(first.task.average(alone), files)
    for ours, theirs in zip(together, expected, strict=True):
        assert isinstance(ours, Segmentation)
        np.testing.assert_array_equal(ours.mask, theirs.mask)
        assert ours.mask.shape == size


def test_views_of_parts_and_averages_of_logits_are_refused(samples: tuple[Sample, ...]) -> None:
    model, files = segmenter(0), [samples[0].path]
    assert len(model.predict(files, tta="flip")) == 1
    with pytest.raises(ConfigError, match=r"'ten-crop' .*expected flip, turns, turns\+flip, multi-scale"):
        model.predict(files, tta=Views.named("ten-crop"))
    with pytest.raises(ConfigError, match="average is logits, but the model is for segmentation"):
        model.predict(files, average="logits")
