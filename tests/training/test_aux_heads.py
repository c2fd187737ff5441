"""Networks with auxiliary heads through freezing, the fit loop and the loading of weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

import hubel
from hubel.models import ClassificationNetwork, registry
from hubel.nn import pooled_linear_head
from hubel.transfer.freezing import FrozenStages, fingerprint, layer_groups
from hubel.weights import build_with_weights

CLASSES = 3


def two_stages(*, num_classes: int = CLASSES, in_channels: int = 3, aux_heads: bool = True) -> ClassificationNetwork:
    """Two convolutions; an auxiliary head behind the first."""
    return ClassificationNetwork(
        {
            "one": nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.ReLU()),
            "two": nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU()),
        },
        pooled_linear_head(8, num_classes),
        in_channels=in_channels,
        strides=(1, 2),
        out_channels=(4, 8),
        aux_heads={"one": pooled_linear_head(4, num_classes)} if aux_heads else {},
        aux_weight=0.3,
    )


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> str:
    """The network's name, as long as the test runs."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    registry.register("two_stages", source="none", input_size=(3, 16, 16), summary="for a test")(two_stages)
    return "two_stages"


@pytest.mark.parametrize(("train", "trained"), [("all", ("one",)), ("one", ("one",)), ("two", ()), ("head", ())])
def test_an_auxiliary_head_trains_where_its_stage_does(train: str, trained: tuple[str, ...]) -> None:
    network = two_stages()
    frozen = FrozenStages(network, train)
    frozen.set_training_mode()
    assert frozen.trained_aux == trained
    head = network.aux_heads["one"]
    assert all(parameter.requires_grad == bool(trained) for parameter in head.parameters())
    groups = layer_groups(network, frozen.trained)
    assert any(head is part for group in groups for module in group for part in module.modules()) == bool(trained)
    with torch.no_grad():
        head.out.bias += 1
    if trained:
        frozen.check()
    else:
        with pytest.raises(RuntimeError, match="a frozen stage has changed"):
            frozen.check()


def test_the_loss_of_a_step_has_the_auxiliary_part(registered: str, coloured_squares: Path, tmp_path: Path) -> None:
    """The first step's loss is that of the head and 0.3 times that of the auxiliary head, by hand."""
    settings = {"data.size": 16, "batch_size": 64, "augment.preset": "none", "seed": 3, "label_smoothing": 0.0}
    run = hubel.train(coloured_squares, model=registered, epochs=1, out=tmp_path / "run", settings=settings)
    row = dict(
        zip(*((line.split(",")) for line in (run.dir / "metrics.csv").read_text().splitlines()[:2]), strict=True)
    )
    network = two_stages()
    bound = (1 + network.aux_weight) * torch.log(torch.tensor(CLASSES)).item()
    assert float(row["train_loss"]) == pytest.approx(bound, rel=0.15)  # a fresh network's loss is near log(classes)
    assert float(row["validation_loss"]) == pytest.approx(bound / 1.3, rel=0.15)  # without auxiliary heads


def test_training_changes_the_auxiliary_head_and_the_bundle_keeps_it(
    registered: str, coloured_squares: Path, tmp_path: Path
) -> None:
    settings = {"data.size": 16, "batch_size": 8}
    run = hubel.train(coloured_squares, model=registered, epochs=1, out=tmp_path / "run", settings=settings)
    predictor = hubel.load(run.dir)
    head = predictor.network.aux_heads["one"]
    assert isinstance(head.out, nn.Linear)
    assert head.out.bias.detach().norm() > 0
    retrained = hubel.train(
        coloured_squares,
        model=registered,
        weights=run.bundle,
        recipe="head",
        epochs=1,
        out=tmp_path / "head",
        settings=settings,
    )
    assert fingerprint([hubel.load(retrained.dir).network.aux_heads]) == fingerprint([predictor.network.aux_heads])


def test_prediction_leaves_the_auxiliary_head_alone() -> None:
    network, x, labels = two_stages(), torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    logits, aux = network.forward_with_aux(x)
    assert list(aux) == ["one"]
    torch.testing.assert_close(logits, network(x))
    torch.testing.assert_close(aux["one"], network.aux_heads["one"](network.forward_stages(x)["one"]))
    F.cross_entropy(network(x), labels).backward()
    assert network.aux_heads["one"].out.weight.grad is None


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("in_file", [True, False])
def test_weights_with_and_without_auxiliary_heads(registered: str, tmp_path: Path, wanted: bool, in_file: bool) -> None:
    theirs = two_stages(aux_heads=in_file)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    built = build_with_weights(registered, weights=tmp_path / "weights.safetensors", aux_heads=wanted)
    notes = {
        (True, False): ("auxiliary heads start fresh: the file has none",),
        (False, True): ("auxiliary heads left out: the file has some, none are wanted",),
    }
    assert built.notes == notes.get((wanted, in_file), ())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(built.model(x), theirs(x))
    if wanted and in_file:
        assert torch.equal(built.model.forward_with_aux(x).aux["one"], theirs.forward_with_aux(x).aux["one"])


def test_another_number_of_classes_renews_every_last_layer(registered: str, tmp_path: Path) -> None:
    theirs = two_stages(num_classes=5)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    built = build_with_weights(registered, weights=tmp_path / "weights.safetensors", num_classes=4)
    logits, aux = built.model.forward_with_aux(torch.randn(2, 3, 8, 8))
    assert logits.shape == aux["one"].shape == (2, 4)
    kept = build_with_weights(registered, weights=tmp_path / "weights.safetensors").model
    assert kept.aux_heads["one"].out.out_features == 5
