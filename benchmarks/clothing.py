"""The recipes `head` and `gradual` on photos of clothes against fastai's `fine_tune(3, freeze_epochs=1)`, on the CPU.

The same EfficientNet-Lite0, ImageNet weights and photos on both sides. hubel's times are those of the whole command on
a cold cache: start, decoding, training, test. fastai's begin with its import and contain no test. The parts come one
after the other, in processes of their own.

Run: python benchmarks/clothing.py --data ../shared/data/clothing [--fastai ENVIRONMENT/bin/python]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL, WEIGHTS = "timm/tf_efficientnet_lite0", "efficientnet-lite0"
RECIPES = {"head": [], "gradual": ["--epochs", "5"]}


def with_hubel(data: Path, recipe: str, seed: int) -> dict[str, float]:
    """Test accuracy and seconds of `hubel train`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "hubel", "train", str(data), "--model", MODEL, "--weights", WEIGHTS]
        command += ["--recipe", recipe, *RECIPES[recipe], "--set", f"seed={seed}", "--out", str(out)]
        began = time.perf_counter()
        environment = {**os.environ, "HUBEL_CACHE": str(Path(folder) / "cache")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        seconds = time.perf_counter() - began
        accuracy = json.loads((out / "metrics.json").read_text())["test"]["accuracy"]
    return {"test_accuracy": accuracy, "seconds": seconds}


def with_fastai(data: Path, python: str, seed: int) -> list[dict[str, float]]:
    """What fastai has after its frozen epoch, and at the end."""
    script = Path(__file__).with_name("fastai_fine_tune.py")
    command = [python, str(script), str(data), "--seed", str(seed)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def line(title: str, figures: dict[str, float]) -> str:
    return f"{title:<44} {100 * figures['test_accuracy']:5.1f} %  {figures['seconds']:7.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / "../shared/data/clothing")
    parser.add_argument(
        "--fastai", metavar="PYTHON", help="the Python of an environment with fastai 2.8 (half an hour)"
    )
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    if not (arguments.data / "train").is_dir():
        sys.exit(f"error: {arguments.data} has no train folder: give --data, class folders under train and validation")
    runs = []
    for seed in range(arguments.seeds):
        runs.append(with_hubel(arguments.data, "head", seed))
        print(line(f"hubel, recipe head, seed {seed}", runs[-1]), flush=True)
    head = {key: statistics.fmean(run[key] for run in runs) for key in runs[0]}
    print(line(f"hubel, recipe head, mean of {len(runs)}", head), flush=True)
    gradual = with_hubel(arguments.data, "gradual", 0)
    print(line("hubel, recipe gradual, 5 epochs", gradual), flush=True)
    if not arguments.fastai:
        print("fastai is left out: name its Python with --fastai")
        return
    frozen, full = with_fastai(arguments.data, arguments.fastai, 0)
    print(line("fastai, after the frozen epoch", frozen))
    print(line("fastai, fine_tune(3, freeze_epochs=1)", full))
    for title, ours in {"head": head, "gradual": gradual}.items():
        ahead, share = 100 * (ours["test_accuracy"] - full["test_accuracy"]), full["seconds"] / ours["seconds"]
        print(f"{title}: {ahead:+.1f} points against fastai's end, in 1/{share:.1f} of its time")


if __name__ == "__main__":
    main()
