"""Plain and residual networks of equal depth on CIFAR-10: who learns, and how fast (He et al. 2015, figure 6).

`plain20_cifar` and `plain56_cifar` are `resnet20_cifar` and `resnet56_cifar` without their shortcuts: as many layers,
parameters and operations. All four train on the same pictures in the same order, through `hubel train`.

Run: python benchmarks/plain_and_residual.py --cifar ../shared/data/cifar10.zip --plot plain-and-residual.svg
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

COLOURS = {"20": "#7a8ca3", "56": "#c2410c"}
NETWORKS = ("plain20_cifar", "plain56_cifar", "resnet20_cifar", "resnet56_cifar")


def unpack(archive: Path, folder: Path, limits: dict[str, int]) -> None:
    """The first pictures of every class and split, as many as `limits` says, as class folders."""
    with zipfile.ZipFile(archive) as file:
        taken: Counter[tuple[str, str]] = Counter()
        for name in sorted(file.namelist()):
            parts = Path(name).parts
            if len(parts) < 3 or not parts[-1].endswith(".jpg") or taken[parts[-3:-1]] == limits[parts[-3]]:
                continue
            taken[parts[-3:-1]] += 1
            target = folder.joinpath(*parts[-3:])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read(name))


def train(name: str, data: Path, out: Path, epochs: int) -> list[dict[str, float]]:
    """A run's metrics, epoch by epoch; SGD as in the paper's section 4.2, cosine decay instead of its steps."""
    command = [sys.executable, "-m", "hubel", "train", str(data), "--model", name, "--out", str(out)]
    command += ["--recipe", "scratch", "--epochs", str(epochs), "--lr", "0.1"]
    settings = ("optimizer.name=sgd", "optimizer.weight_decay=0.0001", "label_smoothing=0", "patience=0")
    command += [argument for setting in (*settings, "batch_size=64") for argument in ("--set", setting)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with (out / "metrics.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items() if is_number(value)} for row in csv.DictReader(file)]


def is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "").replace("e", "").isdigit()


def draw(histories: dict[str, list[dict[str, float]]], path: Path) -> None:
    """The error in training (dashed) and on validation, epoch by epoch: plain networks left, residual ones right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, kind in zip(axes, ("plain", "resnet"), strict=True):
        for name, rows in histories.items():
            if name.startswith(kind):
                depth = name.removeprefix(kind).split("_")[0]
                epochs = [row["epoch"] for row in rows]
                for split, style in (("train", "--"), ("validation", "-")):
                    errors = [100 * (1 - row[f"{split}_accuracy"]) for row in rows]
                    label = f"{depth} layers" if split == "validation" else None
                    axis.plot(epochs, errors, style, color=COLOURS[depth], label=label)
        axis.set_title("plain" if kind == "plain" else "residual")
        axis.set_xlabel("epoch")
        axis.grid(color="#e5e7eb")
        axis.legend(frameon=False)
    axes[0].set_ylabel("error in % (dashed: training)")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, default=Path(__file__).parents[1] / "../shared/data/cifar10.zip")
    parser.add_argument("--pictures", type=int, default=500, help="for training, a class [500]")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--plot", type=Path, default=Path("plain-and-residual.svg"))
    arguments = parser.parse_args()
    if not arguments.cifar.is_file():
        sys.exit(f"error: there is no {arguments.cifar}: give --cifar, a zip of class folders under train and test")
    histories = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["HUBEL_CACHE"] = str(folder / "cache")
        unpack(arguments.cifar, folder / "cifar", {"train": arguments.pictures, "test": 100})
        print(f"{'network':<16} {'training error':>14} {'validation error':>17} {'minutes':>8}   in the last epoch")
        for name in NETWORKS:
            rows = histories[name] = train(name, folder / "cifar", folder / name, arguments.epochs)
            errors = [100 * (1 - rows[-1][f"{split}_accuracy"]) for split in ("train", "validation")]
            minutes = sum(row["seconds"] for row in rows) / 60
            print(f"{name:<16} {errors[0]:>12.1f} % {errors[1]:>15.1f} % {minutes:>8.1f}", flush=True)
    draw(histories, arguments.plot)


if __name__ == "__main__":
    main()
