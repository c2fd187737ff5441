from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hubel.data.collecting import labelled_splits
from hubel.data.containers import archives, compressed_tar, packs
from hubel.data.containers.archives import open_tar, open_zip
from hubel.data.decoded.store import prepare_store
from hubel.data.decoding import read_array
from hubel.data.division.splits import open_splits
from hubel.data.layouts.finding import find_source
from hubel.data.sources import UnusableBytes
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

SUFFIXES = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]


def pack(path: Path, contents: Mapping[str, bytes]) -> Path:
    """Write an archive of files in the format that its name tells."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in contents.items():
                file.writestr(name, content)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w:")
    with tarfile.open(path, mode) as file:
        for name, content in contents.items():
            add(file, name, content)
    return path


def add(file: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    file.addfile(info, io.BytesIO(content))


@pytest.fixture
def contents(class_folders: Callable[..., Path]) -> dict[str, bytes]:
    """The files of class folders with ten pictures each, by their names."""
    root = class_folders(cat=10, dog=10)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.png"))}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_of_class_folders_divides_as_the_folders_do(tmp_path, contents, suffix):
    path = pack(tmp_path / f"pets{suffix}", contents)
    packed, folders = open_splits(path), open_splits(tmp_path / "photos")
    assert packed.fingerprint == folders.fingerprint
    for sample in packed.train:
        assert (sample.path, sample.read()) == (None, contents[sample.name])
        assert sample.location == f"{path}/{sample.name}"
    assert open_splits(path).fingerprint == folders.fingerprint
    assert not [entry for entry in tmp_path.iterdir() if entry.name not in ("photos", "cache", path.name)]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz"])
@pytest.mark.parametrize("above", ["", "pets/", "a/b/"])
def test_split_folders_below_other_folders(tmp_path, contents, suffix, above):
    inside = {
        f"{above}{split}/{name}": content for split in ("train", "valid", "test") for name, content in contents.items()
    }
    inside |= {f"{above}README.md": b"hi", "__MACOSX/._a.png": b"x", f"{above}train/cat/.DS_Store": b"x"}
    source = find_source(pack(tmp_path / f"pets{suffix}", inside))
    assert {split: len(entries) for split, entries in source.splits.items()} == {
        "train": 20,
        "validation": 20,
        "test": 20,
    }
    assert source.classes == ("cat", "dog")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.xz"])
@pytest.mark.parametrize("above", ["", "pets/"])
def test_an_archive_with_a_manifest(tmp_path, contents, suffix, above):
    rows = [f"{name},{'old' if name < 'cat/5' else 'new'}\n" for name in contents]
    inside = {f"{above}images/{name}": content for name, content in contents.items()}
    table = "path,label\n" + "".join(f"images/{row}" for row in rows) + "images/cat/gone.png,old\n"
    source = find_source(pack(tmp_path / f"pets{suffix}", {**inside, f"{above}list.csv": table.encode()}))
    assert source.classes == ("new", "old")
    splits = open_splits(tmp_path / f"pets{suffix}")
    assert [(item.sample.name, item.reason) for item in splits.excluded] == [
        (f"{above}images/cat/gone.png", "it is not in the archive")
    ]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz"])
def test_samples_are_read_in_threads_and_other_processes(tmp_path, contents, suffix):
    splits = open_splits(pack(tmp_path / f"pets{suffix}", contents))
    samples = pickle.loads(pickle.dumps(splits.train))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda sample: sample.read(), samples * 20))
    assert read == [contents[sample.name] for sample in samples] * 20
    (tmp_path / "samples").write_bytes(pickle.dumps(samples))
    code = "import pickle, sys; print(sum(len(s.read()) for s in pickle.load(open(sys.argv[1], 'rb'))))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "samples"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert int(done.stdout) == sum(len(contents[sample.name]) for sample in samples)


def test_digests_of_an_archive_are_remembered_until_it_changes(tmp_path, contents, monkeypatch):
    path = pack(tmp_path / "pets.zip", contents)
    monkeypatch.setattr("hubel.data.files.digests.YOUNGEST_REMEMBERED", 0)
    before = open_splits(path)
    with monkeypatch.context() as patched:
        patched.setattr(archives.Archive, "read", lambda archive, name: pytest.fail(f"{name} was read again"))
        assert open_splits(path).fingerprint == before.fingerprint
    pack(path, {**contents, "cat/0.png": b"another picture"})
    assert open_splits(path).fingerprint != before.fingerprint
    with pytest.raises(UnusableBytes, match=r"the archive has changed since it was listed"):
        before.train[0].read()


def test_a_pack_is_made_once_and_again_when_the_archive_changes(tmp_path, contents, cache):
    path = pack(tmp_path / "pets.tgz", contents)
    told: list[str] = []
    find_source(path, told.append)
    find_source(path, told.append)
    assert len(told) == 1
    assert told[0].startswith("pets.tgz is unpacked into the cache, once")
    before = open_splits(path).fingerprint
    pack(path, {**contents, "cat/0.png": contents["cat/1.png"][:-1] + b"x"})
    assert open_splits(path).fingerprint != before
    assert len(list((cache / "packs").iterdir())) == 2


def test_a_damaged_pack_is_made_again(tmp_path, contents, cache):
    path = pack(tmp_path / "pets.tgz", contents)
    before = open_splits(path).fingerprint
    (file,) = (cache / "packs").iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    assert open_splits(path).fingerprint == before


def test_packs_that_nobody_uses_make_room(tmp_path, contents, cache, monkeypatch):
    monkeypatch.setattr(packs, "_MOST_BYTES", 1)
    for name in ("a.tgz", "b.tgz"):
        open_splits(pack(tmp_path / name, contents))
    assert len(list((cache / "packs").iterdir())) == 1


def test_a_full_disk_is_told_in_one_line(tmp_path, contents, monkeypatch):
    path = pack(tmp_path / "pets.tgz", contents)
    monkeypatch.setattr(packs.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2**28})())
    with pytest.raises(
        DataError, match=r"pets\.tgz must be unpacked into .*packs once, about 0\.0 GB, .*No space left"
    ):
        find_source(path)


def test_names_that_lead_outside_are_passed_over(tmp_path, contents):
    for path in (tmp_path / "pets.zip", tmp_path / "pets.tar", tmp_path / "pets.tgz"):
        evil = {
            "../evil.png": b"x",
            "/etc/evil.png": b"x",
            "cat/../../evil.png": b"x",
            "C:\\evil.png": b"x",
            "cat/\x1b[2J.png": b"x",
        }
        source = find_source(pack(path, {**contents, **evil}))
        assert len(source.splits[None]) == 20
        assert any(
            note.startswith("files whose names lead out of it or are no text in the archive were passed over: 5")
            for note in source.notes
        )
    assert not (tmp_path / "evil.png").exists()
    assert not (tmp_path.parent / "evil.png").exists()


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_links_and_devices_in_a_tar_are_passed_over(tmp_path, contents, mode):
    path = tmp_path / ("pets.tar" if mode == "w:" else "pets.tgz")
    with tarfile.open(path, mode) as file:
        add(file, "cat/passwd.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(file, "cat/hard.png", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        add(file, "cat/zero.png", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
        add(file, "cat/pipe.png", type=tarfile.FIFOTYPE)
        for name, content in contents.items():
            add(file, name, content)
    source = find_source(path)
    assert len(source.splits[None]) == 20
    assert source.notes == (
        "links, devices and other special files in the archive were passed over: 4 (such as 'cat/passwd.png')",
    )


def test_links_in_a_zip_are_passed_over(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", contents)
    with zipfile.ZipFile(path, "a") as file:
        link = zipfile.ZipInfo("cat/passwd.png")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    source = find_source(path)
    assert len(source.splits[None]) == 20
    assert "special files in the archive were passed over: 1" in source.notes[0]


def test_a_zip_bomb_is_left_out_unread(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", {**contents, "cat/bomb.png": bytes(2**26 + 1)})
    splits = open_splits(path)
    assert [(item.sample.name, item.unusable) for item in splits.excluded] == [("cat/bomb.png", True)]
    assert "to 67,108,865 bytes (an archive bomb?)" in splits.excluded[0].reason


def test_a_zip_member_that_is_larger_than_it_says(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", {"cat/liar.png": bytes(10**6), **contents})
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = raw.index(signature) + offset
        assert struct.unpack_from("<L", raw, at) == (10**6,)
        struct.pack_into("<L", raw, at, 100)
    path.write_bytes(raw)
    splits = open_splits(path)
    assert [item.sample.name for item in splits.excluded] == ["cat/liar.png"]
    assert "its size or checksum is another one" in splits.excluded[0].reason


def test_inflating_stops_at_the_announced_size():
    deflated = zlib.compress(bytes(10**7), wbits=-15)
    assert len(archives._inflated(deflated, 100)) == 101


def test_members_that_lie_on_top_of_each_other(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", {"cat/a.png": os.urandom(20_000), "dog/b.png": b"x"})
    raw = path.read_bytes()
    central, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    entry = raw[central : raw.index(b"PK\1\2", central + 1)]
    entries = (
        b"".join(entry.replace(b"cat/a.png", b"cat/%d.png" % n) for n in range(9)) + raw[central + len(entry) : end]
    )
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 10, 10, len(entries), central, 0)
    path.write_bytes(raw[:central] + entries + tail)
    with pytest.raises(DataError, match=r"has files that lie on top of each other \(an archive bomb\?\)"):
        open_zip(path)


def test_a_tar_member_of_absurd_size(tmp_path, contents, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 5000)
    monkeypatch.setattr(compressed_tar, "MAX_MEMBER_BYTES", 5000)
    for name in ("pets.tar", "pets.tgz"):
        splits = open_splits(pack(tmp_path / name, {**contents, "cat/big.png": bytes(5001)}))
        assert [item.sample.name for item in splits.excluded] == ["cat/big.png"]
        assert "to 5,001 bytes (an archive bomb?)" in splits.excluded[0].reason


def test_a_compressed_tar_that_swells_without_end(tmp_path, monkeypatch, cache):
    monkeypatch.setattr(compressed_tar, "_ALWAYS_ALLOWED", 10**5)
    path = pack(tmp_path / "pets.tgz", {"cat/1.png": bytes(10**7), "dog/1.png": b"x"})
    with pytest.raises(DataError, match=r"pets\.tgz unpacks to more than [\d,]+ bytes, 100 times its own"):
        find_source(path)
    assert list((cache / "packs").iterdir()) == []


def test_an_encrypted_zip(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", contents)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"pets\.zip is encrypted \(cat/0\.png\): unpack it with its password"):
        find_source(path)


def test_a_zip_packed_by_another_method(tmp_path, contents):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", zipfile.ZIP_LZMA) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    with pytest.raises(
        DataError, match=r"packed by the method LZMA \(cat/0\.png\), which cannot be read: expected store"
    ):
        find_source(tmp_path / "pets.zip")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_archive(tmp_path, contents, suffix):
    path = pack(tmp_path / f"pets{suffix}", contents)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 100])
    with pytest.raises(DataError, match=r"pets.*is no (zip file|tar archive), or is cut off"):
        find_source(path)
    path.write_bytes(b"anything else" * 100)
    with pytest.raises(DataError, match=r"pets.*is no (zip file|tar archive), or is cut off"):
        find_source(path)


@pytest.mark.parametrize("suffix", [".tar.bz2", ".tar.xz"])
def test_damage_in_a_compressed_tar_is_not_taken_for_a_full_disk(tmp_path, contents, suffix):
    path = pack(tmp_path / f"pets{suffix}", contents)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 50] = b"x" * 50
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"is no tar archive, or is cut off .*copy or pack it again"):
        find_source(path)


def test_one_damaged_picture_in_a_zip(tmp_path, contents):
    path = pack(tmp_path / "pets.zip", contents)
    with zipfile.ZipFile(path) as file:
        start = file.getinfo("dog/3.png").header_offset + 60
    raw = bytearray(path.read_bytes())
    raw[start] ^= 0xFF
    path.write_bytes(raw)
    splits = open_splits(path)
    assert [item.sample.name for item in splits.excluded] == ["dog/3.png"]
    assert "it is damaged in the archive" in splits.excluded[0].reason


def test_names_of_zips_made_on_a_mac_and_on_windows(tmp_path, contents):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            info = zipfile.ZipInfo("x")
            info.filename = name.replace("cat", "Kätzchen").replace("/", "\\")
            file.writestr(info, content)
    raw = path.read_bytes()
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # UTF-8 names, not declared as such
        parts = raw.split(signature)
        raw = signature.join(
            [parts[0], *(p[: offset - 3] + bytes([p[offset - 3] & ~8]) + p[offset - 2 :] for p in parts[1:])]
        )
    path.write_bytes(raw)
    assert find_source(path).classes == ("Kätzchen", "dog")


def test_archives_that_cannot_be_read_at_all(tmp_path):
    (tmp_path / "pets.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match=r"pets\.rar is an archive that cannot be read: expected \.zip or \.tar"):
        find_source(tmp_path / "pets.rar")


def test_an_archive_in_a_folder_is_to_be_given_itself(tmp_path):
    (tmp_path / "download").mkdir()
    pack(tmp_path / "download" / "pets.zip", {"cat/1.png": b"x"})
    with pytest.raises(
        DataError, match=r"download has no images, but an archive: give that itself, .*download/pets\.zip"
    ):
        find_source(tmp_path / "download")


def test_an_archive_without_pictures(tmp_path):
    with pytest.raises(
        DataError,
        match=r"pets\.zip has no images; files passed over that are no images: 1 \(1 \.txt\): expected a folder",
    ):
        find_source(pack(tmp_path / "pets.zip", {"notes.txt": b"x"}))
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match=r"x\.tar\.gz is no tar archive|has no images"):
        find_source(tmp_path / "x.tar.gz")


def test_a_tar_without_its_end_mark_is_noted(tmp_path, contents):
    path = pack(tmp_path / "pets.tar", contents)
    path.write_bytes(path.read_bytes()[: 1024 * 10])
    assert find_source(path).notes == ("pets.tar has no end mark and may be cut off",)


def test_a_damaged_manifest_in_an_archive(tmp_path, contents):
    inside = {f"all/{name.replace('/', '-')}": content for name, content in contents.items()}
    table = "path,label\n" + "".join(f"{name},{name[4:7]}\n" for name in inside)
    path = pack(tmp_path / "pets.zip", {"list.csv": table.encode(), **inside})
    assert find_source(path).classes == ("cat", "dog")
    raw = bytearray(path.read_bytes())
    raw[60] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"cannot read .*pets\.zip/list\.csv: it is damaged in the archive"):
        open_splits(path)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz", ".tar.bz2", ".tar.xz"])
def test_whatever_the_damage_it_is_told_in_one_line_or_harms_one_picture(tmp_path, contents, suffix, monkeypatch):
    monkeypatch.setattr("hubel.data.files.digests.remember_digests", lambda *arguments, **options: None)
    whole = pack(tmp_path / f"whole{suffix}", contents).read_bytes()
    generator = np.random.default_rng(0)
    outcomes: Counter[str] = Counter()
    for number in range(80):
        raw = bytearray(whole)
        for place in generator.integers(0, len(raw), 1 + number % 4):
            raw[place] = generator.integers(0, 256)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(raw[: generator.integers(1, len(raw))] if number % 10 == 0 else raw)
        try:
            splits = open_splits(path, near_duplicates=0)
            outcomes["usable"] += 1
            outcomes["left out"] += bool(splits.excluded)
        except DataError as error:
            outcomes["refused"] += 1
            outcomes["in several lines"] += "\n" in str(error)
        path.unlink()
    assert outcomes["in several lines"] == 0
    assert outcomes["refused"] > 0
    assert outcomes["usable"] > 0 or suffix in (".tgz", ".tar.bz2", ".tar.xz")


def test_a_tar_lists_what_tarfile_lists(tmp_path, contents):
    archive = open_tar(pack(tmp_path / "pets.tar", contents))
    with tarfile.open(archive.path) as file:
        for name, content in contents.items():
            member = file.extractfile(name)
            assert member is not None
            assert archive.read(name) == content == member.read()


def test_cifar10_as_it_comes(shared, tmp_path):
    source = find_source(shared / "data" / "cifar10.zip")
    assert {split: len(entries) for split, entries in source.splits.items()} == {"train": 50_000, "test": 10_000}
    assert len(source.classes) == 10
    name = source.splits["test"][7].file.name
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as file:
        assert source.read(name) == file.read(name)


def test_pictures_of_cifar10_are_decoded_from_the_zip(shared):
    source = find_source(shared / "data" / "cifar10.zip")
    few = replace(source, splits={"test": source.splits["test"][::50]})
    samples = labelled_splits(few, source.classes)[0]["test"]
    preprocess = Preprocess(size=(32, 32), resize_to=32)
    store = prepare_store(samples, preprocess, classes=source.classes, purpose="evaluation", cache_bytes=10**8)
    assert (len(store), store.cached, store.unreadable) == (200, True, ())
    assert sorted(Counter(store.labels.tolist()).values()) == [20] * 10
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as file:
        for position in (0, 77, 199):
            expected = read_array(file.read(samples[position].name), preprocess)
            assert (store.array(position) == expected).all()
