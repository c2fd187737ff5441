"""Charts as files: the look that they share, the names that they may have, the same bytes for the same figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubel.errors import ConfigError
from hubel.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of matplotlib's settings.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "svg.hashsalt": "hubel",  # the same curves give the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "grid.color": "#e5e7eb",
    "lines.linewidth": 1.8,
}

_SUFFIXES = (".png", ".svg", ".pdf")

# No dates and no versions in the files.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def check_chart_name(path: Path) -> None:
    """Make sure that a chart can be written under this name.

    Raises:
        ConfigError: Its ending names no format of pictures.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"'{path}' came for a picture: expected a name that ends in .png, .svg or .pdf")


def write_chart(figure: Figure, path: Path, *, dpi: float = 150) -> None:
    """Write a figure, whole or not at all; the name's ending tells the format.

    Args:
        figure: What is drawn.
        path: The file.
        dpi: Pixels an inch, where they are pixels.

    Raises:
        ConfigError: The name's ending names no format of pictures.
        HubelError: The file cannot be written.
    """
    import matplotlib as mpl

    check_chart_name(path)
    kind = path.suffix.lower().removeprefix(".")
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": STYLE["svg.hashsalt"]}):  # whatever the figure was drawn with
        figure.savefig(content, format=kind, dpi=dpi, metadata=_METADATA[kind])
    write_whole(path, content.getvalue())


def svg_of(figure: Figure) -> str:
    """A figure as an SVG element for a page, transparent, in the page's font."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=_METADATA["svg"], transparent=True)
    _, opening, rest = text.getvalue().partition("<svg")
    return opening + rest
