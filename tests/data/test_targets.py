"""Objects in the pixels of a network's input, pictures that are stored turned included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hubel.data.collecting import labelled_splits
from hubel.data.decoded.store import prepare_store
from hubel.data.labels import ObjectsLabel
from hubel.data.layouts.finding import find_source
from hubel.data.targets import Batch, Objects, objects_in
from hubel.preprocessing import Placement, Preprocess

BOX = """<annotation><size><width>{width}</width><height>{height}</height></size><object><name>spot</name>
<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object></annotation>"""


def test_objects_are_cut_off_and_left_out() -> None:
    label = ObjectsLabel(
        size=(10, 20),
        boxes=((-1, 2, 8, 6), (15, 5, 20, 10), (2, 2, 4, 4), (18, 0, 20, 2)),
        classes=(3, 1, 2, 0),
        ignored=(False, False, True, False),
    )
    found = objects_in(label, Placement(1.0, 1.0, 0, -2), (10, 16))
    assert found.boxes.tolist() == [[0, 2, 6, 6], [13, 5, 16, 10]]
    assert found.labels.tolist() == [3, 1]
    assert (found.boxes.dtype, found.labels.dtype) == (torch.float32, torch.int64)


def test_a_picture_without_objects() -> None:
    found = objects_in(ObjectsLabel((5, 5), (), (), ()), Placement(1, 1, 0, 0), (5, 5))
    assert (found.boxes.shape, found.labels.shape) == ((0, 4), (0,))
    assert all(torch.equal(a, b) for a, b in zip(found, Objects.none(), strict=True))


@given(
    st.lists(
        st.tuples(st.floats(-5, 30), st.floats(-5, 30), st.floats(0.1, 20), st.floats(0.1, 20)), min_size=1, max_size=5
    ),
    st.floats(0.2, 3),
    st.floats(0.2, 3),
    st.floats(-10, 10),
    st.floats(-10, 10),
)
def test_objects_as_one_computes_them_one_by_one(boxes, scale_y, scale_x, top, left) -> None:
    label = ObjectsLabel(
        (30, 30), tuple((x, y, x + w, y + h) for x, y, w, h in boxes), (0,) * len(boxes), (False,) * len(boxes)
    )
    found = objects_in(label, Placement(scale_y, scale_x, top, left), (24, 18))
    expected = []
    for x1, y1, x2, y2 in label.boxes:
        xs = [min(max(x * scale_x + left, 0), 18) for x in (x1, x2)]
        ys = [min(max(y * scale_y + top, 0), 24) for y in (y1, y2)]
        if np.float32(xs[0]) < np.float32(xs[1]) and np.float32(ys[0]) < np.float32(ys[1]):
            expected.append([xs[0], ys[0], xs[1], ys[1]])
    assert np.allclose(found.boxes.numpy(), np.array(expected).reshape(-1, 4), atol=1e-4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rule", ["fit", "stretch", "shorter_side"])
@pytest.mark.parametrize("purpose", ["training", "evaluation"])
def test_boxes_lie_on_what_they_are_around_in_pictures_that_are_stored_turned(
    tmp_path: Path, orientation: int, rule: str, purpose: str
) -> None:
    """A bright spot in a picture of 90×60 upright pixels, stored as a camera does that was held otherwise."""
    upright = Image.new("L", (90, 60), 0)
    upright.paste(255, (40, 20, 52, 36))
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if back is None else upright.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations").mkdir()
    stored.save(tmp_path / "JPEGImages" / "a.png", exif=exif)
    text = BOX.format(width=90, height=60, x1=41, y1=21, x2=52, y2=36)
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    source = find_source(tmp_path)
    samples = labelled_splits(source, source.classes)[0][None]
    assert samples[0].label == ObjectsLabel((60, 90), ((40, 20, 52, 36),), (0,), (False,))
    preprocess = Preprocess(
        size=(48, 48), resize=rule, resize_to=50, interpolation="nearest", channels=1, mean=(0.5,), std=(0.5,)
    )
    for cache_bytes in (0, 10**7):
        store = prepare_store(
            samples, preprocess, classes=["spot"], labelling="boxes", purpose=purpose, cache_bytes=cache_bytes
        )
        ys, xs = np.nonzero(store.array(0)[:, :, 0] == 255)
        seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert np.abs(store.objects(0).boxes[0].numpy() - seen).max() <= 1


def test_a_batch_of_objects_is_pinned_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    objects = Objects(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64))
    batch = Batch(torch.zeros(1), [objects], torch.zeros(1)).pinned()
    assert batch.images.item() == batch.indices.item() == 1
    assert isinstance(batch.labels, list)
    assert batch.labels[0].boxes.tolist() == [[1, 1, 1, 1]]
