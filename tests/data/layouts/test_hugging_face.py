from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hubel.data.division.splits import open_splits
from hubel.data.inputs import list_images
from hubel.data.layouts.finding import find_source
from hubel.errors import DataError

arrow = pytest.importorskip("pyarrow")
IMAGE = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])


@pytest.fixture
def pictures(class_folders: Callable[..., Path]) -> list[bytes]:
    """Sixteen pictures, all different."""
    return [path.read_bytes() for path in sorted(class_folders(cat=8, dog=8).rglob("*.png"))]


def features(**of_columns: Any) -> dict[bytes, bytes]:
    return {b"huggingface": json.dumps({"info": {"features": of_columns}}).encode()}


def table(pictures: Sequence[bytes], metadata: dict[bytes, bytes] | None = None, **labels: Any) -> Any:
    columns = {"image": arrow.array([{"bytes": each, "path": "x.png"} for each in pictures], IMAGE)}
    columns |= {
        name: values if isinstance(values, arrow.Array) else arrow.array(values) for name, values in labels.items()
    }
    return arrow.table(columns).replace_schema_metadata(metadata)


def write(path: Path, content: Any) -> Path:
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(content, path, row_group_size=5)
    return path


CLASS_LABEL = {"image": {"_type": "Image"}, "label": {"names": ["dog", "cat"], "_type": "ClassLabel"}}


def test_parquet_files_of_splits_with_class_labels(tmp_path, pictures):
    root = tmp_path / "pets"
    for name, part in (("train-00000-of-00002", pictures[:4]), ("train-00001-of-00002", pictures[4:8])):
        write(root / "data" / f"{name}.parquet", table(part, features(**CLASS_LABEL), label=[0, 1, 1, 0]))
    write(
        root / "data" / "test-00000-of-00001.parquet", table(pictures[8:11], features(**CLASS_LABEL), label=[0, 1, -1])
    )
    source = find_source(root)
    assert (source.classes, source.labelling) == (("cat", "dog"), "class")
    assert [entry.label for entry in source.splits["train"]] == ["dog", "cat", "cat", "dog"] * 2
    assert [source.read(entry.file.name) for entry in source.splits["train"]] == pictures[:8]
    assert [entry.label for entry in source.splits["test"]] == ["dog", "cat"]
    assert source.notes == ("pictures without a label were left out: 1",)


def test_pictures_without_labels_count_where_none_are_wanted(tmp_path, pictures):
    file = write(tmp_path / "bare" / "train.parquet", table(pictures[:3]))
    with pytest.raises(DataError, match="has no column of labels"):
        find_source(file.parent)
    for data in (file, file.parent):
        source = find_source(data, labelling="none")
        assert [source.read(entry.file.name) for entry in source.splits["train"]] == pictures[:3]
        assert {entry.label for entry in source.splits["train"]} == {None}
    assert [image.read() for image in list_images([str(file.parent)])] == pictures[:3]
    some = write(tmp_path / "some.parquet", table(pictures[:3], features(**CLASS_LABEL), label=[0, -1, 1]))
    assert len(find_source(some).splits[None]) == 2
    assert len(find_source(some, labelling="none").splits[None]) == 3


@pytest.mark.parametrize("order", [(None, "none"), ("none", None)])
def test_one_copy_serves_with_and_without_labels(tmp_path, pictures, cache, order):
    some = write(tmp_path / "some.parquet", table(pictures[:3], features(**CLASS_LABEL), label=[0, -1, 1]))
    found = {labelling: find_source(some, labelling=labelling) for labelling in order}
    assert [entry.label for entry in found[None].splits[None]] == ["dog", "cat"]
    assert [found[None].read(entry.file.name) for entry in found[None].splits[None]] == [pictures[0], pictures[2]]
    assert len(found["none"].splits[None]) == 3
    assert len(list((cache / "packs").glob("*.pack"))) == 1
    bare = write(tmp_path / "bare.parquet", table(pictures[:3]))
    for labelling in order:
        if labelling is None:
            with pytest.raises(DataError, match=r"has no column of labels \(it has image\): expected one called label"):
                find_source(bare)
        else:
            assert len(find_source(bare, labelling="none").splits[None]) == 3
    assert len(list((cache / "packs").glob("*.pack"))) == 2


def test_a_parquet_file_divides_as_its_pictures_do_in_class_folders(tmp_path, pictures):
    file = write(tmp_path / "pets.parquet", table(pictures, label=["cat"] * 8 + ["dog"] * 8))
    packed, folders = open_splits(file), open_splits(tmp_path / "photos")
    assert packed.classes == folders.classes
    for split in ("train", "validation", "test"):
        assert [sample.digest for sample in packed.split(split)] == [sample.digest for sample in folders.split(split)]
    assert packed.train[0].location.startswith(f"{file}/data/0000")


