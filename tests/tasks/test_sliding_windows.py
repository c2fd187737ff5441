"""Sliding windows on synthetic pictures with known objects: by a classifier that never errs, and by one that learnt."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from hubel.models import build_model
from hubel.models.fully_convolutional import to_fully_convolutional
from hubel.models.localization import LocalizationNetwork
from hubel.nn.boxes import pairwise_iou
from hubel.tasks.localization import Localized, decode, losses
from hubel.tasks.sliding_windows import classify_windows, detect, in_windows, windows


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    sides=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=3),
    step=st.integers(1, 9),
)
def test_windows_cover_the_picture_in_every_size(
    size: tuple[int, int], sides: list[tuple[int, int]], step: int
) -> None:
    found = windows(size, sides, [step] * len(sides)).tolist()
    assert len({tuple(window) for window in found}) == len(found)
    assert all(0 <= left < right <= size[1] and 0 <= top < bottom <= size[0] for left, top, right, bottom in found)
    for height, width in sides:
        height, width = min(height, size[0]), min(width, size[1])
        of_this_size = [
            window for window in found if window[3] - window[1] == height and window[2] - window[0] == width
        ]
        seen = torch.zeros(size)
        for left, top, right, bottom in of_this_size:
            seen[top:bottom, left:right] = 1
        step_seen = step <= min(height, width)  # larger steps leave gaps
        assert bool(seen.all()) or not step_seen
        for axis, length, side in ((1, size[0], height), (0, size[1], width)):
            starts = {window[axis] for window in of_this_size}
            assert starts >= set(range(0, length - side + 1, step)) | {length - side}


def test_windows_by_hand() -> None:
    found = windows((10, 8), [(4, 8), (20, 4)], [4, 3])
    assert found.tolist() == [[0, 0, 8, 4], [0, 4, 8, 8], [0, 6, 8, 10], [0, 0, 4, 10], [3, 0, 7, 10], [4, 0, 8, 10]]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_every_window_is_classified_in_the_size_of_the_network(batch: int) -> None:
    image = torch.randn(3, 20, 30)
    boxes = windows((20, 30), [(8, 8), (12, 16)], [6, 7])
    seen: list[Tensor] = []

    def classify(batch_of_windows: Tensor) -> Tensor:
        assert batch_of_windows.shape[1:] == (3, 8, 8)
        assert len(batch_of_windows) <= batch
        seen.append(batch_of_windows)
        return batch_of_windows.flatten(1)[:, :5]

    outputs = classify_windows(image, boxes, classify, size=(8, 8), batch=batch)
    assert torch.equal(outputs, torch.cat(seen).flatten(1)[:, :5])
    for window, (left, top, right, bottom) in zip(torch.cat(seen), boxes.tolist(), strict=True):
        cut = image[None, :, top:bottom, left:right]
        expected = cut if cut.shape[2:] == (8, 8) else F.interpolate(cut, (8, 8), mode="bilinear", antialias=True)
        torch.testing.assert_close(window, expected[0])


# Class, and x1, y1, x2, y2, in a picture of 120×160.
OBJECTS = [(0, (10, 12, 34, 40)), (1, (60, 20, 90, 44)), (0, (70, 70, 126, 112)), (1, (10, 80, 40, 100))]


def scene() -> Tensor:
    """Bright rectangles, each in the channel of its class."""
    image = torch.zeros(2, 120, 160)
    for label, (left, top, right, bottom) in OBJECTS:
        image[label, top:bottom, left:right] = 1
    return image


def knows_rectangles(batch: Tensor) -> Tensor:
    """Outputs for 2 classes, box and objectness: the surer, the more one whole rectangle fills the window."""
    rows = []
    for window in batch:
        bright = (window > 0.5).float()
        label = int(bright.sum((1, 2)).argmax())
        y, x = torch.nonzero(bright[label], as_tuple=True)
        height, width = window.shape[1:]
        if not len(y):
            rows.append([0.0] * 7)
            rows[-1][-1] = -9
            continue
        top, bottom, left, right = (float(v) for v in (y.min(), y.max() + 1, x.min(), x.max() + 1))
        whole = top > 0 and left > 0 and bottom < height and right < width
        alone = len(y) > 0.95 * (bottom - top) * (right - left) and not bright[1 - label].any()
        filled = len(y) / (height * width)
        box = torch.tensor([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)]) / 2
        codes = (box / torch.tensor([width, height, width, height])).logit(eps=1e-6).tolist()
        rows.append([9.0 * (1 - label), 9.0 * label, *codes, 8 * filled if whole and alone else -9.0])
    return torch.tensor(rows)


@pytest.mark.parametrize("class_aware", [True, False])
def test_every_object_is_reported_once_where_it_is(class_aware: bool) -> None:
    image = scene()
    boxes = windows((120, 160), [(32, 32), (48, 48), (64, 80)], [4, 6, 8])
    outputs = classify_windows(image, boxes, knows_rectangles, size=(32, 32))
    found = detect(decode(outputs, 2), boxes, (120, 160), iou_threshold=0.3, class_aware=class_aware)
    assert len(found.boxes) == len(OBJECTS)
    overlaps = pairwise_iou(found.boxes, torch.tensor([box for _, box in OBJECTS]))
    nearest = overlaps.argmax(dim=1).tolist()
    assert sorted(nearest) == [0, 1, 2, 3]
    assert overlaps.amax(dim=1).min() > 0.8  # windows of 64×80 are seen in 32×32
    assert found.labels.tolist() == [OBJECTS[number][0] for number in nearest]
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert (found.scores >= 0.5).all()


def test_scores_and_limits() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [40, 0, 50, 10]])
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.1], [0.3, 0.4]])
    found = detect(Localized(probabilities), boxes, (10, 45))
    assert found.labels.tolist() == [0, 1, 0]
    assert found.boxes.tolist() == [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]]
    assert detect(Localized(probabilities), boxes, (10, 45), class_aware=False).labels.tolist() == [0, 0]
    assert len(detect(Localized(probabilities), boxes, (10, 45), limit=1).boxes) == 1
    sure = detect(Localized(probabilities, None, torch.tensor([0.5, 1, 1, 1])), boxes, (10, 45), least_score=0.3)
    assert sure.scores.tolist() == pytest.approx([0.8, 0.7, 0.45, 0.4])
    assert sure.boxes[-1].tolist() == [40, 0, 45, 10]  # cut off at the border
    nothing = detect(Localized(probabilities), boxes, (10, 45), least_score=0.95)
    assert (nothing.boxes.shape, nothing.labels.tolist(), nothing.scores.tolist()) == ((0, 4), [], [])


def test_boxes_in_windows_by_hand() -> None:
    box = in_windows(torch.tensor([[0.5, 0.25, 0.5, 0.1]]), torch.tensor([[100, 200, 140, 300]]))
    assert box.tolist() == [pytest.approx([110, 220, 130, 230])]


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"^2 sizes of windows and 1 steps came: expected a step for each size$"):
        windows((10, 10), [(4, 4), (5, 5)], [2])
    with pytest.raises(ValueError, match=r"^a picture of \(10, 10\), .* steps \[0\] came: expected 1 or more$"):
        windows((10, 10), [(4, 4)], [0])
    with pytest.raises(ValueError, match=r"^windows from \(0, 0\) to \(11, 10\) came: the picture has x up to 10"):
        classify_windows(torch.zeros(1, 10, 10), torch.tensor([[0, 0, 11, 10]]), torch.flatten, size=(4, 4))
    with pytest.raises(ValueError, match=r"^windows of shape \(0, 4\) came: expected \(K, 4\), one or more$"):
        classify_windows(torch.zeros(1, 10, 10), torch.zeros(0, 4), torch.flatten, size=(4, 4))
    with pytest.raises(ValueError, match=r"^1 answers came for 2 windows$"):
        detect(Localized(torch.ones(1, 1)), torch.zeros(2, 4), (10, 10))


def noise(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    return 0.2 * torch.randn(count, 1, height, width, generator=generator)


def training_windows(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows of 32×32: half of them with a whole bright or dark rectangle, the others with a part of one."""
    generator = torch.Generator().manual_seed(0)
    images = noise(count, 32, 32, generator)
    labels = torch.randint(2, (count,), generator=generator)
    present = torch.arange(count) % 2 > 0
    boxes = torch.full((count, 4), 0.5)
    for number in range(count):
        height, width = torch.randint(12, 19, (2,), generator=generator).tolist()
        top, left = (int(torch.randint(33 - side, (), generator=generator)) for side in (height, width))
        if present[number]:
            boxes[number] = torch.tensor([left + width / 2, top + height / 2, width, height]) / 32
        else:  # cut off by 3 pixels or more on one side, as the windows beside an object see it
            off = int(torch.randint(3, 20, (), generator=generator))
            top, left = [(-off, left), (32 - height + off, left), (top, -off), (top, 32 - width + off)][number // 2 % 4]
        rows, columns = (slice(max(0, start), max(0, start + side)) for start, side in ((top, height), (left, width)))
        images[number, 0, rows, columns] += 1.0 if labels[number] == 0 else -1.0
    return images, labels, boxes, present


@pytest.fixture(scope="module")
def learnt() -> LocalizationNetwork:
    """A small network that learnt class, box and objectness from windows."""
    torch.manual_seed(0)
    network = build_model("localizer/lenet5_modern", num_classes=2, in_channels=1, objectness=True)
    assert isinstance(network, LocalizationNetwork)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    everything = training_windows(3000)
    for step in range(220):
        batch = torch.arange(60 * step, 60 * step + 60) % 3000
        images, labels, boxes, present = (tensor[batch] for tensor in everything)
        optimizer.zero_grad()
        losses(network(images), labels, boxes, 2, present=present).total.backward()
        optimizer.step()
    return network.eval()


PLACED = [(0, (8, 10, 24, 26)), (1, (60, 14, 76, 28)), (1, (20, 60, 34, 76)), (0, (84, 70, 100, 84))]


@pytest.mark.slow
@torch.no_grad()
def test_a_network_that_learnt_finds_the_objects_of_a_larger_picture(learnt: LocalizationNetwork) -> None:
    image = noise(1, 100, 128, torch.Generator().manual_seed(5))
    for label, (left, top, right, bottom) in PLACED:
        image[0, 0, top:bottom, left:right] += 1.0 if label == 0 else -1.0
    boxes = windows((100, 128), [(32, 32)], [4])
    slid = classify_windows(image[0], boxes, learnt, size=(32, 32))
    one_pass = to_fully_convolutional(learnt)
    map_ = one_pass(image)
    at_once = map_[0].flatten(1).T
    # The picture's sides are multiples of the stride, so that the two ways look at the same windows.
    assert torch.equal(one_pass.windows(tuple(map_.shape[2:])), boxes.float())
    assert (slid - at_once).abs().max() < 1e-4
    for outputs in (slid, at_once):
        found = detect(decode(outputs, 2), boxes, (100, 128), iou_threshold=0.2)
        overlaps = pairwise_iou(found.boxes, torch.tensor([box for _, box in PLACED]))
        nearest = overlaps.argmax(dim=1).tolist()
        assert sorted(nearest) == [0, 1, 2, 3]
        assert found.labels.tolist() == [PLACED[number][0] for number in nearest]
        assert overlaps.amax(dim=1).min() > 0.5
