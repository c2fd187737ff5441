"""The presets: how much of everything, per task."""

from __future__ import annotations

from typing import Any, Literal, get_args

from hubel.errors import unknown_name

PresetName = Literal["none", "light", "standard", "strong"]
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
_LIKE_CLASSIFICATION = ("multilabel", "regression")
_NONE: dict[str, Any] = {"crop": False, "mirror": 0.0}
# 25 to 100 % of the area: the 8 % of ImageNet recipes loses small objects in small data sets.
_RESIZED_CROP: dict[str, Any] = {"scale": (0.25, 1.0)}
_LIGHT_CHANGES: dict[str, Any] = {"brightness": 0.2, "contrast": 0.2}
_STRONG_CHANGES: dict[str, Any] = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 10.0}
_FIELDS: dict[str, dict[PresetName, dict[str, Any]]] = {
    "classification": {
        "none": _NONE,
        "light": {},
        "standard": {**_RESIZED_CROP, **_LIGHT_CHANGES},
        "strong": {
            **_RESIZED_CROP,
            **_STRONG_CHANGES,
            "share": 0.33,
            "rotate": 15.0,
            "shear": 5.0,
            "outside": "reflect",
            "erase": 0.25,
            "blur": 1.0,
            "noise": 0.03,
        },
    },
    # All of the picture stays in view but for its margins; what would be a reflection of an object is black instead.
    "detection": {
        "none": _NONE,
        "light": {"crop": False},
        "standard": {"crop": False, **_LIGHT_CHANGES, "zoom": 0.25, "translate": 0.1},
        "strong": {"crop": False, **_STRONG_CHANGES, "zoom": 0.5, "translate": 0.1, "rotate": 5.0, "shear": 2.0},
    },
    "segmentation": {
        "none": _NONE,
        "light": {},
        "standard": {**_RESIZED_CROP, **_LIGHT_CHANGES},
        "strong": {
            **_RESIZED_CROP,
            **_STRONG_CHANGES,
            "share": 0.25,
            "rotate": 15.0,
            "elastic": 0.02,
            "outside": "reflect",
            "noise": 0.03,
        },
    },
}


def preset_fields(name: str, task: str) -> dict[str, Any]:
    """What a preset sets of `Augment`; everything else is as by default.

    Several labels a picture, and numbers, have the presets of classification.

    Raises:
        ConfigError: There is no such preset.
    """
    presets = _FIELDS.get("classification" if task in _LIKE_CLASSIFICATION else task)
    if presets is None:
        raise unknown_name("task of augmentation presets", task, [*_FIELDS, *_LIKE_CLASSIFICATION])
    if name not in presets:
        raise unknown_name("augmentation preset", name, presets)
    return presets[name]
