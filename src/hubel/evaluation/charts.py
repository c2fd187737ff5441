"""The pictures of the field: accuracy over operations, and depth and error by year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hubel.charts import STYLE, check_chart_name, write_chart
from hubel.errors import ConfigError
from hubel.evaluation.comparison import ComparedNetwork
from hubel.evaluation.label_places import Box, Disc, place_labels
from hubel.models.depth import weight_layers
from hubel.models.published import HUMAN_TOP5_ERROR, ILSVRC_RESULTS
from hubel.models.registry import model_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# The labels' places hold for this type face alone.
_STYLE = STYLE | {"svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9}
_INK, _FAINT = "#111827", "#6b7280"
_DEPTH, _ERROR = "#0072B2", "#D55E00"

# A network's family by the beginning of its name. The colours are Okabe and Ito's, which most colour-blind people
# tell apart, and two more.
_FAMILIES = {
    "alexnet": ("AlexNet", "#0072B2"),
    "nin": ("Network in Network", "#8A8D00"),
    "vgg": ("VGG", "#111827"),
    "googlenet": ("Inception", "#009E73"),
    "inception": ("Inception", "#009E73"),
    "xception": ("Xception", "#E69F00"),
    "plain": ("plain", "#6b7280"),
    "resnet": ("ResNet", "#D55E00"),
    "densenet": ("DenseNet", "#CC79A7"),
}
_OTHERS = ("others", "#56B4E9")

# Square points of a bubble's area for a million parameters.
_AREA_PER_MILLION = 9.0

# The networks that stand for the challenge's entries; what took part in other years is not in hubel.
_NETWORKS_OF_ENTRIES = {
    "AlexNet": ("alexnet",),
    "VGG": ("vgg16", "vgg19"),
    "GoogLeNet": ("googlenet",),
    "ResNet": ("resnet152",),
}


def draw_accuracy_over_operations(networks: Sequence[ComparedNetwork], path: Path) -> list[str]:
    """Draw top-1 accuracy over multiply-accumulates, each network a disc whose area is its parameters.

    After Canziani, Paszke & Culurciello 2017, arXiv:1605.07678, figure 2, which counts "operations" and means
    multiply-accumulates, too. They are those at the size at which published weights were measured. An axis of
    operations that spans more than a decade is logarithmic.

    Args:
        networks: Of `hubel.evaluation.comparison.compare`.
        path: A name that ends in .png, .svg or .pdf.

    Returns:
        The networks that are left out: no top-1 accuracy of theirs is published.

    Raises:
        ConfigError: The name has another ending, or no network has a published top-1 accuracy.
    """
    check_chart_name(path)
    drawn = [n for n in networks if n.accuracy is not None and n.accuracy.top1 is not None]
    left_out = [n.name for n in networks if n not in drawn]
    if not drawn:
        raise ConfigError(f"no published top-1 accuracy on ImageNet for {', '.join(left_out)}: nothing to draw")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 6.4), dpi=120)
        axes = figure.add_axes((0.075, 0.095, 0.745, 0.86))
        _draw_discs(axes, drawn)
        _draw_legends(figure, drawn)
        _label_discs(figure, axes, drawn)
        write_chart(figure, path, dpi=figure.dpi)
    return left_out


def _radius(millions: float) -> float:
    """In points, of so many million parameters."""
    return math.sqrt(_AREA_PER_MILLION * millions / math.pi)


def _giga_macs(network: ComparedNetwork) -> float:
    return network.macs_as_published / 1e9


def _top1(network: ComparedNetwork) -> float:
    assert network.accuracy is not None
    assert network.accuracy.top1 is not None
    return network.accuracy.top1


def _family(network: ComparedNetwork) -> tuple[str, str]:
    """The family's name and colour."""
    name = network.name.removeprefix("timm/")
    return next((family for start, family in _FAMILIES.items() if name.startswith(start)), _OTHERS)


