"""The reliability diagram as a drawing: how often pictures are right, over how sure the model is of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubel.tasks.calibration import Reliability
from hubel.tasks.classification import wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODEL, _IDEAL, _PICTURES = "#0f766e", "#9ca3af", "#7a8ca3"


def reliability_figure(diagram: Reliability) -> Figure:
    """The diagram of Guo et al. 2017, arXiv:1706.04599, figure 1: accuracy by confidence, above the pictures by it.

    Each bin has its Wilson interval, for a bin of three pictures says little; on the dashed line, a model means what it
    says.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = np.flatnonzero(diagram.counts)
    ends = np.array([wilson_interval(int(diagram.right[i]), int(diagram.counts[i])) for i in filled])
    accuracy = diagram.accuracy[filled]
    above.plot([0, 1], [0, 1], color=_IDEAL, linestyle="--", linewidth=1, label="what it should be")
    above.errorbar(
        diagram.confidence[filled],
        accuracy,
        yerr=np.abs(ends.T - accuracy),
        color=_MODEL,
        marker="o",
        ms=4,
        linewidth=1.5,
        elinewidth=1,
        capsize=2,
        label="the model, 95 % intervals",
    )
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.03))
    above.set_title(f"expected calibration error {diagram.error:.3f}", fontsize=10, loc="left")
    above.legend(frameon=False, fontsize=9, loc="lower right")
    above.grid(axis="y")
    below.bar(diagram.edges[:-1], diagram.counts, width=np.diff(diagram.edges), align="edge", color=_PICTURES)
    below.set(xlabel="confidence", ylabel="pictures")
    return figure
