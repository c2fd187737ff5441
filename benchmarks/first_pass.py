"""The first pass over a data set: hubel decodes, shrinks and writes its cache; torchvision delivers batches.

torchvision's sides read the same files in a `DataLoader` with 2 workers, in batches of 32, by `decode_image` but for
the first:

- `Pillow`: decoded by Pillow, as `ImageFolder` does, then `RandomResizedCrop(224)`, a flip, float32 and normalised.
- `training`: the same road to a network by `decode_image`; nothing is written.
- `training, uint8`: the same, left as uint8.
- `shrink`: the shorter side to 256, as in hubel's pass, and the centre cropped to 224, uint8.
- `shrink, write`: the batches are written into one file, too, and the disk is waited for, as hubel does with its cache;
  about half as many bytes.
- `whole, write`: hubel's very job, pictures shrunk, not cropped, and all of their bytes written.

torchvision's workers are started before the time is taken, hubel's threads or processes after it. Fingerprints, of
which torchvision has none, are taken before, and stated as seconds. Each measurement has a process of its own, hubel's
an empty cache; the sides alternate.

    python benchmarks/first_pass.py [--data FOLDER] [--rounds N] [--pictures N]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from side_by_side import alternate, median, spread

if TYPE_CHECKING:
    import torch

CLOTHING = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "clothing"
BATCH_SIZE, SIZE, SHORTER_SIDE, WORKERS = 32, 224, 256, 2


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CLOTHING, help="a folder with class folders under train/")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--pictures", type=int, default=0, help="how many pictures [all]")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    train = arguments.data.resolve() / "train"
    if not train.is_dir():
        print(f"{train} does not exist: give a folder with class folders under train/, --data FOLDER", file=sys.stderr)
        return 2
    files = sorted(path for path in train.rglob("*") if path.is_file())
    files = files[:: -(-len(files) // arguments.pictures)] if arguments.pictures else files
    if arguments.side:
        print(json.dumps({"images_per_second": SIDES[arguments.side](files)}))
        return 0
    for file in files:  # all sides find the files in the system's cache
        file.read_bytes()
    options = ["--data", str(arguments.data), "--pictures", str(arguments.pictures)]
    commands = {side: [sys.executable, __file__, *options, "--side", side] for side in SIDES}
    figures = alternate(commands, arguments.rounds)
    print(
        f"\n{len(files):,} pictures, {arguments.rounds} rounds, {os.cpu_count()} cores, torchvision {WORKERS} workers"
    )
    for side, of_side in figures.items():
        print(f"{side:<28} {spread(of_side, 'images_per_second'):>28} images/s   {median(of_side, 'peak_mb'):6.0f} MB")
    own = median(figures["hubel"], "images_per_second")
    for side in list(SIDES)[1:]:
        print(f"hubel / {side:<28} {own / median(figures[side], 'images_per_second'):.2f}")
    return 0


def hubel_side(files: list[Path]) -> float:
    from hubel import runtime
    from hubel.data.decoded.store import prepare_store
    from hubel.data.files.digests import digest_files
    from hubel.data.files.listing import File
    from hubel.data.sources import Sample
    from hubel.preprocessing import Preprocess

    with tempfile.TemporaryDirectory() as cache:
        os.environ["HUBEL_CACHE"] = cache
        runtime.start()
        began = time.perf_counter()
        listed = [File(str(path), 0, 0, 0) for path in files]
        digests = digest_files(Path("/"), listed, lambda name: Path(name).read_bytes())
        print(f"    fingerprints: {time.perf_counter() - began:.2f} s", file=sys.stderr)
        samples = [Sample(path.parent, path.name, 0, digests[str(path)]) for path in files]
        began = time.perf_counter()
        preprocess = Preprocess(size=(SIZE, SIZE), resize_to=SHORTER_SIDE)
        store = prepare_store(samples, preprocess, classes=["a"], purpose="training", cache_bytes=20 * 10**9)
        seconds = time.perf_counter() - began
        assert store.cached
        assert len(store) == len(files)
    return round(len(files) / seconds, 1)


def torchvision_side(
    files: list[Path], kind: Literal["pillow", "training", "uint8", "shrink", "whole"], write: bool
) -> float:
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2

    augmented = [v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip()]
    normalised = [v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    shrunk = v2.Resize(SHORTER_SIDE, antialias=True)
    transform: Any = {
        "pillow": v2.Compose([*augmented, v2.ToImage(), *normalised]),
        "training": v2.Compose([*augmented, *normalised]),
        "uint8": v2.Compose(augmented),
        "shrink": v2.Compose([shrunk, v2.CenterCrop(SIZE)]),
        "whole": shrunk,
    }[kind]

    class Pictures:
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, position: int) -> torch.Tensor:
            path = files[position]
            if kind == "pillow":
                with Image.open(path) as image:
                    picture: torch.Tensor = transform(image.convert("RGB"))
            else:
                picture = transform(decode_image(str(path), mode=ImageReadMode.RGB))
            return picture

    batches: Any = DataLoader(
        Pictures(),  # type: ignore[arg-type]
        batch_size=BATCH_SIZE,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=list if kind == "whole" else None,
    )
    next(iter(batches))
    with tempfile.TemporaryFile() as file:
        began = time.perf_counter()
        for batch in batches:
            if write:
                for pictures in [picture.permute(1, 2, 0) for picture in batch] if kind == "whole" else [batch]:
                    file.write(pictures.contiguous().numpy().data)
        if write:
            file.flush()
            os.fsync(file.fileno())
        return round(len(files) / (time.perf_counter() - began), 1)


SIDES: dict[str, Callable[[list[Path]], float]] = {
    "hubel": hubel_side,
    "torchvision, Pillow": partial(torchvision_side, kind="pillow", write=False),
    "torchvision, training": partial(torchvision_side, kind="training", write=False),
    "torchvision, training, uint8": partial(torchvision_side, kind="uint8", write=False),
    "torchvision, shrink": partial(torchvision_side, kind="shrink", write=False),
    "torchvision, shrink, write": partial(torchvision_side, kind="shrink", write=True),
    "torchvision, whole, write": partial(torchvision_side, kind="whole", write=True),
}


if __name__ == "__main__":
    sys.exit(main())
