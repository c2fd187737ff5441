"""How many labels does it save to learn from pictures without labels first?

A network learns all training pictures without their labels: a denoising autoencoder, a variational autoencoder, or a
GAN. A classifier on its encoder (or discriminator) is then trained with 1, 5, 10 or 100 % of the labels, and so is the
same classifier from random weights: with the same labels, augmentation, rates and steps. All goes through
`hubel.train`, as the commands of docs/few_labels.md do.

Data: handwritten digits (scikit-learn's, 500 for test, the other 1,297 for training) and, where it is asked for, 4,000
training and 1,000 test pictures of CIFAR-10. A seed draws the division, the labels, the weights and the order, of the
network without labels, too. There are no validation pictures, whose labels would have to be counted: the last epoch is
kept. (A GAN compares its samples with a twentieth of the training pictures, which it does not learn.)

Rows go into a CSV file as they come; runs that it has already are not done again. Seconds are processor seconds on one
thread.

Run: python benchmarks/labels_saved_study.py --shared ../shared --data digits
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from freeze_depth_study import Pool, cifar, digits, empty_pool, processor_seconds

SEEDS = 5
FRACTIONS = (0.01, 0.05, 0.1, 1.0)

# By share of the labels: epochs of every classifier, so that there are at least 100 steps of at most 16 pictures.
EPOCHS = {0.01: 100, 0.05: 60, 0.1: 40, 1.0: 8}
BATCH_SIZE = 16
RATE = 0.002


@dataclass(frozen=True)
class Start:
    """What a classifier begins with.

    Attributes:
        title: In the table.
        network: What learns without labels; the classifier is `encoder/<network>`.
        arguments: Of that network.
        epochs: Of learning without labels; 0: the classifier begins with random weights.
        rate: Its learning rate.
        batch_size: Its pictures a step.
    """

    title: str
    network: str
    arguments: Mapping[str, Any]
    epochs: int = 0
    rate: float = 0.0
    batch_size: int = 64


CONVOLUTIONS = {"widths": [16, 32, 64]}
DISCRIMINATOR = {"width": 16, "kernel": 4, "code_size": 64}
STARTS = {
    "random": Start("random weights", "conv_autoencoder", CONVOLUTIONS),
    "autoencoder": Start(
        "a denoising autoencoder's", "conv_autoencoder", {**CONVOLUTIONS, "noise": 0.5}, epochs=25, rate=0.002
    ),
    "vae": Start("a variational autoencoder's", "conv_vae", {**CONVOLUTIONS, "code_size": 16}, epochs=25, rate=0.002),
    "random-gan": Start("random weights, of a discriminator", "dcgan", DISCRIMINATOR),
    "gan": Start("a GAN's discriminator's", "dcgan", DISCRIMINATOR, epochs=20, rate=0.0005, batch_size=32),
}
# Beside which start from random weights each is judged: the same network.
BESIDE = {"autoencoder": "random", "vae": "random", "gan": "random-gan"}


@dataclass(frozen=True)
class DataSet:
    """Pictures, how many of each class are for what, and how they are varied.

    Attributes:
        pool: Encoded pictures by split and class.
        counts: By split; None: all that are left.
        channels: Of the networks' input.
        augment: Settings, with labels and without.
    """

    pool: Callable[[Path], Pool]
    counts: Mapping[str, int | None]
    channels: int
    augment: Mapping[str, Any]


def all_digits(shared: Path) -> Pool:
    """All digits as training pictures: each seed divides them anew."""
    pool = empty_pool()
    for of_class in digits(shared).values():
        for label, files in of_class.items():
            pool["train"][label] += files
    return pool


MOVED = {"augment.preset": "none", "augment.rotate": 8, "augment.zoom": 0.08, "augment.translate": 0.06}
DATA_SETS = {
    "digits": DataSet(all_digits, {"test": 50, "train": None}, 1, {**MOVED, "augment.share": 1}),
    "cifar10": DataSet(cifar, {"test": 100, "train": 400}, 3, {"augment.preset": "light"}),
}


@dataclass(frozen=True)
class Row:
    """One run; of learning without labels, `fraction` is 0."""

    data: str
    start: str
    seed: int
    fraction: float
    labels: int
    test: float
    seconds: float


def draw(data: DataSet, pool: Pool, folder: Path, seed: int) -> None:
    """Write class folders below split folders, drawn by seed; splits without files of their own take from train."""
    generator = np.random.default_rng(seed)
    taken: defaultdict[str, int] = defaultdict(int)
    orders = {label: generator.permutation(len(files)) for label, files in sorted(pool["train"].items())}
    for split, count in data.counts.items():
        own = split != "train" and bool(pool[split])
        for label, files in sorted(pool[split if own else "train"].items()):
            order = generator.permutation(len(files)) if own else orders[label][taken[label] :]
            target = folder / split / label
            target.mkdir(parents=True)
            for number in order[:count]:
                suffix = "jpg" if files[number].startswith(b"\xff\xd8") else "png"
                (target / f"{number}.{suffix}").write_bytes(files[number])
            taken[label] += 0 if own else len(order[:count])


def settings_of(data: DataSet, start: Start, seed: int, *, without_labels: bool) -> dict[str, Any]:
    """What all runs have in common."""
    return {
        **data.augment,
        "data.size": 32,
        "data.near_duplicates": 0,
        "data.validation_fraction": 0.05 if start.network == "dcgan" and without_labels else 0,
        "model.in_channels": data.channels,
        "model.arguments": dict(start.arguments),
        "seed": seed,
        "threads": 1,
        "patience": 0,
    }


def learn_without_labels(data: DataSet, start: Start, folder: Path, seed: int, out: Path) -> float:
    """Train the network whose encoder starts classifiers: its processor seconds."""
    import hubel

    began = processor_seconds()
    hubel.train(
        folder,
        task="generation" if start.network == "dcgan" else "reconstruction",
        model=start.network,
        epochs=start.epochs,
        learning_rate=start.rate,
        out=out,
        settings=settings_of(data, start, seed, without_labels=True) | {"batch_size": start.batch_size},
    )
    return processor_seconds() - began


def classify(
    data: DataSet, start: Start, folder: Path, seed: int, fraction: float, weights: Path | None
) -> tuple[int, float, float]:
    """Train a classifier with a share of the labels: how many, test accuracy, processor seconds."""
    import hubel

    began = processor_seconds()
    settings = settings_of(data, start, seed, without_labels=False)
    settings |= {"batch_size": BATCH_SIZE, "data.fraction": fraction}
    if weights is not None:
        del settings["model.arguments"]  # they are the weights' own
    with tempfile.TemporaryDirectory() as out:
        run = hubel.train(
            folder,
            model=f"encoder/{start.network}",
            weights=weights,
            recipe="scratch",
            epochs=EPOCHS[fraction],
            learning_rate=RATE,
            out=Path(out) / "run",
            settings=settings,
        )
        labels = (run.dir / "splits.csv").read_text().count(",train,")
    return labels, run.metrics["test"]["accuracy"], processor_seconds() - began


def study(name: str, shared: Path, starts: Sequence[str], seeds: Sequence[int], table: Path) -> list[Row]:
    """All runs of a data set that the table does not have yet; each is appended as it comes."""
    data = DATA_SETS[name]
    done = {(row.start, row.seed, row.fraction): row for row in read(table) if row.data == name}

    def keep(row: Row) -> None:
        if (row.start, row.seed, row.fraction) in done:  # it has learnt without labels again, for what was missing
            return
        done[row.start, row.seed, row.fraction] = row
        append(table, row)
        did = f"{row.labels} labels, test {100 * row.test:.1f} %" if row.fraction else "learnt without labels"
        print(f"{name}, {row.start}, seed {row.seed}: {did}, {row.seconds:.0f} s", flush=True)

    wanted = [(start, seed) for seed in seeds for start in starts]
    pool = data.pool(shared)
    for start, seed in wanted:
        missing = [fraction for fraction in FRACTIONS if (start, seed, fraction) not in done]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder, weights = Path(temporary) / name, None
            draw(data, pool, folder, seed)
            if STARTS[start].epochs:
                weights = Path(temporary) / "without-labels"
                seconds = learn_without_labels(data, STARTS[start], folder, seed, weights)
                keep(Row(name, start, seed, 0.0, 0, 0.0, round(seconds, 1)))
            for fraction in missing:
                labels, test, seconds = classify(data, STARTS[start], folder, seed, fraction, weights)
                keep(Row(name, start, seed, fraction, labels, test, round(seconds, 1)))
    return [row for (start, seed, _), row in done.items() if (start, seed) in wanted]


def read(table: Path) -> list[Row]:
    if not table.is_file():
        return []
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)}
    with table.open(newline="") as file:
        return [Row(**{name: kinds[name](value) for name, value in line.items()}) for line in csv.DictReader(file)]


def append(table: Path, row: Row) -> None:
    new = not table.is_file()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if new:
            writer.writeheader()
        writer.writerow(asdict(row))


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and its 95 % interval by Student's t over seeds."""
    from scipy.stats import t

    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def text(values: Sequence[float], sign: str = "") -> str:
    mean, low, high = (100 * value for value in interval(values))
    return f"{mean:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def worth(curve: Sequence[tuple[float, float]], reached: float) -> str:
    """With how many labels another curve reaches an accuracy, linearly between its points on a scale of logarithms."""
    for (labels, below), (more, above) in pairwise(curve):
        if below <= reached <= above:
            share = (reached - below) / (above - below) if above > below else 0.0
            return f"{math.exp(math.log(labels) + share * math.log(more / labels)):.0f}"
    return f"under {curve[0][0]:.0f}" if reached < curve[0][1] else f"over {curve[-1][0]:.0f}"