def _draw_discs(axes: Axes, networks: Sequence[ComparedNetwork]) -> None:
    for network in sorted(networks, key=lambda network: -network.parameters):  # the small ones on top
        colour = _family(network)[1]
        papers = network.accuracy is not None and network.accuracy.is_papers
        axes.scatter(
            _giga_macs(network),
            _top1(network),
            s=(2 * _radius(network.parameters / 1e6)) ** 2,
            facecolor=[*_rgb(colour), 0.12 if papers else 0.45],
            edgecolor=colour,
            linewidth=1.0,
            linestyle=(0, (3, 2)) if papers else "solid",
            zorder=2,
        )
        axes.scatter(_giga_macs(network), _top1(network), s=3, color=colour, zorder=3)
    least, most = min(map(_giga_macs, networks)), max(map(_giga_macs, networks))
    if most > 10 * least:
        axes.set_xscale("log")
        axes.set_xlim(least / 1.6, most * 1.6)
        ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if least / 1.6 < t < most * 1.6]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        room = max(0.25 * (most - least), 0.15 * most)
        axes.set_xlim(max(0.0, least - room), most + room)
    low, high = min(map(_top1, networks)), max(map(_top1, networks))
    room = max(0.12 * (high - low), 1.0)
    axes.set_ylim(low - room, high + room)
    axes.grid(zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("operations for one image: G MACs (10⁹ multiply-accumulates; FLOPs are twice as many)")
    axes.set_ylabel("top-1 accuracy on ImageNet's validation images, %")


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _draw_legends(figure: Figure, networks: Sequence[ComparedNetwork]) -> None:
    """Right of the axes: sizes, families, and what a dashed line means."""
    from matplotlib.lines import Line2D

    inches_wide, inches_high = figure.get_size_inches()
    left = 0.845
    beside = figure.add_axes((left, 0.0, 1 - left, 1.0))
    beside.set_axis_off()
    beside.set_xlim(0, 72 * inches_wide * (1 - left))  # in points
    beside.set_ylim(0, 72 * inches_high)
    most = max(network.parameters for network in networks) / 1e6
    sizes = [millions for millions in (1, 5, 25, 60, 140) if millions <= 1.2 * most or millions == 1]
    y = 0.95 * 72 * inches_high
    beside.text(0, y, "parameters (area)", va="center", color=_INK)
    y -= 12
    for millions in sizes:
        radius = _radius(millions)
        y -= max(radius, 5) + 3
        beside.scatter(_radius(sizes[-1]) + 2, y, s=(2 * radius) ** 2, facecolor="#e5e7eb", edgecolor=_FAINT)
        beside.text(2 * _radius(sizes[-1]) + 12, y, f"{millions} M", va="center", color=_INK)
        y -= max(radius, 5) + 3
    families = dict(_family(network) for network in networks)
    beside.legend(
        [Line2D([], [], marker="o", linestyle="", markersize=8, mfc=c, mec=c) for c in families.values()],
        list(families),
        loc="upper left",
        bbox_to_anchor=(0, y - 12),
        bbox_transform=beside.transData,
        frameon=False,
        borderaxespad=0,
        borderpad=0,
        handlelength=1,
    )
    if any(network.accuracy is not None and network.accuracy.is_papers for network in networks):
        beside.text(
            0, 24, "dashed: the paper's\nown, often of several\ncrops; others: of\npublished weights", color=_FAINT
        )


def _label_discs(figure: Figure, axes: Axes, networks: Sequence[ComparedNetwork]) -> None:
    """Write every network's name where no other one is; a line leads to a disc that is not beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    pixels_per_point = figure.dpi / 72
    texts: list[Text] = []
    discs = []
    for network in networks:
        x, y = axes.transData.transform((_giga_macs(network), _top1(network)))
        discs.append(Disc(x, y, _radius(network.parameters / 1e6) * pixels_per_point))
        name = network.name.removeprefix("timm/")
        texts.append(axes.text(0, 0, name, fontsize=8, color=_INK, ha="center", va="center", zorder=5))
    extents = [text.get_window_extent(renderer) for text in texts]
    area = axes.get_window_extent(renderer)
    frame = Box((area.x0 + area.x1) / 2, (area.y0 + area.y1) / 2, area.width - 4, area.height - 4)
    places = place_labels(discs, [(e.width + 4, e.height + 2) for e in extents], frame)
    to_data = axes.transData.inverted()
    for text, disc, place in zip(texts, discs, places, strict=True):
        x, y = to_data.transform((place.x, place.y))
        text.set_position((x, y))
        near_x, near_y = place.nearest(disc.x, disc.y)
        if math.hypot(near_x - disc.x, near_y - disc.y) > disc.radius + 8:
            line = to_data.transform([(disc.x, disc.y), (near_x, near_y)])
            axes.plot(line[:, 0], line[:, 1], color=_FAINT, linewidth=0.6, zorder=4)


def draw_depth_by_year(path: Path) -> None:
    """Draw the depth of LeNet-5 and of ILSVRC's entries by year, above their top-5 errors and the human one.

    Depths are counted from hubel's networks where it has them.

    Args:
        path: A name that ends in .png, .svg or .pdf.

    Raises:
        ConfigError: The name has another ending.
    """
    check_chart_name(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 6.2), dpi=120, layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.25))
        years = ["LeNet-5\n1998", *(f"{result.entry}\n{result.year}" for result in ILSVRC_RESULTS)]
        _draw_depths(above)
        _draw_errors(below)
        below.set_xticks(range(len(years)), years)
        below.tick_params(axis="x", length=0)
        below.set_xlabel(
            "Errors on test images, of several networks averaged; AlexNet's with extra data (16.4 % without)",
            color=_FAINT,
        )
        write_chart(figure, path, dpi=figure.dpi)


def _draw_depths(axes: Axes) -> None:
    depths: list[tuple[int, ...]] = [_depths("lenet5_modern")]
    for result in ILSVRC_RESULTS:
        names = _NETWORKS_OF_ENTRIES.get(result.entry)
        depths.append(_depths(*names) if names else (result.layers,) if result.layers else ())
    for place, layers in enumerate(depths):
        width = 0.6 / max(len(layers), 1)
        for index, count in enumerate(layers):
            x = place + (index - (len(layers) - 1) / 2) * width
            axes.bar(x, count, 0.9 * width, color=_DEPTH)
            axes.annotate(f"{count}", (x, count), (0, 3), textcoords="offset points", ha="center", color=_INK)
        if not layers:
            axes.annotate("no network", (place, 1), (0, 4), textcoords="offset points", ha="center", color=_FAINT)
    axes.set_yscale("log")
    axes.set_ylim(1, 400)
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.minorticks_off()
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("depth: weight layers")


def _depths(*names: str) -> tuple[int, ...]:
    return tuple(weight_layers(entry.build_shapes().eval(), entry.input_size) for entry in map(model_entry, names))


def _draw_errors(axes: Axes) -> None:
    axes.annotate(
        "no entry:\nbefore ILSVRC", (0, 0), (0, 4), textcoords="offset points", ha="center", va="bottom", color=_FAINT
    )
    for place, result in enumerate(ILSVRC_RESULTS, start=1):
        colour = _ERROR if result.layers else _FAINT
        axes.bar(place, result.top5_error, 0.54, color=colour)
        label = f"{result.top5_error:g} %" + ("" if result.place == 1 else "\n2nd place")
        axes.annotate(
            label,
            (place, result.top5_error),
            (0, 4),
            textcoords="offset points",
            ha="center",
            color=_INK,
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axes.axhline(HUMAN_TOP5_ERROR, color=_INK, linewidth=1, linestyle=(0, (4, 3)), zorder=3)
    person = f"a trained\nperson: {HUMAN_TOP5_ERROR:g} %"
    axes.annotate(person, (0, HUMAN_TOP5_ERROR), (0, 4), textcoords="offset points", color=_INK, ha="center")
    axes.set_ylim(0, 33)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_ylabel("ILSVRC classification: top-5 error, %")
