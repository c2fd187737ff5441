"""How printed figures are read, and that every network has some."""

from __future__ import annotations

import re

import pytest

from hubel.models import list_models, model_entry
from hubel.models.published import FIGURES, HUMAN_TOP5_ERROR, ILSVRC_RESULTS, PublishedFigure, figures_of


def figure(printed: str, **fields: str) -> PublishedFigure:
    return PublishedFigure(network="resnet18", quantity="MACs", printed=printed, source="a test", **fields)


@pytest.mark.parametrize(
    ("printed", "value", "agreeing", "disagreeing"),
    [
        ("60,965,224", 60_965_224, [60_965_224], [60_965_223, 60_965_225]),
        ("6.8 M", 6_800_000, [6_750_000, 6_849_999], [6_749_999, 6_850_001]),
        ("15.47 G", 15_470_000_000, [15_470_264_320], [15_480_000_000]),
        ("380 K", 380_000, [379_500, 380_499], [388_736]),
        ("< 25 M", 25_000_000, [23_834_568, 24_999_999], [25_000_000]),
        ("3.57 %", 3.57, [], []),
    ],
)
def test_printed_figures_are_read_to_their_last_digit(
    printed: str, value: float, agreeing: list[int], disagreeing: list[int]
):
    published = figure(printed)
    assert published.value == value
    assert all(published.agrees(number) for number in agreeing)
    assert not any(published.agrees(number) for number in disagreeing)


def test_a_figure_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="'about six' came: expected a number such as '60,965,224'"):
        figure("about six")


def test_every_network_has_published_figures_and_no_other_name_has():
    assert {figure.network for figure in FIGURES} == set(list_models("classification"))


@pytest.mark.parametrize("name", list_models("classification"))
def test_figures_can_be_traced(name: str):
    known = model_entry(name).arguments
    assert known is not None
    for published in figures_of(name):
        assert re.search(
            r"arXiv:\d{4}\.\d{5}|arXiv:\d{4}\.\d{4}|doi:|Géron|closed formula|torchvision|timm|keras.io|CS231n|"
            r"github.com|often printed",
            published.source,
        ), published
        assert set(published.arguments) <= set(known), published
        assert bool(published.conditions) == published.quoted, published


def test_no_figure_is_listed_twice():
    keys = [
        (f.network, f.quantity, f.part, f.printed, f.source, f.conditions, repr(sorted(f.arguments.items())))
        for f in FIGURES
    ]
    assert len(keys) == len(set(keys))


def test_ilsvrc_results_are_in_order_and_end_below_the_human():
    years = [result.year for result in ILSVRC_RESULTS]
    assert years == sorted(years)
    assert set(years) == set(range(2010, 2016))
    winners = [result.top5_error for result in ILSVRC_RESULTS if result.place == 1]
    assert winners == sorted(winners, reverse=True)
    assert winners[-1] < HUMAN_TOP5_ERROR < winners[-2]
