"""Tar shards against the same files as a folder: images per second of warm epochs, and of a pass over cold files.

Both sides deliver shuffled uint8 batches of 32 at 224 × 224, decoded as they come (no cache of decoded pictures), with
the preset `light` and 2 workers, each in a process of its own; the sides alternate. With `--cold` (Linux) the system is
asked to forget the files before each epoch, so that the disk is read.

    python benchmarks/tar_shards.py [--data FOLDER] [--rounds N] [--pictures N] [--cold]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from side_by_side import alternate, median

CLOTHING = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "clothing"
BATCH_SIZE, SIZE, WORKERS, EPOCHS, PER_SHARD = 32, 224, 2, 3, 250


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CLOTHING, help="a folder with class folders under train/")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--pictures", type=int, default=0, help="how many pictures [all]")
    parser.add_argument("--cold", action="store_true", help="read from the disk, not from the system's cache")
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(rate(arguments.side, cold=arguments.cold)))
        return 0
    train = arguments.data.resolve() / "train"
    if not train.is_dir():
        print(f"{train} does not exist: give a folder with class folders under train/, --data FOLDER", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HUBEL_CACHE"] = f"{temporary}/cache"
        folder, shards = Path(temporary) / "folder", Path(temporary) / "shards"
        count = make(train, folder, shards, arguments.pictures)
        extra = ["--cold"] * arguments.cold
        commands = {side.name: [sys.executable, __file__, "--side", str(side), *extra] for side in (folder, shards)}
        figures = alternate(commands, arguments.rounds)
    print(f"\n{count:,} pictures, medians of {arguments.rounds} rounds, {os.cpu_count()} cores, {WORKERS} workers")
    rates = {side: median(of_side, "images_per_second") for side, of_side in figures.items()}
    for side, of_side in figures.items():
        print(f"{side:<8} {rates[side]:8.0f} images/s   peak {median(of_side, 'peak_mb'):6.0f} MB")
    print(f"shards / folder {rates['shards'] / rates['folder']:.2f}")
    return 0


def make(train: Path, folder: Path, shards: Path, most: int) -> int:
    """The same pictures as class folders under train/ and as shards, in an order that mixes the classes."""
    files = sorted(path for path in train.rglob("*") if path.is_file())
    files = sorted(files, key=lambda path: path.name)[: most or None]
    shards.mkdir()
    for start in range(0, len(files), PER_SHARD):
        with tarfile.open(shards / f"train-{start // PER_SHARD:06}.tar", "w") as tar:
            for number, path in enumerate(files[start : start + PER_SHARD], start):
                content = path.read_bytes()
                for extension, part in ((path.suffix, content), (".cls", path.parent.name.encode())):
                    info = tarfile.TarInfo(f"{number:08}{extension}")
                    info.size = len(part)
                    tar.addfile(info, io.BytesIO(part))
                copy = folder / "train" / path.parent.name / path.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
    return len(files)


def rate(side: Path, *, cold: bool) -> dict[str, float]:
    """Images per second over some epochs."""
    from hubel import runtime
    from hubel.data.augmentation import Augment
    from hubel.data.collecting import labelled_splits
    from hubel.data.decoded.store import prepare_store
    from hubel.data.layouts.finding import find_source
    from hubel.data.loading.loader import Loader
    from hubel.preprocessing import Preprocess

    runtime.start()
    preprocess = Preprocess(size=(SIZE, SIZE))
    source = find_source(side)
    samples = labelled_splits(source, source.classes)[0]["train"]
    store = prepare_store(samples, preprocess, classes=source.classes, purpose="training", cache_bytes=0)
    loader = Loader(
        store,
        batch_size=BATCH_SIZE,
        preprocess=preprocess,
        augment=Augment.preset("light"),
        shuffle=True,
        workers=WORKERS,
    )
    images, seconds = 0, 0.0
    for epoch in range(EPOCHS + 1):
        if cold:
            forget(side)
        began = time.perf_counter()
        count = sum(len(batch.labels) for batch in loader.epoch(epoch))
        if epoch:  # the first one starts the workers
            images, seconds = images + count, seconds + time.perf_counter() - began
    return {"images_per_second": round(images / seconds, 1)}


def forget(folder: Path) -> None:
    """Ask the system to drop what it keeps of the files."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