@pytest.mark.parametrize(
    ("labels", "labelling", "classes", "first"),
    [
        ({"label": [3, 1, 3]}, "class", ("1", "3"), "3"),
        ({"label": [2.5, 1.0, 3.0]}, "number", (), 2.5),
        ({"value": [2, 1, 3]}, "number", (), 2.0),
        ({"labels": [["x", "y"], [], ["y"]]}, "classes", ("x", "y"), ("x", "y")),
        ({"coarse_label": [1, 1, 1], "fine_label": ["a", "b", "a"]}, "class", ("a", "b"), "a"),
    ],
)
def test_labels_by_the_columns_name_and_type(tmp_path, pictures, labels, labelling, classes, first):
    source = find_source(write(tmp_path / "pets.parquet", table(pictures[:3], **labels)))
    assert (source.labelling, source.classes, source.splits[None][0].label) == (labelling, classes, first)


@pytest.mark.parametrize("wrap", [lambda f: [f], lambda f: {"feature": f, "_type": "Sequence"}])
def test_lists_of_class_labels(tmp_path, pictures, wrap):
    metadata = features(image={"_type": "Image"}, tags=wrap({"names": ["a", "b", "c"], "_type": "ClassLabel"}))
    source = find_source(write(tmp_path / "pets.parquet", table(pictures[:3], metadata, tags=[[0, 2], [], [1]])))
    assert (source.labelling, source.classes) == ("classes", ("a", "b", "c"))
    assert [entry.label for entry in source.splits[None]] == [("a", "c"), (), ("b",)]


def write_arrow(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_stream(file, content.schema) as writer:
        writer.write_table(content, max_chunksize=3)
    (path.parent / "state.json").write_text(json.dumps({"_data_files": [{"filename": path.name}]}))


def test_a_folder_of_save_to_disk(tmp_path, pictures):
    root = tmp_path / "saved"
    content = table(pictures[:4], features(**CLASS_LABEL), label=[0, 1, 1, 0])
    for split in ("train", "validation"):
        write_arrow(root / split / "data-00000-of-00001.arrow", content)
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation"]}))
    source = find_source(root)
    assert {split: len(entries) for split, entries in source.splits.items()} == {"train": 4, "validation": 4}
    single = find_source(root / "train")
    assert set(single.splits) == {None}
    assert [single.read(entry.file.name) for entry in single.splits[None]] == pictures[:4]


def test_pictures_beside_the_table_and_pictures_that_are_missing(tmp_path, pictures):
    rows = [
        {"bytes": None, "path": "photos/cat/0.png"},
        {"bytes": None, "path": "gone.png"},
        {"bytes": None, "path": None},
    ]
    columns = {"image": arrow.array(rows + [{"bytes": each, "path": None} for each in pictures[8:]], IMAGE)}
    labels = arrow.array(["cat"] * 3 + ["cat", "dog"] * 4)
    splits = open_splits(write(tmp_path / "pets.parquet", arrow.table({**columns, "label": labels})), test_fraction=0.3)
    assert [item.reason for item in splits.excluded] == [
        "it has no bytes, and gone.png does not exist",
        "it has no bytes",
    ]
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 9


def test_a_table_of_paths_is_a_manifest(tmp_path, pictures):
    columns = {"path": ["photos/cat/0.png", "photos/dog/0.png"], "label": ["a", "b"]}
    source = find_source(write(tmp_path / "list.parquet", arrow.table(columns)))
    assert [entry.file.name for entry in source.splits[None]] == ["photos/cat/0.png", "photos/dog/0.png"]


def test_what_is_wrong(tmp_path, pictures):
    with pytest.raises(DataError, match=r"has no column of labels \(it has image, tag\): expected one called label"):
        find_source(write(tmp_path / "a.parquet", table(pictures[:2], tag=[1, 2])))
    with pytest.raises(DataError, match=r"has the label 2, but names for 2 classes"):
        find_source(write(tmp_path / "b.parquet", table(pictures[:2], features(**CLASS_LABEL), label=[1, 2])))
    with pytest.raises(DataError, match=r"has no pictures with labels"):
        find_source(write(tmp_path / "c.parquet", table([], label=arrow.array([], arrow.int64()))))
    damaged = write(tmp_path / "d.parquet", table(pictures, label=[1, 2] * 8))
    raw = bytearray(damaged.read_bytes())
    raw[10:2000] = bytes(1990)
    damaged.write_bytes(raw)
    with pytest.raises(DataError, match=r"cannot read .*d\.parquet: .*; copy or write it again"):
        find_source(damaged)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"saved is no whole data set of save_to_disk"):
        find_source(tmp_path / "saved")
