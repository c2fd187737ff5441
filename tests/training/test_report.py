from __future__ import annotations

import re

import pytest

from hubel.training.charts import draw_curves
from hubel.training.report import _tile


def test_what_is_said_below_a_figure():
    figures = {"mean_iou": 0.5, "mean_iou_ci95": [0.25, 0.75], "mean_dice": 0.6}
    assert _tile("test", "mean_iou", figures, "5 pictures", "always 'sky': 0.2") == (
        "test mean IoU",
        "0.5000",
        "95 % interval 0.250 to 0.750; 5 pictures; always 'sky': 0.2",
    )
    assert _tile("test", "mean_dice", figures, "1 picture", "of one") == (
        "test mean Dice",
        "0.6000",
        "1 picture; of one",
    )
    assert _tile("test", "mean_dice", figures) == ("test mean Dice", "0.6000", "")


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_epochs_are_whole_numbers(epochs: int):
    row = {
        "train_loss": 1.0,
        "validation_loss": 1.1,
        "train_accuracy": 0.5,
        "validation_accuracy": 0.4,
        "learning_rate": 0.001,
    }
    drawn = draw_curves([{"epoch": epoch, "phase": "scratch", **row} for epoch in range(1, epochs + 1)], 1)["Loss"]
    along = drawn[: drawn.index(">epoch</text>")]  # the axis of epochs is drawn first
    assert re.findall(r">([\d.]+)</text>", along) == [str(epoch) for epoch in range(1, epochs + 1)]
