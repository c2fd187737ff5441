"""How long `hubel data` takes, the first time and when everything is remembered, and how much memory.

DATA is examined as it is, or, with --copies N, as N files made of its own, each with a few bytes more, so that every
file has a digest of its own, is decoded, and has many near duplicates. Each examination is a process of its own; peak
memory is the largest resident set.

    python benchmarks/doctor.py --data FOLDER [--copies 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import run

CLOTHING = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "clothing"
_YOUNGEST = 3  # seconds: what hubel remembers of files is remembered of files older than two seconds only


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CLOTHING, help="what `hubel data` takes")
    parser.add_argument("--copies", type=int, default=0, help="examine so many files made of its pictures instead")
    parser.add_argument("--examine", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.examine:
        print(json.dumps(examine_once(arguments.examine)))
        return 0
    if not arguments.data.exists():
        print(f"{arguments.data} does not exist: give a data set, --data DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HUBEL_CACHE"] = f"{temporary}/cache"
        data = arguments.data
        if arguments.copies:
            data = Path(temporary) / "pictures"
            make(arguments.data, data, arguments.copies)
            time.sleep(_YOUNGEST)
        for name in ("first examination", "again, all remembered"):
            figures = run([sys.executable, __file__, "--examine", str(data)])
            print(
                f"{name:<24} {figures['pictures']:>9,} pictures {figures['seconds']:8.1f} s "
                f"({1000 * figures['seconds'] / figures['pictures']:.2f} ms each), "
                f"{figures['pairs']:,} pairs of near duplicates, peak {figures['peak_mb']:,.0f} MB",
                flush=True,
            )
    return 0


def examine_once(data: Path) -> dict[str, float]:
    from hubel.data.doctor.diagnosis import diagnose
    from hubel.data.doctor.examination import examine

    began = time.perf_counter()
    examination = examine(data)
    diagnose(examination)
    return {
        "seconds": time.perf_counter() - began,
        "pictures": len(examination.pictures),
        "pairs": len(examination.near_duplicates),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def make(data: Path, folder: Path, count: int) -> None:
    """Write a data set's files in turn into ten class folders, each with its number behind the picture's last byte."""
    from hubel.data.collecting import labelled_splits
    from hubel.data.layouts.finding import find_source

    source = find_source(data)
    of_split, _ = labelled_splits(source, source.classes)
    paths = [sample.path for of_one in of_split.values() for sample in of_one]
    for number in range(count):
        path = paths[number % len(paths)]
        target = folder / f"class{number % 10}" / f"{number:07}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes() + number.to_bytes(8, "big"))


if __name__ == "__main__":
    sys.exit(main())
