import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from hubel.config import OptimizerConfig, Phase
from hubel.errors import ConfigError
from hubel.training.optimization import build_optimizer, schedule, set_learning_rate
from hubel.training.recipes import RECIPES, resolve_recipe


def resolve(name: str | None, **changes: object) -> tuple[Phase, ...]:
    arguments = {"pretrained": False, "epochs": None, "optimizer": "adamw", "learning_rate": None} | changes
    return resolve_recipe(name, **arguments)


def test_the_default_depends_on_the_weights() -> None:
    assert [phase.name for phase in resolve(None)] == ["scratch"]
    assert [phase.name for phase in resolve(None, pretrained=True)] == ["head", "later", "full"]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 31])
def test_phases_have_the_epochs_that_were_asked_for(name: str, epochs: int) -> None:
    assert sum(phase.epochs for phase in resolve(name, epochs=epochs)) == epochs


def test_a_learning_rate_is_that_of_the_first_phase_and_the_others_keep_their_ratio_to_it() -> None:
    assert [phase.learning_rate for phase in resolve("gradual")] == [3e-3, 1e-3, 1e-3]
    assert [phase.learning_rate for phase in resolve("gradual", learning_rate=0.6)] == pytest.approx([0.6, 0.2, 0.2])
    assert resolve("gradual", learning_rate="find") == resolve("gradual")


def test_an_unknown_recipe_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'gradul': did you mean gradual"):
        resolve("gradul")


def test_the_schedule_rises_and_falls() -> None:
    shares = [schedule(step, 100, 0.1) for step in range(100)]
    assert shares[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert shares[10] == 1
    assert shares[55] == pytest.approx(0.5)
    assert all(a > b for a, b in pairwise(shares[10:]))
    assert shares[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert schedule(0, 1, 0.1) == 1


def test_earlier_groups_learn_slower_and_norms_and_biases_do_not_decay() -> None:
    groups = [
        [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)],
        [nn.Conv2d(4, 4, 3)],
        [nn.Linear(4, 2)],
    ]
    phase = Phase(name="full", epochs=1, learning_rate=0.16, ratio=4)
    optimizer = build_optimizer(groups, OptimizerConfig(weight_decay=0.3), phase)
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decays = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for modules, rate in zip(groups, (0.01, 0.04, 0.16), strict=True):
        for module in modules:
            assert [rates[p] for p in module.parameters()] == pytest.approx([rate] * len(list(module.parameters())))
    assert decays[groups[0][0].weight] == decays[groups[2][0].weight] == 0.3
    assert decays[groups[0][0].bias] == decays[groups[0][1].weight] == decays[groups[0][1].bias] == 0
    set_learning_rate(optimizer, 0.5)
    assert {round(group["lr"], 4) for group in optimizer.param_groups} == {0.005, 0.02, 0.08}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_frozen_parameters_are_not_in_the_optimizer(name: str) -> None:
    frozen, trained = nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2)
    optimizer = build_optimizer(
        [[frozen], [trained]], OptimizerConfig(name=name), Phase(name="p", epochs=1, learning_rate=1)
    )
    members = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(members) == 2
    assert all(p.requires_grad for p in members)


def test_sgd_has_nesterov_momentum_as_its_paper_says() -> None:
    # Two steps with a constant gradient g: v1 = g, w1 = w0 - lr (g + m v1); v2 = m v1 + g, w2 = w1 - lr (g + m v2).
    layer = nn.Linear(1, 1, bias=False)
    start, m, lr, g = layer.weight.item(), 0.9, 0.1, 2.0
    optimizer = build_optimizer(
        [[layer]],
        OptimizerConfig(name="sgd", momentum=m, weight_decay=0),
        Phase(name="p", epochs=1, learning_rate=lr),
    )
    for _ in range(2):
        layer.weight.grad = torch.full((1, 1), g)
        optimizer.step()
    expected = start - lr * (g + m * g) - lr * (g + m * (m * g + g))
    assert layer.weight.item() == pytest.approx(expected, abs=1e-5)
