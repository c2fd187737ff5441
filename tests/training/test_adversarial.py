"""The loop of a generator and a discriminator: exact, kept, told when it collapses."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hubel
from hubel.errors import ConfigError, DataError
from hubel.models.generative import DCGAN
from hubel.training.adversarial import AdversarialFit
from hubel.training.interruption import Interrupted
from hubel.training.progress import Reporter, StepReport

SMALL = {
    "data.size": 32,
    "model.in_channels": 1,
    "model.arguments": {"width": 4, "kernel": 4, "code_size": 8},
    "batch_size": 8,
    "data.near_duplicates": 0,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 grey pictures of 32×32 without classes: a bright block at some place."""
    folder = tmp_path_factory.mktemp("blocks") / "blocks"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(40):
        pixels = generator.integers(0, 30, size=(32, 32)).astype(np.uint8)
        top, left = generator.integers(0, 16, size=2)
        pixels[top : top + 16, left : left + 16] = 220
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


class Told(Reporter):
    """Keeps what it is told, and asks to stop in an epoch, after a step."""

    def __init__(self, stop_at: tuple[int, int] | None = None) -> None:
        self.messages: list[str] = []
        self.stop_at = stop_at

    def message(self, text: str) -> None:
        self.messages.append(text)

    def step(self, report: StepReport) -> None:
        if (report.epoch, report.step) == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


def trained(blocks: Path, out: Path, **changes: Any) -> Any:
    settings = SMALL | changes.pop("settings", {})
    return hubel.train(blocks, out=out, settings=settings, **({"task": "generation", "epochs": 3} | changes))


@pytest.mark.parametrize(
    "settings",
    [
        {"generative.smoothing": 0.1},
        {
            "generative.game": "hinge",
            "model.arguments": {"width": 4, "kernel": 4, "discriminator_norm": "spectral"},
            "generative.discriminator_steps": 2,
            "generative.diffaugment": "affine+color+translation+cutout",
        },
        {"generative.game": "wasserstein", "model.arguments": {"width": 4, "discriminator_norm": "none"}},
    ],
    ids=["non-saturating", "hinge", "wasserstein"],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    blocks: Path, tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubel.training.adversarial._SECONDS_PER_REPORT", 0.0)
    whole = trained(blocks, tmp_path / "whole", settings=settings)
    with pytest.raises(Interrupted):
        trained(blocks, tmp_path / "parts", settings=settings, reporter=Told(stop_at=(2, 2)))
    parts = hubel.train(out=tmp_path / "parts", resume=True)
    assert whole.bundle.read_bytes() == parts.bundle.read_bytes()
    for name in ("epoch-0001.png", "epoch-0003.png"):
        assert (whole.dir / "samples" / name).read_bytes() == (parts.dir / "samples" / name).read_bytes()


def test_a_worker_that_dies_between_epochs_is_told(
    blocks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(fit: AdversarialFit) -> None:
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Killed. ")

    monkeypatch.setattr(AdversarialFit, "_end_epoch", dies)
    with pytest.raises(DataError, match="a process that loads images was killed while it held no picture"):
        trained(blocks, tmp_path / "run", epochs=1)


def test_a_healthy_run_raises_no_alarm_and_shows_its_sheets(blocks: Path, tmp_path: Path) -> None:
    told = Told()
    settings = {
        "generative.game": "hinge",
        "model.arguments": {"width": 16, "kernel": 4, "code_size": 8, "discriminator_norm": "spectral"},
    }
    run = trained(blocks, tmp_path / "run", epochs=24, learning_rate=0.002, settings=settings, reporter=told)
    assert run.metrics["collapse"] == []
    assert run.metrics["train"]["diversity"] > 0.4
    assert not [text for text in told.messages if "collapsed" in text]
    assert len(list((run.dir / "samples").glob("epoch-*.png"))) == 8
    page = run.report.read_text()
    assert page.count("<figcaption>epoch ") == 8
    assert "The generator has collapsed" not in page
    assert "Tips for training GANs" in page
    assert page.count("<tr><td>10</td>") == 4
    header = (run.dir / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train_loss", "train_generator_loss", "train_discriminator_accuracy", "validation_diversity"} <= set(header)


def test_a_planted_collapse_raises_the_alarm(blocks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that gets the same code always makes the same picture."""

    def one_code(self: DCGAN, count: int, generator: torch.Generator | None = None) -> torch.Tensor:
        return next(self.parameters()).new_full((count, self.code_size), 0.5)

    monkeypatch.setattr(DCGAN, "sample_codes", one_code)
    told = Told()
    run = trained(blocks, tmp_path / "run", epochs=2, reporter=told)
    (reason,) = run.metrics["collapse"]
    assert "the samples differ 0% as much as real pictures" in reason
    assert [text for text in told.messages if text.startswith("the generator has collapsed")]
    assert "the generator has collapsed" in (run.dir / "log.txt").read_text()
    assert "The generator has collapsed" in run.report.read_text()


def test_the_average_of_the_generator_is_what_is_kept(blocks: Path, tmp_path: Path) -> None:
    plain = trained(blocks, tmp_path / "plain", settings={"generative.generator_average": 0})
    averaged = trained(blocks, tmp_path / "averaged")
    own, kept = (hubel.load(run.bundle).network.state_dict() for run in (plain, averaged))
    for name in own:
        same = torch.equal(own[name], kept[name])
        if name.startswith("discriminator") or "running" in name or "num_batches" in name:
            assert same, name
    assert not torch.equal(own["generator.out.conv.weight"], kept["generator.out.conv.weight"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"settings": {"data.size": 48}}, "size is 48: expected 32, 64 or 128"),
        ({"settings": {"generative.game": "wasserstein"}}, "set model.arguments.discriminator_norm=none"),
        ({"recipe": "gradual"}, "leave out --recipe"),
        ({"learning_rate": "find"}, "leave out --lr find"),
        ({"model": "dcgan", "task": "reconstruction"}, "a GAN has no encoder"),
        ({"settings": {"average_decay": 0.9}}, "has generative.generator_average: leave it out"),
        ({"settings": {"optimizer.name": "sgd"}}, "trains with the paper's Adam: leave it out"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(blocks: Path, tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        trained(blocks, tmp_path / "run", **changes)


def test_pictures_that_are_all_the_same_are_told(tmp_path: Path) -> None:
    for split, count in {"train": 8, "validation": 3}.items():
        (tmp_path / "same" / split).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("L", (32, 32), 100 if split == "validation" else 20 * number)
            picture.save(tmp_path / "same" / split / f"{number}.png")
    with pytest.raises(DataError, match="has 3 pictures, none of which differs from another"):
        trained(tmp_path / "same", tmp_path / "run")


def test_signs_of_failure_are_told(blocks: Path, tmp_path: Path) -> None:
    """A rate that is far too high, and gradients as long as that leads to."""
    told = Told()
    settings = {"generative.game": "wasserstein", "model.arguments": {"width": 16, "discriminator_norm": "none"}}
    run = trained(blocks, tmp_path / "run", epochs=2, learning_rate=0.05, settings=settings, reporter=told)
    with (run.dir / "metrics.csv").open(newline="") as file:
        longest = max(float(row["train_gradient_norm"]) for row in csv.DictReader(file))
    assert longest > 100
    (text,) = [text for text in told.messages if "gradients are not longer than 100" in text]
    assert text.endswith(f"at most {longest:.3g}")
    assert 'class="word failed">no</td>' in run.report.read_text()
