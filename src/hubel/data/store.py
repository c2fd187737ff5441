"""Pictures decoded once: every one is read before training begins, and kept, resized, in one file per split.

The file lies in the cache folder under a key of the pictures' digests and the preprocessing, so it is never stale.
Where it does not fit, or cannot be written, pictures are decoded whenever they are needed; they are still all tried
once, so that unreadable ones are found before training and not in the middle of it. Only training pictures in tar
shards that are too many for the cache are not tried: to read them all would take as long as an epoch.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import math
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from hubel.data.decoding import DECODING_VERSION, Source, UnreadableImage, load_for
from hubel.data.labels import Labelling, classes_of, label_array
from hubel.data.remembered import remember_verdicts, remembered_verdicts
from hubel.data.shards import in_shards
from hubel.data.sources import Sample
from hubel.data.store_file import DoesNotFitError, Index, MappedPixels, make_room, path_of, read_index, write_pictures
from hubel.errors import DataError
from hubel.files import cache_folder
from hubel.preprocessing import Preprocess
from hubel.runtime import available_cpus, one_torch_thread

Purpose = Literal["training", "evaluation"]
Progress = Callable[[int, int], None]

_DECODER = f"{DECODING_VERSION}/{PIL.__version__}"
_SAMPLES_PER_TASK = 8
_TASKS_AHEAD = 3  # per thread; bounds how many decoded pictures wait in memory
_HEADERS_TO_ESTIMATE = 64
_FREE_DISK_KEPT = 2**28  # bytes
_EXAMPLES = 3
_LARGEST_IN_BLOCK = 2**14  # bytes; larger pictures gain nothing from array operations over a batch


@dataclass(frozen=True)
class Unreadable:
    """A picture that cannot be decoded, with the reason."""

    sample: Sample
    reason: str


class PictureStore:
    """The readable pictures of a split, as uint8 arrays.

    For training, a picture is resized but not cropped; for evaluation, it is exactly what `read_array` gives.

    Attributes:
        samples: The readable pictures, in the order they came.
        labels: One class each: int64 of shape (N,); several: float32 (N, C), 0 or 1; a number: float32 (N,).
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
        self.unreadable = tuple(Unreadable(samples[at], why) for at, why in sorted(unreadable.items()))
        self.channels = preprocess.channels
        self._decode = partial(decode_picture, preprocess=preprocess, purpose=purpose)
        self._path = path
        self._mapped = _map(path)
        self.cached = self._mapped is not None
        if index is not None:
            readable = index.shapes[:, 0] > 0
            self._shapes, self._starts = index.shapes[readable], index.offsets()[:-1][readable]

    def __len__(self) -> int:
        return len(self.samples)

    def array(self, position: int) -> npt.NDArray[np.uint8]:
        """A picture: uint8 of shape (H, W, channels), read-only where it is cached.

        Raises:
            UnreadableImage: The file has changed since it was tried.
        """
        if self._mapped is None:
            return self._decode(self.samples[position])
        height, width = (int(side) for side in self._shapes[position])
        pixels = self._mapped.read(int(self._starts[position]), height * width * self.channels)
        if pixels is None:  # somebody has cut the file off, or its disk fails
            return self._decode(self.samples[position])
        return pixels.reshape(height, width, self.channels)

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

    def block(self) -> npt.NDArray[np.uint8] | None:
        """All pictures as one array (N, H, W, channels) uncopied; None if not cached, large or of several shapes."""
        if self._mapped is None or len(self) == 0 or (self._shapes != self._shapes[0]).any():
            return None
        height, width = (int(side) for side in self._shapes[0])
        if height * width * self.channels > _LARGEST_IN_BLOCK:
            return None
        pixels = self._mapped.pixels[: len(self) * height * width * self.channels]
        return pixels.reshape(len(self), height, width, self.channels)

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
    path = path_of(folder, _key(samples, preprocess, purpose))
    filler = _Filler(samples, partial(decode_picture, preprocess=preprocess, purpose=purpose), progress)
    needed = _estimate(samples, preprocess, purpose) if samples else 0
    streamed = purpose == "training" and in_shards(samples) and needed > cache_bytes
    index, unreadable = None, dict[int, str]()
    if not streamed:
        with one_torch_thread():
            if cache_bytes > 0 and samples:
                index = read_index(path) or filler.fill(path, needed, preprocess, cache_bytes)
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


