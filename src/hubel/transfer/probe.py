"""How much of the labels every stage of a network has already: pooled features and a linear probe after each one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hubel import runtime
from hubel.data.loading.loader import Loader
from hubel.models.folding import fold_batch_norm
from hubel.models.network import ClassificationNetwork
from hubel.preprocessing import Preprocess
from hubel.results import Interval
from hubel.tasks.task import LabelTask
from hubel.transfer.advice import Advice, Evidence, advise, best_stage, paired_difference
from hubel.transfer.cached_features import FeatureSettings, run_prefix
from hubel.transfer.linear_probe import cross_validated_predictions
from hubel.transfer.probed_targets import Reading, probed_targets

# More pictures make the intervals narrower than any advice needs.
MOST_PICTURES = 5_000


@dataclass(frozen=True, eq=False)
class StageProbe:
    """A linear probe on the pooled output of one stage.

    Attributes:
        stage: The stage's name.
        stride: Input pixels per step of its map.
        values: How many values are left after pooling.
        value: The figure of the probe (`ProbeResult.figure`), of cross-validation over the training pictures.
        value_ci95: Its 95 % interval.
        behind_best: How much greater the best stage's figure is.
        behind_best_ci95: Its 95 % interval, from the same pictures; (0, 0) for the best stage itself.
    """

    stage: str
    stride: int
    values: int
    value: float
    value_ci95: Interval
    behind_best: float
    behind_best_ci95: Interval


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What a probe has found.

    Attributes:
        figure: What the probes are judged by: `accuracy`, `mean_average_precision` of several labels, `r2` of a number.
        stages: A row per stage, in the network's order.
        advice: What to freeze, and why.
        pictures: How many training pictures were probed.
        classes: The names of the classes or labels; none for a number.
        amount: What `pictures_per_class` counts pictures per: `class`, `label`, `tenth of the values`.
        pictures_per_class: Of each, in that order; copies count once.
        baseline: The figure of a guess that never looks at a picture: the most frequent class, each label's share,
            the mean.
        pretrained: Whether the network had weights.
        seconds: What the features and the probes took.
    """

    figure: str
    stages: tuple[StageProbe, ...]
    advice: Advice
    pictures: int
    classes: tuple[str, ...]
    amount: str
    pictures_per_class: tuple[int, ...]
    baseline: float
    pretrained: bool
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> StageProbe:
        """The stage with the highest figure; of equals, the deepest."""
        return max(reversed(self.stages), key=lambda row: row.value)

    def to_dict(self) -> dict[str, Any]:
        """This result for JSON."""
        return {
            "pictures": self.pictures,
            # the tenths of a number's values have no names
            "pictures_per_class": dict(zip(self.classes, self.pictures_per_class, strict=True))
            if self.classes
            else list(self.pictures_per_class),
            "pretrained": self.pretrained,
            "figure": self.figure,
            "baseline": self.baseline,
            "stages": [
                {
                    "stage": row.stage,
                    "stride": row.stride,
                    "values": row.values,
                    self.figure: row.value,
                    f"{self.figure}_ci95": list(row.value_ci95),
                    "behind_best": row.behind_best,
                    "behind_best_ci95": list(row.behind_best_ci95),
                }
                for row in self.stages
            ],
            "best_stage": self.best.stage,
            "recommendation": self.advice.to_dict(),
            "seconds": self.seconds,
        }


def probe(
    network: ClassificationNetwork,
    pictures: Loader,
    preprocess: Preprocess,
    task: LabelTask,
    *,
    pretrained: bool,
    settings: FeatureSettings | None = None,
    seed: int = 0,
    most_pictures: int = MOST_PICTURES,
    progress: Callable[[int, int], None] | None = None,
) -> ProbeResult:
    """Measure by depth how well a network's features, as they are, tell the labels of pictures.

    The network runs once over the pictures, as they are evaluated. Every stage's output is averaged over all places,
    and a linear probe is cross-validated on what is left.

    Args:
        network: On its device; it is not changed.
        pictures: Loads the training pictures.
        preprocess: From uint8 pictures to the network's input.
        task: What the pictures' labels are.
        pretrained: Whether the network has weights from elsewhere; the advice depends on it.
        settings: How the network runs; None: in float32 on its device.
        seed: Of the folds, and of the choice where there are too many pictures.
        most_pictures: Of more than that, as many are drawn at random.
        progress: Hears how many pictures of how many have gone through the network.

    Raises:
        DataError: There are too few different pictures: of a class, with and without a label, or with a number.
    """
    probed = probed_targets(task)
    counts = probed.counts(pictures.store, task)
    began = time.perf_counter()
    settings = settings or FeatureSettings(next(network.parameters()).device)
    positions, features = pooled_features(
        network, pictures, preprocess, settings, seed=seed, most_pictures=most_pictures, progress=progress
    )
    computed = time.perf_counter()
    labels = pictures.store.labels[positions]
    copies = [pictures.store.samples[position].digest for position in positions]
    targets = torch.from_numpy(probed.targets(labels, len(task.classes))).to(settings.device)
    strata, readings = probed.strata(labels), {}
    for stage, values in features.items():
        predictions = cross_validated_predictions(
            values.to(settings.device), targets, strata, copies, probed.link, seed
        )
        readings[stage] = probed.read(predictions.astype(np.float64), labels)
    ended = time.perf_counter()
    evidence = Evidence(
        {stage: reading.added for stage, reading in readings.items()}, counts, pretrained, probed.figure, probed.amount
    )
    return ProbeResult(
        figure=probed.figure,
        stages=_rows(network, features, readings, evidence),
        advice=advise(evidence),
        pictures=len(labels),
        classes=task.classes,
        amount=probed.amount,
        pictures_per_class=counts,
        baseline=probed.baseline(labels),
        pretrained=pretrained,
        seconds={"features": round(computed - began, 1), "probes": round(ended - computed, 1)},
    )


