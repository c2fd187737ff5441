from __future__ import annotations

import codecs
import os
from pathlib import Path

import numpy as np
import pytest

from hubel.data.division.splits import open_folds, open_splits
from hubel.data.layouts.finding import find_source
from hubel.data.layouts.manifest import read_manifest
from hubel.data.sources import Source
from hubel.errors import DataError


@pytest.fixture
def write(tmp_path):
    """Writes a manifest's text next to pictures called a.png to e.png, of which the last lies in a folder."""
    for name in ("a.png", "b.png", "c.png", "d.png", "deep/e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())

    def make(text: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def labels_of(source: Source, split: str | None = None) -> dict[str, object]:
    return {entry.file.name: entry.label for entry in source.splits[split]}


def test_a_manifest_of_classes(write, tmp_path):
    source = find_source(write("path,label\nb.png,dog\na.png,cat\n./deep/../deep/e.png, cat \n"))
    assert (source.classes, source.labelling, source.groups, source.notes) == (("cat", "dog"), "class", {}, ())
    assert labels_of(source) == {"b.png": "dog", "a.png": "cat", "deep/e.png": "cat"}
    assert source.read("deep/e.png") == b"deep/e.png"
    assert (source.root, source.base) == (tmp_path / "list.csv", tmp_path)


def test_several_labels_and_none(write):
    source = read_manifest(write("path,labels\na.png,night| beach \nb.png,\nc.png,beach\n"))
    assert (source.classes, source.labelling) == (("beach", "night"), "classes")
    assert labels_of(source) == {"a.png": ("night", "beach"), "b.png": (), "c.png": ("beach",)}


def test_numbers(write):
    source = read_manifest(write("path,value\na.png,3\nb.png,-2.5e1\n"))
    assert (source.classes, source.labelling) == ((), "number")
    assert labels_of(source) == {"a.png": 3.0, "b.png": -25.0}


def test_paths_alone_serve_where_no_labels_are_wanted(write):
    path = write("path,split\na.png,train\nb.png,test\n")
    source = find_source(path, labelling="none")
    assert (source.classes, source.labelling) == ((), "none")
    assert [labels_of(source, split) for split in ("train", "test")] == [{"a.png": None}, {"b.png": None}]
    with pytest.raises(DataError, match="has no column label, labels or value"):
        find_source(path)


def test_splits_and_groups(write):
    source = read_manifest(
        write("group,path,split,label\np1,a.png,Training,x\np1,b.png,train,y\np2,c.png,VAL,x\np3,d.png,test,y\n")
    )
    assert {split: [e.file.name for e in entries] for split, entries in source.splits.items()} == {
        "train": ["a.png", "b.png"],
        "validation": ["c.png"],
        "test": ["d.png"],
    }
    assert source.groups == {"a.png": "p1", "b.png": "p1", "c.png": "p2", "d.png": "p3"}


@pytest.mark.parametrize(
    ("encode", "delimiter"),
    [
        (str.encode, ","),
        (lambda text: codecs.BOM_UTF8 + text.encode(), ";"),
        (lambda text: text.encode("utf-16"), "\t"),
        (lambda text: text.replace("\n", "\r\n").encode(), ";"),
        (lambda text: text.replace("\n", "\r").encode(), ","),
        (lambda text: b"sep=;\r\n" + text.encode(), ";"),
        (lambda text: text.encode() + b";;\n\n", ";"),
    ],
)
def test_csv_as_spreadsheets_write_it(write, encode, delimiter):
    text = 'Path , LABEL,note\na.png,Zürich,"1, 2; 3"\nb.png,Genf,\n'.replace(",", delimiter)
    source = read_manifest(write(encode(text.replace(f"1{delimiter} 2", "1 2"))))
    assert labels_of(source) == {"a.png": "Zürich", "b.png": "Genf"}
    assert source.notes == ()


def test_windows_1252_is_read_with_a_note(write):
    source = read_manifest(write("path,label\na.png,Zürich\nb.png,Genf\n".encode("cp1252")))
    assert source.classes == ("Genf", "Zürich")
    assert source.notes == ("list.csv is not in UTF-8 and was read as Windows-1252: check names with accents",)


def test_decimal_commas_where_semicolons_part_the_columns(write):
    assert labels_of(read_manifest(write("path;value\na.png;3,5\nb.png;4\n"))) == {"a.png": 3.5, "b.png": 4.0}


def test_one_name_in_two_spellings_is_one_class(write):
    assert read_manifest(write("path,label\na.png,caf\u00e9\nb.png,cafe\u0301\nc.png,bar\n")).classes == ("bar", "café")


def test_absolute_paths_and_backslashes(write, tmp_path):
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.png"
    elsewhere.write_bytes(b"z")
    source = read_manifest(write(f"path,label\n{tmp_path}/a.png,x\ndeep\\e.png,y\n{elsewhere},y\n"))
    assert list(labels_of(source)) == ["a.png", "deep/e.png", str(elsewhere)]
    assert source.read(str(elsewhere)) == b"z"


@pytest.mark.parametrize("header", ["file_name,label", "filename,class", "image,class", "Image,Label"])
def test_columns_by_the_names_that_others_give_them(write, header):
    assert labels_of(read_manifest(write(f"{header}\na.png,x\nb.png,y\n"))) == {"a.png": "x", "b.png": "y"}


def test_a_columns_own_name_goes_before_others(write):
    source = read_manifest(write("image,path,class,value\n17,a.png,old,3\n18,b.png,new,4\n"))
    assert labels_of(source) == {"a.png": 3.0, "b.png": 4.0}


def test_a_folder_with_a_manifest_and_no_class_folders(write, tmp_path):
    write("path,label\na.png,x\ndeep/e.png,y\n")
    write("name,age\nx,1\n", "other.csv")
    assert labels_of(find_source(tmp_path)) == {"a.png": "x", "deep/e.png": "y"}
    write("path,label\na.png,x\n", "second.csv")
    with pytest.raises(DataError, match=r"has no class folders but more than one manifest \(list\.csv, second\.csv\)"):
        find_source(tmp_path)


def test_class_folders_go_before_a_manifest(write, tmp_path):
    write("path,label\na.png,x\n")
    (tmp_path / "deep2").mkdir()
    (tmp_path / "deep2" / "f.png").write_bytes(b"f")
    assert find_source(tmp_path).classes == ("deep", "deep2")


def test_rows_that_repeat_others_count_once(write):
    source = read_manifest(write("path,label\na.png,x\n./a.png,x\nb.png,y\n"))
    assert list(labels_of(source)) == ["a.png", "b.png"]
    assert source.notes == ("rows of list.csv that repeat others: 1",)


def test_a_missing_picture_is_unusable_and_told(class_folders, tmp_path):
    root = class_folders(cat=10, dog=10)
    rows = [f"photos/{name}/{n}.png,{name}\n" for name in ("cat", "dog") for n in range(10)]
    (tmp_path / "m.csv").write_text("path,label\n" + "".join(rows) + "photos/cat/gone.png,cat\nphotos/cat,dog\n")
    splits = open_splits(tmp_path / "m.csv")
    assert root.name == "photos"
    assert {item.sample.name: (item.reason, item.unusable) for item in splits.excluded} == {
        "photos/cat/gone.png": ("it does not exist", True),
        "photos/cat": ("it is a folder", True),
    }
    assert sum(len(splits.split(split)) for split in ("train", "validation", "test")) == 20


def test_a_manifest_divides_as_the_same_class_folders_do(class_folders, tmp_path):
    root = class_folders(cat=10, dog=10)
    rows = [f"photos/{name}/{n}.png,{name}\n" for name in ("cat", "dog") for n in range(10)]
    (tmp_path / "m.csv").write_text("path,label\n" + "".join(rows))
    listed, found = open_splits(tmp_path / "m.csv"), open_splits(root)
    for split in ("train", "validation", "test"):
        assert [sample.digest for sample in listed.split(split)] == [sample.digest for sample in found.split(split)]


def test_groups_of_a_manifest_stay_together(class_folders, tmp_path):
    class_folders(cat=20, dog=20)
    rows = [f"photos/{name}/{n}.png,{name},{name}{n // 4}\n" for name in ("cat", "dog") for n in range(20)]
    (tmp_path / "m.csv").write_text("path,label,group\n" + "".join(rows))
    splits, folds = open_splits(tmp_path / "m.csv"), open_folds(tmp_path / "m.csv", 3)
    group = {row.split(",")[0]: row.strip().split(",")[2] for row in rows}
    for parts in ([splits.train, splits.validation, splits.test], folds.folds):
        groups = [{group[sample.name] for sample in part} for part in parts]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 10
    assert folds.groups == group


def test_digests_are_remembered_for_each_manifest(class_folders, tmp_path, monkeypatch):
    class_folders(cat=5, dog=5)
    monkeypatch.setattr("hubel.data.files.digests.YOUNGEST_REMEMBERED", 0)
    for name, count in (("few.csv", 4), ("all.csv", 5)):
        rows = [f"photos/{name}/{n}.png,{name}\n" for name in ("cat", "dog") for n in range(count)]
        (tmp_path / name).write_text("path,label\n" + "".join(rows))
        open_splits(tmp_path / name)
    monkeypatch.setattr(Source, "read", lambda source, name: pytest.fail(f"{name} was read again"))
    open_splits(tmp_path / "few.csv")
    open_splits(tmp_path / "all.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no column path \(it has none\): the first line names the columns"),
        ("a.png,cat\nb.png,dog\n", r"no column path \(it has a\.png, cat\): the first line names the columns"),
        ("paths,label\na.png,x\n", r"no column path \(it has paths, label\): rename 'paths' to path\?"),
        (
            "path,lable\na.png,x\n",
            r"no column label, labels or value \(it has path, lable\): rename 'lable' to label\?",
        ),
        ("image,cat,dog\na.png,1,0\nb.png,0,1\n", r"join the 0 and 1 of cat, dog to one column labels, as 'cat\|dog'"),
        ("path,label,value\na.png,x,1\n", r"has the columns label and value: expected one of them"),
        ("path,label,splits\na.png,x,train\n", r"a column 'splits', which would be passed over: rename it to split"),
        ("path,label,groups\na.png,x,train\n", r"a column 'groups', which would be passed over: rename it to group"),
        ("path,label\n", r"has no rows: expected one for every picture"),
        ("path,label\na.png,x\n\n,y\n", r"has no path in line 4"),
        ("path,label\na.png,x\nb.png,\n", r"has no label in line 3: give it one, or take the row out"),
        ("path;labels\na.png;x\nb.png;x, y\n", r"the labels 'x, y': expected several as 'x\|y' \(where it is a single"),
        ('path,labels\na.png,x\nb.png,"x;y"\n', r"has the labels 'x;y': expected several as 'x\|y'"),
        ("path,labels\na.png,\nb.png,\n", r"has no class in any row: fill the column labels"),
        ("path,value\na.png,1\nb.png,old\n", r"list\.csv, line 3: 'old' is no value: expected a number such as 3\.5"),
        ("path,label\na.png,x,1\n", r"has 3 cells in line 2, but 2 columns: put a name that has the delimiter"),
        ("path,label\na.png\n", r"has 1 cells in line 2, but 2 columns"),
        ("path,label\nhttps://x.org/a.png,x\n", r"an address in line 2 \(https://x\.org/a\.png\): expected the paths"),
        ("path,label\ns3://x/a.png,x\n", r"an address in line 2 \(s3://x/a\.png\).*download the pictures first"),
        ("path,label,split\na.png,x,train\nb.png,x,foo\n", r"the split 'foo' in line 3: expected train, validation"),
        ("path,label,split\na.png,x,train\nb.png,x,\n", r"no split in line 3: expected train, validation or test"),
        ("path,label,group\na.png,x,p1\nb.png,x,\n", r"no group in line 3: every picture needs one"),
        ("path,label\na.png,x\nb.png,x\na.png,y\n", r"has a\.png in lines 2 and 4, which differ: .*'beach\|night'"),
        ("path,label\nz/a.png,x\n", r"none of the pictures in .*list\.csv exists \(the first one is .*z/a\.png\)"),
        (
            "path,label\nC:\\me\\a.png,x\n",
            r"\(the first one is C:/me/a\.png\): expected paths relative to the manifest's",
        ),
        (b"path,label\n\xff\x00\x01,x\n", r"list\.csv is no text \(there is a control character in line 2\): expected"),
        ('path,label\n"a\nb.png",x\n', r"a line break in the path in line 3: expected one path in every row"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(write, text, message):
    with pytest.raises(DataError, match=message):
        read_manifest(write(text))


def test_a_single_name_may_have_a_comma_in_it(write):
    source = read_manifest(write('path,labels\na.png,dog\nb.png,"dog, small|"\n'))
    assert source.classes == ("dog", "dog, small")


def test_paths_without_endings_are_told(class_folders, tmp_path):
    class_folders(cat=2, dog=2)
    (tmp_path / "m.csv").write_text("path,label\nphotos/cat/0,cat\nphotos/dog/1,dog\n")
    with pytest.raises(DataError, match=r"or absolute ones, with their endings: photos/cat/0\.png is there$"):
        read_manifest(tmp_path / "m.csv")


def test_whatever_the_bytes_they_are_a_manifest_or_refused_in_one_line(write):
    whole = "path,label,split\na.png,Zürich,train\nb.png,Genf,val\nc.png,Genf,test\n"
    generator, told = np.random.default_rng(0), set[str]()
    for encoding in ("utf-8", "utf-16", "cp1252"):
        for number in range(200):
            raw = bytearray(whole.encode(encoding))
            for place in generator.integers(0, len(raw), 1 + number % 5):
                raw[place] = generator.integers(0, 256)
            try:
                assert sum(map(len, read_manifest(write(bytes(raw))).splits.values())) >= 1
            except DataError as error:
                told.add(str(error))
    assert len(told) > 50
    assert not [text for text in told if "\n" in text]


def test_only_test_pictures(write):
    with pytest.raises(DataError, match=r"has pictures for test but none for train: add some, or remove the splits"):
        open_splits(write("path,label,split\na.png,x,test\nb.png,y,test\n"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_manifest_that_may_not_be_read(write):
    path = write("path,label\na.png,x\n")
    path.chmod(0)
    with pytest.raises(DataError, match=r"cannot read .*list\.csv: Permission denied"):
        read_manifest(path)


class TestParquet:
    @pytest.fixture
    def arrow(self):
        return pytest.importorskip("pyarrow")

    @pytest.fixture
    def write_table(self, arrow, write, tmp_path):
        write("")

        def make(**columns) -> Path:
            from pyarrow import parquet

            parquet.write_table(arrow.table(columns), tmp_path / "list.parquet")
            return tmp_path / "list.parquet"

        return make

    def test_every_kind_of_label(self, write_table):
        names = ["a.png", "b.png", "c.png"]
        source = read_manifest(
            write_table(path=names, label=[3, 4, 3], split=["train", "train", "dev"], extra=[0, 0, 0])
        )
        assert (source.classes, labels_of(source, "validation")) == (("3", "4"), {"c.png": "3"})
        source = read_manifest(write_table(path=names, labels=[["x", "y"], [], ["y"]]))
        assert labels_of(source) == {"a.png": ("x", "y"), "b.png": (), "c.png": ("y",)}
        source = read_manifest(write_table(path=names, value=[1.5, 2.0, -1.0]))
        assert labels_of(source) == {"a.png": 1.5, "b.png": 2.0, "c.png": -1.0}

    def test_what_is_wrong(self, write_table, write):
        with pytest.raises(DataError, match=r"no label in line 2"):
            read_manifest(write_table(path=["a.png", "b.png"], label=["x", None]))
        with pytest.raises(DataError, match=r"a class 'x\|y' in row 1: a class's name cannot have '\|' in it"):
            read_manifest(write_table(path=["a.png"], labels=[["x|y"]]))
        with pytest.raises(DataError, match=r"no column path \(it has file, label\)"):
            read_manifest(write_table(file=["a.png"], label=["x"]))
        with pytest.raises(DataError, match=r"list\.parquet: it is no Parquet file"):
            read_manifest(write("PAR1 and nothing else", "list.parquet"))


def test_parquet_without_pyarrow(write, monkeypatch):
    from hubel.errors import ConfigError

    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(
        ConfigError, match=r"list\.parquet needs pyarrow.*pip install 'hubel\[datasets\]', or use a CSV"
    ):
        read_manifest(write("PAR1", "list.parquet"))
