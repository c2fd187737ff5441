"""Annotation files of every kind: what they say, what is wrong with them, and orientation."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from hubel.data.annotated_pictures import BoxReader
from hubel.data.annotations import (
    AnnotatedPicture,
    Annotations,
    LabelledBox,
    fit_to_picture,
    read_boxes_csv,
    read_coco,
    read_data_yaml,
    read_voc,
    read_yolo,
)
from hubel.data.annotations.csv_boxes import has_boxes
from hubel.data.annotations.upright import turned_upright
from hubel.errors import DataError


def problems(annotations: Annotations) -> list[str]:
    return [f"{problem.kind} | {problem}" for problem in annotations.problems]


def voc(*objects: tuple[str, int, int, int, int], size: tuple[int, int] = (100, 80), filename: str = "a.jpg") -> str:
    listed = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in objects
    )
    width, height = size
    return (
        f"<annotation><filename>{filename}</filename><size><width>{width}</width><height>{height}</height></size>"
        f"{listed}</annotation>"
    )


class TestVOC:
    def read(self, tmp_path: Path, content: str, classes: list[str] | None = None) -> Annotations:
        (tmp_path / "a.xml").write_text(content)
        return read_voc([tmp_path / "a.xml"], classes)

    def test_pixels_are_counted_from_1(self, tmp_path: Path):
        found = self.read(tmp_path, voc(("dog", 1, 1, 100, 80), ("cat", 11, 21, 30, 40)))
        assert found.pictures == (
            AnnotatedPicture(
                "a.jpg",
                (100, 80),
                (LabelledBox("dog", (0, 0, 100, 80)), LabelledBox("cat", (10, 20, 30, 40))),
            ),
        )
        assert (found.classes, found.problems) == (("cat", "dog"), ())

    def test_what_is_wrong_is_named_and_left_out(self, tmp_path: Path):
        content = voc(("dog", 50, 40, 50, 60), ("dog", 90, 10, 130, 30), ("dog", 120, 10, 130, 30), ("dgo", 1, 1, 9, 9))
        found = self.read(tmp_path, content, ["cat", "dog"])
        assert found.pictures[0].boxes == (LabelledBox("dog", (89, 9, 100, 30)),)
        file = tmp_path / "a.xml"
        assert problems(found) == [
            f"no area | {file}, object 1 (dog): the box (50, 40, 50, 60) has no width or no height; left out",
            f"clipped | {file}, object 2 (dog): the box (89, 9, 130, 30) reaches out of 100×80 pixels; cut off there",
            f"outside | {file}, object 3 (dog): the box (119, 9, 130, 30) is outside of 100×80 pixels; left out",
            f"unknown class | {file}, object 4 (dgo): unknown class 'dgo' (did you mean dog?); left out",
        ]

    def test_a_picture_without_objects_and_a_file_without_a_size(self, tmp_path: Path):
        assert self.read(tmp_path, voc()).pictures[0].boxes == ()
        found = self.read(tmp_path, voc(("dog", 5, 5, 900, 900), size=(0, 0), filename=""))
        assert (found.pictures[0].name, found.pictures[0].size) == ("a", None)
        assert found.pictures[0].boxes[0].box == (4, 4, 900, 900)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("<annotation><object>", "no XML (no element found: line 1, column 20); left out"),
            ("", "no XML (no element found: line 1, column 0); left out"),
            ("<html></html>", "its outermost element is <html>, not <annotation>; left out"),
            ('<?xml version="1.0" encoding="klingon"?><annotation/>', "no XML (unknown encoding: klingon); left out"),
            (
                '<?xml version="1.0" encoding="gb2312"?><annotation/>',
                "no XML (multi-byte encodings are not supported); left out",
            ),
        ],
    )
    def test_a_malformed_file_is_named_and_left_out(self, tmp_path: Path, content: str, message: str):
        found = self.read(tmp_path, content)
        assert found.pictures == ()
        assert problems(found) == [f"malformed | {tmp_path / 'a.xml'}: {message}"]

    def test_malformed_objects_are_named_and_left_out(self, tmp_path: Path):
        content = voc(("dog", 1, 1, 9, 9)).replace("<xmin>1</xmin>", "<xmin>left</xmin>")
        found = self.read(tmp_path, content.replace("</annotation>", "<object/></annotation>"))
        assert [problem.what for problem in found.problems] == [
            "its box is (left, 1, 9, 9): expected four numbers; left out",
            "it has no name; left out",
        ]
        missing = read_voc([tmp_path / "b.xml"])
        assert problems(missing) == [f"unreadable | {tmp_path / 'b.xml'}: No such file or directory; left out"]

    def test_on_blood_cells(self, shared: Path):
        """364 pictures; two boxes from a pixel to itself are known to be in the set."""
        found = read_voc(sorted((shared / "data/bccd/Annotations").glob("*.xml")))
        assert len(found.pictures) == 364
        counts = Counter(box.name for picture in found.pictures for box in picture.boxes)
        assert counts == {"RBC": 4153, "WBC": 372, "Platelets": 361}
        assert found.classes == ("Platelets", "RBC", "WBC")
        assert [(Path(each.where.partition(",")[0]).stem, each.kind) for each in found.problems] == [
            ("BloodImage_00338", "no area"),
            ("BloodImage_00343", "no area"),
        ]
        assert all(picture.size == (640, 480) for picture in found.pictures)
        assert min(min(box.box) for picture in found.pictures for box in picture.boxes) == 0
        reader = BoxReader()
        picture = fit_to_picture(found.pictures[0], shared / "data/bccd/JPEGImages" / found.pictures[0].name, reader)
        assert picture == found.pictures[0]


COCO = {
    "images": [
        {"id": 7, "file_name": "b.jpg", "width": 100, "height": 80},
        {"id": 3, "file_name": "sub\\a.jpg", "width": 50, "height": 50},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 18, "bbox": [10, 20, 30.5, 40], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 100, 80], "iscrowd": 1},
    ],
}


class TestCOCO:
    def read(self, tmp_path: Path, **changed: object) -> Annotations:
        (tmp_path / "all.json").write_text(json.dumps({**COCO, **changed}))
        return read_coco(tmp_path / "all.json")

    def test_boxes_are_corner_and_size(self, tmp_path: Path):
        found = self.read(tmp_path)
        assert found.classes == ("person", "dog")  # by their ids
        assert found.pictures == (
            AnnotatedPicture(
                "b.jpg",
                (100, 80),
                (LabelledBox("dog", (10, 20, 40.5, 60)), LabelledBox("person", (0, 0, 100, 80), crowd=True)),
            ),
            AnnotatedPicture("sub/a.jpg", (50, 50), ()),
        )
        assert found.problems == ()

    def test_what_is_wrong_is_named_and_left_out(self, tmp_path: Path):
        boxes = [
            {"id": 5, "image_id": 7, "category_id": 2, "bbox": [1, 1, 5, 5]},
            {"id": 6, "image_id": 8, "category_id": 1, "bbox": [1, 1, 5, 5]},
            {"id": 7, "image_id": 7, "category_id": 1, "bbox": [1, 1, 5]},
            {"id": 8, "image_id": 7, "category_id": 1},
            {"id": 9, "image_id": 7, "category_id": 1, "bbox": [1, 1, 0, 5]},
            {"id": 10, "image_id": 7, "category_id": 1, "bbox": [1, None, 4, 5]},
        ]
        found = self.read(tmp_path, annotations=boxes)
        assert all(not picture.boxes for picture in found.pictures)
        file = tmp_path / "all.json"
        assert problems(found) == [
            f"unknown class | {file}, annotation 5 of b.jpg: there is no category 2; left out",
            f"malformed | {file}, annotation 7 of b.jpg: its box is (1, 1, 5): expected four numbers; left out",
            f"malformed | {file}, annotation 8 of b.jpg: its box is (None): expected four numbers; left out",
            f"no area | {file}, annotation 9 of b.jpg: the box (1, 1, 1, 6) has no width or no height; left out",
            f"malformed | {file}, annotation 10 of b.jpg: its box is (1, None, 4, 5): expected four numbers; left out",
            f"malformed | {file}, annotation 6: there is no image 8; left out",
        ]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", r"all.json is no JSON \(Expecting property name.*: expected COCO's annotations"),
            ("[]", "all.json has no list of images and no list of annotations and no list of categories: expected"),
            ('{"images": [], "annotations": {}, "categories": []}', "has no list of annotations: expected"),
            (
                '{"images": [{"id": 1}], "annotations": [], "categories": []}',
                "all.json has no file_name in entry 0 of images: expected one in every entry",
            ),
            (
                '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}',
                "several categories named a: expected each name once",
            ),
            (
                '{"images":[{"id":1,"file_name":"a"},{"id":1,"file_name":"b"}],"annotations":[],"categories":[]}',
                "several images with the id 1: expected another one for each",
            ),
            (
                '{"images":[{"id":1,"file_name":"a"},{"id":2,"file_name":"a"}],"annotations":[],"categories":[]}',
                "lists a under several ids: expected each picture once, with all its annotations",
            ),
        ],
    )
    def test_a_malformed_file_is_an_error(self, tmp_path: Path, content: str, message: str):
        (tmp_path / "all.json").write_text(content)
        with pytest.raises(DataError, match=message):
            read_coco(tmp_path / "all.json")

    def test_ids_may_be_text_and_an_entry_may_come_twice(self, tmp_path: Path):
        categories = [{"id": "b", "name": "cat"}, {"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
        found = self.read(
            tmp_path, categories=[*categories, categories[0]], images=[*COCO["images"], COCO["images"][0]]
        )
        assert found.classes == ("person", "dog", "cat")
        assert [len(picture.boxes) for picture in found.pictures] == [2, 0]

    def test_a_missing_file_is_an_error(self, tmp_path: Path):
        with pytest.raises(DataError, match=r"cannot read .*none.json: No such file"):
            read_coco(tmp_path / "none.json")


class TestYOLO:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for split in ("train", "val"):
            (tmp_path / "images" / split).mkdir(parents=True)
            (tmp_path / "labels" / split).mkdir(parents=True)
        for name in ("train/a", "train/b", "val/c"):
            Image.new("RGB", (100, 80)).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels/train/a.txt").write_text("1 0.5 0.5 0.2 0.5\n\n0 0.1 0.1 0.4 0.1 0.4 0.3 0.2 0.6\n")
        (tmp_path / "data.yaml").write_text(
            "path: /nowhere\ntrain: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n"
        )
        return tmp_path

    def test_shares_become_pixels_and_no_file_means_no_objects(self, folder: Path):
        data = read_data_yaml(folder / "data.yaml")
        assert data.classes == ("cat", "dog")
        assert {split: [path.name for path in paths] for split, paths in data.splits.items()} == {
            "train": ["a.png", "b.png"],
            "validation": ["c.png"],
        }
        found = read_yolo(data.splits["train"], data.classes)
        first, second = found.pictures
        assert [(box.name, pytest.approx(box.box)) for box in first.boxes] == [
            ("dog", (40, 20, 60, 60)),
            ("cat", (10, 8, 40, 48)),
        ]
        assert (second.boxes, found.problems, first.size) == ((), (), (100, 80))

    def test_what_is_wrong_is_named_and_left_out(self, folder: Path):
        labels = folder / "labels/train/a.txt"
        labels.write_text(
            "2 .5 .5 .1 .1\n0 .5 .5 .1\n0 a .5 .1 .1\n0 .5 .5 0 .1\n1 50 40 20 10\n0 .95 .5 .3 .1\n0.5 .5 .5 .1 .1"
        )
        (folder / "images/train/b.png").write_bytes(b"")
        found = read_yolo(sorted((folder / "images/train").iterdir()), ("cat", "dog"))
        assert [picture.name.rpartition("/")[2] for picture in found.pictures] == ["a.png"]
        assert [pytest.approx(box.box) for box in found.pictures[0].boxes] == [(80, 36, 100, 44)]
        expected = "'{}': expected a class and four numbers, or a polygon; left out"
        assert problems(found) == [
            f"unknown class | {labels}, line 1: class 2: expected 0 to 1; left out",
            f"malformed | {labels}, line 2: {expected.format('0 .5 .5 .1')}",
            f"malformed | {labels}, line 3: {expected.format('0 a .5 .1 .1')}",
            f"no area | {labels}, line 4: the box (50, 36, 50, 44) has no width or no height; left out",
            f"malformed | {labels}, line 5: '1 50 40 20 10': expected shares of the picture, 0 to 1; left out",
            f"clipped | {labels}, line 6: the box (80, 36, 110, 44) reaches out of 100×80 pixels; cut off there",
            f"unknown class | {labels}, line 7: class 0.5: expected 0 to 1; left out",
            f"unreadable | {folder / 'images/train/b.png'}: it has zero bytes; left out",
        ]

    def test_a_list_of_pictures_and_names_by_number(self, folder: Path):
        (folder / "few.txt").write_text("images/train/b.png\nimages/val/c.png\n")
        (folder / "data.yaml").write_text("train: few.txt\nnames: {0: cat, 1: dog}\n")
        data = read_data_yaml(folder / "data.yaml")
        assert [path.name for path in data.splits["train"]] == ["b.png", "c.png"]
        assert data.classes == ("cat", "dog")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("names: [a", "data.yaml is no YAML .*: expected names and train"),
            ("- a", "data.yaml has no names: expected the classes' names under names"),
            ("train: images/train", "has no names: expected the classes' names, a list"),
            ("names: {1: a}\ntrain: images/train", "has no names: .* one under each number from 0 on"),
            (
                "names: [a]\nnc: 3\ntrain: images/train",
                "says nc: 3, but has 1 names: expected as many names as classes",
            ),
            ("names: [a]", "names no pictures: expected a folder under train"),
            ("names: [a]\ntrain: pictures", "names pictures, which does not exist: expected a folder of pictures"),
        ],
    )
    def test_a_malformed_yaml_is_an_error(self, folder: Path, content: str, message: str):
        (folder / "data.yaml").write_text(content)
        with pytest.raises(DataError, match=message):
            read_data_yaml(folder / "data.yaml")


class TestCSV:
    def read(self, tmp_path: Path, text: str, classes: list[str] | None = None) -> Annotations:
        (tmp_path / "boxes.csv").write_text(text)
        return read_boxes_csv(tmp_path / "boxes.csv", classes)

    def test_a_row_is_an_object(self, tmp_path: Path):
        found = self.read(
            tmp_path,
            "filename,width,height,class,xmin,ymin,xmax,ymax\n"
            "a.jpg,100,80,dog,10,20,30.5,40\nb.jpg,100,80,,,,,\na.jpg,100,80,cat,0,0,5,5\n",
        )
        assert found.pictures == (
            AnnotatedPicture(
                "a.jpg", (100, 80), (LabelledBox("dog", (10, 20, 30.5, 40)), LabelledBox("cat", (0, 0, 5, 5)))
            ),
            AnnotatedPicture("b.jpg", (100, 80), ()),
        )
        assert found.classes == ("cat", "dog")

    def test_semicolons_and_decimal_commas(self, tmp_path: Path):
        found = self.read(tmp_path, "path;label;x1;y1;x2;y2\na.jpg;dog;1,5;2;3;4\n")
        assert found.pictures[0].boxes[0].box == (1.5, 2, 3, 4)
        assert found.pictures[0].size is None

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
    def test_as_spreadsheets_save_it(self, encoding: str):
        for text in ("sep=;\r\npath;label;X1;y1;x2;y2\r\n", '"path"\tlabel\txmin\tymin\txmax\tymax\n'):
            assert has_boxes(text.encode(encoding))
        assert not has_boxes("path,label\na.jpg,x1 y1 x2 y2\n".encode(encoding))

    def test_what_is_wrong_is_named_and_left_out(self, tmp_path: Path):
        found = self.read(
            tmp_path,
            "path,label,x1,y1,x2,y2\na.jpg,dog,1,2,x,4\n,dog,1,2,3,4\na.jpg,,1,2,3,4\na.jpg,dgo,1,2,3,4\na.jpg,dog,3,2,1,4\n",
            ["cat", "dog"],
        )
        assert [problem.what for problem in found.problems] == [
            "its box is (1, 2, x, 4): expected four numbers; left out",
            "it names no picture; left out",
            "it has a box but no label; left out",
            "unknown class 'dgo' (did you mean dog?); left out",
            "the box (3, 2, 1, 4) has no width or no height; left out",
        ]
        assert found.problems[1].where == f"{tmp_path / 'boxes.csv'}, line 3"

    def test_a_missing_column_is_an_error(self, tmp_path: Path):
        with pytest.raises(
            DataError, match="no column x2 or xmax, but path, label, x1, y1, y2: expected one for boxes"
        ):
            self.read(tmp_path, "path,label,x1,y1,y2\na,b,1,2,3\n")
        with pytest.raises(DataError, match=r"cannot read .*: No such file"):
            read_boxes_csv(tmp_path / "none.csv")


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_box_turns_as_its_picture_does(self, tmp_path: Path, orientation: int):
        picture = Image.new("L", (30, 20))
        picture.paste(255, (4, 2, 10, 5))
        picture.getexif()[0x0112] = orientation
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(tmp_path / "a.png", exif=exif)
        with Image.open(tmp_path / "a.png") as stored:
            upright = ImageOps.exif_transpose(stored)
        assert turned_upright((4, 2, 10, 5), orientation, (30, 20)) == upright.getbbox()

    def save(self, path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # stored 30×20, upright 20×30
        Image.new("L", (30, 20)).save(path, exif=exif)

    def test_the_stated_size_tells_which_pixels_are_meant(self, tmp_path: Path):
        self.save(tmp_path / "a.png")
        box = LabelledBox("dog", (4, 2, 10, 5))
        stored = fit_to_picture(AnnotatedPicture("a.png", (30, 20), (box,)), tmp_path / "a.png", BoxReader())
        assert stored == AnnotatedPicture("a.png", (20, 30), (LabelledBox("dog", (15, 4, 18, 10)),))
        for size in ((20, 30), None):
            upright = fit_to_picture(AnnotatedPicture("a.png", size, (box,)), tmp_path / "a.png", BoxReader())
            assert upright == AnnotatedPicture("a.png", (20, 30), (box,))

    def test_yolos_shares_are_of_the_upright_picture(self, tmp_path: Path):
        self.save(tmp_path / "a.png")
        (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
        (picture,) = read_yolo([tmp_path / "a.png"], ("dog",)).pictures
        assert (picture.size, picture.boxes[0].box) == ((20, 30), (0, 0, 20, 30))

    def test_another_size_and_a_missing_picture_are_named(self, tmp_path: Path):
        self.save(tmp_path / "a.png")
        reader = BoxReader()
        for name, size in (("a.png", (640, 480)), ("b.png", None)):
            assert fit_to_picture(AnnotatedPicture(name, size, ()), tmp_path / name, reader) is None
        assert [str(problem) for problem in reader.problems] == [
            f"{tmp_path / 'a.png'}: it has 20×30 pixels, its annotations are for 640×480; left out",
            f"{tmp_path / 'b.png'}: it does not exist; left out",
        ]
