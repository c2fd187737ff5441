"""Every layout with boxes or masks, from the disk to labelled pictures; and what is wrong with it."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.places import CLASSES, SIZE, draw_places, write_coco, write_masks, write_voc, write_yolo

from hubel.data.collecting import labelled_splits
from hubel.data.division.splits import DataSplits, open_folds, open_splits
from hubel.data.labels import MaskLabel, ObjectsLabel
from hubel.data.layouts.finding import find_source
from hubel.errors import DataError

COUNTS = {"train": 5, "val": 3, "test": 2}


def write_csv(root: Path, counts: dict[str, int]) -> Path:
    (root / "pictures").mkdir(parents=True)
    rows, number = ["path,split,label,x1,y1,x2,y2"], 0
    for split, count in counts.items():
        for _ in range(count):
            picture, boxes, _ = draw_places(number)
            picture.save(root / "pictures" / f"{number}.png")
            rows += [f"pictures/{number}.png,{split},{name},{','.join(map(str, box))}" for name, box in boxes]
            number += 1
    (root / "boxes.csv").write_text("\n".join(rows))
    return root


LAYOUTS: dict[str, Callable[[Path, dict[str, int]], Path]] = {
    "voc": write_voc,
    "coco": write_coco,
    "yolo": write_yolo,
    "csv": write_csv,
    "yolo without data.yaml": lambda root, counts: write_yolo(root, counts, data_yaml=False),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_of_every_layout(tmp_path: Path, layout: str) -> None:
    splits = open_splits(LAYOUTS[layout](tmp_path / "data", COUNTS))
    names = ("0", "1") if layout == "yolo without data.yaml" else CLASSES
    assert (splits.labelling, splits.classes) == ("boxes", names)
    number = 0
    for split, count in zip(("train", "validation", "test"), COUNTS.values(), strict=True):
        samples = splits.split(split)
        assert len(samples) == count
        for sample in samples:
            _, boxes, _ = draw_places(number)
            label = sample.label
            assert isinstance(label, ObjectsLabel)
            assert label.size == SIZE
            assert np.allclose(label.boxes, [box for _, box in boxes])
            assert label.classes == tuple(CLASSES.index(name) for name, _ in boxes)
            assert label.ignored == (False,) * len(boxes)
            number += 1
    assert (
        DataSplits.from_csv(
            splits.to_csv(), splits.train[0].path.parents[len(splits.train[0].name.split("/")) - 1], splits.classes
        ).train
        == splits.train
    )


def test_the_table_of_splits_has_masks_by_their_digests(tmp_path: Path) -> None:
    splits = open_splits(write_masks(tmp_path, COUNTS))
    again = DataSplits.from_csv(splits.to_csv(), tmp_path, splits.classes)
    assert (again.train, again.validation, again.test) == (splits.train, splits.validation, splits.test)
    with pytest.raises(DataError, match="does not say where a mask lies"):
        again.train[0].label.read()


@pytest.mark.parametrize("write", [write_voc, write_coco, write_yolo, write_masks], ids=lambda write: write.__name__)
@pytest.mark.parametrize("packing", ["zip", "tar", "tgz"])
def test_archives_of_them(tmp_path: Path, write: Callable[..., Path], packing: str) -> None:
    folder = write(tmp_path / "data", COUNTS)
    archive = tmp_path / f"data.{packing}"
    if packing == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if packing == "tgz" else "w") as file:
            file.add(folder, "data")
    wanted = "mask" if write is write_masks else "boxes"
    unpacked, packed = open_splits(folder), open_splits(archive)
    assert packed.labelling == unpacked.labelling == wanted
    for split in ("train", "validation", "test"):
        assert [s.label for s in packed.split(split)] == [s.label for s in unpacked.split(split)]
        assert [s.digest for s in packed.split(split)] == [s.digest for s in unpacked.split(split)]
    if wanted == "mask":
        assert (packed.train[0].label.read() == unpacked.train[0].label.read()).all()


@pytest.mark.parametrize("arranged", ["split/images", "images/split", "no splits"])
def test_masks_beside_their_pictures(tmp_path: Path, arranged: str) -> None:
    counts = 12 if arranged == "no splits" else COUNTS
    root = write_masks(tmp_path / "data", counts)
    if arranged == "images/split":
        for split in COUNTS:
            for folder in ("images", "masks"):
                (root / folder).mkdir(exist_ok=True)
                (root / split / folder).rename(root / folder / split)
            (root / split).rmdir()
    splits = open_splits(root)
    assert (splits.labelling, splits.classes) == ("mask", ("0", "1", "2"))
    every = [*splits.train, *splits.validation, *splits.test]
    assert len(every) == (12 if arranged == "no splits" else 10)
    if arranged != "no splits":
        assert [len(splits.split(split)) for split in ("train", "validation", "test")] == [5, 3, 2]
    for sample in every:
        _, _, mask = draw_places(int(sample.path.stem))
        assert isinstance(sample.label, MaskLabel)
        assert sample.label.size == SIZE
        assert (sample.label.read() == mask).all()
        assert sample.label.classes == tuple(np.unique(mask).tolist())


def test_what_has_no_partner_is_passed_over_and_names_that_come_twice_are_refused(tmp_path: Path) -> None:
    root = write_masks(tmp_path, 6)
    (root / "masks" / "0001.png").rename(root / "masks" / "0001_mask.png")
    (root / "masks" / "0002.png").rename(root / "masks" / "other.png")
    source = find_source(root)
    assert len(source.splits[None]) == 5
    assert [note.partition(":")[0] for note in source.notes] == [
        f"pictures without a mask in {root / 'masks'}, passed over",
        "masks without a picture, passed over",
    ]
    shutil.copy(root / "masks" / "0001_mask.png", root / "masks" / "0001.png")
    with pytest.raises(DataError, match=r"masks/0001\.png, masks/0001_mask\.png in .* have one name: expected one"):
        find_source(root)


def test_a_legend_names_the_classes_and_tells_unknown_values(tmp_path: Path) -> None:
    root = write_masks(tmp_path, {"train": 6, "val": 3})
    (root / "legend.csv").write_text("name,value\nsquare,2\nground,0\ndisc,1\n")
    splits = open_splits(root)
    assert splits.classes == ("square", "ground", "disc")
    _, _, mask = draw_places(0)
    assert (splits.train[0].label.read() == np.array([1, 2, 0])[mask]).all()
    odd = mask.copy()
    odd[0, :3] = 9
    Image.fromarray(odd).save(root / "train" / "masks" / "0000.png")
    excluded = open_splits(root).excluded
    assert [item.sample.name for item in excluded if item.unusable] == ["train/images/0000.png"]
    assert "values that mean nothing: 9 (3 pixels); expected 2 (square)" in excluded[0].reason


def test_a_models_classes_come_in_the_models_order(tmp_path: Path) -> None:
    source = find_source(write_masks(tmp_path, 4))
    samples = labelled_splits(source, ("2", "0", "other", "1"))[0][None]
    _, _, mask = draw_places(0)
    assert (samples[0].label.read() == np.array([1, 3, 0])[mask]).all()
    with pytest.raises(DataError, match=r"has a class '2' .*: .*tell in legend\.csv what"):
        labelled_splits(source, ("0", "1"))


def test_voc_has_both_and_the_task_chooses(tmp_path: Path) -> None:
    root = write_voc(tmp_path, COUNTS, masks=True)
    assert find_source(root).labelling == "boxes"
    masks = open_splits(root, labelling="mask")
    assert [len(masks.split(split)) for split in ("train", "validation", "test")] == [5, 3, 2]
    assert (masks.train[0].label.read() == draw_places(0)[2]).all()
    shutil.rmtree(root / "Annotations")
    assert find_source(root).labelling == "mask"


def test_pascal_vocs_own_masks_have_their_names_and_what_lists_name_must_be_there(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOC2012", {"train": 6, "val": 3}, masks=True)
    shutil.rmtree(root / "Annotations")
    (root / "JPEGImages" / "p000.png").unlink()
    (root / "SegmentationClass" / "p001.png").unlink()
    splits = open_splits(root)
    assert (len(splits.classes), splits.classes[:3]) == (21, ("background", "aeroplane", "bicycle"))
    assert (splits.train[0].label.read() == draw_places(2)[2]).all()
    assert {item.sample.name: item.reason for item in splits.excluded if item.unusable} == {
        "JPEGImages/p000.jpg": "it does not exist",
        "JPEGImages/p001.png": "its mask does not exist, or cannot be opened",
    }


def test_trainval_is_train_and_validation_together(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"train": 20, "val": 8, "test": 2})
    lists = root / "ImageSets" / "Main"
    together = (lists / "train.txt").read_text() + (lists / "val.txt").read_text()
    (lists / "trainval.txt").write_text(together)
    assert [len(open_splits(root).split(name)) for name in ("train", "validation", "test")] == [20, 8, 2]
    (lists / "train.txt").unlink()
    (lists / "val.txt").unlink()
    splits = open_splits(root)
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (28, 2)


def test_voc_without_lists_is_divided_and_every_split_has_every_class(tmp_path: Path) -> None:
    splits = open_splits(write_voc(tmp_path, 24))
    assert len(splits.train) > len(splits.test) > 0
    for split in ("train", "validation", "test"):
        assert {label for sample in splits.split(split) for label in sample.label.classes} == {0, 1}
    folds = open_folds(tmp_path, 3)
    assert sorted(len(fold) for fold in folds.folds) == [8, 8, 8]


def test_xml_beside_its_picture_in_split_folders(tmp_path: Path) -> None:
    for split, seed in (("train", 0), ("valid", 50), ("test", 80)):
        made = write_voc(tmp_path / "made" / split, 3, seed=seed)
        (tmp_path / "data" / split).mkdir(parents=True)
        for path in [*made.rglob("*.png"), *made.rglob("*.xml")]:
            path.rename(tmp_path / "data" / split / path.name)
    splits = open_splits(tmp_path / "data")
    assert [len(splits.split(name)) for name in ("train", "validation", "test")] == [3, 3, 3]


def test_outlines_become_masks_where_masks_are_wanted(tmp_path: Path) -> None:
    root = write_coco(tmp_path, COUNTS)
    assert find_source(root).labelling == "boxes"
    splits = open_splits(root, labelling="mask")
    assert splits.classes == ("background", *CLASSES)
    for number, sample in enumerate(splits.train):
        _, boxes, _ = draw_places(number)
        expected = np.zeros(SIZE, np.uint8)  # the outlines in the file are those of the boxes
        for name, (x1, y1, x2, y2) in sorted(boxes, key=lambda each: -(each[1][2] - each[1][0])):
            expected[y1:y2, x1:x2] = 1 + CLASSES.index(name)
        assert (sample.label.read() == expected).all()


@pytest.mark.parametrize("box", [None, [], [0, 0, 0, 0]])
def test_outlines_without_boxes_are_for_masks(tmp_path: Path, box: list[int] | None) -> None:
    """They were no data set of pictures without objects, whose every annotation is malformed."""
    file = write_coco(tmp_path, 8) / "annotations" / "instances.json"
    content = json.loads(file.read_text())
    for each in content["annotations"]:
        del each["bbox"]
        if box is not None:
            each["bbox"] = box
    file.write_text(json.dumps(content))
    splits = open_splits(tmp_path)
    assert (splits.labelling, splits.classes) == ("mask", ("background", *CLASSES))
    assert splits.fingerprint == open_splits(tmp_path, labelling="mask").fingerprint
    assert not any("malformed" in note for note in splits.notes)
    for labelling, kind in {"boxes": "boxes", "class": "one class"}.items():
        with pytest.raises(DataError, match=f"has a mask for each picture, and this task expects {kind}"):
            open_splits(tmp_path, labelling=labelling)


def test_voc_pictures_without_annotations_are_told(tmp_path: Path) -> None:
    root = write_voc(tmp_path, 24)
    gone = sorted((root / "Annotations").iterdir())[:3]
    for path in gone:
        path.unlink()
    splits = open_splits(root)
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 21
    assert any(
        note.startswith(f"pictures without annotations, passed over: 3 (such as JPEGImages/{gone[0].stem}.")
        for note in splits.notes
    )


@pytest.mark.parametrize("above", ["C:\\Users\\me\\blood\\", "/home/me/blood/"])
def test_a_data_yaml_of_another_computer(tmp_path: Path, above: str) -> None:
    root = write_yolo(tmp_path, {"train": 5, "val": 3})
    lines = [f"train: {above}images/train", f"val: {above}images/val", "test: ../test/images", "names: [square, disc]"]
    (root / "data.yaml").write_text("\r\n".join(lines).replace("/", "\\" if "\\" in above else "/"))
    splits = open_splits(root)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (5, 3, 0)
    assert "data.yaml names ../test/images for test, which has no images here: passed over" in splits.notes


def test_a_picture_that_is_gone_is_looked_for_where_the_others_are(tmp_path: Path) -> None:
    root = write_coco(tmp_path, 20)
    for path in (root / "images").rglob("*.png"):
        path.rename(root / "images" / path.name)
    gone = min((root / "images").glob("*.png"))
    gone.unlink()
    assert open_splits(root, labelling="classes").classes == tuple(sorted(CLASSES))
    (left_out,) = open_splits(root).excluded
    assert (left_out.sample.name, left_out.reason) == (f"images/{gone.name}", "it does not exist")


def test_a_class_that_no_picture_has_is_told(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, {"train": 5, "val": 3})
    text = (root / "data.yaml").read_text()
    (root / "data.yaml").write_text(text[: text.index("names")] + "names: [square, disc, ring]\n")
    assert "no picture has ring: nothing of that can be learnt" in open_splits(root).notes


def test_pictures_without_objects_are_good_data(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, {"train": 5, "val": 3})
    (root / "labels" / "train" / "0001.txt").unlink()
    (root / "labels" / "train" / "0002.txt").write_text("")
    labels = [sample.label for sample in open_splits(root).train]
    assert [label.boxes for label in labels[1:3]] == [(), ()]
    assert len(labels) == 5


def test_pictures_without_objects_may_come_first(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, {"train": 30, "val": 3}, data_yaml=False)
    for path in sorted((root / "labels" / "train").iterdir())[:25]:
        path.write_text("")
    source = find_source(root)
    assert source.labelling == "boxes"
    assert [len(entry.label.boxes) > 0 for entry in source.splits["train"]] == [False] * 25 + [True] * 5


def test_labels_that_are_no_text_are_named_and_their_picture_left_out(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, {"train": 5, "val": 3})
    (root / "labels" / "train" / "0001.txt").write_bytes("0 0.5 0.5 0.1 0.1 café".encode("latin-1"))
    splits = open_splits(root)
    assert len(splits.train) == 4
    (left_out,) = splits.excluded
    assert left_out.sample.name == "images/train/0001.png"
    assert left_out.reason.startswith("its labels labels/train/0001.txt cannot be read ('utf-8' codec can't decode")


def test_class_folders_with_captions_in_any_encoding_stay_what_they_are(class_folders: Callable[..., Path]) -> None:
    root = class_folders(cat=3, dog=3)
    for picture in list(root.rglob("*.png")):
        picture.with_suffix(".txt").write_bytes("une photo d'un café".encode("latin-1"))
    assert find_source(root).labelling == "class"


@pytest.mark.parametrize("first", ["images", "annotations"])
def test_a_list_of_coco_may_be_longer_than_what_is_looked_at(tmp_path: Path, first: str) -> None:
    file = write_coco(tmp_path, 3) / "annotations" / "instances.json"
    content = json.loads(file.read_text())
    for entry in content[first]:
        entry["note"] = 70_000 * "x"
    file.write_text(json.dumps({first: content.pop(first), **content}))
    assert find_source(tmp_path).classes == CLASSES


def test_tables_of_boxes_parted_by_tabs(tmp_path: Path) -> None:
    table = write_csv(tmp_path, COUNTS) / "boxes.csv"
    expected = open_splits(tmp_path).train
    table.with_suffix(".tsv").write_text(table.read_text().replace(",", "\t"), encoding="utf-16")
    table.unlink()
    assert open_splits(tmp_path).train == open_splits(tmp_path / "boxes.tsv").train == expected


def test_annotations_that_change_change_the_fingerprint(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "boxes", COUNTS)
    before = open_splits(root)
    file = root / "Annotations" / "p000.xml"
    file.write_text(file.read_text().replace("<xmax>", "<xmax>1", 1).replace("<xmin>", "<xmin>0", 1))
    after = open_splits(root)
    assert before.fingerprint != after.fingerprint
    assert len(set(before.to_csv().splitlines()) ^ set(after.to_csv().splitlines())) == 2
    masked = write_masks(tmp_path / "masks", COUNTS)
    before = open_splits(masked)
    Image.fromarray(np.ones(SIZE, np.uint8)).save(masked / "train" / "masks" / "0000.png")
    assert len(set(before.to_csv().splitlines()) ^ set(open_splits(masked).to_csv().splitlines())) == 2


def test_what_is_wrong_is_named_and_counted_once(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"train": 20, "val": 5})
    folder = root / "Annotations"

    def change(number: int, before: str, after: str) -> None:
        file = folder / f"p{number:03}.xml"
        assert before in file.read_text()
        file.write_text(file.read_text().replace(before, after, 1))

    (folder / "p000.xml").write_text("<annotation><object>")
    (folder / "p001.xml").unlink()
    (root / "JPEGImages" / "p002.png").unlink()
    (root / "JPEGImages" / "p003.png").write_bytes(b"no picture")
    change(4, "<width>64</width>", "<width>640</width>")
    change(
        5,
        "</annotation>",
        "<object><name>disc</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
    )
    change(
        6,
        "</annotation>",
        "<object><name>disc</name><bndbox><xmin>90</xmin><ymin>9</ymin><xmax>99</xmax><ymax>19</ymax></bndbox></object></annotation>",
    )
    change(
        7,
        "</annotation>",
        "<object><name>disc</name><bndbox><xmin>60</xmin><ymin>9</ymin><xmax>70</xmax><ymax>19</ymax></bndbox></object></annotation>",
    )
    change(
        8,
        "</annotation>",
        "<object><bndbox><xmin>1</xmin><ymin>9</ymin><xmax>70</xmax><ymax>19</ymax></bndbox></object></annotation>",
    )
    splits = open_splits(root)
    reasons = {item.sample.name.rpartition("/")[2]: item.reason for item in splits.excluded}
    assert set(reasons) == {"p000.png", "p001.png", "p002.png", "p003.png", "p004.png"}
    assert "no XML" in reasons["p000.png"]
    assert reasons["p001.png"] == "its annotations Annotations/p001.xml do not exist"
    assert reasons["p002.png"] == "it does not exist"
    assert "no image that Pillow knows" in reasons["p003.png"]
    assert reasons["p004.png"] == "it has 64×48 pixels, its annotations are for 640×48"
    assert all(item.unusable for item in splits.excluded)
    source = find_source(root)
    kinds = Counter(problem.kind for problem in source.problems)
    assert kinds == {"malformed": 2, "unreadable": 1, "another size": 1, "no area": 1, "outside": 1, "clipped": 1}
    told = [note for note in splits.notes if "boxes" in note]
    assert any(note.startswith("boxes without width or height: 1 (such as ") and "p005.xml" in note for note in told)
    assert any(note.startswith("boxes that reach out of their picture, cut off there: 1") for note in told)


def broken(root: Path, what: str) -> Path:
    if what == "no names":
        write_yolo(root, {"train": 3, "val": 2})
        for path in root.rglob("*.txt"):
            path.write_text("")
        (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: []\n")
    if what == "COCO without its pictures":
        write_coco(root, 3)
        shutil.rmtree(root / "images")
        Image.new("RGB", (4, 4)).save(root / "other.png")
    elif what == "damaged JSON":
        file = write_coco(root, 3) / "annotations" / "instances.json"
        file.write_text(file.read_text()[:-20])
    elif what == "other categories":
        file = write_coco(root, COUNTS) / "annotations" / "instances_val.json"
        file.write_text(file.read_text().replace('"disc"', '"dics"'))
    elif what == "YAML without pictures":
        write_yolo(root, {"train": 3})
        (root / "data.yaml").write_text("train: elsewhere\nnames: [a, b]\n")
    elif what == "YAML of pictures elsewhere":
        images = write_yolo(root / "pictures", {"train": 3}) / "images" / "train"
        (root / "here").mkdir()
        (root / "here" / "data.yaml").write_text(f"train: {images}\nnames: [a, b]\n")
        return root / "here" / "data.yaml"
    elif what == "YAML that is gone":
        write_yolo(root, {"train": 3}, data_yaml=False)
        (root / "data.yaml").symlink_to(root / "elsewhere.yaml")
    elif what == "no masks of the same names":
        write_masks(root, 3)
        for path in list((root / "masks").iterdir()):
            path.rename(path.with_name("x" + path.name))
    elif what == "photographs for masks":
        write_masks(root, 3)
        for number in range(3):
            noise = np.random.default_rng(number).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / "masks" / f"{number:04}.png")
    return root


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no names", r"has no names: expected the classes' names"),
        ("COCO without its pictures", r"none of 3 pictures in .* can be used \(such as .*: it does not exist\)"),
        ("damaged JSON", r"instances.json is no JSON"),
        ("other categories", r"have other categories \(dics, disc\): expected the same in every split"),
        ("YAML without pictures", r"data.yaml names elsewhere, which has no images here: expected a folder"),
        ("YAML of pictures elsewhere", r"images/train, which is outside of .*here: put the file into the folder above"),
        ("YAML that is gone", r"cannot read .*data\.yaml: No such file or directory"),
        ("no masks of the same names", r"no picture in .*images has a mask of the same name in .*masks"),
        ("photographs for masks", r"different values, too many for classes: expected flat areas"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        open_splits(broken(tmp_path, what))
    assert "\n" not in str(raised.value)


def test_labels_of_another_kind(tmp_path: Path) -> None:
    root = write_voc(tmp_path, COUNTS)
    several = open_splits(root, labelling="classes")
    assert several.labelling == "classes"
    assert several.train[0].label == tuple(sorted({CLASSES.index(name) for name, _ in draw_places(0)[1]}))
    with pytest.raises(DataError, match="has boxes for each picture, and this task expects a mask"):
        open_splits(root, labelling="mask")


def test_images_alone(tmp_path: Path, class_folders: Callable[..., Path]) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(8):
        draw_places(number)[0].save(flat / f"{number}.png")
    splits = open_splits(flat, labelling="none")
    assert (splits.labelling, splits.classes, splits.train[0].label) == ("none", (), None)
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 8
    again = DataSplits.from_csv(splits.to_csv(), flat)
    assert again.train == splits.train
    for split in ("train", "test"):
        (tmp_path / "parted" / split).mkdir(parents=True)
    for number in range(20):
        draw_places(number)[0].save(tmp_path / "parted" / ("test" if number < 4 else "train") / f"{number}.png")
    parted = open_splits(tmp_path / "parted", labelling="none")
    assert len(parted.test) == 4
    classes = open_splits(class_folders(cat=5, dog=5), labelling="none")
    assert (classes.labelling, classes.classes) == ("none", ("cat", "dog"))
    assert {sample.label for sample in classes.train} <= {0, 1}
    boxes = open_splits(write_voc(tmp_path / "boxes", COUNTS), labelling="none")
    assert (boxes.labelling, len(boxes.train), boxes.train[0].label) == ("none", 5, None)
    masks = open_splits(write_masks(tmp_path / "masks", COUNTS), labelling="none")
    assert len(masks.train) == 5


def test_a_data_yaml_and_a_table_may_be_named_themselves(tmp_path: Path) -> None:
    yolo = write_yolo(tmp_path / "yolo", COUNTS)
    assert open_splits(yolo / "data.yaml").train == open_splits(yolo).train
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(f"path: {yolo}\n" + (yolo / "data.yaml").read_text())
    assert [sample.digest for sample in open_splits(elsewhere).train] == [s.digest for s in open_splits(yolo).train]
    table = write_csv(tmp_path / "csv", COUNTS)
    assert open_splits(table / "boxes.csv").train == open_splits(table).train


@pytest.mark.parametrize("absolute", [False, True])
def test_a_table_of_boxes_may_name_pictures_outside_of_its_folder(tmp_path: Path, *, absolute: bool) -> None:
    """As `hubel data --fix --out elsewhere` writes it."""
    table = write_csv(tmp_path / "csv", COUNTS)
    (tmp_path / "deep" / "elsewhere").mkdir(parents=True)
    header, *rows = (table / "boxes.csv").read_text().splitlines()
    assert header.startswith("path,")
    above = f"{table}/" if absolute else "../../csv/"
    moved = tmp_path / "deep" / "elsewhere" / "cleaned.csv"
    moved.write_text("\n".join([header, *(above + row for row in rows)]))
    there, here = open_splits(moved), open_splits(table)
    assert [(sample.digest, sample.label) for sample in there.train] == [(s.digest, s.label) for s in here.train]


def test_class_folders_with_a_text_beside_stay_what_they_are(class_folders: Callable[..., Path]) -> None:
    root = class_folders(cat=3, dog=3)
    (root / "README.txt").write_text("0 0.5 0.5 0.1 0.1")
    (root / "info.json").write_text(json.dumps({"info": 1}))
    assert find_source(root).labelling == "class"


def test_bccd(shared: Path) -> None:
    splits = open_splits(shared / "data" / "bccd")
    assert (splits.labelling, splits.classes) == ("boxes", ("Platelets", "RBC", "WBC"))
    assert [len(splits.split(name)) for name in ("train", "validation", "test")] == [205, 87, 72]


def test_membrane(shared: Path) -> None:
    splits = open_splits(shared / "data" / "membrane")
    assert (splits.labelling, splits.classes) == ("mask", ("0", "255"))
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 30
    assert splits.train[0].label.read().shape == (512, 512)
