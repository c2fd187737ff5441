"""The input pipeline of boxes and of masks: hubel's against torchvision's, in pictures per second, in one run.

Both deliver shuffled, normalised float32 batches with the boxes or masks moved along, from the same files.
torchvision's side is `transforms.v2` on `tv_tensors` in a `DataLoader` with 2 workers, its annotations read before the
clock runs; hubel's has its defaults, from the second epoch on. `light` is, of boxes, pictures fitted into 320 × 320 and
mirror images; of masks, crops of 256 × 256 and mirror images. `affine and colour` has hubel's preset `standard` but for
mosaics and quarter turns, which torchvision has not, and the same kinds of changes there, by as much. Each measurement
has a process of its own; the sides alternate.

    python benchmarks/input_pipeline_places.py [--boxes FOLDER] [--masks FOLDER] [--rounds N]
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
BATCH_SIZE, PEER_WORKERS, EPOCHS = 16, 2, 4
SIZES = {"boxes": 320, "masks": 256}
REPEATED = {
    "boxes": 1,
    "masks": 8,
}  # how often the few pictures of an epoch come, so that starting workers costs little


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--boxes", type=Path, default=DATA / "bccd", help="pictures with boxes, in any layout")
    parser.add_argument("--masks", type=Path, default=DATA / "membrane", help="pictures with masks, in any layout")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="timed epochs of each measurement")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folders = {"boxes": arguments.boxes.resolve(), "masks": arguments.masks.resolve()}
    if arguments.side:
        kind, side = arguments.side.split()
        print(json.dumps(SIDES[side](kind, folders[kind], arguments.epochs)))
        return 0
    if missing := [folder for folder in folders.values() if not folder.exists()]:
        print(f"{missing[0]} does not exist: give folders with --boxes and --masks", file=sys.stderr)
        return 2
    rates: dict[tuple[str, str, str], list[float]] = {}
    for number in range(arguments.rounds):
        for kind in folders:
            for side in SIDES:
                for preset, rate in measured(f"{kind} {side}").items():
                    rates.setdefault((kind, preset, side), []).append(rate)
                    print(f"round {number + 1}: {kind}, {preset:<20} {side:<12} {rate:8.0f} pictures/s", flush=True)
    print(f"\nmedians of {arguments.rounds} rounds, pictures per second, {os.cpu_count()} cores")
    for kind, preset, side in rates:
        own = statistics.median(rates[kind, preset, side])
        if side == "hubel":
            peer = rates.get((kind, preset, "torchvision"))
            against = "" if peer is None else f"torchvision {statistics.median(peer):6.0f}   ratio "
            ratio = "" if peer is None else f"{own / statistics.median(peer):5.2f}"
            print(f"{kind}, {preset:<20} {own:8.0f}   {against}{ratio}")
    return 0


def measured(side: str) -> dict[str, float]:
    """Pictures per second of one side, from a process of its own with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--side", side],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HUBEL_CACHE": cache},
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def hubel_side(kind: str, data: Path, epochs: int) -> dict[str, float]:
    import torch

    from hubel import runtime
    from hubel.data.augmentation import Augment
    from hubel.data.decoded.store import prepare_store
    from hubel.data.division.splits import open_splits
    from hubel.data.loading.loader import Loader, default_workers
    from hubel.preprocessing import Preprocess

    runtime.start()
    splits = open_splits(data, near_duplicates=0)
    size, labelling = SIZES[kind], splits.labelling
    preprocess = Preprocess(size=(size, size), resize="fit" if kind == "boxes" else "native")
    store = prepare_store(
        list(splits.train) * REPEATED[kind],
        preprocess,
        classes=splits.classes,
        labelling=labelling,
        purpose="training",
        cache_bytes=20 * 10**9,
    )

    def rate(augment: Augment) -> float:
        workers = default_workers(store, torch.device("cpu"))
        loader = Loader(
            store, batch_size=BATCH_SIZE, preprocess=preprocess, augment=augment, shuffle=True, workers=workers
        )
        return warm_rate(lambda number: (preprocess.normalise(batch.images) for batch in loader.epoch(number)), epochs)

    task = {"boxes": "detection", "masks": "segmentation"}[kind]
    standard = Augment.preset("standard", task)
    return {
        "light": rate(Augment.preset("light", task)),
        "affine and colour": rate(replace(standard, mosaic=0.0, turn=0.0)),
        "standard": rate(standard),
        "strong": rate(Augment.preset("strong", task)),
    }


