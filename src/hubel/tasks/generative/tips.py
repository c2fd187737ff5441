"""What people who train GANs tell each other, as checks of a run.

S. Chintala, E. Denton, M. Arjovsky, M. Mathieu, How to Train a GAN? Tips and tricks to make GANs work, 2016,
github.com/soumith/ganhacks; the numbers are those of their list. Left out are 7, 9 and 11, for a DCGAN is what is
trained, by Adam, without balancing losses; 8, which is of reinforcement learning; 12 and 16, which need labels; 14 and
15, which the authors mark as uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from hubel.config import GenerativeConfig
from hubel.models.generative import DCGAN

History = Sequence[Mapping[str, Any]]  # the rows of `metrics.csv`

# The loss of a discriminator that cannot tell anything, of games in which there is such a value.
UNDECIDED = {"non-saturating": 2 * math.log(2), "least-squares": 0.25, "hinge": 2.0}
_WITH_LABELS = ("non-saturating", "least-squares")

_NOTHING = 0.05  # of that: the loss "goes to 0"
_LONGEST_GRADIENT = 100.0  # "if they are over 100 things are screwing up"
_SPIKE = 3.0  # times the median
_COURSE = 4  # epochs of the second half that tell how a loss goes


@dataclass(frozen=True)
class Check:
    """A tip, and what a run makes of it.

    Attributes:
        number: Of the tip in the list.
        tip: What it says.
        kept: Whether the run keeps to it; None: that cannot be told.
        found: What the run does, or what was measured.
        measured: Whether it is a sign of failure that was looked for, and not a matter of the settings.
    """

    number: int
    tip: str
    kept: bool | None
    found: str
    measured: bool = False


def check_tips(network: DCGAN, settings: GenerativeConfig, history: History) -> list[Check]:
    """Hold a run against the list.

    Args:
        network: What was trained.
        settings: And how.
        history: A row for each epoch, with `train_loss` (the discriminator's mean), `train_generator_loss` and
            `train_gradient_norm` (the largest of both networks).
    """
    return [*_signs(settings, history), *_choices(network, settings)]


def _choices(network: DCGAN, settings: GenerativeConfig) -> list[Check]:
    """The tips that settings and networks keep to, or not."""
    low, high = network.value_range
    last = list(network.generator.modules())[-1]
    parts: dict[str, nn.Module] = {"generator": network.generator, "discriminator": network.discriminator}
    normalised = [name for name, part in parts.items() if _has(part, nn.BatchNorm2d)]
    sparse = [name for name, part in parts.items() if _has(part, nn.ReLU, nn.MaxPool2d)]
    dropout = _has(network.generator, nn.Dropout, nn.Dropout2d)
    labels = settings.game in _WITH_LABELS
    return [
        Check(
            1,
            "pictures from -1 to 1, and tanh at the generator's end",
            (low, high) == (-1, 1) and isinstance(last, nn.Tanh),
            f"from {low:g} to {high:g}, {type(last).__name__.lower()}",
        ),
        Check(2, "a generator's loss that does not fade where the discriminator wins", True, f"game {settings.game}"),
        Check(3, "codes from a normal distribution", False, "uniform ones, as DCGAN was published"),
        Check(
            4,
            "real and generated pictures in batches of their own, BatchNorm in both networks",
            len(normalised) == len(parts),
            f"own batches, BatchNorm in {' and '.join(normalised)}",
        ),
        Check(
            5,
            "no sparse gradients: leaky ReLU and strides, not ReLU and maxima",
            not sparse,
            f"ReLU in the {' and the '.join(sparse)}" if sparse else "leaky ReLU and strides",
        ),
        Check(
            6,
            "soft labels: real pictures count as a little less than 1",
            settings.smoothing > 0 if labels else None,
            f"generative.smoothing={settings.smoothing:g}" if labels else "this game has no labels",
        ),
        Check(
            13,
            "noise on what the discriminator sees",
            bool(settings.augmentations),
            f"generative.diffaugment={settings.diffaugment or 'null'}",
        ),
        Check(17, "dropout in the generator", dropout, "some" if dropout else "none, as DCGAN was published"),
    ]


def _signs(settings: GenerativeConfig, history: History) -> list[Check]:
    """Tip 10, "track failures early": the signs of one that the losses and gradients show."""
    gradient = max(row["train_gradient_norm"] for row in history)
    late = history[len(history) // 2 :]
    losses = {name: np.array([row[name] for row in late]) for name in ("train_loss", "train_generator_loss")}
    of_discriminator, of_generator = losses["train_loss"], losses["train_generator_loss"]
    median, most = float(np.median(of_discriminator)), float(of_discriminator.max())
    falling = bool((np.diff(of_generator) < 0).all())
    undecided, told = UNDECIDED.get(settings.game), len(late) >= _COURSE
    signless = f"the game {settings.game} has losses of either sign"
    found: list[tuple[str, bool | None, str]] = [
        (
            "the discriminator's loss does not go to 0",
            of_discriminator[-1] > _NOTHING * undecided if undecided else None,
            f"{of_discriminator[-1]:.3g} of {undecided:.3g} where it cannot tell" if undecided else signless,
        ),
        (
            "the discriminator's loss does not spike",
            most <= _SPIKE * median if undecided and told else None,
            f"median {median:.3g}, at most {most:.3g}" if undecided else signless,
        ),
        (
            "the generator's loss does not fall all the time, as where it fools a poor discriminator",
            not falling if told else None,
            f"from {of_generator[0]:.3g} to {of_generator[-1]:.3g}",
        ),
        (
            f"gradients are not longer than {_LONGEST_GRADIENT:g}",
            gradient <= _LONGEST_GRADIENT,
            f"at most {gradient:.3g}",
        ),
    ]
    return [Check(10, tip, None if kept is None else bool(kept), text, measured=True) for tip, kept, text in found]


def _has(network: nn.Module, *kinds: type[nn.Module]) -> bool:
    return any(isinstance(module, kinds) for module in network.modules())
