"""A set of very many small files: how long until training could begin, the first time and when nothing has changed.

The files are CIFAR-10's JPEGs of 32 × 32 and, from the 60,001st on, copies that differ by some bytes behind the
picture, so that every file has a digest of its own. They lie in class folders without splits. What is measured, each in
a process of its own: listing and fingerprinting (nothing remembered), the same with all remembered, and the time until
the first batch of an epoch, first and again. Peak memory is the largest resident set; the line `imports` tells how much
of it is torch.

    python benchmarks/many_files.py [--data cifar10.zip] [--files 200000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from side_by_side import run

CIFAR = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "cifar10.zip"
BATCH_SIZE, SIZE = 32, 32
_YOUNGEST = 3  # seconds: what hubel remembers of files is remembered of files older than two seconds only


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=CIFAR, help="cifar10.zip with class folders under train/ and test/"
    )
    parser.add_argument("--files", type=int, default=200_000, help="how many files the set has")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(STEPS[arguments.step](arguments.folder)))
        return 0
    if not arguments.data.is_file():
        print(f"{arguments.data} does not exist: give cifar10.zip, --data FILE", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder, os.environ["HUBEL_CACHE"] = Path(temporary) / "pictures", f"{temporary}/cache"
        began = time.perf_counter()
        make(arguments.data, folder, arguments.files)
        print(f"{arguments.files:,} files made in {time.perf_counter() - began:.0f} s, {os.cpu_count()} cores")
        time.sleep(_YOUNGEST)
        for name, step in MEASURED:
            command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
            figures = run(command)
            print(f"{name:<52} {figures['seconds']:7.2f} s   peak {figures['peak_mb']:5.0f} MB", flush=True)
    return 0


def make(archive: Path, folder: Path, count: int) -> None:
    """Write so many files into class folders."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".jpg"))
        contents = [(name.split("/")[-2], file.read(name)) for name in names[: min(count, len(names))]]
    for class_name in {class_name for class_name, _ in contents}:
        (folder / class_name).mkdir(parents=True)
    for number in range(count):
        class_name, content = contents[number % len(contents)]
        copy = number // len(contents)
        extra = copy.to_bytes(4, "big") if copy else b""  # behind the end of the JPEG
        (folder / class_name / f"{number:06}.jpg").write_bytes(content + extra)


def start_python(folder: Path) -> dict[str, float]:
    """What importing alone takes."""
    began = time.perf_counter()

    return {"seconds": time.perf_counter() - began}


def divide(folder: Path) -> dict[str, float]:
    """List, fingerprint and divide."""
    from hubel.data.division.splits import open_splits

    began = time.perf_counter()
    splits = open_splits(folder)
    assert splits.fingerprint
    return {"seconds": time.perf_counter() - began}


def first_batch(folder: Path) -> dict[str, float]:
    """All that lies before the first step of training: the above, both splits' pictures, the statistics, a batch."""
    from hubel.data.augmentation import Augment
    from hubel.data.decoded.statistics import channel_statistics
    from hubel.data.decoded.store import prepare_store
    from hubel.data.division.splits import open_splits
    from hubel.data.loading.loader import Loader
    from hubel.preprocessing import Preprocess

    began = time.perf_counter()
    splits = open_splits(folder)
    assert splits.fingerprint
    preprocess = Preprocess(size=(SIZE, SIZE), resize_to=SIZE)
    stores = {
        purpose: prepare_store(
            samples, preprocess, classes=splits.classes, purpose=purpose, cache_bytes=20 * 10**9, max_unreadable=0
        )
        for purpose, samples in (("training", splits.train), ("evaluation", splits.validation))
    }
    channel_statistics(stores["training"])
    loader = Loader(
        stores["training"],
        batch_size=BATCH_SIZE,
        preprocess=preprocess,
        augment=Augment.preset("light"),
        shuffle=True,
    )
    assert len(next(iter(loader.epoch(0))).labels) == BATCH_SIZE
    return {"seconds": time.perf_counter() - began}


STEPS: dict[str, Callable[[Path], dict[str, float]]] = {
    "imports": start_python,
    "divide": divide,
    "first batch": first_batch,
}
MEASURED = (
    ("imports (part of no other figure but the memory)", "imports"),
    ("listing and fingerprinting, nothing remembered", "divide"),
    ("listing and fingerprinting, nothing changed", "divide"),
    ("until the first batch, pictures not decoded yet", "first batch"),
    ("until the first batch, nothing changed", "first batch"),
)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(str(error))
