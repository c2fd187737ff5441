"""No picture that any of several models was trained on is measured unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

import hubel
from hubel.data.splits import DataSplits
from hubel.errors import DataError
from hubel.evaluation.selection import leave_out, select_samples
from hubel.evaluation.validation import overlap, select_validation

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
    with pytest.raises(DataError, match=r"all \d+ pictures are ones it was trained or validated on"):
        leave_out(select_samples(coloured_squares, [first], "train"), [first])
