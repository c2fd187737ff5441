from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from hubel.data.files.cache import MappedBytes, lock, make_room, mark_used, writing


def fill(folder: Path, **sizes: int) -> None:
    """Files of some sizes in bytes, each used a second later than the one before."""
    for used, (name, size) in enumerate(sizes.items()):
        (folder / name).write_bytes(bytes(size))
        os.utime(folder / name, (used, used))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_least_recently_used_files_make_room(tmp_path):
    fill(tmp_path, a=10, b=10, c=10)
    mark_used(tmp_path / "a")
    assert make_room(tmp_path, 5, 30) == 10
    assert names_in(tmp_path) == {"a", "c"}
    assert make_room(tmp_path, 10, 30) == 10
    assert names_in(tmp_path) == {"a", "c"}


def test_files_in_use_stay(tmp_path):
    fill(tmp_path, a=10, b=10, c=10)
    held = MappedBytes(tmp_path / "a")
    assert make_room(tmp_path, 20, 30) == 20
    assert names_in(tmp_path) == {"a"}
    assert held.read(2, 3).tolist() == [0, 0, 0]
    assert held.read(8, 3) is None


def test_nothing_is_deleted_in_vain(tmp_path):
    fill(tmp_path, a=10, b=10)
    assert make_room(tmp_path, 31, 30) == 10
    assert names_in(tmp_path) == {"a", "b"}
    assert make_room(tmp_path / "none", 10, 30) == 30


def test_what_is_half_written_goes_unless_somebody_writes_it(tmp_path):
    with writing(tmp_path / "new" / "a.pack") as (temporary, file):
        file.write(b"abc")
        left = temporary.with_name("killed.tmp")
        left.write_bytes(b"ab")
        make_room(temporary.parent, 0, 100)
        assert names_in(temporary.parent) == {temporary.name}
        with temporary.open("rb") as other:
            assert not lock(other, exclusive=False)
    assert names_in(tmp_path / "new") == {"a.pack"}
    assert (tmp_path / "new" / "a.pack").read_bytes() == b"abc"


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "a.pack").write_bytes(b"old")

    def fail() -> None:
        with writing(tmp_path / "a.pack") as (_, file):
            file.write(b"new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert names_in(tmp_path) == {"a.pack"}
    assert (tmp_path / "a.pack").read_bytes() == b"old"


def test_a_process_that_tidies_up_does_not_take_a_new_file_for_one_that_was_left(tmp_path, monkeypatch):
    """It may look between the file's making and its lock, and again when all is written."""

    def tidied(*arguments, **options):
        made = mkstemp(*arguments, **options)
        if not looked:
            looked.append(make_room(tmp_path, 0, 100))
            assert names_in(tmp_path) == set()
        return made

    def replaced(self, target):
        make_room(tmp_path, 0, 100)
        return replace(self, target)

    looked, mkstemp, replace = [], tempfile.mkstemp, Path.replace
    monkeypatch.setattr("hubel.data.files.cache.tempfile.mkstemp", tidied)
    monkeypatch.setattr(Path, "replace", replaced)
    with writing(tmp_path / "a") as (_, file):
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert names_in(tmp_path) == {"a"}


def test_without_locks_files_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("hubel.data.files.cache.lock", lambda file, *, exclusive: False)
    with writing(tmp_path / "a") as (_, file):
        file.write(b"whole")
    assert names_in(tmp_path) == {"a"}
