"""Pictures decoded once: every one is read before training begins, and kept, resized, in one file per split.

The file lies in the cache folder under a key of the pictures' digests and the preprocessing, so it is never stale.
Where it does not fit, or cannot be written, pictures are decoded whenever they are needed; they are still all tried
once, so that unreadable ones are found before training and not in the middle of it. Only training pictures in tar
shards that are too many for the cache are not tried: to read them all would take as long as an epoch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from hubel.data.containers.shards import in_shards
from hubel.data.decoded.filling import Filler, Progress
from hubel.data.decoded.pixels import Decoding, Pixels, Purpose
from hubel.data.decoded.store_file import Index, path_of, read_index
from hubel.data.files.cache import MappedBytes
from hubel.data.labels import Labelling, ObjectsLabel, classes_of, label_array
from hubel.data.sources import Sample
from hubel.data.targets import Objects, objects_in
from hubel.errors import DataError
from hubel.files import cache_folder
from hubel.preprocessing import Preprocess
from hubel.results.naming import some
from hubel.runtime import one_torch_thread

_EXAMPLES = 3
_LARGEST_IN_BLOCK = 2**14  # bytes; larger pictures gain nothing from array operations over a batch


@dataclass(frozen=True)
class Unreadable:
    """A picture that cannot be decoded, with the reason; as text, `cats/1.jpg: it is truncated`."""

    sample: Sample
    reason: str

    def __str__(self) -> str:
        return f"{self.sample.name}: {self.reason}"


@dataclass(frozen=True)
class Block:
    """Pictures of one shape as an array.

    Attributes:
        pixels: uint8 of shape (N, H, W, channels), in the order in which they lie in the file.
        rows: int64 of shape (N,): which of them is at each position of the store.
    """

    pixels: Pixels
    rows: npt.NDArray[np.int64]

    def __getitem__(self, positions: npt.NDArray[np.int64]) -> Pixels:
        """The pictures at some positions: uint8 of shape (P, H, W, channels)."""
        return self.pixels[self.rows[positions]]


class PictureStore:
    """The readable pictures of a split, as uint8 arrays; `Decoding` says what becomes of each.

    Attributes:
        samples: The readable pictures, in the order they came.
        labels: As `hubel.data.labels.label_array` makes them.
        labelling: Which kind they are.
        unreadable: The pictures that were left out.
        channels: 3 or 1.
        cached: Whether the pictures lie decoded in a file; otherwise, each is decoded when it is asked for.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocess: Preprocess,
        purpose: Purpose,
        unreadable: Mapping[int, str],
        *,
        num_classes: int,
        labelling: Labelling = "class",
        path: Path | None = None,
        index: Index | None = None,
    ) -> None:
        self.samples = tuple(sample for at, sample in enumerate(samples) if at not in unreadable)
        self.labels = label_array([sample.label for sample in self.samples], labelling, num_classes)
        self.labelling = labelling
        self.unreadable = tuple(Unreadable(samples[at], why) for at, why in sorted(unreadable.items()))
        self.channels = preprocess.channels
        self._decoding = Decoding(preprocess, purpose, labelling == "mask")
        self._path = path
        self._mapped = _map(path)
        self.cached = self._mapped is not None
        if index is not None:
            readable = index.shapes[:, 0] > 0
            self._shapes, self._starts = index.shapes[readable], index.starts[readable]

    def __len__(self) -> int:
        return len(self.samples)

    def array(self, position: int) -> Pixels:
        """A picture: uint8 of shape (H, W, channels), read-only where it is cached.

        Raises:
            UnreadableImage: The file has changed since it was tried.
        """
        pixels = self._cached(position)
        if pixels is None:
            return self._decoding.picture(self.samples[position])
        return pixels

    def mask(self, position: int) -> Pixels:
        """A picture's mask: uint8 of shape (H, W), as large as its array.

        Raises:
            UnreadableImage: A file has changed since it was tried.
        """
        return self.with_mask(position)[1]

    def with_mask(self, position: int) -> tuple[Pixels, Pixels]:
        """`array` and `mask` at once."""
        picture = self._cached(position)
        mask = None if picture is None else self._cached(position, mask=True)
        if picture is None or mask is None:
            return self._decoding.with_mask(self.samples[position])
        return picture, mask[:, :, 0]

    def objects(self, position: int) -> Objects:
        """A picture's objects, in the pixels of its array; those that do not count are left out."""
        label = self._objects_label(position)
        preprocess, whole = self._decoding.preprocess, self._decoding.whole
        return objects_in(
            label, preprocess.placement(label.size, whole=whole), preprocess.input_size(label.size, whole=whole)
        )

    def content(self, position: int) -> tuple[int, int, int, int]:
        """Top, left, rows and columns of the part of an array that shows the picture, not its frame."""
        height, width = self._objects_label(position).size
        placement = self._decoding.preprocess.placement((height, width), whole=self._decoding.whole)
        rows, columns = round(placement.scale_y * height), round(placement.scale_x * width)
        return int(placement.top), int(placement.left), rows, columns

    def _objects_label(self, position: int) -> ObjectsLabel:
        label = self.labels[position]
        if not isinstance(label, ObjectsLabel):
            raise TypeError(f"{self.samples[position].location} has the label {label!r}: expected objects")
        return label

    def _cached(self, position: int, *, mask: bool = False) -> Pixels | None:
        """A picture, or its mask behind it, from the file; None where that does not give it (any more)."""
        if self._mapped is None:
            return None
        height, width = (int(side) for side in self._shapes[position])
        start, planes = int(self._starts[position]), self.channels
        if mask:
            start, planes = start + height * width * planes, 1
        pixels = self._mapped.read(start, height * width * planes)  # None: somebody has cut it off, or its disk fails
        return None if pixels is None else pixels.reshape(height, width, planes)

    def without(self, lost: Mapping[int, str]) -> PictureStore:
        """The store less the pictures at some positions, which count as unreadable, for reasons, from now on."""
        kept = [position for position in range(len(self)) if position not in lost]
        rest = copy.copy(self)
        rest.samples, rest.labels = tuple(self.samples[position] for position in kept), self.labels[kept]
        gone = (Unreadable(self.samples[position], reason) for position, reason in sorted(lost.items()))
        rest.unreadable = (*self.unreadable, *gone)
        rest._path = rest._mapped = None  # the file's pixels are those of all
        rest.cached = False
        return rest

    def block(self) -> Block | None:
        """All pictures as one array, uncopied; None if not cached, large or of several shapes."""
        if (
            self._mapped is None
            or len(self) == 0
            or self.labelling == "mask"
            or (self._shapes != self._shapes[0]).any()
        ):
            return None
        height, width = (int(side) for side in self._shapes[0])
        size = height * width * self.channels
        if size > _LARGEST_IN_BLOCK:
            return None
        pixels = self._mapped.array[: len(self) * size].reshape(len(self), height, width, self.channels)
        return Block(pixels, self._starts // size)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mapped = _map(self._path)


def prepare_store(
    samples: Sequence[Sample],
    preprocess: Preprocess,
    *,
    classes: Sequence[str],
    labelling: Labelling = "class",
    purpose: Purpose,
    cache_bytes: int,
    max_unreadable: float = 0.01,
    progress: Progress | None = None,
) -> PictureStore:
    """Decode all pictures, or find them decoded, and leave out those that cannot be read.

    Args:
        samples: The pictures of a split.
        preprocess: How they are brought to size; its mean and standard deviation do not matter here.
        classes: The classes' names.
        labelling: What the pictures' labels are.
        purpose: `"training"`: resized, not cropped; `"evaluation"`: resized and cropped.
        cache_bytes: How much disk all decoded pictures may take; older ones make room. 0: nothing is kept.
        max_unreadable: Greatest share of pictures that may be unreadable.
        progress: Called with how many pictures are done and how many there are.

    Raises:
        DataError: Too many pictures are unreadable, or all of a class.
    """
    if purpose not in get_args(Purpose):
        raise ValueError(f"purpose is {purpose!r}: expected one of {get_args(Purpose)}")
    folder = cache_folder() / "pictures"
    decoding = Decoding(preprocess, purpose, labelling == "mask")
    path = path_of(folder, decoding.key(samples))
    needed = decoding.estimate(samples) if samples else 0
    filler = Filler(samples, decoding, needed, progress)
    streamed = purpose == "training" and in_shards(samples) and needed > cache_bytes
    index, unreadable = None, dict[int, str]()
    if not streamed:
        with one_torch_thread():
            if cache_bytes > 0 and samples:
                index = read_index(path) or filler.fill(path, cache_bytes)
            unreadable = filler.reasons() if index is None else dict(index.unreadable)
    store = PictureStore(
        samples,
        preprocess,
        purpose,
        unreadable,
        num_classes=len(classes),
        labelling=labelling,
        path=path if index else None,
        index=index,
    )
    refuse_share(store.unreadable, len(samples), max_unreadable)
    _refuse_lost_class(store, classes)
    return store


def refuse_share(
    unreadable: Sequence[Unreadable], count: int, max_unreadable: float, *, option: str = "--set data.max_unreadable="
) -> None:
    """Refuse pictures of which too many are unreadable.

    Args:
        unreadable: Those that are.
        count: Of all pictures.
        max_unreadable: Greatest share of them that may be.
        option: How a user allows more.

    Raises:
        DataError: More than that are.
    """
    share = len(unreadable) / max(count, 1)
    if share > max_unreadable:
        enough = math.ceil(share * 100) / 100
        raise DataError(
            f"{len(unreadable)} of {count} images cannot be read ({share:.1%}; {max_unreadable:.1%} may): "
            f"{_some(unreadable)}; mend or remove them, or allow it with {option}{enough:g}"
        )


def _refuse_lost_class(store: PictureStore, classes: Sequence[str]) -> None:
    """Refuse a split that has lost all pictures of a class."""
    if not store.unreadable:
        return
    left = {index for sample in store.samples for index in classes_of(sample.label)}
    for item in store.unreadable:
        if lost := set(classes_of(item.sample.label)) - left:
            raise DataError(
                f"no image of class '{classes[min(lost)]}' can be read: {_some(store.unreadable)}; "
                "mend them or remove the class"
            )


def _some(unreadable: Sequence[Unreadable]) -> str:
    """A few unreadable pictures with their reasons."""
    return some([f"{item.sample.name} ({item.reason})" for item in unreadable], _EXAMPLES)


def _map(path: Path | None) -> MappedBytes | None:
    """The pixels in a file; None if there is none (any more), and pictures are decoded instead."""
    try:
        return MappedBytes(path) if path is not None else None
    except OSError:
        return None