def decode_picture(source: Source, preprocess: Preprocess, purpose: Purpose) -> npt.NDArray[np.uint8]:
    """Decode a picture as a store keeps it.

    Returns:
        uint8 of shape (H, W, channels).

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    image = load_for(source, preprocess)
    if purpose == "evaluation":
        return preprocess.to_array(image)
    return _resized(image, preprocess)


def _resized(image: Image.Image, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """A picture by the resize rule, uint8 (H, W, C): Pillow's filters, or torch's where those do the same.

    Torch's implementation of Pillow's algorithm differs by 1 of 255 in few places, in a quarter of the time.
    """
    height, width = preprocess.resized_size(image)
    vectorised = preprocess.antialias and preprocess.interpolation in ("bilinear", "bicubic")
    if not vectorised or preprocess.channels == 1 or (width, height) == image.size:
        return np.asarray(preprocess.resized(image), dtype=np.uint8).reshape(height, width, preprocess.channels)
    import torch
    from torch.nn import functional as F

    # Torch, not numpy, adds the axis: numpy gives it the stride 0, which torch does not take for channels_last, and
    # channels_last is twice as fast.
    pixels = torch.from_numpy(np.array(image))[None].permute(0, 3, 1, 2)
    resized = F.interpolate(pixels, (height, width), mode=preprocess.interpolation, antialias=True)
    array: npt.NDArray[np.uint8] = resized[0].permute(1, 2, 0).contiguous().numpy()
    return array


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
    left = {index for sample in store.samples for index in classes_of(sample.label)}
    for item in store.unreadable:
        if lost := set(classes_of(item.sample.label)) - left:
            raise DataError(
                f"no image of class '{classes[min(lost)]}' can be read: {_some(store.unreadable)}; "
                "mend them or remove the class"
            )


def _some(unreadable: Sequence[Unreadable]) -> str:
    """A few unreadable pictures with their reasons."""
    examples = ", ".join(f"{item.sample.name} ({item.reason})" for item in unreadable[:_EXAMPLES])
    return examples + (", ..." if len(unreadable) > _EXAMPLES else "")


class _Filler:
    """Tries pictures in parallel, once each, and remembers which are unreadable."""

    def __init__(
        self, samples: Sequence[Sample], decode: Callable[[Sample], npt.NDArray[np.uint8]], progress: Progress | None
    ) -> None:
        self.samples, self.decode = samples, decode
        self.progress = progress or (lambda done, total: None)
        self.tried: dict[str, str] = {}  # reasons by digest, empty for readable pictures

    def fill(self, path: Path, needed: int, preprocess: Preprocess, limit: int) -> Index | None:
        """Write the pictures to a file; None if they do not fit or it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(path.parent).free - _FREE_DISK_KEPT
            room = min(make_room(path.parent, needed, limit), free)
            if needed > room:
                return None
            return write_pictures(path, self._pictures(self.samples), preprocess.channels, most_bytes=room)
        except (OSError, DoesNotFitError):
            return None

    def reasons(self) -> dict[int, str]:
        """Why pictures are unreadable, by position; only those that were never tried are decoded."""
        known = remembered_verdicts([sample.digest for sample in self.samples], _DECODER) | self.tried
        new = {sample.digest: sample for sample in self.samples if sample.digest not in known}
        for _ in self._pictures(list(new.values())):
            pass
        remember_verdicts(self.tried, _DECODER)
        known |= self.tried
        return {at: known[sample.digest] for at, sample in enumerate(self.samples) if known[sample.digest]}

    def _pictures(self, samples: Sequence[Sample]) -> Iterator[npt.NDArray[np.uint8] | str]:
        """Each picture decoded, or the reason why it is not, in order; a bounded number of them waits in memory."""
        tasks = [samples[start : start + _SAMPLES_PER_TASK] for start in range(0, len(samples), _SAMPLES_PER_TASK)]
        threads = available_cpus() + 1  # one may wait for the disk
        done = 0
        pool = ThreadPoolExecutor(threads)
        try:
            ahead: deque[Future[list[npt.NDArray[np.uint8] | str]]] = deque()
            coming = iter(tasks)
            while True:
                while len(ahead) < threads * _TASKS_AHEAD and (task := next(coming, None)) is not None:
                    ahead.append(pool.submit(self._try_all, task))
                if not ahead:
                    break
                for picture in ahead.popleft().result():
                    self.tried[samples[done].digest] = picture if isinstance(picture, str) else ""
                    done += 1
                    yield picture
                self.progress(done, len(samples))
        finally:
            pool.shutdown(cancel_futures=True)

    def _try_all(self, samples: Sequence[Sample]) -> list[npt.NDArray[np.uint8] | str]:
        return [self._try(sample) for sample in samples]

    def _try(self, sample: Sample) -> npt.NDArray[np.uint8] | str:
        try:
            return self.decode(sample)
        except UnreadableImage as error:
            return error.reason


def _map(path: Path | None) -> MappedPixels | None:
    """The pixels in a file; None if there is none (any more), and pictures are decoded instead."""
    try:
        return MappedPixels(path) if path is not None else None
    except OSError:
        return None


def _key(samples: Sequence[Sample], preprocess: Preprocess, purpose: Purpose) -> str:
    """All that the pixels depend on, as 32 hexadecimal digits."""
    fields = preprocess.to_dict()
    for statistic in ("mean", "std"):
        del fields[statistic]
    if purpose == "training" and preprocess.resize == "shorter_side":
        del fields["size"]
    if preprocess.resize == "stretch":
        del fields["resize_to"]
    state = hashlib.blake2b(json.dumps([_DECODER, purpose, fields], sort_keys=True).encode(), digest_size=16)
    for sample in samples:
        state.update(sample.digest.encode())
    return state.hexdigest()


def _estimate(samples: Sequence[Sample], preprocess: Preprocess, purpose: Purpose) -> int:
    """About how many bytes the decoded pictures take; for training, from the aspect ratios of some."""
    height, width = preprocess.size
    if purpose == "evaluation" or preprocess.resize == "stretch":
        return len(samples) * height * width * preprocess.channels
    step = -(-len(samples) // _HEADERS_TO_ESTIMATE)
    ratios = [ratio for sample in samples[::step] if (ratio := _aspect_ratio(sample)) is not None]
    mean = sum(ratios) / len(ratios) if ratios else 1.0
    return int(len(samples) * preprocess.resize_to**2 * mean * preprocess.channels)


def _aspect_ratio(sample: Sample) -> float | None:
    """The longer side divided by the shorter one, from the file's header; None if it cannot be read."""
    try:
        with Image.open(sample.path or io.BytesIO(sample.read())) as image:
            return max(image.size) / min(image.size)
    except Exception:  # what is damaged is found when it is decoded
        return None
