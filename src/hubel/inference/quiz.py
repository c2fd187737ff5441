"""A page that shows pictures one by one and asks: real or generated? It keeps score."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from hubel.pages import render_page

Pixels = npt.NDArray[np.uint8]


def quiz_page(real: Sequence[Pixels], generated: Sequence[Pixels], *, title: str, seed: int = 0) -> str:
    """The page as HTML that needs nothing beside it.

    Args:
        real: Pictures of one size, uint8 (H, W, C).
        generated: As many generated ones, of the same size.
        title: What they are of.
        seed: Of their order.
    """
    entries = [(_address(picture), True) for picture in real] + [(_address(picture), False) for picture in generated]
    order = np.random.default_rng(seed).permutation(len(entries)).tolist()
    questions = [{"picture": entries[at][0], "real": entries[at][1]} for at in order]
    return render_page("hubel.inference", "quiz.html.j2", title=title, questions=questions)


def _address(picture: Pixels) -> str:
    """A picture as a `data:` address, without loss: an artefact of JPEG would give the real ones away."""
    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
