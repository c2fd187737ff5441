from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.data.shard_files import picture, write_shards, write_tar

from hubel.data.collecting import labelled_splits
from hubel.data.containers.shard_index import index_shards, is_shard
from hubel.data.containers.shards import Shards, reading_order
from hubel.data.layouts.finding import find_source
from hubel.data.layouts.shard_sets import find_shards, shards_matching
from hubel.data.sources import Source, UnusableBytes
from hubel.errors import DataError


def found(folder: Path) -> Source:
    return find_shards(folder, sorted(folder.rglob("*.tar")))


def labels_of(source: Source) -> dict[str, object]:
    return {entry.file.name: entry.label for entries in source.splits.values() for entry in entries}


def test_a_folder_of_shards_has_the_splits_of_their_names(tmp_path: Path):
    write_shards(tmp_path, "train", shards=2, pictures=3)
    write_shards(tmp_path, "my-val", shards=1, pictures=2, first=50)
    write_shards(tmp_path / "test", "shard", shards=1, pictures=2, first=70)
    source = found(tmp_path)
    assert source.classes == ("0", "1")
    assert source.labelling == "class"
    assert {split: [entry.file.name for entry in entries] for split, entries in source.splits.items()} == {
        "train": [f"train-{number // 3:06}.tar/{number:06}.png" for number in range(6)],
        "validation": ["my-val-000000.tar/000050.png", "my-val-000000.tar/000051.png"],
        "test": ["test/shard-000000.tar/000070.png", "test/shard-000000.tar/000071.png"],
    }
    assert labels_of(source)["train-000001.tar/000003.png"] == "1"
    for number in (0, 5):
        assert source.read(f"train-{number // 3:06}.tar/{number:06}.png") == picture(number)


def test_a_pattern_names_shards(tmp_path: Path):
    write_shards(tmp_path, "train", shards=3, pictures=2)
    write_shards(tmp_path, "val", shards=1, pictures=2, first=50)
    assert set(shards_matching(str(tmp_path / "train-{000000..000001}.tar")).splits) == {"train"}
    source = shards_matching(str(tmp_path / "{train-{000000..000002},val-000000}.tar"))
    assert {split: len(entries) for split, entries in source.splits.items()} == {"train": 6, "validation": 2}
    assert labels_of(shards_matching(str(tmp_path / "*.tar"))) == labels_of(source)
    with pytest.raises(DataError, match=r"2 of the 5 shards that .* do not exist, such as .*train-000003\.tar: mend"):
        shards_matching(str(tmp_path / "train-{000000..000004}.tar"))
    with pytest.raises(DataError, match=r"no shard matches .*dog-\*\.tar: check the pattern"):
        shards_matching(str(tmp_path / "dog-*.tar"))


@pytest.mark.parametrize(
    ("members", "label", "labelling"),
    [
        ({"a.cls": "cat\n"}, "cat", "class"),
        ({"a.txt": "cat"}, "cat", "class"),
        ({"a.txt": "a caption", "a.cls": "cat"}, "cat", "class"),
        ({"a.cls": "cat", "a.json": {"label": "dog"}}, "cat", "class"),
        ({"a.json": {"width": 10, "label": "cat"}}, "cat", "class"),
        ({"a.json": {"cls": 3}}, "3", "class"),
        ({"a.json": '"cat"'}, "cat", "class"),
        ({"a.json": {"labels": ["cat", "wet"]}}, ("cat", "wet"), "classes"),
        ({"a.json": {"labels": []}}, (), "classes"),
        ({"a.json": {"value": 2.5}}, 2.5, "number"),
    ],
)
@pytest.mark.parametrize("picture_first", [True, False])
def test_labels(tmp_path: Path, members, label, labelling, picture_first: bool):
    image = {"a.png": picture(0)}
    write_tar(tmp_path / "0.tar", image | members if picture_first else members | image)
    source = found(tmp_path)
    assert labels_of(source) == {"0.tar/a.png": label}
    assert source.labelling == labelling


@pytest.mark.parametrize(
    ("file", "content"),
    [("classes.txt", "dog\ncat\nbird\n\n"), ("dataset.json", '{"classes": ["dog", "cat", "bird"]}')],
)
def test_a_list_of_classes_names_indices(tmp_path: Path, file: str, content: str):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0), "a.cls": "2", "b.png": picture(1), "b.cls": "dog"})
    (tmp_path / file).write_text(content)
    source = found(tmp_path)
    assert labels_of(source) == {"0.tar/a.png": "bird", "0.tar/b.png": "dog"}
    assert source.classes == ("bird", "dog")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "classes.txt",
            "dog\ncat\n",
            r"0\.tar/a\.png has the class '2', which is not in the list of 2 classes: .*0 to 1",
        ),
        ("classes.txt", "dog\ndog\n", r"classes\.txt has the class 'dog' twice"),
        ("dataset.json", "[]", r"cannot read the classes in .*dataset\.json: expected a name a line, or JSON"),
    ],
)
def test_a_list_of_classes_that_does_not_fit(tmp_path: Path, file: str, content: str, message: str):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0), "a.cls": "2"})
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=message):
        found(tmp_path)


