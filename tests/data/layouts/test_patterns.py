from __future__ import annotations

from pathlib import Path

import pytest

from hubel.data.layouts.finding import title_of
from hubel.data.layouts.patterns import expand_braces, is_tar_pattern


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{000..002}.tar", ["a-000.tar", "a-001.tar", "a-002.tar"]),
        ("a-{9..11}.tar", ["a-9.tar", "a-10.tar", "a-11.tar"]),
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("a-{2..0}.tar", ["a-2.tar", "a-1.tar", "a-0.tar"]),
        ("{x,y}/{0..1}.tar", ["x/0.tar", "x/1.tar", "y/0.tar", "y/1.tar"]),
        ("{x-{0..1},y}.tar", ["x-0.tar", "y.tar", "x-1.tar"]),
    ],
)
def test_braces_expand_as_in_a_shell(pattern: str, texts: list[str]):
    assert expand_braces(pattern) == texts


def test_what_is_a_pattern_of_tar_files(tmp_path: Path):
    for text in ("a-{0..9}.tar", "*.tar", "{a,b}/[0-9].TAR", "{a.tar,b.tar}"):
        assert is_tar_pattern(text)
    for text in ("a.tar", "photos", "{a,b}.zip", "*.jpg"):
        assert not is_tar_pattern(text)
    (tmp_path / "odd{1}.tar").touch()
    assert not is_tar_pattern(str(tmp_path / "odd{1}.tar"))


def test_a_run_is_called_after_what_shards_have_in_common():
    texts = ("s/train-{000..099}.tar", "s/*.tar", "s-{0..3}/{a,b}.tar", "in", "train.tar")
    assert [title_of(text) for text in texts] == ["train", "s", "s", "in", "train"]
