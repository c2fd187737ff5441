"""From the settings of a run to its augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hubel.config import AugmentConfig
from hubel.data.augmentation.augment import Augment
from hubel.data.augmentation.label_keeping import Doubt, doubts

# Below this side of the network's input nobody resizes crops: every pixel counts.
_SMALLEST_RESIZED = 64

_OFF: dict[str, Any] = {"scale": None}
_CALLED = {
    "mirror": "mirror images",
    "flip": "upside-down images",
    "turn": "quarter turns",
    "rotate": "rotation",
    "scale": "resized crops",
    "zoom": "zoom",
    "hue": "change of hue",
    "pca": "change of colour",
}
# A policy comes with crops and mirror images only: it does itself what else a preset does.
_WITHOUT_MORE: dict[str, Any] = dict.fromkeys(
    (
        *(
            "turn",
            "rotate",
            "zoom",
            "shear",
            "translate",
            "elastic",
            "brightness",
            "contrast",
            "saturation",
            "hue",
            "erase",
        ),
        *("blur", "noise"),
    ),
    0.0,
)


def augment_of(
    settings: AugmentConfig, classes: Sequence[str], size: tuple[int, int], task: str = "classification"
) -> tuple[Augment, list[str]]:
    """The augmentation that settings describe; what they leave open follows from the input's size and the classes.

    Args:
        settings: What is None is the preset's.
        classes: Names of the classes; what these speak against is off unless it is set.
        size: Height and width of the network's input.
        task: What is learnt: it has presets of its own.

    Returns:
        The augmentation, and a line for everything that is off because of the names of the classes.

    Raises:
        ConfigError: The settings do not fit together.
    """
    fields = settings.model_dump(exclude={"preset", "mixup", "cutmix"}, exclude_none=True)
    preset = Augment.preset(settings.preset or ("light" if max(size) < _SMALLEST_RESIZED else "standard"), task)
    if settings.policy is not None:
        preset = replace(preset, **_WITHOUT_MORE)
    augment = replace(preset, **fields)
    notes = []
    # Classes of masks without a legend are called after their values: they are no digits that somebody wrote.
    unnamed = task == "segmentation" and all(name.isdecimal() for name in classes)
    for doubt in doubts(() if unnamed else classes):
        off = {name: _OFF.get(name, 0.0) for name in doubt.fields if name not in fields}
        off = {name: value for name, value in off.items() if getattr(augment, name) not in (None, 0)}
        never: tuple[str, ...] = ()
        if augment.policy is not None and settings.excluded is None:
            never = tuple(name for name in doubt.operations if name not in augment.excluded)
        if off or never:
            notes.append(_note(doubt, augment, tuple(off), never))
            augment = replace(augment, **off, excluded=(*augment.excluded, *never))
    return augment, notes


def _note(doubt: Doubt, augment: Augment, off: tuple[str, ...], never: tuple[str, ...]) -> str:
    """What is off, why, and how to have it anyway."""
    told = [f"no {_CALLED.get(name, f'change of {name}')}" for name in off]
    settings = [f"--set augment.{name}={_written(getattr(augment, name))}" for name in off]
    if never:
        told.append(f"the policy does without {', '.join(never)}")
        settings.append("--set augment.excluded=[]")
    return f"{doubt.because}: {', '.join(told)} (to have it: {' '.join(settings)})"


def _written(value: float | tuple[float, float]) -> str:
    return f"{value:g}" if not isinstance(value, tuple) else f"[{value[0]:g},{value[1]:g}]"