def test_labels_of_two_kinds(tmp_path: Path):
    members = {"a.png": picture(0), "a.cls": "cat", "b.png": picture(1), "b.json": {"value": 1}}
    write_tar(tmp_path / "0.tar", members)
    with pytest.raises(
        DataError, match=r"0\.tar/b\.png has a label of another kind .*\(1\.0\): expected one class each"
    ):
        found(tmp_path)


def test_what_is_passed_over(tmp_path: Path):
    members = {
        "./in/a.png": picture(0),
        "./in/a.cls": "cat",
        "b.jpg": picture(1, kind="JPEG"),
        "b.seg.png": picture(1),
        "b.cls": "dog",
        "none.png": picture(2),
        "broken.png": picture(3),
        "broken.json": "{",
        ".hidden.png": picture(4),
        "._a.png": picture(4),
        "../out.png": picture(5),
        "../out.cls": "cat",
        "alone.cls": "cat",
    }
    write_tar(tmp_path / "0.tar", members)
    source = found(tmp_path)
    assert labels_of(source) == {"0.tar/in/a.png": "cat", "0.tar/b.jpg": "dog"}
    assert source.read("0.tar/b.jpg") == members["b.jpg"]
    assert any("lead out of it" in note and "../out.png" in note for note in source.notes)
    assert any(note.startswith("pictures without a label (.cls, .json, .txt) passed over: 2") for note in source.notes)


def test_a_shard_that_is_cut_off_gives_what_it_has(tmp_path: Path):
    first, second, third = write_shards(tmp_path, shards=3, pictures=6)
    second.write_bytes(second.read_bytes()[:5000])
    third.write_text("no tar")
    source = found(tmp_path)
    kept = [name for name in labels_of(source) if name.startswith(second.name)]
    assert 0 < len(kept) < 6
    assert all(source.read(name) == picture(int(name[-10:-4])) for name in kept)
    assert any(note.startswith(f"shard {second.name}: it is cut off") for note in source.notes)
    assert any(note.startswith(f"shard {third.name}: it is no tar file") for note in source.notes)
    assert not any(first.name in note for note in source.notes)


@pytest.mark.parametrize("cut", range(0, 4096, 512))
def test_a_shard_that_is_cut_off_anywhere(tmp_path: Path, cut: int):
    path = write_tar(tmp_path / "0.tar", {"a.png": picture(0), "a.cls": "cat", "b.png": picture(1), "b.cls": "dog"})
    path.write_bytes(path.read_bytes()[: cut + 100])
    (index,) = index_shards([path.resolve()])
    content = path.read_bytes()
    for member in index.members:
        assert content[member.offset : member.offset + member.size] == picture("ab".index(member.name[0]))


def test_nothing_to_learn(tmp_path: Path):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0)})
    with pytest.raises(DataError, match=r"has nothing to learn \(1 picture without a label\): expected tar files with"):
        found(tmp_path)


def test_pictures_without_labels_count_where_none_are_wanted(tmp_path: Path):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0), "b.png": picture(1), "b.cls": "cat"})
    source = find_source(tmp_path, labelling="none")
    assert [entry.file.name for entry in source.splits[None]] == ["0.tar/a.png", "0.tar/b.png"]
    assert source.read("0.tar/a.png") == picture(0)
    assert [entry.file.name for entry in find_source(tmp_path).splits[None]] == ["0.tar/b.png"]


def test_compressed_shards_are_refused(tmp_path: Path):
    (tmp_path / "0.tar").write_bytes(b"\x1f\x8b\x08rest")
    with pytest.raises(DataError, match=r"0\.tar is compressed \(gzip\): .* unpack it to a plain \.tar"):
        found(tmp_path)


def test_shards_of_one_class_each_are_noted(tmp_path: Path):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0), "a.cls": "cat"})
    write_tar(tmp_path / "1.tar", {"a.png": picture(1), "a.cls": "dog"})
    assert any("2 of 2 shards have pictures of one class only" in note for note in found(tmp_path).notes)


def test_what_is_in_a_shard_is_remembered_while_it_does_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hubel.data.containers.shard_index.YOUNGEST_REMEMBERED", 0)
    path = write_shards(tmp_path, shards=1)[0].resolve()
    before = index_shards([path])
    with monkeypatch.context() as context:
        context.setattr("tarfile.open", lambda *a, **k: pytest.fail("it was read again"))
        assert index_shards([path]) == before
    write_tar(path, {"a.png": picture(0), "a.cls": "cat"})
    assert [member.name for member in index_shards([path])[0].members] == ["a.png"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.unlink(), "its shard does not exist any more"),
        (lambda path: os.truncate(path, 3000), "its shard has changed since it was listed"),
        (lambda path: os.utime(path, (1, 1)), "its shard has changed since it was listed"),
    ],
)
def test_a_shard_that_changes_later_is_noticed(tmp_path: Path, harm, reason: str):
    path = write_shards(tmp_path, shards=1)[0]
    source = found(tmp_path)
    harm(path)
    with pytest.raises(UnusableBytes, match=reason):
        source.read("train-000000.tar/000005.png")


