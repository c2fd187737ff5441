"""Whether a generator has collapsed: how many classes its samples are of, how much they differ, who wins the game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

CONFIDENT = 0.9

_MOST_COMPARED = 2000  # pictures whose distances from each other are taken, four million

# Below half of what real pictures have, samples are not "somewhat less diverse": their classes are those of half of the
# data, or, as a distance counts squared in a variance, three quarters of the variance are gone.
LEAST_COVERAGE = LEAST_DIVERSITY = 0.5

# A discriminator that tells every sample gives the generator nearly nothing to learn from (Arjovsky and Bottou 2017,
# arXiv:1701.04862, section 2.2). Early in training, or on few pictures, that is usual and passes; it is a sign of
# collapse where the samples have begun to narrow as well.
WINNING_ACCURACY = 0.98
LEAST_WHEN_LOSING = 0.75


@dataclass(frozen=True)
class ClassCoverage:
    """The classes that a classifier takes samples for.

    Attributes:
        counts: int64 (K,), samples by their most probable class.
        confident: The share of samples whose most probable class has more than 0.9.
    """

    counts: npt.NDArray[np.int64]
    confident: float

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """The share of each class, (K,)."""
        return np.asarray(self.counts / self.counts.sum(), np.float64)

    @property
    def coverage(self) -> float:
        """The effective number of classes as a share of all: e to the entropy of the shares, divided by K.

        1: all classes alike; 1 / K: one class.
        """
        shares = self.shares[self.shares > 0]
        return float(np.exp(-(shares * np.log(shares)).sum()) / len(self.counts))


def class_coverage(probabilities: Floats) -> ClassCoverage:
    """The class histogram of samples.

    Args:
        probabilities: A classifier's, (N, K).

    Raises:
        ValueError: There are no samples.
    """
    if probabilities.ndim != 2 or len(probabilities) == 0:
        raise ValueError(f"probabilities of shape {probabilities.shape} came: expected (N, K) of at least one sample")
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return ClassCoverage(counts.astype(np.int64), float((probabilities.max(axis=1) > CONFIDENT).mean()))


def diversity(samples: Floats, real: Floats) -> float:
    """The mean distance between two samples, relative to that between two real pictures: 1 is as diverse, 0 the same.

    Of more than 2,000 pictures, so many are compared, evenly taken.

    Args:
        samples: (N, ...): pictures, or features of them.
        real: (M, ...): the same of real pictures.

    Raises:
        ValueError: There are fewer than two of either, their shapes differ, or all real ones are the same.
    """
    if samples.shape[1:] != real.shape[1:] or min(len(samples), len(real)) < 2:
        raise ValueError(
            f"samples of shape {samples.shape} and real pictures of shape {real.shape} came: expected at least 2 of "
            "each, of the same shape"
        )
    if not (of_real := _mean_distance(real)):
        raise ValueError("the real pictures are all the same: expected some that differ")
    return _mean_distance(samples) / of_real


def _mean_distance(values: Floats) -> float:
    """The mean Euclidean distance of two different rows."""
    from scipy.spatial.distance import pdist

    values = values[np.linspace(0, len(values) - 1, min(len(values), _MOST_COMPARED)).round().astype(int)]
    return float(pdist(np.asarray(values, np.float64).reshape(len(values), -1)).mean())


def collapse_alarm(
    *, coverage: float | None = None, diversity: float, discriminator_accuracy: float | None = None
) -> tuple[str, ...]:
    """The reasons to say that a generator has collapsed; none: it has not.

    Args:
        coverage: `ClassCoverage.coverage`, where there is a classifier. It is compared with classes that are alike in
            number; divide it by that of the real pictures where they are not.
        diversity: Of the samples, by `diversity`.
        discriminator_accuracy: Of recent batches, by `hubel.tasks.generative.adversarial.discriminator_accuracy`.
    """
    wins = discriminator_accuracy is not None and discriminator_accuracy > WINNING_ACCURACY
    reasons = []
    for what, value, least in (
        ("the classes of the samples are {:.0%} of those of the data", coverage, LEAST_COVERAGE),
        ("the samples differ {:.0%} as much as real pictures", diversity, LEAST_DIVERSITY),
    ):
        if value is None:
            continue
        if value < least:
            reasons.append(f"{what.format(value)} (below {least:.0%})")
        elif wins and value < LEAST_WHEN_LOSING:
            reasons.append(
                f"{what.format(value)} (below {LEAST_WHEN_LOSING:.0%} while the discriminator tells "
                f"{discriminator_accuracy:.0%} of the pictures)"
            )
    return tuple(reasons)
