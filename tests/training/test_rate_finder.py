"""The search for a learning rate: what it suggests, and what a run does with it."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import hubel
from hubel.config import TrainConfig
from hubel.errors import ConfigError
from hubel.training.preparation import Prepared, prepare
from hubel.training.progress import Reporter
from hubel.training.rate_finder import RateSearch, search_rate

SETTINGS = {"data.size": 32, "batch_size": 8, "threads": 1, "device": "cpu", "precision": "float32"}


def of_losses(smoothed: np.ndarray) -> RateSearch:
    rates = np.logspace(-6, 0, 100)[: len(smoothed)]
    return RateSearch(tuple(rates), tuple(smoothed), tuple(smoothed))


def test_the_suggestion_is_where_the_loss_falls_most_steeply() -> None:
    exponent = np.linspace(-6, 0, 100)
    falling = 2 - 1 / (1 + np.exp(-4 * (exponent + 2.5)))  # steepest at 10^-2.5
    suggestion = of_losses(falling).suggestion
    assert suggestion is not None
    assert abs(np.log10(suggestion) + 2.5) < 0.07  # within a step
    assert of_losses(np.where(exponent > -1, 5.0, falling)).suggestion == suggestion  # what comes after is no matter


@pytest.mark.parametrize(
    "smoothed",
    [np.linspace(1, 2, 100), np.zeros(100), np.zeros(0), np.linspace(2, 1, 25)],
    ids=["rising", "flat", "nothing", "too short"],
)
def test_without_a_fall_there_is_no_suggestion(smoothed: np.ndarray) -> None:
    assert of_losses(smoothed).suggestion is None


@pytest.fixture
def prepared(coloured_squares: Path) -> Prepared:
    values = {"data": {"path": str(coloured_squares), "size": 32}, "model": {"name": "resnet20_cifar"}, "batch_size": 8}
    return prepare(TrainConfig.from_values({**values, "threads": 1, "device": "cpu"}), Reporter())


def search(prepared: Prepared, **phase: object) -> RateSearch:
    first = (prepared.config.phases or ())[0].model_copy(update=phase)
    loader = prepared.loader("train")
    optimizer = prepared.config.optimizer
    return search_rate(prepared.network, prepared.task, prepared.preprocess, loader, first, optimizer, seed=0)


def test_rates_grow_from_a_millionth_and_the_network_stays_as_it_was(prepared: Prepared) -> None:
    before = {name: tensor.clone() for name, tensor in prepared.network.state_dict().items()}
    one, again = search(prepared), search(prepared)
    assert one == again
    assert one.rates[0] == pytest.approx(1e-6)
    assert one.rates[-1] == pytest.approx(1.0) or one.smoothed[-1] > 4 * min(one.smoothed)
    ratios = [b / a for a, b in pairwise(one.rates)]
    assert ratios == pytest.approx([10 ** (6 / 99)] * len(ratios))
    mean = 0.0
    for step, (loss, smoothed) in enumerate(zip(one.losses, one.smoothed, strict=True), start=1):
        mean = 0.9 * mean + 0.1 * loss
        assert smoothed == pytest.approx(mean / (1 - 0.9**step))
    for name, tensor in prepared.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.requires_grad for parameter in prepared.network.parameters())


def test_the_first_loss_is_the_phases_own_and_the_search_freezes_what_it_freezes(prepared: Prepared) -> None:
    whole, of_head = search(prepared), search(prepared, train="head")
    assert whole.losses[0] != of_head.losses[0]  # frozen BatchNorm takes its running statistics
    prepared.network.stages.requires_grad_(False)
    prepared.network.eval()
    batch = next(prepared.loader("train").epoch(0))
    logits = prepared.network(prepared.preprocess.normalise(batch.images))
    assert of_head.losses[0] == pytest.approx(prepared.task.loss(logits, batch.labels).item(), abs=1e-5)


def test_a_search_ends_when_the_loss_explodes(prepared: Prepared) -> None:
    optimizer = prepared.config.optimizer.model_copy(update={"name": "sgd", "clip_norm": 0.0})
    phase = (prepared.config.phases or ())[0]
    with torch.no_grad():
        prepared.network.head.out.weight.mul_(1e6)  # the least loss is the first, and large
    loader = prepared.loader("train")
    found = search_rate(prepared.network, prepared.task, prepared.preprocess, loader, phase, optimizer, seed=0)
    assert len(found.rates) < 100
    assert all(np.isfinite(found.losses))


def test_a_run_takes_the_rate_writes_it_down_and_never_searches_again(coloured_squares: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "recipe": "gradual"}
    run = hubel.train(
        coloured_squares,
        model="resnet20_cifar",
        epochs=3,
        learning_rate="find",
        out=tmp_path / "run",
        settings=settings,
    )
    rows = list(csv.DictReader((run.dir / "rates.csv").open()))
    curve = RateSearch(*(tuple(float(r[c]) for r in rows) for c in ("learning_rate", "loss", "smoothed_loss")))
    config = yaml.safe_load((run.dir / "config.yaml").read_text())
    assert curve.suggestion is not None
    assert config["learning_rate"] == pytest.approx(curve.suggestion, rel=0.05)  # two digits
    rates = [phase["learning_rate"] for phase in config["phases"]]
    assert rates == pytest.approx([config["learning_rate"] * share for share in (1, 1 / 3, 1 / 3)])
    page = (run.dir / "report.html").read_text()
    assert "Search for the learning rate" in page
    assert f"taken: {config['learning_rate']:.2g}" in page

    repeated = hubel.train(config=run.dir / "config.yaml", out=tmp_path / "again")
    assert repeated.bundle.read_bytes() == run.bundle.read_bytes()
    assert not (repeated.dir / "rates.csv").exists()
    plain = repeated.report.read_text()
    assert "Search for the learning rate" not in plain
    assert page.count("<svg") == plain.count("<svg") + 1
    shorter = hubel.train(config=run.dir / "config.yaml", epochs=1, out=tmp_path / "short")  # still a recipe by name
    assert yaml.safe_load((shorter.dir / "config.yaml").read_text())["learning_rate"] == config["learning_rate"]


def test_a_number_is_taken_as_it_is_and_beside_phases_only_find_makes_sense(
    coloured_squares: Path, tmp_path: Path
) -> None:
    phases = [{"name": "mine", "epochs": 1, "learning_rate": 0.01}, {"name": "more", "epochs": 1, "learning_rate": 0.1}]
    settings = {**SETTINGS, "phases": phases}
    with pytest.raises(ConfigError, match="learning_rate has no effect beside phases that are spelled out"):
        hubel.train(coloured_squares, model="resnet20_cifar", learning_rate=0.1, settings=settings)
    run = hubel.train(
        coloured_squares, model="resnet20_cifar", learning_rate="find", out=tmp_path / "run", settings=settings
    )
    config = yaml.safe_load((run.dir / "config.yaml").read_text())
    first, second = (phase["learning_rate"] for phase in config["phases"])
    assert second == pytest.approx(10 * first)
    assert first == config["learning_rate"] != 0.01


@pytest.mark.parametrize("value", ["found", 0, -1.0, float("nan"), float("inf"), True, [1]])
def test_rates_that_are_none(value: object) -> None:
    with pytest.raises(ConfigError, match=r"learning_rate is .*: expected a positive number, or find"):
        TrainConfig.from_values({"learning_rate": value})


def test_rates_as_yaml_and_the_command_line_write_them() -> None:
    assert TrainConfig.from_values({"learning_rate": "1e-3"}).learning_rate == 0.001
    assert TrainConfig.from_values({"learning_rate": "find"}).learning_rate == "find"
    assert TrainConfig.from_values({"learning_rate": None}).learning_rate is None