# By start, share of the labels and seed.
Runs = Mapping[str, Mapping[float, Mapping[int, Row]]]


def tables(rows: Iterable[Row]) -> str:
    """The study as Markdown."""
    runs: defaultdict[str, Runs] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    seconds: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        runs[row.data][row.start][row.fraction][row.seed] = row
        seconds[row.data] += row.seconds
    return "\n".join(
        "\n".join([*table_of(name, own), "", f"{name}: {seconds[name] / 60:.0f} processor minutes.", ""])
        for name, own in runs.items()
    )


def table_of(name: str, runs: Runs) -> list[str]:
    """Test accuracy in percent, what is gained, and how many labels that is worth."""
    labels = {fraction: next(iter(next(iter(runs.values()))[fraction].values())).labels for fraction in FRACTIONS}
    heads = (f"{100 * fraction:g} %: {count}" for fraction, count in labels.items())
    lines = [f"| {name}: begins with | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(FRACTIONS)]
    gains, worths = [], []
    for start, own in runs.items():
        title = STARTS[start].title
        accuracies = {fraction: [row.test for row in own[fraction].values()] for fraction in FRACTIONS}
        lines.append(f"| {title} | {' | '.join(map(text, accuracies.values()))} |")
        if (beside := runs.get(BESIDE.get(start, ""))) is None:
            continue
        gained = (
            text([row.test - beside[fraction][seed].test for seed, row in own[fraction].items()], "+")
            for fraction in FRACTIONS
        )
        gains.append(f"| gain of {title} | {' | '.join(gained)} |")
        curve = [(labels[f], statistics.fmean(row.test for row in beside[f].values())) for f in FRACTIONS]
        needed = (worth(curve, statistics.fmean(values)) for values in accuracies.values())
        worths.append(f"| labels that random weights need to equal {title} | {' | '.join(needed)} |")
    return [*lines, *gains, *worths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[1] / "../shared")
    parser.add_argument("--table", type=Path, default=Path("labels_saved_study.csv"), help="the CSV file of all runs")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=["digits"])
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(SEEDS)))
    arguments = parser.parse_args()
    if "cifar10" in arguments.data and not (arguments.shared / "data").is_dir():
        sys.exit(f"error: {arguments.shared} has no data folder: give --shared, where cifar10.zip lies")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HUBEL_CACHE"] = cache
        for name in arguments.data:
            rows += study(name, arguments.shared, arguments.starts, arguments.seeds, arguments.table)
    print(tables(rows))


if __name__ == "__main__":
    main()
