"""The pictures of the field."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from tests.models.facts import FACTS

from hubel.errors import ConfigError
from hubel.evaluation import charts
from hubel.evaluation.comparison import Accuracy, ComparedNetwork, compare, published_accuracy
from hubel.evaluation.label_places import Box
from hubel.models import list_models


@pytest.fixture(scope="module")
def networks() -> list[ComparedNetwork]:
    """All for ImageNet and the small ones, with the figures that a picture shows."""
    names = [name for name in list_models("classification") if not name.endswith("cifar")]
    like = compare(["lenet5"])[0]
    return [
        replace(
            like,
            name=name,
            parameters=FACTS[name].parameters,
            macs_as_published=FACTS[name].macs,
            accuracy=published_accuracy(name),
        )
        for name in names
    ]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """The figures that are saved."""
    kept: list = []
    write = charts.write_chart
    monkeypatch.setattr(
        charts, "write_chart", lambda figure, path, dpi: (kept.append(figure), write(figure, path, dpi=dpi))
    )
    return kept


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_every_kind_of_file(suffix: str, networks: list[ComparedNetwork], tmp_path: Path):
    path = tmp_path / f"new folder/picture{suffix}"
    charts.draw_accuracy_over_operations(networks[:3], path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()]
    assert path.read_bytes().startswith(start)


def test_the_same_figures_give_the_same_bytes(networks: list[ComparedNetwork], tmp_path: Path):
    for name in ("one.svg", "two.svg"):
        charts.draw_accuracy_over_operations(networks[:4], tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_discs_lie_where_the_figures_say_and_areas_are_parameters(
    networks: list[ComparedNetwork], figures: list, tmp_path: Path
):
    charts.draw_accuracy_over_operations(networks, tmp_path / "picture.png")
    axes = figures[0].axes[0]
    discs = {tuple(c.get_offsets()[0]): c.get_sizes()[0] for c in axes.collections if c.get_sizes()[0] > 3}
    drawn = [n for n in networks if n.accuracy and n.accuracy.top1]
    assert len(drawn) > 20
    assert set(discs) == {(n.macs_as_published / 1e9, n.accuracy.top1) for n in drawn}
    for network in drawn:
        # matplotlib's size of a marker is its diameter squared
        area = math.pi / 4 * discs[network.macs_as_published / 1e9, network.accuracy.top1]
        assert area == pytest.approx(charts._AREA_PER_MILLION * network.parameters / 1e6)
    assert "MACs" in axes.get_xlabel()
    assert "%" in axes.get_ylabel()


def test_no_label_lies_on_another(
    networks: list[ComparedNetwork], monkeypatch: pytest.MonkeyPatch, figures: list, tmp_path: Path
):
    placed: list[Box] = []
    place_labels = charts.place_labels
    monkeypatch.setattr(charts, "place_labels", lambda *given: placed.extend(place_labels(*given)) or placed)
    charts.draw_accuracy_over_operations(networks, tmp_path / "picture.png")
    assert len(placed) > 20
    assert all(one.overlap(other) < 1 for one, other in combinations(placed, 2))
    texts = [text for text in figures[0].axes[0].texts if text.get_text() in {network.name for network in networks}]
    assert len(texts) == len(placed)
    boxes = [text.get_window_extent() for text in texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_networks_without_a_published_accuracy_are_told(networks: list[ComparedNetwork], tmp_path: Path):
    left_out = charts.draw_accuracy_over_operations(networks, tmp_path / "picture.png")
    assert {"lenet5", "simple_cnn", "nin", "googlenet"} <= set(left_out)
    lenet = [network for network in networks if network.name == "lenet5"]
    with pytest.raises(ConfigError, match="no published top-1 accuracy on ImageNet for lenet5: nothing to draw"):
        charts.draw_accuracy_over_operations(lenet, tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()


def test_one_network_is_a_picture_too(networks: list[ComparedNetwork], figures: list, tmp_path: Path):
    one = replace(networks[0], name="timm/its_own", accuracy=Accuracy(50.0, None, "somewhere", is_papers=False))
    assert charts.draw_accuracy_over_operations([one], tmp_path / "picture.png") == []
    assert "its_own" in [text.get_text() for text in figures[0].axes[0].texts]


def test_depth_by_year(figures: list, tmp_path: Path):
    charts.draw_depth_by_year(tmp_path / "depth.svg")
    above, below = figures[0].axes
    # row by row: LeNet-5, AlexNet, Clarifai, VGG-16, VGG-19, GoogLeNet, ResNet-152
    assert [bar.get_height() for bar in above.patches] == [5, 8, 8, 16, 19, 22, 152]
    # from NEC-UIUC 2010 to ResNet 2015
    assert [bar.get_height() for bar in below.patches] == [28.2, 25.8, 15.3, 11.7, 7.3, 6.67, 3.57]
    assert 5.1 in below.lines[0].get_ydata()


@pytest.mark.parametrize("name", ["picture.gif", "picture", "picture.svg.txt"])
def test_other_endings_are_said(name: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.png, \.svg or \.pdf"):
        charts.draw_depth_by_year(tmp_path / name)
