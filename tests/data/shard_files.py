"""Writes tar shards as WebDataset does: members that belong together have a key in common."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (12, 10), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes | str | dict | list]) -> Path:
    """A tar file with these members; texts are encoded, dictionaries and lists become JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, value in members.items():
            content = json.dumps(value) if isinstance(value, (dict, list)) else value
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_shards(
    folder: Path,
    split: str = "train",
    *,
    shards: int = 3,
    pictures: int = 8,
    first: int = 0,
    size: tuple[int, int] = (12, 10),
) -> list[Path]:
    """Shards of different pictures, of the classes 0 and 1 in turn."""
    paths, number = [], first
    for shard in range(shards):
        members: dict[str, bytes | str] = {}
        for _ in range(pictures):
            members[f"{number:06}.png"] = picture(number, size)
            members[f"{number:06}.cls"] = str(number % 2)
            number += 1
        paths.append(write_tar(folder / f"{split}-{shard:06}.tar", members))
    return paths
