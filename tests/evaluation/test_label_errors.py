from __future__ import annotations

import numpy as np
import pytest
import torch

from hubel.bundle import Bundle, save_bundle
from hubel.data.doctor.examination import examine
from hubel.errors import DataError
from hubel.evaluation.label_errors import confident_label_errors, find_label_errors
from hubel.preprocessing import Preprocess
from hubel.weights import create_model


def test_the_confident_joint_worked_by_hand():
    # Self-confidence: class 0 (rows 0 to 2): (0.9 + 0.8 + 0.1) / 3 = 0.6; class 1 (rows 3 to 5): (0.7 + 0.5 + 0.6) / 3.
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.5, 0.5], [0.4, 0.6]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    (error,) = confident_label_errors(probabilities, labels)
    assert (error.position, error.suggestion) == (2, 1)
    assert (error.given_probability, error.probability) == (0.1, 0.9)


def test_a_probability_below_the_class_average_is_no_reason():
    # Row 1 is more probably of class 1, but with 0.6 less so than pictures labelled 1 are on average.
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.05, 0.95]])
    assert confident_label_errors(probabilities, np.array([0, 0, 1, 1])) == []


def test_a_class_without_pictures_is_never_suggested():
    probabilities = np.array([[0.2, 0.1, 0.7], [0.3, 0.2, 0.5], [0.1, 0.6, 0.3]])
    assert all(error.suggestion != 2 for error in confident_label_errors(probabilities, np.array([0, 0, 1])))


def test_the_most_doubtful_come_first():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 2000)
    logits = generator.normal(0, 1, (2000, 4))
    logits[np.arange(2000), labels] += 6
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = labels.copy()
    wrong = generator.permutation(2000)[:100]
    given[wrong] = (labels[wrong] + generator.integers(1, 4, 100)) % 4
    errors = confident_label_errors(probabilities, given)
    found = [error.position for error in errors]
    assert set(found[:90]) <= set(wrong.tolist())
    assert len(set(found) & set(wrong.tolist())) >= 95
    assert all(error.suggestion == labels[error.position] for error in errors[:90])
    margins = [error.given_probability - error.probability for error in errors]
    assert margins == sorted(margins)


@pytest.fixture
def model(tmp_path, coloured_squares):
    """A tiny network with random weights: colours are plain to see for it."""
    torch.manual_seed(0)
    network = create_model("simple_cnn", num_classes=3, in_channels=3)
    file = tmp_path / "model.safetensors"
    bundle = Bundle(
        task="classification",
        network="simple_cnn",
        preprocess=Preprocess(channels=3, size=(32, 32), resize="stretch", mean=(0.5,) * 3, std=(0.25,) * 3),
        classes=("x", "y", "z"),
    )
    save_bundle(file, bundle, network.state_dict())
    return str(file)


def test_swapped_labels_are_found_with_their_pictures(coloured_squares, model):
    moved = {"red/03.png": "blue/wrong.png", "green/07.png": "red/wrong.png"}
    for before, after in moved.items():
        (coloured_squares / before).rename(coloured_squares / after)
    finding = find_label_errors(examine(coloured_squares), model)
    assert finding is not None
    assert finding.kind == "label_errors"
    assert {case.pictures[0].name for case in finding.cases} == set(moved.values())
    assert any(case.remark.startswith("likelier red") for case in finding.cases)


def test_right_labels_are_not_doubted(coloured_squares, model):
    assert find_label_errors(examine(coloured_squares), model) is None


def test_numbers_cannot_be_doubted(coloured_squares, model, tmp_path):
    rows = [f"squares/red/{number:02}.png,{number}" for number in range(20)]
    (tmp_path / "ages.csv").write_text("path,value\n" + "\n".join(rows))
    with pytest.raises(DataError, match="a number for each picture: --model looks for errors where every picture has"):
        find_label_errors(examine(tmp_path / "ages.csv"), model)


def test_a_class_of_one_picture(coloured_squares, model):
    for number in range(1, 20):
        (coloured_squares / "red" / f"{number:02}.png").unlink()
    with pytest.raises(DataError, match="class 'red' has 1 picture: --model needs two of each class"):
        find_label_errors(examine(coloured_squares), model)
