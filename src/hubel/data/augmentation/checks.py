"""What the settings of augmentation may be; every mistake is told in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from hubel.data.augmentation.policies import MAGNITUDES, OPERATIONS, PolicyName
from hubel.errors import ConfigError, unknown_name

_SHARES = (
    "mirror",
    "flip",
    "turn",
    "mosaic",
    "share",
    "translate",
    "brightness",
    "contrast",
    "saturation",
    "erase",
    "noise",
)
# Least and greatest value, and what it counts.
_RANGES: dict[str, tuple[float, float, str]] = {
    "rotate": (0, 180, "degrees"),
    "hue": (0, 180, "degrees"),
    "shear": (0, 60, "degrees"),
    "zoom": (0, 3, "as a relative change"),
    "elastic": (0, 0.5, "as a share of the side"),
    "elastic_smoothness": (0.02, 1, "as a share of the side"),
    "pca": (0, 1, "as a standard deviation"),
    "blur": (0, 20, "pixels"),
    "operations": (1, 14, "for each picture"),
    "magnitude": (0, MAGNITUDES - 1, "as a strength"),
}
# Steeper fields bring points past each other: the picture folds.
_STEEPEST_FIELD = 0.4


def check_fields(values: Mapping[str, Any]) -> None:
    """Check the fields of `Augment`.

    Raises:
        ConfigError: A field is outside its range, or two exclude each other.
    """
    for name in _SHARES:
        if not 0 <= values[name] <= 1:
            raise ConfigError(f"augment.{name} is {values[name]}: expected a number from 0 to 1")
    for name, (least, greatest, unit) in _RANGES.items():
        if not least <= values[name] <= greatest:
            raise ConfigError(f"augment.{name} is {values[name]}: expected {least} to {greatest} {unit}")
    for name, what in (("scale", "shares of the area"), ("erase_area", "shares of the area")):
        pair = values[name]
        if pair is not None and not 0 < pair[0] <= pair[1] <= 1:
            raise ConfigError(f"augment.{name} is {pair}: expected two {what}, 0 < least <= greatest <= 1")
    ratio, pad = values["ratio"], values["pad"]
    if not 0 < ratio[0] <= ratio[1]:
        raise ConfigError(f"augment.ratio is {ratio}: expected two aspect ratios, 0 < least <= greatest")
    if pad is not None and pad < 0:
        raise ConfigError(f"augment.pad is {pad}: expected 0 or more pixels")
    if pad is not None and values["scale"] is not None:
        raise ConfigError("augment.pad and augment.scale exclude each other: a resized crop needs no padding")
    _check_elastic(values["elastic"], values["elastic_smoothness"])
    _check_names(values["outside"], values["policy"], values["excluded"])


def _check_elastic(strength: float, smoothness: float) -> None:
    if strength > _STEEPEST_FIELD * smoothness:
        raise ConfigError(
            f"augment.elastic is {strength}, augment.elastic_smoothness {smoothness}: pictures would fold; expected "
            f"at most {_STEEPEST_FIELD * smoothness:.3g}, or a smoother field"
        )


def _check_names(outside: str, policy: str | None, excluded: tuple[str, ...]) -> None:
    if outside not in ("black", "reflect"):
        raise unknown_name("value of augment.outside", outside, ("black", "reflect"))
    if policy is not None and policy not in get_args(PolicyName):
        raise unknown_name("augmentation policy", policy, get_args(PolicyName))
    for name in excluded:
        if name not in OPERATIONS:
            raise unknown_name("operation in augment.excluded", name, OPERATIONS)
    if set(OPERATIONS) <= set(excluded):
        raise ConfigError("augment.excluded has every operation: a policy needs at least one")
