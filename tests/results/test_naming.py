"""How figures and counts are written."""

from __future__ import annotations

import pytest

from hubel.results.naming import counted, some


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "picture", "0 pictures"),
        (1, "picture", "1 picture"),
        (1234, "drawn picture", "1,234 drawn pictures"),
        (1, "box", "1 box"),
        (2, "box", "2 boxes"),
        (3, "class", "3 classes"),
    ],
)
def test_counts_agree_with_their_nouns(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_of_many_names_the_first_are_told() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(list("abcde")) == "a, b, c, d, e"
    assert some(list("abcdef")) == "a, b, c, d, e and 1 more"
    assert some(["x"] * 2003, 3) == "x, x, x and 2,000 more"
