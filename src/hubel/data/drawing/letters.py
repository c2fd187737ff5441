"""The font of all that is written on pictures: file names, and classes in whatever language they are called."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=32)
def font_of(size: int) -> Font:
    """DejaVu Sans of a size in pixels, which has the letters of most languages; Pillow's own has ASCII alone.

    It comes with matplotlib, which is not imported for it.
    """
    spec = importlib.util.find_spec("matplotlib")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    for folder in folders:
        if (file := Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf").is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)
