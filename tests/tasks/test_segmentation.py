"""The task of masks: losses on networks that pad and that do not, predictions of any size, averages, figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from hubel.bundle import Bundle
from hubel.config import SegmentationConfig, TrainConfig
from hubel.errors import ConfigError, DataError, TrainingError
from hubel.models import build_model
from hubel.models.segmentation import SegmentationNetwork
from hubel.preprocessing import Preprocess
from hubel.results import Segmentation
from hubel.tasks.mask_loss import MaskLoss
from hubel.tasks.segmentation import SegmentationTask
from hubel.tasks.segmentation_losses import pixel_cross_entropy
from hubel.tasks.task import PlaceTask
from hubel.tasks.views import Views

CLASSES = ("membrane", "cell")
NATIVE = Preprocess(channels=1, size=(64, 64), resize="native", mean=(0.5,), std=(0.25,))


@dataclass(frozen=True)
class Label:
    """What `hubel.data.labels.MaskLabel` offers to a task."""

    mask: np.ndarray

    def read(self) -> np.ndarray:
        return self.mask


def labels(*masks: np.ndarray) -> np.ndarray:
    array = np.empty(len(masks), object)
    array[:] = [Label(mask.astype(np.uint8)) for mask in masks]
    return array


def network(**options: object) -> SegmentationNetwork:
    torch.manual_seed(0)
    defaults: dict[str, object] = {"width": 2, "padded": True, "batch_norm": True, "dropout": 0.0}
    built = build_model("unet", **{**defaults, **options})
    assert isinstance(built, SegmentationNetwork)
    return built.eval()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)


def steps(prediction: object) -> np.ndarray:
    """The kept probabilities, uint8 (K, H, W)."""
    return np.concatenate(list(prediction.bands()), axis=1)  # type: ignore[attr-defined]


def straight(of: SegmentationNetwork, pixels: np.ndarray) -> torch.Tensor:
    """Logits (K, h, w) of a picture whose sides the stride divides."""
    with torch.no_grad():
        return of(NATIVE.normalise(torch.from_numpy(pixels.copy())[None]))[0]


def test_it_is_a_task_of_places():
    task = SegmentationTask(CLASSES)
    assert isinstance(task, PlaceTask)
    assert (task.outputs, task.describe()) == (2, "with masks of 2 classes")


def test_settings_that_are_for_one_class_a_picture_are_refused():
    none = labels()
    for settings, told in (
        ({"imbalance": "weights"}, r"imbalance=weights came, but the pictures have masks.*segmentation.loss=weighted"),
        ({"label_smoothing": 0.1}, r"label_smoothing=0.1 came, but the pictures have masks.*leave it out"),
        ({"augment": {"mixup": 0.2}}, r"augment.mixup=0.2 came"),
        ({"augment": {"cutmix": 1.0}}, r"augment.cutmix=1.0 came"),
    ):
        with pytest.raises(ConfigError, match=told):
            SegmentationTask.for_training(CLASSES, none, TrainConfig.from_values(settings))


def test_the_loss_of_a_run_and_class_weights_from_its_masks():
    config = TrainConfig.from_values({"segmentation": {"loss": "weighted+dice"}})
    of = labels(np.array([[0, 1, 1, 1]]), np.array([[1, 1, 1, 255]]))
    task = SegmentationTask.for_training(CLASSES, of, config)
    assert task.mask_loss.parts == ("weighted", "dice")
    assert task.mask_loss.class_weights == pytest.approx((7 / (2 * 1), 7 / (2 * 6)))
    assert SegmentationTask.for_training(CLASSES, of, TrainConfig()).mask_loss.class_weights is None


def test_a_bundle_keeps_how_tiles_are_cut():
    task = SegmentationTask.for_training(
        CLASSES, labels(), TrainConfig.from_values({"segmentation": {"tile": 512, "overlap": 64}})
    )
    config = {"segmentation": {"loss": "a later one", "tile": 512, "overlap": 64}}
    bundle = Bundle("segmentation", "unet", NATIVE, **task.in_bundle(), config=config)
    again = SegmentationTask.of_bundle(bundle)
    assert (again.classes, again.settings.tile, again.settings.overlap) == (CLASSES, 512, 64)
    assert SegmentationTask.of_bundle(Bundle("segmentation", "unet", NATIVE, CLASSES)).settings == SegmentationConfig()


def test_loss_and_score_of_a_batch():
    task, padded = SegmentationTask(CLASSES), network()
    images = torch.randn(2, 1, 48, 32)
    targets = torch.randint(2, (2, 48, 32))
    targets[0, :10] = 255
    loss, score = task.loss(padded, images, targets)
    logits = padded(images)
    assert loss.item() == pytest.approx(pixel_cross_entropy(logits, targets).item())
    right = logits.argmax(dim=1) == targets
    assert score.item() == pytest.approx(
        sum((r.sum() / (t != 255).sum()).item() for r, t in zip(right, targets, strict=True))
    )
    assert loss.requires_grad


@pytest.mark.parametrize("side", [188, 236, 240])
def test_masks_are_cut_to_what_a_valid_network_gives(side: int):
    """The published U-Net lacks 92 pixels on each side; sides that do not fit are continued by mirroring."""
    task, valid = SegmentationTask(CLASSES), network(padded=False)
    images, targets = torch.randn(1, 1, side, side), torch.randint(2, (1, side, side))
    loss, score = task.loss(valid, images, targets)
    fitted = valid.nearest_side(side)
    before = (fitted - side) // 2
    around = (before, fitted - side - before) * 2
    logits = valid(F.pad(images, around, mode="reflect"))
    inner = F.pad(targets, around, value=255)[:, 92 : fitted - 92, 92 : fitted - 92]
    assert logits.shape[2:] == inner.shape[1:]
    assert loss.item() == pytest.approx(pixel_cross_entropy(logits, inner).item(), rel=1e-5)
    assert 0 <= score.item() <= 1


def test_auxiliary_heads_train_with_their_weight_unless_they_are_frozen():
    task = SegmentationTask(CLASSES)
    torch.manual_seed(0)
    fcn = build_model("fcn_resnet50", num_classes=2).eval()
    assert isinstance(fcn, SegmentationNetwork)
    images, targets = torch.randn(1, 3, 32, 32), torch.randint(2, (1, 32, 32))
    with torch.no_grad():
        logits, aux = fcn.forward_with_aux(images)
        head, other = (pixel_cross_entropy(each, targets).item() for each in (logits, aux["conv4"]))
        assert task.loss(fcn, images, targets)[0].item() == pytest.approx(head + 0.5 * other, rel=1e-4)
        fcn.aux_heads.requires_grad_(False)
        assert task.loss(fcn, images, targets)[0].item() == pytest.approx(head, rel=1e-4)


def test_masks_are_learnt():
    """Bright and dark halves of noisy pictures, in a few steps."""
    task, padded = SegmentationTask(CLASSES, MaskLoss(("cross_entropy", "dice"))), network(width=4)
    padded.train()
    optimizer = torch.optim.AdamW(padded.parameters(), lr=0.02)
    targets = torch.zeros(4, 32, 32, dtype=torch.int64)
    targets[:2, :, 16:], targets[2:, :20] = 1, 1
    images = targets[:, None] + 0.3 * torch.randn(4, 1, 32, 32)
    for _ in range(30):
        loss, score = task.loss(padded, images, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert score.item() / 4 > 0.95


def test_pictures_of_any_size_are_predicted_at_that_size():
    task, padded = SegmentationTask(CLASSES), network()
    pictures = [picture(48, 64), picture(300, 33), picture(1, 1)]
    predictions = task.predict(padded, NATIVE, pictures, [each.shape[:2] for each in pictures])
    assert [each.mask.size for each in predictions] == [(48, 64), (300, 33), (1, 1)]
    expected = straight(padded, pictures[0])
    assert np.array_equal(predictions[0].mask.array(), expected.argmax(dim=0).numpy())
    assert np.abs(steps(predictions[0]) / 255 - expected.softmax(dim=0).numpy()).max() < 1 / 255


def test_logits_are_scaled_to_the_original_where_the_picture_was_scaled():
    task, padded = SegmentationTask(CLASSES), network()
    scaled = Preprocess(channels=1, size=(32, 32), resize="shorter_side", resize_to=32, mean=(0.5,), std=(0.25,))
    pixels = picture(32, 48)
    (prediction,) = task.predict(padded, scaled, [pixels], [(100, 150)])
    logits = F.interpolate(straight(padded, pixels)[None], size=(100, 150), mode="bilinear", align_corners=False)[0]
    assert prediction.mask.size == (100, 150)
    assert (prediction.mask.array() == logits.argmax(dim=0).numpy()).mean() > 0.999


def test_a_frame_is_cut_off():
    task, padded = SegmentationTask(CLASSES), network()
    fit = Preprocess(channels=1, size=(64, 64), resize="fit", mean=(0.5,), std=(0.25,))
    original = Image.fromarray(picture(32, 128)[:, :, 0])
    pixels = fit.to_array(original)  # 16 rows of the picture, 24 of the frame above and below
    (prediction,) = task.predict(padded, fit, [pixels], [(32, 128)])
    inner = straight(padded, pixels)[:, 24:40]
    logits = F.interpolate(inner[None], size=(32, 128), mode="bilinear", align_corners=False)[0]
    assert (prediction.mask.array() == logits.argmax(dim=0).numpy()).mean() > 0.999


@pytest.mark.parametrize("options", [{}, {"padded": False, "batch_norm": False}])
def test_larger_pictures_are_cut_into_tiles(options: dict[str, object], monkeypatch: pytest.MonkeyPatch):
    built = network(width=1, **options)
    tile, side = (252, 300) if not built.sees_borders else (448, 700)
    pixels = picture(side, side)
    fed: list[int] = []
    monkeypatch.setattr(
        Preprocess,
        "normalise",
        lambda self, x, real=Preprocess.normalise: (fed.append(max(x.shape[1:3])), real(self, x))[1],
    )
    tiles = SegmentationTask(CLASSES, settings=SegmentationConfig(tile=tile))
    (tiled,) = tiles.predict(built, NATIVE, [pixels], [(side, side)])
    assert max(fed) <= tile
    assert len(fed) > 1
    (whole,) = SegmentationTask(CLASSES).predict(built, NATIVE, [pixels], [(side, side)])
    assert max(fed) >= side
    inner = slice(None) if not built.sees_borders else slice(200, -200)
    difference = steps(tiled).astype(int) - steps(whole)
    # Not more than a step where tiles are seamless; here a quarter of a tile may be less than that.
    assert np.abs(difference[:, inner, inner]).max() <= (1 if not built.sees_borders else 8)


def test_networks_that_see_everything_get_tiles_with_an_overlap():
    task = SegmentationTask(CLASSES, settings=SegmentationConfig(tile=128))
    torch.manual_seed(0)
    excited = build_model("unet/timm/mobilenetv3_small_050", num_classes=2).eval()
    rgb = Preprocess(size=(64, 64), resize="native")
    pixels = np.random.default_rng(0).integers(0, 256, (140, 60, 3), dtype=np.uint8)
    (prediction,) = task.predict(excited, rgb, [pixels], [(140, 60)])
    assert prediction.mask.size == (140, 60)


def test_views_are_averaged_by_probabilities():
    task, padded = SegmentationTask(CLASSES), network()
    pixels = picture(48, 64)
    (plain,) = task.predict(padded, NATIVE, [pixels], [(48, 64)])
    (flipped,) = task.predict(padded, NATIVE, [pixels], [(48, 64)], Views.named("flip"))
    mirrored = straight(padded, pixels[:, ::-1]).softmax(dim=0).flip(2)
    expected = (straight(padded, pixels).softmax(dim=0) + mirrored) / 2
    assert np.abs(steps(flipped) / 255 - expected.numpy()).max() < 1 / 255
    (scaled,) = task.predict(padded, NATIVE, [pixels], [(48, 64)], Views.named("multi-scale+flip"))
    assert scaled.mask.size == (48, 64)
    assert not np.array_equal(steps(scaled), steps(plain))
    with pytest.raises(ConfigError, match=r"'ten-crop' shows parts of a picture.*expected flip, turns, .*multi-scale"):
        task.predict(padded, NATIVE, [pixels], [(48, 64)], Views.named("ten-crop"))


@pytest.mark.parametrize(
    ("resize", "size", "tile"), [("native", (32, 48), 2048), ("native", (32, 48), 32), ("shorter_side", (64, 96), 2048)]
)
def test_turned_views_are_the_turned_picture_turned_back(resize: str, size: tuple[int, int], tile: int):
    task, padded = SegmentationTask(CLASSES, settings=SegmentationConfig(tile=tile)), network()
    preprocess = replace(NATIVE, size=(32, 32), resize=resize, resize_to=32)
    pixels = picture(32, 48)
    (plain,) = task.predict(padded, preprocess, [pixels], [size])
    expected = np.zeros((2, *size))
    for turns in range(4):
        for step in (1, -1):
            seen = np.ascontiguousarray(np.rot90(pixels, turns)[:, ::step])
            (alone,) = task.predict(padded, preprocess, [seen], [size[::-1] if turns % 2 else size])
            expected += np.rot90(steps(alone)[:, :, ::step], -turns, axes=(1, 2)) / 8
    (turned,) = task.predict(padded, preprocess, [pixels], [size], Views.named("turns+flip"))
    assert turned.mask.size == size
    assert np.abs(steps(turned) - expected).max() <= 1
    assert np.abs(steps(turned) - steps(plain).astype(float)).max() > 1


def test_models_are_averaged():
    task = SegmentationTask(CLASSES)
    pixels = picture(32, 32)
    of_models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = build_model("unet", width=1, padded=True).eval()
        of_models.append(task.predict(model, NATIVE, [pixels], [(32, 32)]))
    (together,) = task.average(of_models)
    expected = (steps(of_models[0][0]).astype(float) + steps(of_models[1][0])) / 2
    assert np.abs(steps(together) - expected).max() <= 1


def test_values_that_are_not_finite_are_told():
    broken = network()
    torch.nn.init.constant_(broken.out.weight, float("nan"))
    with pytest.raises(TrainingError, match="values that are not finite"):
        SegmentationTask(CLASSES).predict(broken, NATIVE, [picture(32, 32)], [(32, 32)])


def test_metrics_baseline_and_comparison():
    task, padded = SegmentationTask(CLASSES), network()
    pictures = [picture(32, 32, seed) for seed in range(4)]
    sizes = [(32, 32)] * 4
    predictions = task.predict(padded, NATIVE, pictures, sizes)
    right = labels(*(each.mask.array() for each in predictions))
    metrics = task.measure(predictions, right)
    assert (metrics.mean_iou, metrics.pixel_accuracy, metrics.images) == (1.0, 1.0, 4)
    assert metrics.loss < 0.7
    assert task.rank(metrics) == (1.0, -metrics.loss)
    training = labels(np.array([[0, 1, 1]]))
    (baseline,) = task.baselines(right, training)
    assert baseline.name == "'cell' everywhere, the most frequent class of the training pictures"
    share = np.mean([each.mask.array() for each in predictions])
    assert baseline.figures["pixel_accuracy"][0] == pytest.approx(share)
    assert baseline.figures["mean_iou"][0] == pytest.approx(share / 2)
    other = task.predict(network(width=3), NATIVE, pictures, sizes)
    difference = task.compare(predictions, other, right)
    assert difference.difference == pytest.approx(1 - task.measure(other, right).mean_iou)
    assert difference.ci95[0] <= difference.difference <= difference.ci95[1]
    assert "mean IoU (95 % interval" in difference.text()
    same = task.compare(predictions, predictions, right)
    assert (same.difference, same.ci95, same.distinguishable) == (0, (0, 0), False)
    with pytest.raises(DataError, match="no pixel was counted"):
        task.measure(predictions, labels(*[np.full((32, 32), 255)] * 4))


def test_results_and_drawings():
    task, padded = SegmentationTask(CLASSES), network()
    predictions = task.predict(padded, NATIVE, [picture(300, 260)], [(300, 260)])
    (result,) = task.results(predictions, ["a.png"])
    assert isinstance(result, Segmentation)
    assert np.array_equal(result.mask, predictions[0].mask.array())
    assert (result.path, result.classes) == ("a.png", CLASSES)
    (true,) = task.truth(labels(np.zeros((300, 260))), ["a.png"])
    assert true.shares == {"membrane": 1.0, "cell": 0.0}
    drawn = task.draw(Image.new("L", (260, 300)), true)
    assert drawn.width == 260
    assert drawn.height > 300
