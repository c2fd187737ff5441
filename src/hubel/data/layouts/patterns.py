"""Names of several files at once: braces as a shell has them, and wildcards."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from hubel.files import expanded

_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(-?\d+)\.\.(-?\d+)")


def is_tar_pattern(data: str) -> bool:
    """Whether a text names tar files by braces or wildcards."""
    named = data.lower().endswith((".tar", "}")) and (bool(_BRACES.search(data)) or glob.has_magic(data))
    return named and not expanded(data).exists()


def title_of_pattern(pattern: str) -> str:
    """What files have in common, such as `train` for `shards/train-{000..099}.tar`; else the name of their folder."""
    path = Path(pattern)
    common = re.split(r"[{*?\[]", path.name)[0].rstrip("-_. ")
    return common or re.split(r"[{*?\[]", path.parent.name)[0].rstrip("-_. ")


def expand_braces(pattern: str) -> list[str]:
    """The texts that a pattern with braces stands for, as a shell has it: `{a,b}` and `{000..099}`, also nested."""
    innermost = _BRACES.search(pattern)
    if innermost is None:
        return [pattern]
    content = innermost[1]
    if numbers := _NUMBERS.fullmatch(content):
        first, last = int(numbers[1]), int(numbers[2])
        padded = any(text.lstrip("-").startswith("0") and len(text.lstrip("-")) > 1 for text in numbers.groups())
        width = max(map(len, numbers.groups())) if padded else 0
        step = 1 if last >= first else -1
        parts = [f"{number:0{width}d}" for number in range(first, last + step, step)]
    else:
        parts = content.split(",")
    expanded = (innermost.string[: innermost.start()] + part + pattern[innermost.end() :] for part in parts)
    return list(dict.fromkeys(text for part in expanded for text in expand_braces(part)))
