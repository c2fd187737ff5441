"""The recipe `auto`, end to end: a network that is trained on one set of pictures is offered another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import hubel
from hubel.config import Phase, TrainConfig
from hubel.errors import ConfigError
from hubel.training import auto
from hubel.training.progress import Reporter
from hubel.training.recipes import phases_from, resolve_recipe

SETTINGS = {"data.size": 32, "data.resize_to": 32, "batch_size": 8, "threads": 1, "device": "cpu", "epochs": 5}


class Told(Reporter):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def train(data: Path, out: Path, **arguments: object) -> tuple[Path, list[str]]:
    told = Told()
    settings = {**SETTINGS, **arguments.pop("settings", {})}
    run = hubel.train(data, model="resnet20_cifar", out=out, settings=settings, reporter=told, **arguments)
    return run.dir, told.messages


def phases_of(folder: Path) -> tuple[Phase, ...]:
    phases = TrainConfig.from_yaml(folder / "config.yaml").phases
    assert phases is not None
    return phases


@pytest.fixture
def weights(coloured_squares: Path, tmp_path: Path) -> Path:
    """A bundle of a network that tells colours."""
    folder, _ = train(coloured_squares, tmp_path / "colours")
    return folder / "best.safetensors"


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Other pictures of other classes: two greys."""
    generator = np.random.default_rng(1)
    for name, grey in {"dark": 60, "light": 190}.items():
        (tmp_path / "shades" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(grey + generator.normal(0, 20, (40, 40)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "shades" / name / f"{number}.png")
    return tmp_path / "shades"


def test_auto_probes_says_why_and_spells_its_phases_out(
    weights: Path, shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, said = train(shades, tmp_path / "run", weights=weights, recipe="auto")
    told = [line for line in said if line.startswith(("recipe auto: ", "  because "))]
    assert told[0] == "recipe auto: probing the features after every stage, on the training pictures"
    assert told[1].startswith("recipe auto: head: freeze conv1 to conv4, all stages, and train the head alone")
    assert any("the features fit" in line for line in told)
    log = (folder / "log.txt").read_text()
    assert all(line in log for line in told)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    assert values["recipe"] == "auto"
    assert phases_of(folder) == phases_from("head", epochs=5, optimizer="adamw")

    def refuse(*_: object) -> None:
        raise AssertionError("probed again")

    monkeypatch.setattr(auto, "probe_prepared", refuse)
    again = hubel.train(config=folder / "config.yaml", out=tmp_path / "again")
    assert again.bundle.read_bytes() == (folder / "best.safetensors").read_bytes()
    (folder / "metrics.json").unlink()
    assert hubel.train(out=folder, resume=True).metrics["epochs"] == 5


def test_auto_follows_the_advice(weights: Path, shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        advice = auto_advice("conv3")

    monkeypatch.setattr(auto, "probe_prepared", lambda *_: Found)
    rate = {"learning_rate": 0.0015}
    folder, _ = train(shades, tmp_path / "run", weights=weights, recipe="auto", settings=rate)
    head, rest = phases_of(folder)
    assert (head.train, head.epochs, head.learning_rate) == ("head", 1, 0.0015)
    assert (rest.train, rest.epochs) == ("conv3", 4)


def test_auto_ends_the_network_where_the_advice_says_and_so_does_whoever_repeats_the_run(
    weights: Path, shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found:
        advice = auto_advice("conv3", through="conv3")

    monkeypatch.setattr(auto, "probe_prepared", lambda *_: Found)
    folder, said = train(shades, tmp_path / "run", weights=weights, recipe="auto")
    assert "the network ends after conv3, with a new head" in said
    values = yaml.safe_load((folder / "config.yaml").read_text())
    assert values["model"]["arguments"] == {"through": "conv3"}
    assert [*hubel.load(folder).network.stages._modules] == ["conv1", "conv2", "conv3"]
    again = hubel.train(config=folder / "config.yaml", out=tmp_path / "again")
    assert again.bundle.read_bytes() == (folder / "best.safetensors").read_bytes()


def auto_advice(train: str, through: str | None = None) -> object:
    from hubel.transfer.advice import Advice

    return Advice("mid", "mid", train, through, ("conv1", "conv2"), ("somebody said so",))


def test_without_weights_auto_is_scratch_and_says_so(shades: Path, tmp_path: Path) -> None:
    folder, said = train(shades, tmp_path / "run", recipe="auto")
    assert any(line.startswith("recipe auto: scratch, for there are no weights to start from") for line in said)
    assert [phase.name for phase in phases_of(folder)] == ["scratch"]


def test_phases_from_a_depth() -> None:
    assert phases_from("head", epochs=4, optimizer="adamw") == resolve_recipe(
        "head", pretrained=True, epochs=4, optimizer="adamw", learning_rate=None
    )
    assert [phase.train for phase in phases_from("all", epochs=10, optimizer="sgd")] == ["head", "later", "all"]
    assert [(p.train, p.epochs) for p in phases_from("conv3", epochs=10, optimizer="adamw")] == [
        ("head", 2),
        ("conv3", 8),
    ]


def test_auto_cannot_be_printed_before_it_has_seen_pictures() -> None:
    with pytest.raises(
        ConfigError, match="the recipe auto has no phases before it has seen the pictures: `hubel probe"
    ):
        resolve_recipe("auto", pretrained=True, epochs=None, optimizer="adamw", learning_rate=None)
    with pytest.raises(ConfigError, match="unknown recipe 'auot': did you mean auto"):
        resolve_recipe("auot", pretrained=True, epochs=None, optimizer="adamw", learning_rate=None)


def test_phases_that_auto_chose_stay_beside_other_epochs(weights: Path, shades: Path, tmp_path: Path) -> None:
    folder, _ = train(shades, tmp_path / "run", weights=weights, recipe="auto")
    with pytest.raises(ConfigError, match="epochs has no effect beside phases that are spelled out"):
        hubel.train(config=folder / "config.yaml", epochs=3, out=tmp_path / "again")
