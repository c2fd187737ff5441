"""Pictures drawn with replacement: the percentile bootstrap (Efron 1979), as weights of the pictures that there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hubel.results import Interval
from hubel.tasks.grouped import drawn_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_RESAMPLES = 1000
_NUMBERS_AT_ONCE = 2**22


def resamples(count: int, groups: npt.NDArray[np.int64] | None = None, seed: int = 0) -> Iterator[Floats]:
    """How often each picture comes in each of 1,000 resamples, some resamples at a time.

    Args:
        count: How many pictures there are, N.
        groups: int64 of shape (N,): the group of each, 0 to G - 1; whole groups are drawn (the cluster bootstrap: Field
            and Welsh 2007, JRSS B 69:369). None: every picture is drawn by itself.
        seed: Of the draw.

    Yields:
        float64 of shape (R, N).
    """
    together = max(1, min(_RESAMPLES, _NUMBERS_AT_ONCE // count))
    if groups is not None:
        drawn = drawn_groups(groups, seed)
        for start in range(0, len(drawn), together):
            yield drawn[start : start + together, groups].astype(np.float64)
        return
    generator = np.random.default_rng(seed)
    for start in range(0, _RESAMPLES, together):
        rows = min(together, _RESAMPLES - start)
        cells = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(cells.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def middle(values: Floats, count: int | None = None) -> Interval | None:
    """The 95 % interval of a figure from its values in resamples: their middle, a little more than 95 % of them.

    Plain percentiles are too narrow for few pictures, as an interval of a mean would be with the normal distribution's
    quantile and without Bessel's correction; so they are taken as far out as Student's distribution says (the expanded
    percentile interval: Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 4.3).

    Args:
        values: Of the figure; those that are not finite do not count.
        count: How many pictures (or groups) are drawn from; None: very many.

    Returns:
        None where no value is finite, or there is one picture to draw from, which is all that resamples show.
    """
    from scipy.special import ndtr, stdtrit

    finite = values[np.isfinite(values)]
    if not len(finite) or count == 1:
        return None
    outside = 0.025
    if count is not None:
        freedom = count - 1
        outside = float(ndtr(-np.sqrt(count / freedom) * stdtrit(freedom, 0.975)))
    low, high = np.quantile(finite, [outside, 1 - outside])
    return float(low), float(high)
