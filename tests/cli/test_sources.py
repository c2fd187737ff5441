"""Every kind of data through the command line: the same pictures give the same run, whatever holds them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import Outcome

from hubel.data.division.splits import DataSplits

Hubel = Callable[..., Outcome]

QUICK = ("--model", "lenet5", "--device", "cpu", "--epochs", "2", "--set", "batch_size=8", "--set", "data.workers=0")


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def as_manifest(folder: Path) -> Path:
    rows = [f"{path.relative_to(folder.parent)};{path.parent.name}\r\n" for path in files_in(folder)]
    manifest = folder.parent / "listed.csv"
    manifest.write_text("path;label\r\n" + "".join(rows), encoding="utf-16")
    return manifest


def as_zip(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "squares"), "zip", folder.parent, folder.name))


def as_tar(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "squares"), "tar", folder))


def as_compressed_tar(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.parent / "squares"), "gztar", folder))


def as_zip_with_a_manifest(folder: Path) -> Path:
    table = "path,label\n" + "".join(f"all/{n:02}.png,{path.parent.name}\n" for n, path in enumerate(files_in(folder)))
    with zipfile.ZipFile(folder.parent / "listed.zip", "w") as packed:
        packed.writestr("list.csv", table)
        for number, path in enumerate(files_in(folder)):
            packed.write(path, f"all/{number:02}.png")
    return folder.parent / "listed.zip"


def as_parquet(folder: Path) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"bytes": path.read_bytes(), "path": path.name} for path in files_in(folder)]
    labels = [("red", "green", "blue").index(path.parent.name) for path in files_in(folder)]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["red", "green", "blue"]}}
    columns = {"image": arrow.array(rows, arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (folder.parent / "hub").mkdir()
    table = arrow.table({**columns, "label": labels}).replace_schema_metadata(metadata)
    parquet.write_table(table, folder.parent / "hub" / "data-00000-of-00001.parquet")
    return folder.parent / "hub"


KINDS = [as_manifest, as_zip, as_tar, as_compressed_tar, as_zip_with_a_manifest, as_parquet]


@pytest.fixture
def trained(hubel: Hubel, coloured_squares: Path) -> Path:
    """A run on class folders."""
    outcome = hubel("train", coloured_squares, *QUICK, "--out", "runs/folders")
    assert outcome.status == 0, outcome.err
    return Path("runs/folders")


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


@pytest.mark.parametrize("pack", KINDS)
def test_the_same_pictures_give_the_same_run(trained, hubel, coloured_squares, pack, tmp_path):
    data = pack(coloured_squares)
    shutil.move(coloured_squares, tmp_path / "elsewhere") if pack is not as_manifest else None
    outcome = hubel("train", data, *QUICK)
    assert outcome.status == 0, outcome.err
    run = Path("runs") / data.name.split(".")[0]
    folders, packed = (json.loads((path / "metrics.json").read_text()) for path in (trained, run))
    assert packed["test"] == folders["test"]
    assert packed["validation"] == folders["validation"]
    before, after = (DataSplits.from_csv((path / "splits.csv").read_text(), tmp_path) for path in (trained, run))
    assert [sample.digest for sample in before.test] == [sample.digest for sample in after.test]
    assert (run / "report.html").read_text().count('src="data:image/jpeg;base64,') >= 9

    held_out = hubel("evaluate", run, data, "--json", "--output", "predictions.csv")
    assert held_out.status == 0, held_out.err
    measured = json.loads(held_out.out)
    assert (measured["split"], measured["accuracy"]) == ("test", packed["test"]["accuracy"])
    rows = rows_of(Path("predictions.csv").read_text())
    assert {row["path"] for row in rows} == {
        str(data.parent / sample.name) if pack is as_manifest else f"{data}/{sample.name}" for sample in after.test
    }
    views = hubel("evaluate", run, data, "--tta", "flip", "--json")
    assert views.status == 0, views.err
    predicted = hubel(
        "predict", run, data / "data-00000-of-00001.parquet" if pack is as_parquet else data, "--format", "csv"
    )
    assert predicted.status == 0, predicted.err
    assert len(rows_of(predicted.out)) == 60


def test_a_model_is_measured_on_another_kind_of_data_with_its_own_classes(trained, hubel, coloured_squares):
    data = as_zip_with_a_manifest(coloured_squares)
    outcome = hubel("evaluate", trained, data, "--split", "all", "--json")
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out)["images"] == 60
    (coloured_squares.parent / "two.csv").write_text("path,label\nsquares/red/00.png,red\nsquares/blue/01.png,blue\n")
    assert json.loads(hubel("evaluate", trained, "two.csv", "--split", "all", "--json").out)["images"] == 2
    (coloured_squares.parent / "pink.csv").write_text("path,label\nsquares/red/00.png,pink\nsquares/blue/01.png,blue\n")
    outcome = hubel("evaluate", trained, "pink.csv", "--split", "all")
    assert (outcome.status, "has a class 'pink' that the model does not know" in outcome.error) == (2, True)


def test_a_manifests_splits_and_missing_pictures(hubel, coloured_squares, tmp_path):
    rows = [
        f"{path.relative_to(tmp_path)},{path.parent.name},{('train', 'valid', 'testing')[n % 3]}\n"
        for n, path in enumerate(files_in(coloured_squares))
    ]
    (tmp_path / "m.csv").write_text("path,label,split\n" + "".join(rows) + "squares/red/gone.png,red,train\n")
    outcome = hubel("train", "m.csv", *QUICK)
    assert outcome.status == 2
    assert "1 of 61 images cannot be read (1.6%; 1.0% may): squares/red/gone.png (it does not exist)" in outcome.error
    outcome = hubel("train", "m.csv", *QUICK, "--set", "data.max_unreadable=0.02")
    assert outcome.status == 0, outcome.err
    assert json.loads(Path("runs/m/metrics.json").read_text())["test"]["images"] == 20


def test_going_on_with_a_run_on_an_archive_notices_that_it_has_changed(hubel, coloured_squares):
    data = as_zip(coloured_squares)
    assert hubel("train", data, *QUICK, "--set", "epochs=1").status == 0
    run = Path("runs/squares")
    (run / "metrics.json").unlink()
    (run / "report.html").unlink()
    outcome = hubel("train", data, "--resume")
    assert outcome.status == 0, outcome.err
    assert (run / "metrics.json").is_file()
    (run / "metrics.json").unlink()
    (coloured_squares / "red" / "00.png").write_bytes((coloured_squares / "blue" / "00.png").read_bytes() + b"x")
    as_zip(coloured_squares)
    outcome = hubel("train", data, "--resume")
    assert (outcome.status, "have changed since the run began" in outcome.error) == (2, True)


def test_a_cross_validation_by_the_groups_of_a_manifest(hubel, coloured_squares, tmp_path):
    rows = [f"{p.relative_to(tmp_path)},{p.parent.name},{p.stem[-1]}\n" for p in files_in(coloured_squares)]
    (tmp_path / "m.csv").write_text("path,label,group\n" + "".join(rows))
    outcome = hubel("train", "m.csv", *QUICK, "--folds", "2", "--set", "epochs=1")
    assert outcome.status == 0, outcome.err
    of_group: dict[str, set[str]] = {}
    for row in rows_of(Path("runs/m/out_of_fold.csv").read_text()):
        of_group.setdefault(row["group"], set()).add(row["fold"])
    assert len(of_group) == 10
    assert all(len(folds) == 1 for folds in of_group.values())


def test_a_probe_of_an_archive(hubel, coloured_squares):
    outcome = hubel("probe", as_zip(coloured_squares), "--model", "resnet20_cifar", "--device", "cpu")
    assert outcome.status == 0, outcome.err


def test_one_of_torchvisions_sets(hubel, tmp_path, monkeypatch):
    monkeypatch.setenv("HUBEL_CACHE", str(tmp_path / "cache"))
    raw = tmp_path / "cache" / "torchvision" / "MNIST" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 60), ("t10k", 20)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        header = struct.pack(">4BLLL", 0, 0, 8, 3, count, 28, 28)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = bytes(number % 2 for number in range(count))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">4BL", 0, 0, 8, 1, count) + labels)
    outcome = hubel("train", "torchvision:MNIST", *QUICK)
    assert outcome.status == 0, outcome.err
    assert json.loads(Path("runs/MNIST/metrics.json").read_text())["test"]["images"] == 20
    assert "data" not in {path.name for path in tmp_path.iterdir()}
    outcome = hubel("evaluate", "runs/MNIST", "torchvision:MNIST", "--json")
    assert json.loads(outcome.out)["images"] == 20
    outcome = hubel("predict", "runs/MNIST", "torchvision:MNIST", "--format", "csv")
    assert len(rows_of(outcome.out)) == 80
    outcome = hubel("train", "--resume", "torchvision:MNIST")
    assert outcome.status == 0, outcome.err


def test_a_hostile_archive_writes_nothing(trained, hubel, coloured_squares, tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as packed:
        for path in files_in(coloured_squares):
            packed.add(path, path.relative_to(coloured_squares))
        for name in ("../../evil.png", "/tmp/hubel-evil.png"):
            info = tarfile.TarInfo(name)
            info.size = 1
            packed.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("red/passwd.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    outcome = hubel("evaluate", trained, "evil.tar", "--split", "all", "--json")
    assert json.loads(outcome.out)["images"] == 60
    assert not Path("/tmp/hubel-evil.png").exists()
    assert not (tmp_path.parent.parent / "evil.png").exists()


@pytest.mark.parametrize("verb", ["train", "probe"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.rar", b"Rar!", "x.rar is an archive that cannot be read: expected .zip or .tar"),
        ("x.zip", b"PK and nothing", "x.zip is no zip file, or is cut off"),
        ("x.csv", b"file,class\na.png,b\n", "x.csv has no column path (it has file, class)"),
        ("x.csv", b"path,label\nhttp://a/b.png,b\n", "has an address in line 2 (http://a/b.png)"),
        ("x.jpg", b"x", "x.jpg is a file: expected a folder with one folder of images per class"),
        ("torchvision:CIFAR", None, "unknown data set of torchvision 'CIFAR': did you mean CIFAR10"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(hubel, tmp_path, verb, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    outcome = hubel(verb, name, "--model", "lenet5")
    assert (outcome.status, message in outcome.error) == (2, True), outcome.err
