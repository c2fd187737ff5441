"""How figures are called and written for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The figures that a user reads, the headline of its task first; by their names in JSON.
TITLES = {
    "accuracy": "accuracy",
    "top5_accuracy": "top-5",
    "mean_average_precision": "mean average precision",
    "map50": "mAP at IoU 0.5",
    "map": "mAP at IoU 0.5 to 0.95",
    "map75": "mAP at IoU 0.75",
    "recall100": "recall with 100 reports",
    "localization_accuracy": "class and box right",
    "mean_iou": "mean IoU",
    "mean_dice": "mean Dice",
    "pixel_accuracy": "pixel accuracy",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "r2": "R²",
    "subset_accuracy": "subset accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "roc_auc": "ROC AUC",
    "box_loss": "box loss",
    "discriminator_accuracy": "told by the discriminator",
    "generator_loss": "generator's loss",
    "diversity": "diversity",
    "restored_psnr": "PSNR of noisy pictures, restored, in dB",
    "noisy_psnr": "PSNR of noisy pictures in dB",
    "elbo": "ELBO in nats",
    "importance_weighted_bound": "importance-weighted bound",
    "bits_per_dimension": "bits per dimension",
    "psnr": "PSNR in dB",
    "mean_picture_psnr": "PSNR of the mean picture in dB",
    "ssim": "SSIM",
    "mean_squared_error": "mean squared error",
    "loss": "loss",
}
HEADLINES = (
    "localization_accuracy",
    "accuracy",
    "mean_average_precision",
    "map50",
    "mean_iou",
    "mae",
    "restored_psnr",
    "elbo",
    "psnr",
)
# The less, the better; the others are better the greater they are.
ERRORS = ("mae", "rmse", "bits_per_dimension", "mean_squared_error")
_HUGE = 1e15  # from here on, powers of ten read better
_SHARES = ("accuracy", "top5_accuracy", "subset_accuracy", "localization_accuracy", "pixel_accuracy")


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def counted(number: int, noun: str) -> str:
    """`1 picture`, `1,234 pictures`, `2 boxes`."""
    plural = f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def some(names: Sequence[str], shown: int = 5) -> str:
    """`a, b, c`; of many names the first ones, and how many there are beside: `a, b, c, d, e and 1,234 more`."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def number_text(value: float, digits: int = 4, *, sign: str = "") -> str:
    """A number in the units of the data to some digits: `26.11`, `0.00123`, and whole where it is large: `12,346`.

    Args:
        value: It.
        digits: How many count.
        sign: `"+"` for a sign in any case.
    """
    text = f"{value:{sign}.{digits}g}"
    return f"{value:{sign},.0f}" if "e+" in text and abs(value) < _HUGE else text


def figure_text(name: str, value: float | None, ci95: Sequence[float] | None = None) -> str:
    """`91.40 % (95 % interval 88.1 to 93.9)`, `0.9140 (95 % interval 0.881 to 0.939)`, `3.141 (...)` or `–`."""
    if value is None:
        return "–"
    if name in _SHARES:
        text = f"{100 * value:.2f} %"
        return text if ci95 is None else f"{text} (95 % interval {100 * ci95[0]:.1f} to {100 * ci95[1]:.1f})"
    if name in ERRORS:
        text = number_text(value)
        return (
            text if ci95 is None else f"{text} (95 % interval {number_text(ci95[0], 3)} to {number_text(ci95[1], 3)})"
        )
    return f"{value:.4f}" if ci95 is None else f"{value:.4f} (95 % interval {ci95[0]:.3f} to {ci95[1]:.3f})"


def headline(figures: Mapping[str, Any]) -> str:
    """The headline of some figures, named as in JSON: `accuracy 91.40 % (95 % interval 88.1 to 93.9)`."""
    name = headline_name(figures)
    return f"{TITLES[name]} {figure_text(name, figures[name], figures.get(f'{name}_ci95'))}"


def headline_name(figures: Mapping[str, Any]) -> str:
    """Which of some figures is the headline."""
    return next(name for name in HEADLINES if name in figures)
