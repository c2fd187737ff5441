"""Memory of a loader and its workers, epoch after epoch: does it grow?

Pictures are decoded as they come (no cache), varied by the preset `standard`, and loaded by 2 workers. Printed is the
proportional set size (pages that processes share are counted once) of all processes together, after every epoch. Linux.

    python benchmarks/memory_over_epochs.py [--data FOLDER] [--epochs 20] [--pictures N]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

CLOTHING = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "clothing"
BATCH_SIZE, SIZE, WORKERS, SETTLED = 32, 224, 2, 5


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CLOTHING, help="anything that `hubel train` takes")
    parser.add_argument("--epochs", type=int, default=20, help="how many epochs")
    parser.add_argument("--pictures", type=int, default=0, help="how many pictures [all of the training split]")
    arguments = parser.parse_args()

    from hubel import runtime
    from hubel.data.augmentation import Augment
    from hubel.data.decoded.store import prepare_store
    from hubel.data.division.splits import open_splits
    from hubel.data.loading.loader import Loader
    from hubel.preprocessing import Preprocess

    runtime.start()
    splits = open_splits(arguments.data)
    samples = splits.train[: arguments.pictures or None]
    preprocess = Preprocess(size=(SIZE, SIZE))
    store = prepare_store(samples, preprocess, classes=splits.classes, purpose="training", cache_bytes=0)
    loader = Loader(
        store,
        batch_size=BATCH_SIZE,
        preprocess=preprocess,
        augment=Augment.preset("standard"),
        shuffle=True,
        workers=WORKERS,
    )
    megabytes = []
    for epoch in range(arguments.epochs):
        for _ in loader.epoch(epoch):
            pass
        megabytes.append(sum(map(proportional_set_size, [os.getpid(), *children()])) / 1e6)
        print(f"epoch {epoch + 1:3}: {megabytes[-1]:8.1f} MB", flush=True)
    growth = megabytes[-1] - megabytes[min(SETTLED, len(megabytes)) - 1]
    print(f"{len(store):,} pictures, {WORKERS} workers; from epoch {SETTLED} to {len(megabytes)}: {growth:+.1f} MB")
    return 0


def children() -> list[int]:
    """The processes that this one has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == os.getpid():
            found.append(int(folder.name))
    return found


def proportional_set_size(process: int) -> int:
    """Bytes of a process's memory; of a page that n processes share, 1/n."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main())
