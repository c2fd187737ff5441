"""Masks from every form that people keep them in, and what is said about those that cannot be used."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel.data.decoding import UnreadableImage
from hubel.data.masks.polygons import coco_mask, polygon_area
from hubel.data.masks.reading import Legend, legend_of, mask_values, read_legend, read_mask, resized_mask
from hubel.errors import DataError

RED, GREEN = (255, 0, 0), (0, 128, 0)


def saved(path: Path, values: object, mode: str | None = None) -> Path:
    image = Image.fromarray(np.asarray(values, np.uint8))
    if mode == "P":
        image = Image.fromarray(np.asarray(values, np.uint8)).convert("P")
        image.putdata(np.asarray(values).ravel().tolist())
        image.putpalette([*RED, *GREEN, *(7, 7, 7)] + [0] * 759)
    elif mode:
        image = image.convert(mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def test_grey_values(tmp_path: Path):
    path = saved(tmp_path / "m.png", [[0, 255], [255, 0]])
    legend = Legend.named({"membrane": 0, "cell": 255})
    assert read_mask(path, legend, (2, 2)).tolist() == [[0, 1], [1, 0]]
    assert read_mask(saved(tmp_path / "one_bit.png", [[0, 255]], "1"), legend).tolist() == [[0, 1]]
    assert read_mask(saved(tmp_path / "rgb.png", [[0, 255]], "RGB"), legend).tolist() == [[0, 1]]
    assert read_mask(saved(tmp_path / "la.png", [[0, 255]], "LA"), legend).tolist() == [[0, 1]]


def test_indices_count_and_not_the_palette(tmp_path: Path):
    path = saved(tmp_path / "m.png", [[0, 1], [2, 255]], "P")
    legend = Legend.named({"a": 0, "b": 1, "c": 2}, ignored=[255])
    assert read_mask(path, legend).tolist() == [[0, 1], [2, 255]]
    assert mask_values(path, colours=True)[0].tolist() == [list(RED), list(GREEN)]


def test_colours(tmp_path: Path):
    legend = Legend.named({"sky": RED, "tree": GREEN}, ignored=[(0, 0, 0)])
    path = saved(tmp_path / "m.png", [[RED, GREEN], [(0, 0, 0), GREEN]])
    assert read_mask(path, legend).tolist() == [[0, 1], [255, 1]]
    palette = saved(tmp_path / "p.png", [[0, 1]], "P")
    assert read_mask(palette, legend).tolist() == [[0, 1]]


def test_sixteen_bits(tmp_path: Path):
    Image.fromarray(np.array([[0, 1000]], np.uint16)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", Legend.named({"no": 0, "yes": 1000})).tolist() == [[0, 1]]


def test_legend_of_masks_themselves(tmp_path: Path):
    two = [saved(tmp_path / "a.png", [[0, 0]]), saved(tmp_path / "b.png", [[0, 255]])]
    assert legend_of(two) == Legend.named({"0": 0, "255": 255})
    three = [*two, saved(tmp_path / "c.png", [[7, 0]])]
    assert legend_of(three) == Legend.named({"0": 0, "7": 7}, ignored=[255])
    colours = saved(tmp_path / "d.png", [[RED, GREEN]])
    assert legend_of([colours]).classes == ("#008000", "#ff0000")
    with pytest.raises(DataError, match="some of the masks are grey and some have colours"):
        legend_of([*two, colours])
    with pytest.raises(DataError, match="no masks came"):
        legend_of([])
    noise = saved(tmp_path / "e.png", np.random.default_rng(0).integers(0, 256, (40, 40, 3)))
    with pytest.raises(DataError, match=r"up to .*e\.png have \d+ different values, too many for classes"):
        legend_of([noise])


def test_values_that_are_no_classes_are_refused_without_a_legend(tmp_path: Path):
    """A JPEG of two values has dozens, which are fewer than the classes that a mask may have."""
    mask = np.zeros((64, 64), np.uint8)
    mask[20:50, 10:40] = 255
    Image.fromarray(mask).save(tmp_path / "drawn.png", format="JPEG", quality=80)
    with pytest.raises(
        DataError, match=r"drawn\.png is a JPEG and has \d+ different values, which are no classes: exp"
    ):
        legend_of([tmp_path / "drawn.png"])
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "flat.jpg")
    assert legend_of([tmp_path / "flat.jpg", saved(tmp_path / "a.png", [[0, 255]])]).classes == ("0", "255")
    numbered = saved(tmp_path / "objects.png", [range(65)])
    with pytest.raises(DataError, match=r"objects\.png has 65 different values, which are no classes: .*, or a legend"):
        legend_of([numbered])


@pytest.mark.parametrize(
    "text",
    [
        "name,r,g,b\nsky,255,0,0\ntree,0,128,0\nvoid,0,0,0\n",
        "sky, 255, 0, 0\n\ntree,0,128,0\nIgnore,0,0,0",
        "name;red;green;blue\nsky;255;0;0\ntree;0;128;0\nvoid;0;0;0\n",
        "# label:color_rgb:parts:actions\nsky:255,0,0::\ntree:0,128,0::\nvoid:0,0,0::\n",
    ],
)
def test_legend_from_a_file(text: str, tmp_path: Path):
    path = tmp_path / "legend.txt"
    path.write_text(text)
    assert read_legend(path) == Legend.named({"sky": RED, "tree": GREEN}, ignored=[(0, 0, 0)])


def test_legend_of_numbers_from_a_file(tmp_path: Path):
    (tmp_path / "legend.csv").write_text("name,value\nmembrane,0\ncell,255\n")
    assert read_legend(tmp_path / "legend.csv") == Legend.named({"membrane": 0, "cell": 255})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sky,255,0\n", "line 1: 'sky,255,0' came, expected name,value or name,red,green,blue"),
        ("a,1\nb,x\n", "line 2: 'b,x' came"),
        ("a,1\na,2\n", "line 2: the class 'a' comes a second time"),
        ("a,1\nb,1\n", "two of the classes a, b have the same value"),
        ("a,1\nb,1,2,3\n", "both numbers and colours"),
        ("", "a legend of 0 classes came"),
    ],
)
def test_bad_legends(text: str, message: str, tmp_path: Path):
    (tmp_path / "legend.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_legend(tmp_path / "legend.csv")
    with pytest.raises(DataError, match=r"cannot read the legend .*none\.csv: No such file"):
        read_legend(tmp_path / "none.csv")


def test_bad_masks_are_named(tmp_path: Path):
    legend = Legend.named({"membrane": 0, "cell": 255})
    path = saved(tmp_path / "m.png", [[0, 255, 7], [0, 9, 7]])
    with pytest.raises(
        DataError,
        match=r"m\.png has values that mean nothing: 7, 9 \(3 pixels\); expected 0 \(membrane\), 255 \(cell\)",
    ):
        read_mask(path, legend)
    with pytest.raises(DataError, match=r"m\.png has 3×2 pixels, its picture 2×3: expected the same size"):
        read_mask(path, legend, (3, 2))
    colour = saved(tmp_path / "c.png", [[RED, GREEN]])
    with pytest.raises(DataError, match=r"c\.png has values that mean nothing: #008000"):
        read_mask(colour, Legend.named({"sky": RED}))
    with pytest.raises(UnreadableImage, match="it does not exist"):
        read_mask(tmp_path / "none.png", legend)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UnreadableImage, match="it is no image that Pillow knows"):
        read_mask(tmp_path / "text.png", legend)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "f.tiff")
    with pytest.raises(UnreadableImage, match="it has fractional values"):
        read_mask(tmp_path / "f.tiff", legend)


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30)
def test_scaling_invents_no_class(shape: tuple[int, int], size: tuple[int, int], seed: int):
    mask = np.random.default_rng(seed).choice(np.array([0, 7, 255], np.uint8), shape)
    scaled = resized_mask(mask, size)
    assert scaled.shape == size
    nearest = np.zeros(size, bool)
    for down, across in product((-1e-6, 1e-6), repeat=2):  # of two that are equally near, either
        places = [
            np.clip(((np.arange(to) + 0.5) * of / to + shift).astype(int), 0, of - 1)
            for of, to, shift in zip(shape, size, (down, across), strict=True)
        ]
        nearest |= scaled == mask[np.ix_(*places)]
    assert nearest.all()


@given(corners=st.lists(st.tuples(st.integers(-8, 40), st.integers(-8, 40)), min_size=3, max_size=7))
@example([(-6, 32), (5, 11), (0, 0)])  # a centre on the outline
@settings(max_examples=60)
def test_polygons_are_those_of_brute_force(corners: list[tuple[int, int]]):
    """A pixel is inside if a ray from its centre crosses the outline an odd number of times."""
    points = [(x / 4 + 0.13, y / 4 + 0.07) for x, y in corners]
    height, width = 8, 9
    expected, on_outline = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for row, column in np.ndindex(height, width):
        x, y, odd = column + 0.5, row + 0.5, False
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            if (y0 > y) == (y1 > y):
                continue
            crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            odd ^= x < crossing
            on_outline[row, column] |= abs(x - crossing) < 1e-9  # on which side it is, rounding decides
        expected[row, column] = odd
    area = polygon_area([value for point in points for value in point], height, width)
    assert np.array_equal(area | on_outline, expected | on_outline)


def test_coco_objects_small_ones_on_top_and_crowds_ignored():
    annotations = [
        {"id": 1, "category_id": 18, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]},
        {"id": 2, "category_id": 3, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]},
        {"id": 3, "category_id": 3, "iscrowd": 1, "segmentation": {"size": [4, 6], "counts": [12, 12]}},
    ]
    mask = coco_mask(annotations, (4, 6), {3: 1, 18: 2})
    assert mask.tolist() == [
        [1, 1, 1, 1, 255, 255],
        [1, 2, 2, 1, 255, 255],
        [1, 2, 2, 1, 255, 255],
        [1, 1, 1, 1, 255, 255],
    ]
    assert not coco_mask([], (4, 6), {3: 1}).any()


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            {"category_id": 9, "segmentation": [[0, 0, 1, 0, 1, 1]]},
            "annotation 7 is of the category 9: expected one of 3",
        ),
        ({"category_id": 3}, "annotation 7 has no outline"),
        ({"category_id": 3, "segmentation": [[0, 0, 1, 1]]}, r"annotation 7 has a polygon \[0, 0, 1, 1\]: expected at"),
        ({"category_id": 3, "segmentation": [[0, 0, 1, 1, 2]]}, "expected at least three corners"),
        ({"category_id": 3, "segmentation": [[0, 0, 1, 1, 2, None]]}, "expected at least three corners"),
        (
            {"category_id": 3, "segmentation": {"counts": "abc", "size": [4, 4]}},
            "run lengths abc: expected numbers, or COCO's text of them",
        ),
        (
            {"category_id": 3, "segmentation": {"counts": [3, 4], "size": [4, 4]}},
            r"run lengths of 7 pixels .*expected 16",
        ),
    ],
)
def test_malformed_annotations_are_named(annotation: dict, message: str):
    with pytest.raises(DataError, match=message):
        coco_mask([{"id": 7, **annotation}], (4, 4), {3: 1})


@given(st.integers(0, 2**16 - 1), st.integers(1, 4))
def test_compressed_run_lengths_are_those_of_the_library(bits: int, scale: int):
    mask_api = pytest.importorskip("faster_coco_eval.core.mask")
    pixels = np.array([bits >> place & 1 for place in range(16)], dtype=np.uint8).reshape(4, 4)
    pixels = np.asfortranarray(pixels.repeat(9 * scale, axis=0).repeat(7, axis=1))
    packed = mask_api.encode(pixels)
    counts = packed["counts"].decode() if isinstance(packed["counts"], bytes) else packed["counts"]
    annotation = {"category_id": 3, "segmentation": {"counts": counts, "size": list(packed["size"])}}
    assert (coco_mask([annotation], pixels.shape, {3: 1}) == pixels).all()
