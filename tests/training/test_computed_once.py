"""Frozen layers that run once: the result is the plain loop's, the order and resume included."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import hubel
from hubel.errors import HubelError
from hubel.models import build_model
from hubel.training.progress import Reporter
from hubel.transfer.freezing import trainable_stages
from hubel.transfer.frozen_prefix import cut

SETTINGS = {
    "data.size": 32,
    "data.resize_to": 32,
    "batch_size": 8,
    "augment.preset": "none",
    "threads": 1,
    "device": "cpu",
}


class Told(Reporter):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def train(data: Path, out: Path, *, train: str = "head", epochs: int = 3, **settings: object) -> tuple[Path, list[str]]:
    told = Told()
    phase = {"name": "one", "epochs": epochs, "train": train, "learning_rate": 0.001}
    values = {**SETTINGS, "phases": [phase], **{name.replace("__", "."): value for name, value in settings.items()}}
    run = hubel.train(data, model="resnet20_cifar", out=out, settings=values, reporter=told)
    return run.dir, told.messages


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "best.safetensors")


def scale(tensor: torch.Tensor) -> float:
    return max(1.0, tensor.abs().max().item())


@pytest.mark.parametrize("first", ["head", "conv4"])
@pytest.mark.parametrize("fold", [False, True])
def test_without_augmentation_the_result_is_the_plain_loops(
    coloured_squares: Path, tmp_path: Path, first: str, fold: bool
) -> None:
    plain, said = train(coloured_squares, tmp_path / "plain", train=first, transfer__views=0)
    assert not any("frozen layers" in line for line in said)
    once, said = train(coloured_squares, tmp_path / "once", train=first, transfer__fold=fold)
    assert any(line.startswith("frozen layers run once: ") for line in said)
    for name, tensor in tensors(plain).items():
        tolerance = 1e-4 * scale(tensor) if fold else 0
        torch.testing.assert_close(tensors(once)[name], tensor, rtol=0, atol=tolerance, msg=name)
    columns = ("train_loss", "validation_loss")
    rows = [list(csv.DictReader((folder / "metrics.csv").open())) for folder in (plain, once)]
    for one, other in zip(*rows, strict=True):
        for column in columns:
            assert float(one[column]) == pytest.approx(float(other[column]), abs=1e-4 if fold else 1e-7)


def test_views_are_the_augmented_pictures_of_their_epochs(coloured_squares: Path, tmp_path: Path) -> None:
    settings = {"augment__preset": "standard", "epochs": 4}
    one, said = train(coloured_squares, tmp_path / "one", transfer__views=1, **settings)
    three, told = train(coloured_squares, tmp_path / "three", transfer__views=3, **settings)
    assert any("41 training pictures as it is evaluated" in line for line in said)
    assert any("41 training pictures in 3 views" in line for line in told)
    assert any(not torch.equal(tensors(one)[name], tensor) for name, tensor in tensors(three).items())


def test_it_runs_in_every_step_where_it_would_not_pay(coloured_squares: Path, tmp_path: Path) -> None:
    for name, settings in {"one epoch": {"epochs": 1}, "views": {"epochs": 3, "transfer__views": 3}}.items():
        _, said = train(coloured_squares, tmp_path / name, **settings)
        assert not any("frozen layers run" in line for line in said)
    _, said = train(coloured_squares, tmp_path / "all", train="all")
    assert not any("frozen layers run" in line for line in said)
    _, said = train(coloured_squares, tmp_path / "room", train="conv4", transfer__cache_gb=0.0001)
    assert any(line.startswith("frozen layers run in every step: their outputs, 32×16×16") for line in said)


def test_float16_takes_half_the_room(coloured_squares: Path, tmp_path: Path) -> None:
    single, said = train(coloured_squares, tmp_path / "single", train="conv4")
    half, told = train(coloured_squares, tmp_path / "half", train="conv4", transfer__half=True)
    assert any(line.endswith("32×16×16 values each, 2 MB in all") for line in said)
    assert any(line.endswith("32×16×16 values each, 1 MB in all") for line in told)
    for name, tensor in tensors(single).items():
        torch.testing.assert_close(tensors(half)[name], tensor, rtol=0, atol=0.05 * scale(tensor), msg=name)


def test_the_parts_of_a_network_are_the_network() -> None:
    torch.manual_seed(0)
    network, image = build_model("resnet20_cifar").eval(), torch.randn(2, 3, 32, 32)
    shapes = {"head": (64,), "conv4": (32, 16, 16), "conv2": (16, 32, 32)}
    for first, shape in shapes.items():
        for fold in (False, True):
            parts = cut(network, trainable_stages(network, first), (3, 32, 32), fold=fold)
            assert parts is not None
            with torch.no_grad():
                features = parts.prefix(image)
                assert features.shape[1:] == shape
                torch.testing.assert_close(parts.rest(features), network(image), rtol=0, atol=1e-5 if fold else 0)
    assert cut(network, trainable_stages(network, "all"), (3, 32, 32)) is None


def test_dropout_before_the_last_layer_is_not_computed_once() -> None:
    network = build_model("simple_cnn").eval()
    parts = cut(network, (), (1, 28, 28))
    assert parts is not None
    image = torch.randn(2, 1, 28, 28)
    assert torch.equal(parts.rest(parts.prefix(image)), network(image))
    network.train()
    features = parts.prefix(image)
    assert not torch.equal(parts.rest(features), parts.rest(features))


def test_a_negative_number_of_views_is_refused(coloured_squares: Path, tmp_path: Path) -> None:
    with pytest.raises(HubelError, match=r"transfer\.views is -1: .*greater than or equal to 0"):
        train(coloured_squares, tmp_path / "run", transfer__views=-1)
