"""Training through `hubel train` against a bare eager PyTorch loop, each in a process of its own, CPU, batch 32, 224.

The bare loop has the easier task: its pictures lie in memory as tensors, and it neither validates nor writes.
What hubel does differently is in `hubel.runtime.keep_freed_memory` and channels_last.

Run: python benchmarks/training_step.py --data ../shared/data/clothing
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import alternate, median, spread

BATCH, SIZE = 32, 224
NETWORKS = {"resnet18": "resnet18", "EfficientNet-Lite0": "timm/tf_efficientnet_lite0"}


def bare_loop(network: str, steps: int) -> None:
    """A plain loop as tutorials have it: default memory, default format."""
    import torch
    from torch.nn import functional as F

    if network.startswith("timm/"):
        import timm

        model = timm.create_model(network.removeprefix("timm/"), num_classes=10)
    else:
        import torchvision

        model = getattr(torchvision.models, network)(num_classes=10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    images, labels = torch.randn(BATCH, 3, SIZE, SIZE), torch.randint(10, (BATCH,))
    for step in range(steps + 2):
        if step == 2:
            began = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
    print(json.dumps({"images_per_second": steps * BATCH / (time.perf_counter() - began)}))


def through_hubel(network: str, steps: int, data: str) -> None:
    """`hubel train`'s own road, on a folder of real pictures; the second epoch counts."""
    from hubel.training.api import train

    with tempfile.TemporaryDirectory() as out:
        run = train(
            data,
            model=network,
            epochs=2,
            out=Path(out) / "run",
            settings={"data.size": SIZE, "batch_size": BATCH},
        )
        rows = (run.dir / "metrics.csv").read_text().splitlines()
    second = dict(zip(rows[0].split(","), rows[2].split(","), strict=True))
    print(json.dumps({"images_per_second": float(second["images_per_second"]), "wait": float(second["wait_share"])}))


def subset(data: Path, folder: Path, count: int) -> None:
    """Links to `count` training pictures and a few validation pictures, spread over the classes."""
    for split, wanted in (("train", count), ("validation", 40), ("test", 40)):
        classes = sorted(path for path in (data / split).iterdir() if path.is_dir())
        for number, source in enumerate(classes):
            share = wanted // len(classes) + (number < wanted % len(classes))
            (folder / split / source.name).mkdir(parents=True)
            for picture in sorted(source.iterdir())[:share]:
                (folder / split / source.name / picture.name).symlink_to(picture.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[1] / "../shared/data/clothing")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--side", choices=("bare", "hubel"), help=argparse.SUPPRESS)
    parser.add_argument("--network", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side == "bare":
        bare_loop(arguments.network, arguments.steps)
        return
    if arguments.side == "hubel":
        through_hubel(arguments.network, arguments.steps, str(arguments.data))
        return
    if not (arguments.data / "train").is_dir():
        sys.exit(f"error: {arguments.data} has no train folder: give --data, class folders under train and validation")
    with tempfile.TemporaryDirectory() as folder:
        subset(arguments.data, Path(folder), arguments.steps * BATCH)
        for title, network in NETWORKS.items():
            shared = ["--network", network, "--steps", str(arguments.steps), "--data", folder]
            me = [sys.executable, __file__, *shared]
            figures = alternate({"hubel": [*me, "--side", "hubel"], "bare": [*me, "--side", "bare"]}, arguments.rounds)
            print(f"{title}, batch {BATCH}, {SIZE}×{SIZE}, {arguments.rounds} rounds, median (least to greatest)")
            for side, rows in figures.items():
                print(f"  {side:<6} {spread(rows, 'images_per_second')} images/s, peak {spread(rows, 'peak_mb')} MB")
            speed = median(figures["hubel"], "images_per_second") / median(figures["bare"], "images_per_second")
            memory = median(figures["hubel"], "peak_mb") / median(figures["bare"], "peak_mb")
            print(f"  ratio  {speed:.2f} times the speed, {memory:.2f} times the peak memory", flush=True)


if __name__ == "__main__":
    main()
