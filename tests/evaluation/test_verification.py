"""Published figures recomputed: all that are claimed to hold do, and a wrong one is found."""

from __future__ import annotations

import pytest
from tests.models.facts import FACTS

from hubel.errors import ConfigError
from hubel.evaluation.verification import FLOP_COUNTER, Verification, check, verify
from hubel.models import list_models
from hubel.models.published import PublishedFigure


def figure(printed: str, reason: str = "") -> PublishedFigure:
    return PublishedFigure(network="resnet18", quantity="parameters", printed=printed, source="a test", reason=reason)


@pytest.mark.parametrize("name", list_models("classification"))
def test_every_figure_holds_or_differs_for_a_reason(name: str):
    verifications = list(verify([name]))
    assert [each for each in verifications if each.verdict == "does not hold"] == []
    counted = [each for each in verifications if each.figure.source == FLOP_COUNTER]
    assert [each.ours for each in counted] == [FACTS[name].macs]
    assert counted[0].verdict == ("differs" if name == "lenet5" else "holds")


@pytest.mark.parametrize(
    ("printed", "reason", "ours", "verdict"),
    [
        ("11,689,512", "", 11_689_512, "holds"),
        ("11,689,512", "", 11_689_513, "does not hold"),
        ("11.6 M", "cut off", 11_689_512, "differs"),
        ("11.7 M", "a reason that is none", 11_689_512, "does not hold"),
        ("11.7 M", "", None, "quoted"),
    ],
)
def test_verdicts(printed: str, reason: str, ours: int | None, verdict: str):
    assert check(figure(printed, reason), ours).verdict == verdict


def test_difference_is_ours_minus_the_published_figure():
    assert Verification(figure("11.7 M"), 11_689_512, "holds").difference == -10_488
    assert Verification(figure("11.7 M"), None, "quoted").difference is None


def test_parts_and_variants_are_measured_on_their_own():
    found = {(each.figure.quantity, each.figure.part, each.figure.printed): each.ours for each in verify(["lenet5"])}
    assert found["parameters", "", "60,000"] == 60_000
    assert found["parameters", "stages.c3", "1,516"] == 1_516
    assert found["connections", "", "340,908"] == 340_908


def test_a_part_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch):
    wrong = PublishedFigure(network="resnet18", quantity="MACs", printed="1 G", source="a test", part="stages.conv9")
    monkeypatch.setattr("hubel.evaluation.verification.FIGURES", (wrong,))
    with pytest.raises(ValueError, match=r"resnet18 has no part 'stages\.conv9'"):
        list(verify(["resnet18"]))


def test_unknown_names_are_said():
    with pytest.raises(ConfigError, match="unknown model 'resnet51': did you mean resnet50"):
        list(verify(["resnet51"]))
