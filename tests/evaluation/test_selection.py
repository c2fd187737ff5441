"""No picture that any of several models was trained on is measured unasked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from tests.data.places import SIZE, write_masks

import hubel
from hubel.bundle import Bundle
from hubel.data.division.splits import DataSplits
from hubel.errors import DataError
from hubel.evaluation.selection import leave_out, select_samples
from hubel.evaluation.validation import overlap, select_validation
from hubel.inference.predictor import Predictor
from hubel.models import build_model
from hubel.preprocessing import Preprocess

SETTINGS = {"batch_size": 16, "augment.preset": "light", "threads": 1}


def test_models_of_other_divisions_of_the_same_folder(coloured_squares: Path, tmp_path: Path) -> None:
    for name, share in (("first", 0.3), ("second", 0.1)):
        settings = SETTINGS | {"data.test_fraction": share}
        hubel.train(
            coloured_squares, model="resnet20_cifar", epochs=1, device="cpu", out=tmp_path / name, settings=settings
        )
    first, second = hubel.load(tmp_path / "first", device="cpu"), hubel.load(tmp_path / "second", device="cpu")
    listed = {
        name: DataSplits.from_csv((tmp_path / name / "splits.csv").read_text(), coloured_squares)
        for name in ("first", "second")
    }
    contested = overlap(listed["first"].test, listed["second"].train)
    assert contested > 0  # or this test says nothing
    alone = select_samples(coloured_squares, [first], "auto")
    both = select_samples(coloured_squares, [first, second], "auto")
    assert len(alone.samples) == len(listed["first"].test)
    assert len(both.samples) == len(alone.samples) - contested
    assert overlap(both.samples, listed["second"].train) == 0
    assert any("were left out" in note for note in both.notes)
    assert alone.training_labels == tuple(sample.label for sample in listed["first"].train)
    chosen_on, name = select_validation(coloured_squares, [first], None)
    assert len(chosen_on.samples) == len(listed["first"].validation)
    assert str(coloured_squares) in name
    with pytest.raises(DataError, match="there are no validation pictures"):  # the second was trained on all of them
        select_validation(coloured_squares, [first, second], None)
    with pytest.raises(DataError, match=r"the model was trained or validated on all of \d+ pictures"):
        leave_out(select_samples(coloured_squares, [first], "train"), [first])


def test_too_many_pictures_that_cannot_be_used_are_refused_whatever_is_wrong_with_them(tmp_path: Path) -> None:
    """Half of the masks mean nothing: figures of the other half would be figures of another data set."""
    root = write_masks(tmp_path / "masks", 4)
    for number in (0, 1):
        Image.new("L", SIZE[::-1], 9).save(root / "masks" / f"{number:04}.png")
    (root / "legend.csv").write_text("ground,0\ndisc,1\nsquare,2\n")
    preprocess = Preprocess(channels=1, size=(48, 48), resize="native", mean=(0.5,), std=(0.5,))
    bundle = Bundle("segmentation", "unet", preprocess, ("ground", "disc", "square"))
    model = Predictor(bundle, build_model("unet", num_classes=3, in_channels=1, width=1, padded=True), device="cpu")
    with pytest.raises(DataError, match=r"2 of 4 images cannot be read \(50.0%; 1.0% may\): .*--max-unreadable 0.5"):
        hubel.evaluate(model, root)
    allowed = select_samples(root, [model], "all", max_unreadable=0.5)
    assert [sample.name for sample in allowed.samples] == ["images/0002.png", "images/0003.png"]
    assert [note[:24] for note in allowed.notes] == [f"left out images/000{number}.png" for number in (0, 1)]


def test_pictures_of_other_splits_that_cannot_be_used_are_none_of_its_business(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff.png")
    for number, place in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        (tmp_path / place).mkdir(parents=True)
        for copy in range(3):
            Image.new("L", (32, 32), 60 * number + 10 * copy).save(tmp_path / place / f"{copy}.png")
    for place in ("train/cat", "test/dog"):
        Image.new("L", (32, 32), 250).save(tmp_path / place / odd)
    preprocess = Preprocess(channels=1, size=(32, 32), mean=(0.5,), std=(0.5,))
    bundle = Bundle("classification", "lenet5", preprocess, ("cat", "dog"))
    model = Predictor(bundle, build_model("lenet5", num_classes=2), device="cpu")
    for split, unusable in {"auto": ["test/dog"], "train": ["train/cat"], "all": ["test/dog", "train/cat"]}.items():
        selection = select_samples(tmp_path, [model], split, max_unreadable=0.2)
        assert sorted(selection.notes) == [f"left out {place}/{odd}: its name is not valid text" for place in unusable]
    with pytest.raises(DataError, match=r"1 of 7 images cannot be read \(14.3%; .*test/dog/"):
        select_samples(tmp_path, [model], "test", max_unreadable=0.1)
