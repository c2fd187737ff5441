"""Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70, arXiv:1911.00068).

A linear probe on a network's features is cross-validated, so that every picture is judged by a classifier that has not
seen it, nor a copy of it. A picture is suspicious if, among the classes whose probability is at least as high as it is
on average for pictures so labelled, the most probable one is not its label (the off-diagonal of the paper's confident
joint, section 3.1); the surest come first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hubel import runtime
from hubel.bundle import load_bundle, published_bundle
from hubel.data.decoded.store import prepare_store
from hubel.data.doctor.examination import Examination, Picture
from hubel.data.doctor.findings import Case, Finding, count_of
from hubel.data.duplicates.near_duplicates import near_duplicate_units
from hubel.data.loading.loader import Loader, default_workers
from hubel.data.relabelling import KINDS
from hubel.errors import ConfigError, DataError
from hubel.models.network import ClassificationNetwork
from hubel.transfer.cached_features import FeatureSettings
from hubel.transfer.linear_probe import FOLDS, cross_validated_probabilities
from hubel.transfer.probe import pooled_features

_BATCH_SIZE = 32
_CACHE_BYTES = 20 * 10**9


@dataclass(frozen=True)
class LabelError:
    """A picture whose label is likely wrong.

    Attributes:
        position: Of the picture.
        suggestion: The class that it more likely is of.
        given_probability: Of its label.
        probability: Of the suggestion.
    """

    position: int
    suggestion: int
    given_probability: float
    probability: float


def confident_label_errors(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> list[LabelError]:
    """Find the labels that are likely wrong.

    Args:
        probabilities: Of the classes, out of sample, of shape (N, K).
        labels: As given, int64 of shape (N,).

    Returns:
        The errors, those first whose label is least probable against the suggestion.
    """
    rows = np.arange(len(labels))
    given = probabilities[rows, labels]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    sums = np.bincount(labels, weights=given, minlength=probabilities.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)  # self-confidence of each class
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    likeliest = confident.argmax(axis=1)
    suspicious = np.flatnonzero((confident.max(axis=1) >= 0) & (likeliest != labels))
    margins = given[suspicious] - probabilities[suspicious, likeliest[suspicious]]
    return [
        LabelError(int(at), int(likeliest[at]), float(given[at]), float(probabilities[at, likeliest[at]]))
        for at in suspicious[np.argsort(margins, kind="stable")]
    ]


def find_label_errors(
    examination: Examination,
    model: str,
    *,
    weights: str | None = None,
    device: str = "auto",
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Finding | None:
    """Judge the labels of a data set by what a network sees in its pictures.

    Args:
        examination: The data set.
        model: A bundle or a run's folder; with weights, the name of a network. Best is one that was not trained on
            these very labels, as published weights, or that stopped before it knew them by heart.
        weights: Published weights, such as `imagenet`.
        device: As for `hubel.runtime.choose_device`.
        progress: Called with what is done, how much of it, and how much there is.

    Returns:
        The finding; None where no label is suspicious.

    Raises:
        DataError: Pictures have no single class, or a class has fewer than two pictures.
        WeightsError: The model cannot be had.
        ConfigError: It is no classification network.
    """
    if examination.labelling != "class":
        raise DataError(
            f"{examination.root} has {KINDS[examination.labelling]} for each picture: --model looks for errors where "
            "every picture has one class; leave it out"
        )
    bundle, network = published_bundle(model, weights=weights) if weights else load_bundle(Path(model))
    if not isinstance(network, ClassificationNetwork):
        raise ConfigError(f"{model} is no classification network: give one that was trained to tell classes apart")
    target = runtime.choose_device(device)
    store = prepare_store(
        [picture.sample for picture in examination.readable],
        bundle.preprocess,
        classes=examination.classes,
        purpose="evaluation",
        cache_bytes=_CACHE_BYTES,
        max_unreadable=1.0,
        progress=partial(progress, "reading"),
    )
    counts = np.bincount(store.labels, minlength=len(examination.classes))
    if counts.min() < 2:
        name = examination.classes[int(counts.argmin())]
        raise DataError(f"class '{name}' has {count_of(int(counts.min()), 'picture')}: --model needs two of each class")
    loader = Loader(
        store,
        batch_size=_BATCH_SIZE,
        preprocess=bundle.preprocess,
        workers=default_workers(store, target),
        pin_memory=target.type == "cuda",
    )
    positions, features = pooled_features(
        network.to(target).to(memory_format=runtime.memory_format(target)),
        loader,
        bundle.preprocess,
        FeatureSettings(target),
        most_pictures=len(store),
        progress=partial(progress, "features"),
    )
    picture_of = {picture.sample.name: picture for picture in examination.readable}
    pictures = [picture_of[store.samples[position].name] for position in positions]
    probabilities = cross_validated_probabilities(
        list(features.values())[-1].to(target), store.labels[positions], _copies(examination, pictures)
    )
    errors = confident_label_errors(probabilities, store.labels[positions])
    return _finding(examination, pictures, errors)


def _copies(examination: Examination, pictures: list[Picture]) -> list[str]:
    """What must stay in one fold: pictures with their copies and near duplicates."""
    unit_of = near_duplicate_units(examination.near_duplicates)
    return [unit_of.get(picture.sample.digest, picture.sample.digest) for picture in pictures]


def _finding(examination: Examination, pictures: list[Picture], errors: list[LabelError]) -> Finding | None:
    if not errors:
        return None
    classes = examination.classes
    cases = [
        Case(
            (pictures[error.position],),
            f"likelier {classes[error.suggestion]}: {error.probability:.0%}, the label {error.given_probability:.0%}",
        )
        for error in errors
    ]
    return Finding(
        "label_errors",
        "warning",
        f"{count_of(len(errors), 'label')} of {len(pictures):,} {'is' if len(errors) == 1 else 'are'} doubtful",
        f"Judged by a linear probe on the network's features, cross-validated in {FOLDS} folds; the most doubtful come "
        "first. Some are wrong, others right and the picture only hard: look at each before you change it.",
        tuple(cases),
    )
