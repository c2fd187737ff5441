"""The moving average of the weights, and mixing, through the loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import hubel
from hubel.training.averaging import moving_average
from hubel.training.run import Run


def test_the_average_is_the_formulas() -> None:
    network = nn.Linear(2, 1)
    average = moving_average(network, 0.5)
    assert average is not None
    expected = None
    for step in range(8):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update_parameters(network)
        if expected is None:
            expected = 0.0  # the first weights are taken as they are
        else:
            decay = min(0.5, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * step
        torch.testing.assert_close(average.module.weight, torch.full((1, 2), expected))


def test_no_decay_is_no_average() -> None:
    assert moving_average(nn.Linear(2, 1), 0.0) is None


def trained(pictures: Path, out: Path, **settings: object) -> Run:
    values = {"data.size": 16, "batch_size": 8, "threads": 1, **{k.replace("__", "."): v for k, v in settings.items()}}
    return hubel.train(pictures, model="resnet20_cifar", epochs=2, out=out, settings=values)


def test_the_bundle_holds_the_average_not_the_last_weights(coloured_squares: Path, tmp_path: Path) -> None:
    plain, averaged = (
        trained(coloured_squares, tmp_path / name, average_decay=decay) for name, decay in (("a", 0.0), ("b", 0.9))
    )
    last = [torch.load(run.dir / "last.ckpt", weights_only=True)["states"]["network"] for run in (plain, averaged)]
    stages = "stages.conv2.block1.conv1.weight"
    kept = [load_file(run.bundle)[stages] for run in (plain, averaged)]
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(last[1][stages], kept[1])  # at the end the network holds what was kept
    assert averaged.metrics["validation"]["accuracy"] >= 0


@pytest.mark.parametrize("kind", ["augment__mixup", "augment__cutmix"])
def test_mixing_raises_the_training_loss_and_still_learns(coloured_squares: Path, tmp_path: Path, kind: str) -> None:
    run = trained(coloured_squares, tmp_path / "mixed", **{kind: 1.0})
    again = trained(coloured_squares, tmp_path / "again", **{kind: 1.0})
    plain = trained(coloured_squares, tmp_path / "plain")
    assert again.bundle.read_bytes() == run.bundle.read_bytes()
    assert run.metrics["train"]["loss"] > plain.metrics["train"]["loss"]
    assert run.metrics["validation"]["accuracy"] > 0.5
