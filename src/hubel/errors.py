"""hubel's own errors: each is a mistake the user can mend, told in one line.

The text of every one says what came, what was expected and what to do. The command line prints it without a
traceback and exits with status 2; anything else that escapes is a fault of hubel's and exits with status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HubelError(Exception):
    """A mistake outside hubel that the user can mend; its text is one line."""


class ConfigError(HubelError):
    """A setting, name or option that does not exist or does not fit."""


class DataError(HubelError):
    """A data set, or a picture of it, that cannot be used as it is."""


class WeightsError(HubelError):
    """A weights file or bundle that cannot be read or does not fit the network."""


class TrainingError(HubelError):
    """Training cannot go on: the loss is not a number, the run cannot be resumed, a file cannot be written."""


def cannot_read(path: object, error: OSError) -> DataError:
    """Build the error for a file that the system does not give, with the system's reason."""
    return DataError(f"cannot read {path}: {error.strerror or error}")


def unknown_name(kind: str, name: str, known: Iterable[str], *, see: str = "") -> ConfigError:
    """Build the error for a name that is not among the known ones, with the nearest ones offered.

    Args:
        kind: What the name should have named, such as `"model"`.
        name: What came.
        known: Every name that would have been right.
        see: How to list all of them, such as `"hubel models list"`; without it, and with no name near, all are told.
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.65)
    hints = [f"did you mean {' or '.join(nearest)}?"] if nearest else []
    if see:
        hints.append(f"`{see}` lists all")
    elif not nearest:
        hints.append(f"known: {', '.join(names)}")
    return ConfigError(f"unknown {kind} '{name}': {' '.join(hints)}")
