from __future__ import annotations

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
