"""Files and modules that documents and docstrings name are still where they say, after others have moved them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "src/**/*.py", "benchmarks/*.py", "examples/*.py", "tests/**/*.py")
    for path in ROOT.glob(pattern)
    if path != Path(__file__)
)
FILE = re.compile(r"\b(?:src|tests|benchmarks|docs|examples)/[\w/.-]+\.(?:py|md)\b")
NAME = re.compile(r"`(hubel(?:\.\w+)+)`")


def is_known(name: str) -> bool:
    """Whether a dotted name is a module, or is spoken of in the module that it begins with."""
    place, parts = ROOT / "src", name.split(".")
    while parts and ((place / parts[0]).is_dir() or (place / f"{parts[0]}.py").is_file()):
        place /= parts.pop(0)
    if not parts:
        return True
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return re.search(rf"\b{parts[0]}\b", module.read_text(encoding="utf-8")) is not None


def lost_in(text: str) -> list[str]:
    files = [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    return files + [name for name in NAME.findall(text) if not is_known(name)]


def test_everything_that_is_named_is_there():
    lost = {path.relative_to(ROOT).as_posix(): lost_in(path.read_text(encoding="utf-8")) for path in TEXTS}
    assert {path: names for path, names in lost.items() if names} == {}


def test_what_is_not_there_is_found():
    text = "See src/hubel/no.py, `hubel.nowhere.decoding` and `hubel.data.decoding.nothing`."
    assert lost_in(text) == ["src/hubel/no.py", "hubel.nowhere.decoding", "hubel.data.decoding.nothing"]
    assert lost_in("`hubel.data.decoding.load_image` in src/hubel/data/decoding/pictures.py") == []
