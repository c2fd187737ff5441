"""Accuracy by depth, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from hubel.data.decoded.store import prepare_store
from hubel.data.division.splits import DataSplits, open_splits
from hubel.data.loading.loader import Loader
from hubel.errors import ConfigError, DataError
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import build_model
from hubel.preprocessing import Preprocess
from hubel.tasks.classification import ClassificationTask
from hubel.transfer.advice import (
    ENOUGH_PER_CLASS,
    SOME_PER_CLASS,
    Evidence,
    advise,
    best_stage,
    last_useful_stage,
    paired_difference,
)
from hubel.transfer.cached_features import FeatureSettings
from hubel.transfer.chart import draw_probe
from hubel.transfer.freezing import fingerprint
from hubel.transfer.probe import PooledStages, ProbeResult, mean_over_places, pooled_features, probe

SIZE = 16
PREPROCESS = Preprocess(size=(SIZE, SIZE), resize_to=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3)
CPU = FeatureSettings(torch.device("cpu"))


class Slopes(nn.Module):
    """How much neighbouring pixels differ, across and down: (N, 3, H, W) to (N, 2, H-1, W-1)."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        across = (x[:, :1, 1:, 1:] - x[:, :1, 1:, :-1]).abs()
        down = (x[:, :1, 1:, 1:] - x[:, :1, :-1, 1:]).abs()
        return self.gain * torch.cat([across, down], dim=1)


