"""Augmentation: what it costs, what it costs with boxes and masks, and how it scales with processes; images per second.

`cost`: the presets light, standard and strong from decoded pictures in memory, by one thread, alone and with a mask and
with boxes. `boxes` and `masks`: batches of 32 at 224 × 224, normalised, of a Pascal VOC data set and of images with
masks: torchvision's `transforms.v2` with a `DataLoader` of 2 workers, which decodes its files in every epoch, against
hubel's presets from pictures decoded once. `workers`: hubel's loader with `strong`, by 0 to N processes, from decoded
pictures and from the files. Sides alternate; each round measures all of them.

    python benchmarks/augmentation.py {cost,boxes,masks,workers} [--data FOLDER] [--rounds N] [--images N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
BATCH_SIZE, SIZE, PEER_WORKERS = 32, 224, 2
PRESETS = ("light", "standard", "strong")
Rates = dict[str, Callable[[], float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--data", type=Path, help="where the data set is")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--images", type=int, default=3072, help="how many images each measurement takes")
    arguments = parser.parse_args()
    folder = (arguments.data or SHARED / FOLDERS[arguments.mode]).resolve()
    if not folder.is_dir():
        print(f"{folder} does not exist: say where the data is with --data FOLDER", file=sys.stderr)
        return 2
    from hubel import runtime

    runtime.start()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HUBEL_CACHE"] = cache
        sides = MODES[arguments.mode](folder, arguments.images)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(arguments.rounds):
            for name, side in sides.items():
                rates[name].append(side())
                print(f"round {number + 1}: {name:<40} {rates[name][-1]:8.0f} images/s", flush=True)
    first, *_ = sides
    print(f"\nmedians of {arguments.rounds} rounds, images per second, {os.cpu_count()} cores")
    for name in sides:
        median = statistics.median(rates[name])
        print(f"{name:<40} {median:8.0f}   {median / statistics.median(rates[first]):6.2f} of {first}")
    return 0


def cost(folder: Path, images: int) -> Rates:
    """Augmentation by itself."""
    import torch

    from hubel.data.augmentation import Augment

    pictures, boxes, masks = decoded(sorted(folder.rglob("*.jpg"))[:256])
    torch.set_num_threads(1)
    sides: Rates = {}
    for task, more in (("classification", {}), ("segmentation", {"masks": masks}), ("detection", {"boxes": boxes})):
        for preset in PRESETS:
            augment = Augment.preset(preset, task)
            sides[" with ".join([preset, *more])] = timed(lambda a=augment, m=more: varied(a, pictures, m), images)
    return sides


def decoded(files: list[Path]) -> tuple[list[Any], list[Any], list[Any]]:
    """Pictures as a store has them for inputs of 224 pixels, each with five boxes and a mask of its dark pixels."""
    from hubel.data.decoded.pixels import Decoding
    from hubel.preprocessing import Preprocess

    preprocess = Preprocess(size=(SIZE, SIZE))
    pictures = [Decoding(preprocess, "training").picture(file) for file in files]
    generator = np.random.default_rng(0)
    boxes = []
    for _ in pictures:
        corners = generator.uniform(0, 150, (5, 2))
        boxes.append(np.concatenate([corners, corners + generator.uniform(10, 100, (5, 2))], axis=1))
    return pictures, boxes, [(picture[:, :, 0] < 128).astype(np.uint8) for picture in pictures]


def varied(augment: Any, pictures: list[Any], more: dict[str, list[Any]]) -> Iterator[npt.NDArray[np.uint8]]:
    """Batches without end, of pictures in memory with what belongs to them."""
    epoch = 0
    while True:
        for start in range(0, len(pictures) - BATCH_SIZE + 1, BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            draws = augment.draws(0, epoch, np.arange(start, start + BATCH_SIZE))
            with_them = {name: values[part] for name, values in more.items()}
            yield augment.together(pictures[part], draws, (SIZE, SIZE), **with_them).pictures
        epoch += 1


def boxes(folder: Path, images: int) -> Rates:
    """Pictures with boxes, from Pascal VOC's folders."""
    found = []
    for file in sorted((folder / "Annotations").glob("*.xml")):
        picture = folder / "JPEGImages" / f"{file.stem}.jpg"
        objects = ElementTree.parse(file).getroot().iter("bndbox")
        corners = [[float(box.findtext(name, "0")) for name in ("xmin", "ymin", "xmax", "ymax")] for box in objects]
        if picture.is_file() and corners:
            found.append((picture, np.array(corners)))
    return against_torchvision([picture for picture, _ in found], images, "detection", boxes=[b for _, b in found])