def pooled_features(
    network: ClassificationNetwork,
    pictures: Loader,
    preprocess: Preprocess,
    settings: FeatureSettings,
    *,
    seed: int = 0,
    most_pictures: int = MOST_PICTURES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[npt.NDArray[np.int64], dict[str, Tensor]]:
    """Every stage's output, averaged over all places, in one pass over the pictures; arguments as for `probe`.

    Returns:
        The pictures' positions in the store, int64 of shape (N,), and by stage float32 of shape (N, C) on the CPU.
    """
    stages = PooledStages(network, (preprocess.channels, *preprocess.size))
    stages.to(memory_format=runtime.memory_format(settings.device))
    loader, wanted = pictures.in_order(augmented=False), len(pictures.store)
    if wanted > most_pictures:
        wanted = most_pictures
        loader = Loader(
            pictures.store,
            batch_size=pictures.batch_size,
            preprocess=preprocess,
            seed=seed,
            shuffle=True,
            workers=pictures.workers,
            pin_memory=pictures.pin_memory,
        )
    positions, rows, done = [], [], 0
    for indices, values in run_prefix(stages, loader, preprocess, settings):
        positions.append(indices)
        rows.append(values)
        done = min(done + len(indices), wanted)
        if progress is not None:
            progress(done, wanted)
        if done == wanted:
            break
    features = torch.split(torch.cat(rows)[:wanted].float(), stages.values, dim=1)
    by_stage = {name: part.contiguous() for name, part in zip(stages.names, features, strict=True)}
    return torch.cat(positions)[:wanted].numpy(), by_stage


class PooledStages(nn.Module):
    """From images (N, C, H, W) to the means over all places of every stage's output, side by side: (N, sum of C).

    The stages are copies with BatchNorm folded, each for itself: every stage still ends where the network's does.

    Attributes:
        names: The stages' names.
        values: How many columns each of them has.
    """

    def __init__(self, network: ClassificationNetwork, input_size: Sequence[int]) -> None:
        super().__init__()
        self.names = [name for name, _ in network.stages.named_children()]
        self.values = list(network.out_channels)
        self.stages = nn.ModuleList()
        output = torch.zeros(1, *input_size, device=next(network.parameters()).device)
        for stage in network.stages.children():
            learnt = next(stage.parameters(), None) is not None
            self.stages.append(fold_batch_norm(stage, output.shape[1:]) if learnt else copy.deepcopy(stage).eval())
            with torch.inference_mode():
                output = self.stages[-1](output)

    def forward(self, x: Tensor) -> Tensor:
        """One pass through all stages."""
        means = []
        for stage, channels in zip(self.stages, self.values, strict=True):
            x = stage(x)
            means.append(mean_over_places(x, channels))
        return torch.cat(means, dim=1)


def mean_over_places(output: Tensor, channels: int) -> Tensor:
    """A stage's output to (N, C), float32.

    Args:
        output: A map (N, C, H, W) or, as some of timm's are, (N, H, W, C); tokens (N, T, C); or a vector (N, C).
        channels: C.
    """
    first = output.ndim == 4 and output.shape[1] == channels
    places = tuple(range(2, 4)) if first else tuple(range(1, output.ndim - 1))
    return output.float().mean(dim=places) if places else output.float()


def _rows(
    network: ClassificationNetwork, features: dict[str, Tensor], readings: dict[str, Reading], evidence: Evidence
) -> tuple[StageProbe, ...]:
    best = evidence.right[best_stage(evidence.right)]
    rows = []
    for (stage, reading), stride in zip(readings.items(), network.strides, strict=True):
        behind = paired_difference(best, reading.added)
        rows.append(
            StageProbe(
                stage=stage,
                stride=stride,
                values=features[stage].shape[1],
                value=reading.value,
                value_ci95=reading.ci95,
                behind_best=behind[0],
                behind_best_ci95=behind[1],
            )
        )
    return tuple(rows)
