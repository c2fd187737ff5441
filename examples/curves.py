"""The errors of several runs in one picture, epoch by epoch: validation as a line, training dashed.

Run: python examples/curves.py runs/plain20 runs/resnet20 --out curves.svg
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from matplotlib.figure import Figure

COLOURS = ("#7a8ca3", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#1d4ed8")


def errors(run: Path, split: str) -> list[float]:
    """The error of every epoch in percent, from a run's metrics.csv."""
    table = run / "metrics.csv"
    if not table.is_file():
        sys.exit(f"error: {run} is no run's folder: there is no metrics.csv in it")
    with table.open(newline="") as file:
        return [100 * (1 - float(row[f"{split}_accuracy"])) for row in csv.DictReader(file)]


def main() -> None:
    """Draw the curves, and print the last epoch's errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("curves.svg"))
    arguments = parser.parse_args()
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for number, run in enumerate(arguments.runs):
        colour = COLOURS[number % len(COLOURS)]
        validation, training = errors(run, "validation"), errors(run, "train")
        epochs = range(1, len(validation) + 1)
        axes.plot(epochs, validation, color=colour, label=run.name)
        axes.plot(epochs, training, "--", color=colour, linewidth=1)
        print(f"{run.name:<20} training error {training[-1]:5.1f} %, validation error {validation[-1]:5.1f} %")
    axes.set_xlabel("epoch")
    axes.set_ylabel("error in % (dashed: training)")
    axes.set_ylim(bottom=0)
    axes.grid(color="#e5e7eb")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(arguments.out)


if __name__ == "__main__":
    main()
