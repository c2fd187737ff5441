"""What a run says before it begins, and recipes as files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import hubel
from hubel.cli import app
from hubel.config import OptimizerConfig, TransferConfig
from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.preprocessing import Preprocess
from hubel.training.plan import PlannedPhase, make_plan
from hubel.training.recipes import RECIPES, read_recipe, recipe_yaml, resolve_recipe
from hubel.transfer.freezing import fingerprint

PREPROCESS = Preprocess(size=(32, 32), resize_to=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def plan(recipe: str, epochs: int, network: torch.nn.Module, views: int = 1) -> list[PlannedPhase]:
    phases = resolve_recipe(recipe, pretrained=True, epochs=epochs, optimizer="adamw", learning_rate=None)
    transfer = TransferConfig(views=views)
    return make_plan(network, phases, OptimizerConfig(), transfer, PREPROCESS, pictures=(100, 20), batch_size=8)


def test_a_plan_tells_stages_rates_parameters_and_time() -> None:
    network = build_model("resnet20_cifar")
    before = fingerprint([network])
    head, later, full = plan("gradual", 10, network)
    assert fingerprint([network]) == before
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert (head.stages, later.stages) == ((), ("conv3", "conv4"))
    assert full.stages == ("conv1", "conv2", "conv3", "conv4")
    assert head.parameters == 650
    assert full.parameters == 269_722
    assert head.computed_once
    assert later.computed_once
    assert not full.computed_once
    assert full.rates == (1e-3, 2.5e-4, 6.25e-5)
    assert 0 < head.seconds < full.seconds
    assert head.line().startswith(
        "plan: phase head, 2 epochs, trains head (650 parameters), highest learning rates 0.003,"
    )
    assert "trains conv1 to conv4 and head (269,722 parameters)" in full.line()


def test_the_time_grows_with_epochs_where_the_frozen_layers_run_in_every_step() -> None:
    network = build_model("resnet20_cifar")
    once, in_every_step = (plan("head", 40, network, views=views)[0].seconds for views in (1, 0))
    assert in_every_step > 5 * once


@pytest.mark.parametrize("name", RECIPES)
def test_built_in_recipes_print_as_yaml_that_reads_back(name: str, tmp_path: Path) -> None:
    phases = resolve_recipe(name, pretrained=True, epochs=None, optimizer="sgd", learning_rate=None)
    (tmp_path / "mine.yaml").write_text(recipe_yaml(phases))
    assert read_recipe(tmp_path / "mine.yaml") == phases


def test_a_recipe_of_ones_own(coloured_squares: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["train", "--print-recipe", "--recipe", "gradual", "--epochs", "3"])
    assert shown.exit_code == 0
    (tmp_path / "mine.yaml").write_text(shown.stdout.replace("epochs: 1", "epochs: 2", 1))
    settings = {"data.size": 16, "batch_size": 8, "threads": 1}
    recipe = tmp_path / "mine.yaml"
    run = hubel.train(coloured_squares, model="resnet20_cifar", recipe=recipe, out=tmp_path / "run", settings=settings)
    assert run.metrics["epochs"] == 4
    (tmp_path / "mine.yaml").unlink()
    again = hubel.train(config=run.dir / "config.yaml", out=tmp_path / "again")
    assert again.bundle.read_bytes() == run.bundle.read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3\n", "mine.yaml is no recipe: expected `phases:` with a list of phases, and nothing else"),
        ("phases: []\n", "mine.yaml is no recipe"),
        (
            "phases: [{name: a, epochs: 0, learning_rate: 1}]\n",
            r"mine.yaml: phases.epochs is 0: .*greater than or equal",
        ),
        (
            "phases: [{name: a, epochs: 1, learning_rate: 1, ratio: 0.5}]\n",
            r"phases.ratio is 0.5: .*greater than or equal",
        ),
        (
            "phases: [{name: a, epoch: 1, learning_rate: 1}]\n",
            "unknown setting 'phases.epoch': did you mean phases.epochs",
        ),
        ("phases: [", "mine.yaml is not YAML"),
    ],
)
def test_a_recipe_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(tmp_path / "mine.yaml")


def test_epochs_beside_a_file_have_no_effect_and_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"epochs and learning_rate have no effect beside the recipe .*mine\.yaml"):
        resolve_recipe(str(tmp_path / "mine.yaml"), pretrained=True, epochs=3, optimizer="adamw", learning_rate=None)


def test_a_recipe_for_another_network_lists_the_stages(coloured_squares: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("phases: [{name: a, epochs: 1, train: layer9, learning_rate: 0.1}]")
    with pytest.raises(
        ConfigError, match="no stage 'layer9' to train from: expected all, later, head or one of conv1,"
    ):
        hubel.train(coloured_squares, model="resnet20_cifar", recipe=tmp_path / "mine.yaml", out=tmp_path / "run")