class Sum(nn.Module):
    """The sum of all channels, which no longer tells across from down."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=1, keepdim=True)


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x.mean(dim=(2, 3)))


@pytest.fixture
def slopes_network() -> ClassificationNetwork:
    """A network whose middle stage alone tells stripes that run down from stripes that run across."""
    stages = {"pixels": nn.Identity(), "slopes": Slopes(), "sum": Sum()}
    return ClassificationNetwork(stages, Head(), in_channels=3, strides=(1, 1, 1), out_channels=(3, 2, 1))


@pytest.fixture
def stripes(tmp_path: Path) -> Callable[[int], DataSplits]:
    """Class folders of stripes that run across and down, at random places: so many of each for training."""

    def draw(count: int) -> DataSplits:
        generator = np.random.default_rng(0)
        for split, pictures in {"train": count, "validation": 2}.items():
            for name in ("across", "down"):
                folder = tmp_path / "stripes" / split / name
                folder.mkdir(parents=True)
                for number in range(pictures):
                    lines = generator.permutation(np.repeat([0, 1], SIZE // 2))
                    pixels = np.broadcast_to(lines[:, None], (SIZE, SIZE)) * 120 + generator.integers(0, 100)
                    pixels = pixels + generator.normal(0, 3, (SIZE, SIZE))
                    pixels = np.clip(pixels if name == "across" else pixels.T, 0, 255).astype(np.uint8)
                    Image.fromarray(np.stack([pixels] * 3, axis=-1)).save(folder / f"{number}.png")
        return open_splits(tmp_path / "stripes")

    return draw


def training_loader(splits: DataSplits, preprocess: Preprocess = PREPROCESS) -> Loader:
    store = prepare_store(splits.train, preprocess, classes=splits.classes, purpose="training", cache_bytes=10**8)
    return Loader(store, batch_size=8, preprocess=preprocess, shuffle=True, seed=1)


def run(network: ClassificationNetwork, splits: DataSplits, **options: object) -> ProbeResult:
    task = ClassificationTask(splits.classes)
    return probe(network, training_loader(splits), PREPROCESS, task, **{"pretrained": True, **options})


def test_the_stage_that_knows_the_classes_is_found(
    slopes_network: ClassificationNetwork, stripes: Callable[[int], DataSplits]
) -> None:
    result = run(slopes_network, stripes(30))
    assert result.best.stage == "slopes"
    pixels, slopes, sum_ = result.stages
    assert slopes.value == 1
    assert slopes.value_ci95[1] == 1
    assert pixels.value < 0.75 > sum_.value
    assert slopes.behind_best_ci95 == (0, 0)
    assert sum_.behind_best == pytest.approx(1 - sum_.value)
    assert sum_.behind_best_ci95[0] > 0
    assert (result.advice.regime, result.advice.train, result.advice.through) == ("head", "head", "slopes")
    assert result.advice.frozen == ("pixels", "slopes")
    assert "the features fit best after slopes (100.0 %), and less later: after sum, " in result.advice.reasons[0]
    assert (result.pictures, result.pictures_per_class, result.baseline) == (60, (30, 30), 0.5)


def test_the_same_seed_gives_the_same_result_and_the_network_stays(
    slopes_network: ClassificationNetwork, stripes: Callable[[int], DataSplits]
) -> None:
    before, splits = fingerprint([slopes_network]), stripes(10)
    first, again = (run(slopes_network, splits, seed=5).to_dict() for _ in range(2))
    assert {**first, "seconds": None} == {**again, "seconds": None}
    assert slopes_network.training
    assert fingerprint([slopes_network]) == before


@pytest.mark.parametrize("name", ["resnet20_cifar", "lenet5_modern", "densenet121", "googlenet_bn"])
def test_features_are_the_means_of_the_stages_maps(name: str) -> None:
    network = build_model(name, num_classes=3, in_channels=3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics that folding could get wrong
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    size = network.size or (64, 64)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = [output.mean(dim=(2, 3)) for output in network.eval().forward_stages(images).values()]
        given = PooledStages(network, (3, *size))(images)
    torch.testing.assert_close(given, torch.cat(expected, dim=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("timm/vit_tiny_patch16_224", {"img_size": 32}),  # tokens (N, T, C)
        ("timm/swin_tiny_patch4_window7_224", {"img_size": 64}),  # maps (N, H, W, C)
        ("timm/resnet10t", {}),
    ],
)
def test_features_of_timms_networks(name: str, options: dict[str, int]) -> None:
    pytest.importorskip("timm")
    network = build_model(name, num_classes=3, **options).eval()
    size = network.size or (64, 64)
    stages = PooledStages(network, (3, *size))
    with torch.no_grad():
        outputs = network.forward_stages(images := torch.randn(2, 3, *size))
        values = stages(images)
    assert values.shape == (2, sum(network.out_channels))
    last = list(outputs.values())[-1]
    axes = {"timm/vit_tiny_patch16_224": (1,), "timm/swin_tiny_patch4_window7_224": (1, 2), "timm/resnet10t": (2, 3)}
    expected = last.mean(dim=axes[name])
    torch.testing.assert_close(values[:, -network.out_channels[-1] :], expected, rtol=1e-3, atol=1e-3)


def test_means_over_places_by_shape() -> None:
    for shape, channels, axes in [
        ((2, 5, 3, 4), 5, (2, 3)),
        ((2, 3, 4, 5), 5, (1, 2)),
        ((2, 7, 5), 5, (1,)),
        ((2, 5, 5), 5, (1,)),
    ]:
        output = torch.randn(shape)
        torch.testing.assert_close(mean_over_places(output, channels), output.mean(dim=axes))
    vector = torch.randn(2, 5)
    assert torch.equal(mean_over_places(vector, 5), vector)


def test_of_many_pictures_some_are_drawn(stripes: Callable[[int], DataSplits]) -> None:
    network, loader = build_model("resnet20_cifar"), training_loader(stripes(20))
    positions, features = pooled_features(network, loader, PREPROCESS, CPU, most_pictures=13)
    assert len(set(positions.tolist())) == 13
    every, whole = pooled_features(network, loader, PREPROCESS, CPU)
    assert every.tolist() == list(range(40))
    for stage, values in features.items():
        torch.testing.assert_close(values, whole[stage][positions], rtol=1e-4, atol=1e-5)


def test_fewer_than_two_pictures_of_a_class_are_refused(
    slopes_network: ClassificationNetwork, stripes: Callable[[int], DataSplits]
) -> None:
    with pytest.raises(DataError, match=r"needs two different training pictures of every class.*'across' has 1"):
        run(slopes_network, stripes(1))


def evidence(per_class: int, *accuracies: float, pretrained: bool = True, rows: int = 1000) -> Evidence:
    """Stages a, b, ... whose probes are right on the first so many rows."""
    right = {chr(97 + number): np.arange(rows) < share * rows for number, share in enumerate(accuracies)}
    return Evidence(right, (per_class, per_class + 1, per_class - 1), pretrained)


FEW, SOME, MANY = SOME_PER_CLASS - 1, SOME_PER_CLASS, ENOUGH_PER_CLASS


@pytest.mark.parametrize(
    ("given", "regime", "recipe", "train", "through", "frozen", "because"),
    [
        (evidence(FEW, 0.3, 0.6, 0.8), "head", "head", "head", None, "abc", "too few to change features"),
        (evidence(SOME, 0.3, 0.6, 0.8), "mid", "mid", "c", None, "ab", "enough to fit the later half of the stages"),
        (evidence(MANY, 0.3, 0.6, 0.8), "full", "gradual", "all", None, "", "enough to fit every stage, and 20.0 %"),
        (evidence(MANY, 0.3, 0.6, 0.985), "head", "head", "head", None, "abc", "next to nothing to gain"),
        (evidence(FEW, 0.3, 0.8, 0.6), "head", "head", "head", "b", "ab", "after c, 20.0 points fewer are right"),
        (
            evidence(SOME, 0.3, 0.8, 0.6),
            "mid",
            "mid",
            "b",
            "b",
            "a",
            "the features fit best after b (80.0 %), and less",
        ),
        (evidence(SOME, 0.8, 0.3, 0.6), "head", "head", "head", "a", "a", "too few to change features"),
        (evidence(MANY, 0.3, 0.8, 0.6), "full", "gradual", "all", "b", "", "enough to fit every stage"),
        (evidence(MANY, 0.3, 0.99, 0.6), "head", "head", "head", "b", "ab", "next to nothing to gain"),
        (
            evidence(FEW, 0.3, 0.801, 0.8),
            "head",
            "head",
            "head",
            None,
            "abc",
            "80.0 % after c is within a standard error",
        ),
        (evidence(FEW, 0.801, 0.8, 0.3), "head", "head", "head", "b", "ab", "best after a (80.1 %), no worse after b"),
        (evidence(SOME, 0.7), "head", "head", "head", None, "a", "one stage only"),
        (evidence(FEW, 0.3, 0.8, pretrained=False), "full", "scratch", "all", None, "", "the weights are random"),
    ],
)
def test_advice(
    given: Evidence, regime: str, recipe: str, train: str, through: str | None, frozen: str, because: str
) -> None:
    advice = advise(given)
    assert (advice.regime, advice.recipe, advice.train, "".join(advice.frozen)) == (regime, recipe, train, frozen)
    assert advice.through == through
    assert because in " ".join(advice.reasons)
    assert advice.summary.startswith(f"{regime}: " + (f"end the network after {through}, " if through else ""))
    assert advice.summary.endswith(f"(recipe {recipe}{f', model.arguments.through={through}' if through else ''})")


def test_a_paired_difference_by_hand() -> None:
    # 100 pictures: 12 right with one only, 4 with the other only: mean 0.08, variance 0.1536 · 100 / 99.
    one = np.array([True] * 12 + [False] * 4 + [True] * 84)
    other = np.array([False] * 12 + [True] * 4 + [True] * 84)
    mean, (low, high) = paired_difference(one, other)
    half = 1.959964 * (0.1536 / 99) ** 0.5
    assert (mean, low, high) == pytest.approx((0.08, 0.08 - half, 0.08 + half))


def test_the_last_useful_stage_by_hand() -> None:
    # Of 100 pictures, 12 are right with one only and 4 with the other only: 8 behind, standard error 3.94.
    one = np.array([True] * 12 + [False] * 4 + [True] * 84)
    other = np.array([False] * 12 + [True] * 4 + [True] * 84)
    assert last_useful_stage({"a": other, "b": one, "c": other}) == "b"
    # 6 and 4: 2 behind, standard error 3.17.
    other = np.array([False] * 6 + [True] * 10 + [True] * 84)
    assert last_useful_stage({"a": other, "b": one, "c": other}) == "c"


def test_of_equal_stages_the_deepest_is_the_best_and_one_picture_is_no_difference() -> None:
    assert best_stage(evidence(5, 0.2, 0.9, 0.9, 0.5).right) == "c"
    assert last_useful_stage(evidence(5, 0.2, 0.9, 0.9, 0.5).right) == "c"
    for rows in (10, 1000):
        assert last_useful_stage(evidence(5, 0.2, 0.7, 0.7 - 1 / rows, rows=rows).right) == "c"
        assert last_useful_stage(evidence(5, 0.2, 0.7, 0.7 - 3 / rows, rows=rows).right) == "b"


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture(
    suffix: str, slopes_network: ClassificationNetwork, stripes: Callable[[int], DataSplits], tmp_path: Path
) -> None:
    result = run(slopes_network, stripes(6))
    for name in ("one", "two"):
        draw_probe(result, tmp_path / f"{name}{suffix}", title="slopes on stripes")
    drawn = (tmp_path / f"one{suffix}").read_bytes()
    assert drawn == (tmp_path / f"two{suffix}").read_bytes()
    assert (drawn.startswith(b"\x89PNG")) if suffix == ".png" else (b"slopes on stripes" in drawn)


def test_a_picture_of_another_kind_is_refused(
    slopes_network: ClassificationNetwork, stripes: Callable[[int], DataSplits], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.png, \.svg or \.pdf"):
        draw_probe(run(slopes_network, stripes(2)), tmp_path / "probe.bmp")
