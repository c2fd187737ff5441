"""How far samples are from real pictures, by the features that some network has of both: FID and KID.

The figures depend on the network, on the layer, on how pictures are resized for it and on the number of pictures;
without all four they mean nothing, and only those with the same four are comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

# Defaults of torch-fidelity, and of Bińkowski et al. 2018.
KID_SUBSETS, KID_SUBSET_SIZE, KID_SEED = 100, 1000, 2020


@dataclass(frozen=True)
class KernelDistance:
    """The kernel inception distance.

    Attributes:
        mean: Over the subsets.
        deviation: Their standard deviation.
    """

    mean: float
    deviation: float


def frechet_distance(generated: Floats, real: Floats) -> float:
    """FID: the squared Fréchet distance of the normal distributions with the features' means and covariances.

    ‖m₁ - m₂‖² + tr(C₁ + C₂ - 2 (C₁ C₂)^½): Heusel et al. 2017, arXiv:1706.08500, equation 6. Few pictures make it too
    large; as a covariance of D features asks for, take several times D.

    Args:
        generated: (N, D).
        real: (M, D).

    Raises:
        ValueError: There are fewer than two of either, or their features differ in number.
    """
    _check(generated, real, least=2)
    first, second = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    difference = first.mean(axis=0) - second.mean(axis=0)
    # The trace of (C₁ C₂)^½ is the sum of the roots of the product's eigenvalues, which are real and not negative:
    # those of C₁^½ C₂ C₁^½, which is symmetric, so that nothing complex can come up.
    variances, axes = np.linalg.eigh(covariances[0])
    root = (axes * np.sqrt(variances.clip(min=0))) @ axes.T
    eigenvalues = np.linalg.eigvalsh(root @ covariances[1] @ root)
    trace = np.sqrt(eigenvalues.clip(min=0)).sum()
    return float(difference @ difference + sum(np.trace(each) for each in covariances) - 2 * trace)


def kernel_distance(
    generated: Floats,
    real: Floats,
    *,
    subsets: int = KID_SUBSETS,
    subset_size: int = KID_SUBSET_SIZE,
    seed: int = KID_SEED,
) -> KernelDistance:
    """KID: the squared maximum mean discrepancy under the kernel (x·y / D + 1)³, unbiased, as a mean over subsets.

    Bińkowski et al. 2018, Demystifying MMD GANs, arXiv:1801.01401, section 4. The subsets are those that torch-fidelity
    draws for the same seed.

    Args:
        generated: (N, D).
        real: (M, D).
        subsets: How many are drawn.
        subset_size: Of each, without repetition.
        seed: Of the drawing.

    Raises:
        ValueError: There are fewer pictures than a subset has, or their features differ in number.
    """
    if subset_size < 2:
        raise ValueError(f"subsets of {subset_size} came: expected at least 2 pictures")
    _check(generated, real, least=subset_size)
    draw = np.random.RandomState(seed)  # as torch-fidelity draws
    distances = []
    for _ in range(subsets):
        first = np.asarray(generated[draw.choice(len(generated), subset_size, replace=False)], np.float64)
        second = np.asarray(real[draw.choice(len(real), subset_size, replace=False)], np.float64)
        distances.append(_unbiased_discrepancy(first, second))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def _unbiased_discrepancy(first: Floats, second: Floats) -> float:
    """MMD² of two sets of as many features."""
    count, dimensions = first.shape

    def kernel(x: Floats, y: Floats) -> Floats:
        values = x @ y.T / dimensions + 1
        return np.asarray(values * values * values)  # many times faster than a power

    products = [kernel(each, each) for each in (first, second)]
    within = sum((each.sum() - np.trace(each)) / (count * (count - 1)) for each in products)
    return float(within - 2 * kernel(first, second).mean())


def _check(generated: Floats, real: Floats, *, least: int) -> None:
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1]:
        raise ValueError(
            f"features of shapes {generated.shape} and {real.shape} came: expected (N, D) and (M, D) with the same D"
        )
    if min(len(generated), len(real)) < least:
        raise ValueError(
            f"{len(generated)} generated and {len(real)} real pictures came: expected at least {least} of each"
        )
