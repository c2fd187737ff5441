import errno
import os
from pathlib import Path

import pytest

from hubel.errors import HubelError
from hubel.files import WritableFile, cache_folder, expanded, write_json, write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.txt"
    write_whole(file, "one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in file.parent.iterdir()] == ["a.txt"]


def test_a_writer_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, "earlier")

    def full_disk(target: WritableFile) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(HubelError, match=r"cannot write .*a\.txt: No space left on device; earlier files are whole"):
        write_whole(file, full_disk)
    assert file.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HubelError, match="cannot write") as caught:
        write_json(tmp_path / "file" / "a.json", {})
    assert "\n" not in str(caught.value)


def test_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "a", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUBEL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("HUBEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hubel"


def test_the_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/photos") == tmp_path / "photos"
    assert expanded("photos/~a") == Path("photos/~a")


def test_a_home_folder_of_nobody_is_told_in_one_line() -> None:
    with pytest.raises(HubelError, match="~nosuchuser/x: there is no user 'nosuchuser', whose home folder"):
        expanded("~nosuchuser/x")


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", of_nobody)
    for variable in ("HUBEL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(HubelError, match=r"~/\.cache: the home folder ~ is not known: set the variable HOME"):
        cache_folder()
