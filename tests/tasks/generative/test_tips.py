from __future__ import annotations

from typing import Any

import pytest

from hubel.config import GenerativeConfig
from hubel.models.generative import DCGAN
from hubel.tasks.generative.tips import Check, check_tips


def rows(losses: list[float], generator: list[float] | None = None, gradient: float = 2.0) -> list[dict[str, float]]:
    others = generator or [1.0 + number % 2 for number in range(len(losses))]
    return [
        {"train_loss": loss, "train_generator_loss": other, "train_gradient_norm": gradient}
        for loss, other in zip(losses, others, strict=True)
    ]


def checked(history: list[dict[str, float]], norm: Any = "batch", **settings: Any) -> dict[str, Check]:
    network = DCGAN(size=32, width=2, code_size=2, discriminator_norm=norm)
    return {check.tip: check for check in check_tips(network, GenerativeConfig(**settings), history)}


def kept(checks: dict[str, Check], words: str) -> bool | None:
    (check,) = (check for tip, check in checks.items() if words in tip)
    return check.kept


HEALTHY = [1.2, 1.1, 1.2, 1.0, 1.1, 1.2, 1.1, 1.2]


def test_a_healthy_run_shows_no_sign_of_failure() -> None:
    checks = checked(rows(HEALTHY))
    assert [check.kept for check in checks.values() if check.measured] == [True] * 4
    assert {check.number for check in checks.values() if check.measured} == {10}


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (rows([*HEALTHY[:-1], 0.06]), "does not go to 0"),
        (rows([*HEALTHY[:-1], 4.0]), "does not spike"),
        (rows(HEALTHY, [5.0, 4.0, 5.0, 6.0, 3.0, 2.0, 1.0, 0.5]), "does not fall all the time"),
        (rows(HEALTHY, gradient=101.0), "not longer than 100"),
    ],
)
def test_each_sign_of_failure_is_told_alone(history: list[dict[str, float]], words: str) -> None:
    failed = [check.tip for check in checked(history).values() if check.measured and check.kept is False]
    assert len(failed) == 1
    assert words in failed[0]


def test_few_epochs_tell_no_course() -> None:
    checks = checked(rows([1.2, 9.0]))
    assert kept(checks, "does not spike") is None
    assert kept(checks, "fall all the time") is None
    assert kept(checks, "does not go to 0") is True


def test_a_critic_has_no_least_loss() -> None:
    checks = checked(rows([-3.0] * 8), norm="none", game="wasserstein")
    assert kept(checks, "does not go to 0") is None
    assert kept(checks, "does not spike") is None
    assert kept(checks, "soft labels") is None
    assert kept(checks, "BatchNorm in both") is False


def test_choices_are_those_of_the_settings() -> None:
    usual = checked(rows(HEALTHY))
    expected = {1: True, 2: True, 3: False, 4: True, 5: False, 6: False, 13: False, 17: False}  # as DCGAN was published
    assert {check.number: check.kept for check in usual.values() if not check.measured} == expected
    others = checked(rows(HEALTHY), smoothing=0.1, diffaugment="color")
    assert {6, 13} == {check.number for tip, check in others.items() if check.kept != usual[tip].kept}
    (soft,) = (check for check in others.values() if check.number == 6)
    assert soft.found == "generative.smoothing=0.1"
