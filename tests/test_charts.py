from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from hubel.charts import check_chart_name, svg_of, write_chart
from hubel.errors import ConfigError

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".PDF": b"%PDF"}


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2], marker="o")
    return drawn


@pytest.mark.parametrize("suffix", STARTS)
def test_the_names_ending_tells_the_format(tmp_path: Path, suffix: str) -> None:
    write_chart(figure(), tmp_path / f"chart{suffix}")
    content = (tmp_path / f"chart{suffix}").read_bytes()
    assert content.startswith(STARTS[suffix])
    assert b"Date" not in content


@pytest.mark.parametrize("suffix", STARTS)
def test_the_same_figure_has_the_same_bytes_and_no_version(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in ("first", "second")]
    for file in files:
        write_chart(figure(), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert matplotlib.__version__.encode() not in files[0].read_bytes()


def test_other_names_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'chart\.gif' came for a picture: expected a name that ends in \.png, "):
        check_chart_name(Path("chart.gif"))


def test_an_svg_element_stands_alone() -> None:
    text = svg_of(figure())
    assert text.startswith("<svg")
    assert text.rstrip().endswith("</svg>")
