"""The classification sets that torchvision downloads, as `torchvision:CIFAR10`, with the splits that they come with.

They lie in the cache folder. Sets of picture files are read from these; those of arrays are kept in a pack, losslessly.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubel.data.containers.packs import Packing, packed
from hubel.data.files.listing import File
from hubel.data.layouts.hugging_face import source_of_pack
from hubel.data.sources import Entry, Source, Split, in_usual_order
from hubel.errors import DataError, unknown_name
from hubel.files import cache_folder

if TYPE_CHECKING:
    from PIL import Image

_BY_FLAG: Mapping[Split | None, Mapping[str, Any]] = {"train": {"train": True}, "test": {"train": False}}
_TWO: Mapping[Split | None, Mapping[str, Any]] = {"train": {"split": "train"}, "test": {"split": "test"}}
_THREE: Mapping[Split | None, Mapping[str, Any]] = {**_TWO, "validation": {"split": "val"}}
_WHOLE: Mapping[Split | None, Mapping[str, Any]] = {None: {}}

# How each split is asked for, of sets that are arrays in memory or are decoded by torchvision, ...
_ARRAYS: Mapping[str, Mapping[Split | None, Mapping[str, Any]]] = {
    "CIFAR10": _BY_FLAG,
    "CIFAR100": _BY_FLAG,
    "Caltech101": _WHOLE,
    "Caltech256": _WHOLE,
    "EMNIST": {split: {"split": "balanced", **flag} for split, flag in _BY_FLAG.items()},
    "FER2013": {None: {"split": "train"}},  # its test pictures have no labels
    "FashionMNIST": _BY_FLAG,
    "KMNIST": _BY_FLAG,
    "MNIST": _BY_FLAG,
    "PCAM": _THREE,
    "QMNIST": _BY_FLAG,
    "SEMEION": _WHOLE,
    "STL10": _TWO,
    "SVHN": _TWO,
    "USPS": _BY_FLAG,
}
# ... and of sets of picture files.
_FILES: Mapping[str, Mapping[Split | None, Mapping[str, Any]]] = {
    "Country211": {**_TWO, "validation": {"split": "valid"}},
    "DTD": _THREE,
    "EuroSAT": _WHOLE,
    "FGVCAircraft": _THREE,
    "Flowers102": _THREE,
    "Food101": _TWO,
    "GTSRB": _TWO,
    "Imagenette": {"train": {"split": "train"}, "validation": {"split": "val"}},
    "OxfordIIITPet": {"train": {"split": "trainval"}, "test": {"split": "test"}},
    "RenderedSST2": _THREE,
    "StanfordCars": _TWO,
    "SUN397": _WHOLE,
}

_NEEDED = 2**30  # bytes; nobody knows before
_LARGEST_UNCOMPRESSED = 2**16  # pixels; larger pictures are kept as PNG
_DIGIT_WITH_WORD = re.compile(r"(\d) - \w+")


def find_torchvision_set(name: str, tell: Callable[[str], None] = lambda text: None) -> Source:
    """List the pictures of one of torchvision's data sets, downloaded if they are not there yet.

    Args:
        name: Of its class in `torchvision.datasets`, in any letter case.
        tell: Hears of what takes a while.

    Raises:
        ConfigError: There is no such data set.
        DataError: It cannot be downloaded or read.
    """
    known = {each.lower(): each for each in (*_ARRAYS, *_FILES)}
    if name.lower() not in known:
        raise unknown_name("data set of torchvision", name, known.values())
    name = known[name.lower()]
    root = cache_folder() / "torchvision" / name
    if name in _FILES:
        return _source_of_files(name, root, tell)

    def fill(packing: Packing) -> None:
        told: dict[str, Any] = {"names": [], "labels": [], "splits": [], "notes": [], "labelling": "class"}
        for split, arguments in _ARRAYS[name].items():
            dataset = _open(name, root, arguments, tell)
            classes = _class_names(dataset)
            for number in range(len(dataset)):
                image, label = dataset[number]
                content, extension = _lossless(image)
                told["names"].append(f"{split or 'data'}/{number:06}{extension}")
                told["labels"].append(classes(int(label)))
                told["splits"].append(split)
                packing.add(told["names"][-1], content)
        packing.told = told

    return source_of_pack(root, packed(root, [], fill, needed=_NEEDED))


def _source_of_files(name: str, root: Path, tell: Callable[[str], None]) -> Source:
    splits: dict[Split | None, tuple[Entry, ...]] = {}
    for split, arguments in _FILES[name].items():
        dataset = _open(name, root, arguments, tell)
        classes = _class_names(dataset)
        splits[split] = tuple(Entry(_file(path, root), classes(label)) for path, label in _paths(dataset))
    labels = {str(entry.label) for entries in splits.values() for entry in entries}
    return Source(root, root, tuple(sorted(labels)), in_usual_order(splits))


def _open(name: str, root: Path, arguments: Mapping[str, Any], tell: Callable[[str], None]) -> Any:
    """One of torchvision's data sets, downloaded if it is not there.

    Raises:
        DataError: It cannot be downloaded.
    """
    import torchvision.datasets

    make = getattr(torchvision.datasets, name)
    parameters = inspect.signature(make).parameters
    options = {**arguments, **({"loader": str} if "loader" in parameters else {})}  # its "pictures" are their paths
    root.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            downloads = "download" in parameters or name in ("EMNIST", "QMNIST")
            with contextlib.suppress(RuntimeError, FileNotFoundError):
                return make(str(root), **options, **({"download": False} if downloads else {}))
            if downloads:
                tell(f"torchvision downloads {name} into {root}")
            return make(str(root), **options, **({"download": True} if downloads else {}))
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise DataError(
            f"torchvision:{name} is not in {root} and cannot be downloaded ({reason}): connect to the network, "
            "or put the files there that torchvision would download"
        ) from error


def _class_names(dataset: Any) -> Callable[[int], str]:
    """Gives the name of a class of a data set of torchvision: as the set has it, else its number."""
    named = getattr(dataset, "classes", None) or getattr(dataset, "categories", None) or ()
    names = [", ".join(name) if isinstance(name, (tuple, list)) else str(name) for name in named]
    if all(_DIGIT_WITH_WORD.fullmatch(name) for name in names):
        names = [name[0] for name in names]
    repeated = {name for name in names if names.count(name) > 1}
    names = [f"{name} ({number})" if name in repeated else name for number, name in enumerate(names)]
    return lambda number: names[number] if number < len(names) else str(number)


def _paths(dataset: Any) -> Iterator[tuple[Path, int]]:
    """The file and the class's number of each picture."""
    if "loader" in inspect.signature(type(dataset)).parameters:
        pairs: Any = (dataset[number] for number in range(len(dataset)))
    elif hasattr(dataset, "_samples"):
        pairs = dataset._samples
    else:
        pairs = zip(dataset._images, dataset._labels, strict=True)
    return ((Path(path), int(label)) for path, label in pairs)


def _file(path: Path, root: Path) -> File:
    status = path.stat()
    return File(path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _lossless(image: Image.Image) -> tuple[bytes, str]:
    """A picture as a file's content, quick to write and to read, with the extension of its format."""
    small = image.width * image.height <= _LARGEST_UNCOMPRESSED and image.mode in ("L", "RGB")
    file = io.BytesIO()
    image.save(file, "PPM" if small else "PNG", **({} if small else {"compress_level": 1}))
    return file.getvalue(), ".ppm" if small else ".png"