def masks(folder: Path, images: int) -> Rates:
    """Pictures with masks, from folders images/ and masks/."""
    from PIL import Image

    files = sorted((folder / "images").iterdir())
    of_files = [np.asarray(Image.open(folder / "masks" / file.name).convert("L")) // 255 for file in files]
    return against_torchvision(files, images, "segmentation", masks=of_files)


def against_torchvision(files: list[Path], images: int, task: str, **known: list[Any]) -> Rates:
    """The loader of torchvision, then hubel's presets; the pictures come as often as it takes."""
    from hubel.data.augmentation import Augment
    from hubel.preprocessing import Preprocess

    preprocess = Preprocess(size=(SIZE, SIZE))
    (kind, values), *_ = known.items()
    pictures, scaled = shrunken(files, kind, values)
    loader = peer_loader(files, kind, values)
    sides: Rates = {"torchvision": timed(lambda: endless(loader), images)}

    def normalised(augment: Augment) -> Iterator[torch.Tensor]:
        import torch

        for batch in varied(augment, pictures, {kind: scaled}):
            yield preprocess.normalise(torch.from_numpy(batch))

    enough = -(-BATCH_SIZE // len(pictures))
    pictures, scaled = pictures * enough, scaled * enough
    for preset in PRESETS:
        augment = Augment.preset(preset, task)
        sides[f"hubel, {preset}"] = timed(lambda a=augment: normalised(a), images)
    return sides


def shrunken(files: list[Path], kind: str, values: list[Any]) -> tuple[list[Any], list[Any]]:
    """Pictures and what belongs to them with a shorter side of 256 pixels, as a store would have them."""
    from PIL import Image

    pictures, scaled = [], []
    for file, value in zip(files, values, strict=True):
        image = Image.open(file).convert("RGB")
        ratio = 256 / min(image.size)
        size = round(image.width * ratio), round(image.height * ratio)
        pictures.append(np.asarray(image.resize(size, Image.Resampling.BILINEAR)))
        resized = value * ratio
        if kind == "masks":
            resized = np.asarray(Image.fromarray(value).resize(size, Image.Resampling.NEAREST))
        scaled.append(resized)
    return pictures, scaled


def peer_loader(files: list[Path], kind: str, values: list[Any]) -> Any:
    """What torchvision users do: decode, resized crop, mirror, normalise; boxes and masks as its `tv_tensors`."""
    import torch
    from torch.utils.data import DataLoader, Dataset
    from torchvision import tv_tensors
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2

    class Pictures(Dataset[Any]):
        def __init__(self) -> None:
            steps: list[Any] = [v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip()]
            steps += [v2.ToDtype(torch.float32, scale=True)]
            steps += [v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
            self.transform = v2.Compose([*steps, v2.ClampBoundingBoxes()] if kind == "boxes" else steps)

        def __len__(self) -> int:
            return max(len(files), BATCH_SIZE)

        def __getitem__(self, index: int) -> Any:
            at = index % len(files)
            picture = tv_tensors.Image(decode_image(str(files[at]), ImageReadMode.RGB))
            value: Any = tv_tensors.Mask(torch.from_numpy(values[at].copy()))
            if kind == "boxes":
                size = (picture.shape[-2], picture.shape[-1])
                value = tv_tensors.BoundingBoxes(values[at], format="XYXY", canvas_size=size)
            return self.transform(picture, value)

    return DataLoader(
        Pictures(),
        batch_size=BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=PEER_WORKERS,
        persistent_workers=True,
        collate_fn=stacked,
    )


def stacked(pairs: list[Any]) -> Any:
    import torch

    return torch.stack([picture for picture, _ in pairs]), [value for _, value in pairs]


def endless(loader: Any) -> Iterator[torch.Tensor]:
    while True:
        for images, _ in loader:
            yield images


def workers(folder: Path, images: int) -> Rates:
    """The loader by 0 to N processes."""
    from hubel.data.augmentation import Augment
    from hubel.data.collecting import labelled_splits
    from hubel.data.decoded.store import prepare_store
    from hubel.data.layouts.finding import find_source
    from hubel.data.loading.loader import Loader
    from hubel.preprocessing import Preprocess

    preprocess = Preprocess(size=(SIZE, SIZE))
    source = find_source(folder)
    of_split, _ = labelled_splits(source, source.classes)
    samples = (of_split.get("train") or of_split[None])[:images]
    sides: Rates = {}
    for name, room in (("decoded once", 20 * 10**9), ("from files", 0)):
        store = prepare_store(
            samples, preprocess, classes=source.classes, purpose="training", cache_bytes=room, max_unreadable=0.5
        )
        for count in sorted({0, 1, 2, os.cpu_count() or 1}):
            loader = Loader(
                store,
                batch_size=BATCH_SIZE,
                preprocess=preprocess,
                augment=Augment.preset("strong"),
                shuffle=True,
                workers=count,
            )
            sides[f"{name}, {count} processes"] = timed(lambda one=loader: epochs(one), images)
    return sides


def epochs(loader: Any) -> Iterator[torch.Tensor]:
    number = 0
    while True:
        for batch in loader.epoch(number):
            yield batch.images
        number += 1


def timed(batches: Callable[[], Iterator[Any]], images: int) -> Callable[[], float]:
    """A measurement of images per second, after a first batch (workers start, memory is mapped)."""

    def measure() -> float:
        coming = batches()
        next(coming)
        began, done = time.perf_counter(), 0
        while done < images:
            done += len(next(coming))
        rate = done / (time.perf_counter() - began)
        del coming
        return rate

    return measure


MODES: dict[str, Callable[[Path, int], Rates]] = {"cost": cost, "boxes": boxes, "masks": masks, "workers": workers}
FOLDERS = {"cost": "clothing", "boxes": "bccd", "masks": "membrane", "workers": "clothing"}


if __name__ == "__main__":
    sys.exit(main())