def torchvision_side(kind: str, data: Path, epochs: int) -> dict[str, float]:
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode, v2

    from hubel.data.division.splits import open_splits
    from hubel.data.labels import MaskLabel, ObjectsLabel

    torch.set_num_threads(1)
    samples = list(open_splits(data, near_duplicates=0).train) * REPEATED[kind]
    size = SIZES[kind]
    normalise = [
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    if kind == "boxes":
        placed = [v2.Resize(None, max_size=size), v2.CenterCrop(size), v2.RandomHorizontalFlip()]
        cleaned = [v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes()]
        affine = [v2.RandomAffine(0, translate=(0.1, 0.1), scale=(1 / 1.5, 1.5))]
    else:
        placed, cleaned = [v2.RandomCrop(size), v2.RandomHorizontalFlip()], []
        turned = v2.RandomAffine(10, scale=(1 / 1.25, 1.25), interpolation=InterpolationMode.BILINEAR)
        affine = [v2.RandomVerticalFlip(), v2.RandomApply([turned], 0.5)]
    colour = [v2.ColorJitter(brightness=0.2, contrast=0.2)]
    presets = {
        "light": v2.Compose([*placed, *cleaned, *normalise]),
        "affine and colour": v2.Compose([*placed, *affine, *colour, *cleaned, *normalise]),
    }

    class Pictures(Dataset[Any]):
        """Files with their annotations, decoded anew whenever they are asked for, as is usual."""

        def __init__(self, transform: v2.Compose) -> None:
            self.transform = transform

        def __len__(self) -> int:
            return len(samples)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            sample = samples[index]
            image = tv_tensors.Image(v2.functional.pil_to_tensor(Image.open(sample.path).convert("RGB")))
            label = sample.label
            if isinstance(label, ObjectsLabel):
                boxes = tv_tensors.BoundingBoxes(  # type: ignore[call-overload]
                    torch.tensor(label.boxes).reshape(-1, 4), format="XYXY", canvas_size=label.size
                )
                target = {"boxes": boxes, "labels": torch.tensor(label.classes)}
            else:
                assert isinstance(label, MaskLabel)
                target = {"masks": tv_tensors.Mask(torch.from_numpy(label.read()))}
            moved: tuple[torch.Tensor, dict[str, torch.Tensor]] = self.transform(image, target)
            return moved

    def together(pictures: list[tuple[torch.Tensor, Any]]) -> tuple[torch.Tensor, list[Any]]:
        return torch.stack([image for image, _ in pictures]), [target for _, target in pictures]

    def rate(transform: v2.Compose) -> float:
        loader: DataLoader[Any] = DataLoader(
            Pictures(transform),
            batch_size=BATCH_SIZE,
            shuffle=True,
            num_workers=PEER_WORKERS,
            persistent_workers=True,
            collate_fn=together,
        )
        return warm_rate(lambda number: (images for images, _ in loader), epochs)

    return {name: rate(transform) for name, transform in presets.items()}


def warm_rate(epoch: Callable[[int], Iterable[Any]], epochs: int) -> float:
    """Pictures per second from the second epoch on: the median of some epochs."""
    count(iter(epoch(0)))
    rates = []
    for number in range(1, 1 + epochs):
        started = time.perf_counter()
        rates.append(count(iter(epoch(number))) / (time.perf_counter() - started))
    return statistics.median(rates)


def count(batches: Iterator[Any]) -> int:
    return sum(len(images) for images in batches)


SIDES: dict[str, Callable[[str, Path, int], dict[str, float]]] = {"torchvision": torchvision_side, "hubel": hubel_side}


if __name__ == "__main__":
    sys.exit(main())
