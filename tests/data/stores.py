"""Stores of small pictures: what their tests begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hubel.data.collecting import labelled_splits
from hubel.data.decoded.pixels import Decoding, Pixels
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.layouts.finding import find_source
from hubel.data.sources import Sample
from hubel.preprocessing import Preprocess

SMALL = Preprocess(size=(8, 8), resize_to=9)
PLENTY = 10**8


def samples_of(root: Path) -> tuple[Sample, ...]:
    return labelled_splits(find_source(root), sorted(folder.name for folder in root.iterdir()))[0][None]


def prepare(samples: Sequence[Sample], preprocess: Preprocess = SMALL, **options: Any) -> PictureStore:
    settings: dict[str, Any] = {
        "classes": ["cat", "dog"],
        "purpose": "training",
        "cache_bytes": PLENTY,
        **options,
    }
    return prepare_store(samples, preprocess, **settings)


def decoded(source: Sample | Path) -> Pixels:
    """A picture as a store of these has it, without any store."""
    return Decoding(SMALL, "training").picture(source)


def files_in(cache: Path) -> list[Path]:
    return sorted((cache / "pictures").iterdir()) if (cache / "pictures").is_dir() else []
