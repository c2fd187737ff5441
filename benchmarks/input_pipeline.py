"""The input pipeline alone: hubel's against torchvision's, in images per second, both measured in one run.

Both deliver shuffled, normalised float32 batches of 32 at 224 × 224 from the same folder. torchvision's side is an
`ImageFolder` with `RandomResizedCrop(224)`, flip, `ToTensor` and `Normalize` in a `DataLoader` with 2 workers; hubel's
has its defaults; its preset `strong` is compared with `standard`. Each measurement has a process of its own; the sides
alternate.

    python benchmarks/input_pipeline.py [--data FOLDER] [--rounds N]
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CLOTHING = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "clothing"
BATCH_SIZE, SIZE, PEER_WORKERS = 32, 224, 2
WARM_EPOCHS = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CLOTHING, help="a folder with class folders under train/")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    train = arguments.data.resolve() / "train"
    if not train.is_dir():
        print(f"{train} does not exist: give a folder with class folders under train/, --data FOLDER", file=sys.stderr)
        return 2
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](train)))
        return 0

    for file in train.rglob("*"):  # both sides find the files in the system's cache
        if file.is_file():
            file.read_bytes()
    rates: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        for side in SIDES:
            for name, rate in measured(side, arguments.data).items():
                rates.setdefault(name, []).append(rate)
                print(f"round {number + 1}: {name:<44} {rate:8.0f} images/s", flush=True)
    median = {name: statistics.median(values) for name, values in rates.items()}
    print(f"\nmedians of {arguments.rounds} rounds, images per second, {os.cpu_count()} cores")
    for name, peer in COMPARED.items():
        print(f"{name:<44} {median[name]:8.0f}   {peer} {median[peer]:6.0f}   ratio {median[name] / median[peer]:5.2f}")
    return 0


def measured(side: str, data: Path) -> dict[str, float]:
    """Images per second of one side, from a process of its own with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--data", str(data), "--side", side]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "HUBEL_CACHE": cache}
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def torchvision_side(train: Path) -> dict[str, float]:
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    started = time.perf_counter()
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader: DataLoader[Any] = DataLoader(
        datasets.ImageFolder(str(train), transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=PEER_WORKERS,
        persistent_workers=True,
    )

    def epoch(number: int) -> Iterator[torch.Tensor]:
        return (images for images, _ in loader)

    first = images_in(epoch(0)) / (time.perf_counter() - started)
    return {"torchvision, first epoch": first, "torchvision": warm_rate(epoch)}


def hubel_side(train: Path) -> dict[str, float]:
    import torch

    from hubel import runtime
    from hubel.data.augmentation import Augment
    from hubel.data.collecting import labelled_splits
    from hubel.data.decoded.store import prepare_store
    from hubel.data.layouts.finding import find_source
    from hubel.data.loading.loader import Loader, default_workers
    from hubel.preprocessing import Preprocess

    runtime.start()
    started = time.perf_counter()
    preprocess = Preprocess(size=(SIZE, SIZE))
    classes = sorted(folder.name for folder in train.iterdir() if folder.is_dir())
    samples = labelled_splits(find_source(train), classes)[0][None]
    store = prepare_store(
        samples, preprocess, classes=classes, purpose="training", cache_bytes=20 * 10**9, max_unreadable=0
    )

    def epochs(augment: Augment) -> Callable[[int], Iterator[torch.Tensor]]:
        loader = Loader(
            store,
            batch_size=BATCH_SIZE,
            preprocess=preprocess,
            augment=augment,
            shuffle=True,
            workers=default_workers(store, torch.device("cpu")),
        )
        return lambda number: (preprocess.normalise(batch.images) for batch in loader.epoch(number))

    standard = Augment.preset("standard")
    resized_crop = Augment(scale=standard.scale)
    first = images_in(epochs(resized_crop)(0)) / (time.perf_counter() - started)
    return {
        "hubel, first epoch (empty cache)": first,
        "hubel, random crop, flip (light)": warm_rate(epochs(Augment.preset("light"))),
        "hubel, random resized crop, flip": warm_rate(epochs(resized_crop)),
        "hubel, the same with colour (standard)": warm_rate(epochs(standard)),
        "hubel, strong": warm_rate(epochs(Augment.preset("strong"))),
    }


def warm_rate(epoch: Callable[[int], Iterator[torch.Tensor]]) -> float:
    """Images per second from the second epoch on: the median of some epochs."""
    rates = []
    for number in range(1, 1 + WARM_EPOCHS):
        started = time.perf_counter()
        rates.append(images_in(epoch(number)) / (time.perf_counter() - started))
    return statistics.median(rates)


def images_in(batches: Iterator[torch.Tensor]) -> int:
    return sum(len(images) for images in batches)


SIDES: dict[str, Callable[[Path], dict[str, float]]] = {"torchvision": torchvision_side, "hubel": hubel_side}
COMPARED = {
    "hubel, random crop, flip (light)": "torchvision",
    "hubel, random resized crop, flip": "torchvision",
    "hubel, the same with colour (standard)": "torchvision",
    "hubel, strong": "hubel, the same with colour (standard)",
    "hubel, first epoch (empty cache)": "torchvision, first epoch",
}


if __name__ == "__main__":
    sys.exit(main())
