"""Settings out of files and texts, and what is wrong with them in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from hubel.config.settings import Settings
from hubel.errors import ConfigError, unknown_name


def parse_settings(assignments: list[str]) -> dict[str, Any]:
    """Nested values from `key.key=value` texts; each value is read as YAML (`0.1`, `true`, `[0.3, 1]`, `null`).

    Raises:
        ConfigError: A text without `=`, or a value that is not YAML.
    """
    nested: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"setting '{text}' has no value: expected key=value, such as data.size=160")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"the value of setting '{text}' cannot be read: expected a number, a word or a list"
            ) from error
        *parents, last = key.strip().split(".")
        group = nested
        for parent in parents:
            group = group.setdefault(parent, {})
            if not isinstance(group, dict):
                raise ConfigError(f"setting '{key}' gives a value inside another value, '{parent}'")
        group[last] = parsed
    return nested


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The nested values of `base` with those of `changes` laid over them."""
    merged = dict(base)
    for key, value in changes.items():
        both_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_nested else value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a configuration file.

    Raises:
        ConfigError: The file is missing, is not YAML, or holds something else than values with names.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no configuration: expected `name: value` lines, such as a run's config.yaml")
    return values


def in_one_line(error: ValidationError, group: type[Settings], where: str) -> ConfigError:
    """The first thing that pydantic found wrong (unknown fields before all else), told as hubel tells errors.

    Args:
        error: What it raised.
        group: The settings that it was to validate.
        where: What they came from.
    """
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    location = [part for part in first["loc"] if not isinstance(part, int)]
    field = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        *parents, _ = location
        for parent in parents:
            group = next(_groups(group.model_fields[str(parent)].annotation))
        prefix = "".join(f"{parent}." for parent in parents)
        return unknown_name("setting", field, [prefix + name for name in group.model_fields])
    message = first["msg"].removeprefix("Value error, ")
    given = f"{field} is {first['input']!r}: " if field and first["type"] != "missing" else f"{field}: " * bool(field)
    return ConfigError(f"{where}: {given}{message[:1].lower()}{message[1:]}")


def _groups(annotation: Any) -> Iterator[type[Settings]]:
    """The groups of settings in a field's type, such as `DataConfig` or `tuple[Phase, ...] | None`."""
    if parts := get_args(annotation):
        for part in parts:
            yield from _groups(part)
    elif isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
