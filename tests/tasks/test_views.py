"""Views of a picture, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.bundle import Bundle
from hubel.data.decoding import read_array
from hubel.errors import ConfigError, DataError
from hubel.inference.ensemble import averaged, check_average, mirror_note, predict_each, view_notes
from hubel.inference.predictor import Predictor
from hubel.models.registry import build_model
from hubel.preprocessing import Preprocess
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.views import Views

TASK = ClassificationTask(("cat", "dog"))
USUAL = Preprocess(size=(24, 24), resize_to=28, mean=(0.5,) * 3, std=(0.5,) * 3)


def picture(height: int = 60, width: int = 90, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def model(name: str = "resnet20_cifar", preprocess: Preprocess = USUAL, seed: int = 0, **fields: object) -> Predictor:
    torch.manual_seed(seed)
    bundle = Bundle("classification", name, preprocess, ("cat", "dog", "owl"), **fields)  # type: ignore[arg-type]
    network = build_model(name, num_classes=3, in_channels=preprocess.channels)
    return Predictor(bundle, network, device="cpu")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(("flip", 2), ("five-crop", 5), ("ten-crop", 10), ("multi-scale", 3), ("multi-scale+flip", 6)),
        *(("turns", 4), ("turns+flip", 8), ("grid:2", 4), ("grid:3+flip", 18), ("144-crop", 144)),
    ],
)
@pytest.mark.parametrize(
    "preprocess",
    [
        USUAL,
        Preprocess(size=(24, 24), resize_to=24),
        Preprocess(size=(24, 32), resize="stretch"),
        Preprocess(size=(16, 24), resize_to=40, channels=1, mean=(0.5,), std=(0.5,)),
    ],
)
def test_views_have_the_inputs_size_and_the_plain_crop_is_among_them(
    name: str, count: int, preprocess: Preprocess
) -> None:
    image = picture() if preprocess.channels == 3 else picture().convert("L")
    views = Views.named(name)
    given = views.of(image, preprocess)
    assert views.count == count
    assert given.shape == (count, *preprocess.size, preprocess.channels)
    assert given.dtype == np.uint8
    assert np.array_equal(given, views.of(image, preprocess))
    plain = preprocess.to_array(image)
    if not name.startswith(("grid", "144")):
        assert np.array_equal(given[0], plain)
    if views.mirrored:
        assert np.array_equal(given[1::2], given[::2, :, ::-1])


def test_ten_crops_are_the_corners_and_the_centre_of_the_middle_square() -> None:
    image = picture(28, 50)  # the shorter side is right already: nothing is resampled
    pixels = np.asarray(image)[:, 11:39]  # 28 × 28
    views = Views.named("ten-crop").of(image, USUAL)
    tops_and_lefts = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    for view, (top, left) in zip(views[::2], tops_and_lefts, strict=True):
        assert np.array_equal(view, pixels[top : top + 24, left : left + 24])


def test_a_grid_covers_all_of_the_picture() -> None:
    image = picture(28, 50)
    pixels = np.asarray(image)
    views = Views.named("grid:3").of(image, USUAL)
    assert np.array_equal(views[0], pixels[:24, :24])
    assert np.array_equal(views[4], pixels[2:26, 13:37])
    assert np.array_equal(views[8], pixels[4:, 26:])


def test_turns_with_mirror_images_are_the_eight_symmetries_of_a_square() -> None:
    preprocess = Preprocess(size=(24, 24), resize="stretch")
    image = picture(24, 24)
    pixels = np.asarray(image)
    symmetries = [np.rot90(pixels, turns)[:, ::step] for turns in range(4) for step in (1, -1)]
    assert len({each.tobytes() for each in symmetries}) == 8
    assert np.array_equal(Views.named("turns+flip").of(image, preprocess), np.stack(symmetries))
    assert np.array_equal(Views.named("turns").of(image, preprocess), np.stack(symmetries[::2]))


def test_a_turned_view_is_of_the_turned_picture() -> None:
    image = picture(60, 90)
    wide = Preprocess(size=(16, 40), resize="fit")
    for view, turns in zip(Views.named("turns").of(image, wide), range(4), strict=True):
        turned = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(image), turns)))
        assert np.array_equal(view, wide.to_array(turned))


def test_without_a_margin_one_of_an_eighth_is_made() -> None:
    preprocess = Preprocess(size=(24, 24), resize_to=24)
    image = picture(24, 24)
    pixels = np.asarray(image)
    top_left = Views.named("five-crop").of(image, preprocess)[1]
    assert np.array_equal(top_left[3:, 3:], pixels[:21, :21])
    assert not top_left[:3].any()
    assert not top_left[:, :3].any()


def test_larger_scales_show_a_smaller_part() -> None:
    image = Image.new("RGB", (56, 56))
    image.paste((255, 255, 255), (14, 14, 42, 42))  # a white square in the middle
    shares = Views.named("multi-scale").of(image, USUAL).mean(axis=(1, 2, 3))
    assert shares[0] < shares[1] < shares[2]


def test_of_googlenets_crops_the_sixth_is_the_whole_square() -> None:
    image = picture(60, 60)
    views = Views.named("144-crop").of(image, USUAL)[::2]
    shorter = round(24 * 256 / 224)
    square = image.resize((shorter, shorter), Image.Resampling.BILINEAR)
    whole = np.asarray(square.resize((24, 24), Image.Resampling.BILINEAR))
    for third in range(3):  # the three squares of a square picture are one
        assert np.array_equal(views[third * 6 + 5], whole)
        assert np.array_equal(views[third * 6], np.asarray(square)[:24, :24])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tencrop", "unknown test-time augmentation 'tencrop': did you mean ten-crop"),
        ("flip+flip", r"unknown test-time augmentation 'flip\+flip'"),
        ("", "known: 144-crop, five-crop"),
        ("grid:1", "'grid:1': expected grid:N with N from 2 to 12"),
        ("grid:x", "'grid:x': expected grid:N"),
    ],
)
def test_names_that_mean_nothing_are_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Views.named(name)


def test_averages_by_hand() -> None:
    # two views of one picture: probabilities (3/4, 1/4) and (1/4, 3/4); a second model says (1/2, 1/2) in one view
    first = torch.log(torch.tensor([[[3.0, 1.0], [1.0, 3.0]]]))
    second = torch.zeros(1, 1, 2)
    assert averaged([first, second], [TASK, TASK]) == pytest.approx(np.array([[0.5, 0.5]]))
    # (0.9, 0.1) and (0.5, 0.5): arithmetic (0.7, 0.3); geometric 3 : 1, for √(0.9 · 0.5) : √(0.1 · 0.5) = 3 : 1
    both = torch.log(torch.tensor([[[9.0, 1.0], [1.0, 1.0]]]))
    assert averaged([both], [TASK]) == pytest.approx(np.array([[0.7, 0.3]]))
    assert averaged([both], [TASK], "logits") == pytest.approx(np.array([[0.75, 0.25]]))
    shifted = both + torch.tensor([5.0, -2.0])[None, :, None]
    assert averaged([shifted], [TASK], "logits") == pytest.approx(np.array([[0.75, 0.25]]), abs=1e-6)
    with pytest.raises(ConfigError, match="unknown average 'logit': did you mean logits"):
        check_average("logit")


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_prediction_is_the_average_of_its_views(tmp_path: Path, average: str) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        picture(seed=number).save(path)
    one, other = model(), model("lenet5_modern", Preprocess(size=(32, 32), resize_to=40, **GREY), seed=1)
    results = [result for _, result in predict_each([one, other], paths, tta="ten-crop", average=average)]
    for path, result in zip(paths, results, strict=True):
        parts = []
        for predictor in (one, other):
            channels = predictor.preprocess.channels
            with Image.open(path) as image:
                decoded = image.convert("RGB" if channels == 3 else "L")
            rows = torch.cat(
                [predictor.logits(v[None]) for v in Views.named("ten-crop").of(decoded, predictor.preprocess)]
            )
            parts.append(rows.double().softmax(dim=1).mean(dim=0) if average == "probabilities" else rows.mean(dim=0))
        mean = torch.stack(parts).mean(dim=0)
        expected = mean if average == "probabilities" else mean.double().softmax(dim=0)
        assert result.probabilities == pytest.approx(expected.numpy(), abs=1e-5)
        assert result.path == str(path)
    alone = one.predict(paths[0], tta="flip")
    assert alone.probabilities == pytest.approx(one.predict(paths, tta="flip", batch_size=3)[0].probabilities, abs=1e-6)


GREY = {"channels": 1, "mean": (0.5,), "std": (0.5,)}


def test_the_plain_prediction_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path)
    predictor = model()
    plain = predictor.logits(np.stack([read_array(path, USUAL)])).double().softmax(dim=1)[0]
    assert predictor.predict(path).probabilities.tolist() == plain.tolist()


def test_a_temperature_changes_the_probabilities_and_not_the_class() -> None:
    raw, calibrated = model(), model(temperature=4.0)
    first, second = raw.predict(picture()), calibrated.predict(picture())
    assert first.label == second.label
    assert first.probability > second.probability
    logits = raw.logits(np.stack([USUAL.to_array(picture())])).double()
    assert second.probabilities == pytest.approx((logits / 4).softmax(dim=1)[0].numpy(), abs=1e-6)


def test_models_of_other_classes_are_not_averaged() -> None:
    other = Predictor(
        Bundle("classification", "resnet20_cifar", USUAL, ("cat", "dog")),
        build_model("resnet20_cifar", num_classes=2),
        device="cpu",
    )
    with pytest.raises(DataError, match=r"the models' classes differ \(cat, dog, owl and cat, dog\)"):
        list(predict_each([model(), other], [picture()]))
    with pytest.raises(ConfigError, match="no model came"):
        list(predict_each([], [picture()]))


def test_mirrored_views_of_a_model_that_knows_no_mirror_images_are_noted() -> None:
    flip = Views.named("flip")
    letters = Bundle("classification", "lenet5", USUAL, ("a", "b"), config={"augment": {"mirror": None}})
    note = mirror_note(letters, flip)
    assert note is not None
    assert "single characters" in note
    assert mirror_note(letters, Views.named("five-crop")) is None
    sides = Bundle("classification", "lenet5", USUAL, ("turn left", "turn right"), config={"augment": {}})
    assert "told apart by left, right" in str(mirror_note(sides, flip))
    allowed = Bundle("classification", "lenet5", USUAL, ("a", "b"), config={"augment": {"mirror": 0.5}})
    assert mirror_note(allowed, flip) is None
    words = Bundle("classification", "lenet5", USUAL, ("cat", "dog"), config={"augment": {"mirror": None}})
    assert mirror_note(words, flip) is None
    unmirrored = Bundle("classification", "lenet5", USUAL, ("cat", "dog"), config={"augment": {"mirror": 0.0}})
    assert "augmentation had none" in str(mirror_note(unmirrored, flip))


@pytest.mark.parametrize(
    ("task", "augment", "noted"),
    [
        ("classification", {"turn": None}, True),
        ("classification", {"turn": 0.5}, False),
        ("classification", {"rotate": 180.0}, False),
        ("segmentation", {"turn": None, "preset": None, "of an older version": 1}, False),  # its presets turn pictures
        ("segmentation", {"preset": "light"}, True),
        ("segmentation", {}, False),  # nobody knows
    ],
)
def test_turned_views_of_a_model_that_knows_no_turned_pictures_are_noted(
    task: str, augment: dict[str, object], noted: bool
) -> None:
    preprocess = Preprocess(size=(64, 64))
    bundle = Bundle(task, "unet", preprocess, ("membrane", "cell"), config={"augment": augment})
    note = "the model was trained without turned pictures: those of --tta turns+flip may mislead it"
    assert view_notes(bundle, Views.named("turns+flip")) == [note] * noted
    assert view_notes(bundle, Views.named("flip")) == view_notes(bundle, None) == []
