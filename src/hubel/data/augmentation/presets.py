"""The presets: how much of everything, per task."""

from __future__ import annotations

from typing import Any, Literal, get_args

from hubel.errors import unknown_name

PresetName = Literal["none", "light", "standard", "strong"]
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
# Tasks with the presets of another one.
_LIKE = {"multilabel": "classification", "regression": "classification"}
_NONE: dict[str, Any] = {"crop": False, "mirror": 0.0}
# 25 to 100 % of the area: the 8 % of ImageNet recipes loses small objects in small data sets.
_RESIZED_CROP: dict[str, Any] = {"scale": (0.25, 1.0)}
_LIGHT_CHANGES: dict[str, Any] = {"brightness": 0.2, "contrast": 0.2}
_STRONG_CHANGES: dict[str, Any] = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 10.0}
_WHOLE: dict[str, Any] = {"crop": False, "keep_boxes": True}
_ANY_WAY_UP: dict[str, Any] = {"flip": 0.5, "turn": 0.5}
_NO_LABELS: dict[PresetName, dict[str, Any]] = {
    "none": _NONE,
    "light": {"crop": False},
    "standard": {"crop": False, "zoom": 0.1, "translate": 0.05, "outside": "reflect"},
    "strong": {"crop": False, **_LIGHT_CHANGES, "zoom": 0.25, "translate": 0.1, "outside": "reflect"},
}
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
    # What would be a reflection of an object is black instead.
    "detection": {
        "none": _NONE,
        "light": {"crop": False},
        "standard": {"crop": False, **_LIGHT_CHANGES, "zoom": 0.5, "translate": 0.1, "mosaic": 0.5},
        "strong": {
            "crop": False,
            **_STRONG_CHANGES,
            **{"zoom": 1.0, "translate": 0.15, "rotate": 5.0, "shear": 2.0, "mosaic": 1.0},
        },
    },
    # The one object is never cut.
    "localization": {
        "none": _NONE,
        "light": _WHOLE,
        "standard": {**_WHOLE, **_LIGHT_CHANGES, "zoom": 0.25, "translate": 0.1},
        "strong": {**_WHOLE, **_STRONG_CHANGES, "zoom": 0.5, "translate": 0.2, "rotate": 5.0, "shear": 2.0},
    },
    # What a network is to draw again, or to draw by itself, should look like the pictures that there are.
    "reconstruction": _NO_LABELS,
    "generation": _NO_LABELS,
    # A crop anywhere, at the scale at which the pictures are judged.
    "segmentation": {
        "none": _NONE,
        "light": {},
        "standard": {**_LIGHT_CHANGES, **_ANY_WAY_UP, "zoom": 0.25, "rotate": 10.0, "share": 0.5, "outside": "reflect"},
        "strong": {
            **_STRONG_CHANGES,
            **_ANY_WAY_UP,
            **{"share": 0.5, "zoom": 0.5, "rotate": 15.0, "shear": 5.0, "elastic": 0.02, "noise": 0.03, "blur": 1.0},
            "outside": "reflect",
        },
    },
}


def preset_fields(name: str, task: str) -> dict[str, Any]:
    """What a preset sets of `Augment`; everything else is as by default.

    Several labels a picture, and numbers, have the presets of classification.

    Raises:
        ConfigError: There is no such preset.
    """
    presets = _FIELDS.get(_LIKE.get(task, task))
    if presets is None:
        raise unknown_name("task of augmentation presets", task, [*_FIELDS, *_LIKE])
    if name not in presets:
        raise unknown_name("augmentation preset", name, presets)
    return presets[name]
