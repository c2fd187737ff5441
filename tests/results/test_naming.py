"""How figures and counts are written."""

from __future__ import annotations

import pytest

from hubel.results.naming import counted


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