def test_a_shard_that_is_cut_off_while_it_is_open(tmp_path: Path):
    path = write_shards(tmp_path, shards=1)[0]
    source = found(tmp_path)
    source.read("train-000000.tar/000005.png")
    os.truncate(path, 3000)
    with pytest.raises(UnusableBytes, match="its shard is cut off"):
        source.read("train-000000.tar/000005.png")


def test_few_shards_stay_open_and_all_can_be_read(tmp_path: Path):
    write_shards(tmp_path, shards=20, pictures=1)
    source = found(tmp_path)
    assert isinstance(source.container, Shards)
    for number in (*range(20), *range(20)):
        assert source.read(f"train-{number:06}.tar/{number:06}.png") == picture(number)
    assert len(source.container._opened.files) == 8
    copy = pickle.loads(pickle.dumps(source.container))
    assert copy.read("train-000003.tar/000003.png") == picture(3)


def test_the_reading_order_is_that_of_the_bytes(tmp_path: Path):
    members = {f"{name}.png": picture(number) for number, name in enumerate("dacb")}
    for shard in ("x", "y"):
        write_tar(tmp_path / f"{shard}.tar", members | {f"{name}.cls": name for name in "dacb"})
    samples = labelled_splits(found(tmp_path), list("abcd"))[0][None]
    assert [sample.name[-5] for sample in samples] == list("abcdabcd")  # by name, as everywhere
    order = reading_order(samples)
    assert order is not None
    assert [samples[position].name for position in order.positions] == [
        f"{s}.tar/{n}.png" for s in "xy" for n in "dacb"
    ]
    assert order.shards.tolist() == [0] * 4 + [1] * 4
    assert reading_order(()) is None


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system cannot be told what will be read")
def test_reading_ahead_asks_for_whole_stretches_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_shards(tmp_path, shards=2, pictures=4)
    source = found(tmp_path)
    assert isinstance(source.container, Shards)
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *arguments: asked.append(arguments[:3]))
    names = sorted(labels_of(source))
    source.container.read_ahead([names[5], names[1], names[2], names[4]])
    places = source.container.places([names[1], names[2], names[4], names[5]])
    assert [(start, start + count) for _, start, count in asked] == [
        (places[0, 1], places[1, 1:].sum()),
        (places[2, 1], places[3, 1:].sum()),
    ]
    assert np.diff(source.container.places(names)[:4, 1]).min() > 0


def test_a_shard_is_told_from_an_archive_of_folders(tmp_path: Path):
    shard = write_shards(tmp_path, shards=1)[0]
    archive = write_tar(tmp_path / "photos.tar", {"cat/a.png": picture(0), "dog/a.png": picture(1)})
    labels = {"images/a.png": picture(0), "labels/a.txt": "0 0.5 0.5 1 1"}
    assert is_shard(shard)
    assert not is_shard(archive)
    assert not is_shard(write_tar(tmp_path / "boxes.tar", labels))
    assert not is_shard(tmp_path / "none.tar")


def test_every_way_to_name_shards_is_found(tmp_path: Path):
    (shard,) = write_shards(tmp_path / "in", shards=1)
    for data in (tmp_path / "in", shard, str(tmp_path / "in" / "*.tar"), f"{tmp_path}/in/train-{{000000..000000}}.tar"):
        source = find_source(data)
        assert isinstance(source.container, Shards)
        assert source.classes == ("0", "1")


def test_shards_beside_class_folders_are_not_looked_into(tmp_path: Path):
    write_shards(tmp_path, shards=1)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(picture(0))
    assert find_source(tmp_path).classes == ("cat", "dog")


def test_linked_shards_are_read_where_they_lie(tmp_path: Path):
    (shard,) = write_shards(tmp_path / "blobs", shards=1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train-0.tar").symlink_to(shard)
    for data in (tmp_path / "in", str(tmp_path / "in" / "train-{0..0}.tar")):
        assert find_source(data).read("train-0.tar/000001.png") == picture(1)


def test_of_two_pictures_with_one_key_the_later_counts(tmp_path: Path):
    write_tar(tmp_path / "0.tar", {"a.png": picture(0), "a.jpg": picture(1, kind="JPEG"), "a.cls": "cat"})
    source = found(tmp_path)
    assert list(labels_of(source)) == ["0.tar/a.jpg"]
    assert source.notes == ("shard 0.tar: pictures passed over, for a later one has their key: 1 (such as a.png)",)
