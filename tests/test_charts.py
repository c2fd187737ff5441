from pathlib import Path

import pytest
from matplotlib.figure import Figure

from hubel.charts import check_chart_name, svg_of, write_chart
from hubel.errors import ConfigError

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".PDF": b"%PDF"}


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2])
    return drawn


@pytest.mark.parametrize("suffix", STARTS)
def test_the_names_ending_tells_the_format(tmp_path: Path, suffix: str) -> None:
    write_chart(figure(), tmp_path / f"chart{suffix}")
    content = (tmp_path / f"chart{suffix}").read_bytes()
    assert content.startswith(STARTS[suffix])
    assert b"Date" not in content


def test_other_names_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'chart\.gif' came for a picture: expected a name that ends in \.png, "):
        check_chart_name(Path("chart.gif"))


def test_an_svg_element_stands_alone() -> None:
    text = svg_of(figure())
    assert text.startswith("<svg")
    assert text.rstrip().endswith("</svg>")
