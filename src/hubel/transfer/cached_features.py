"""What the frozen part of a network gives for every picture, computed once and kept."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hubel import runtime
from hubel.data.loading.loader import Loader
from hubel.data.targets import Batch
from hubel.files import cache_folder
from hubel.preprocessing import Preprocess

# Up to this many bytes features stay in memory; more lie in a memory-mapped file that vanishes with the process.
_BYTES_IN_MEMORY = 2 * 10**9


@dataclass(frozen=True)
class FeatureSettings:
    """How a frozen prefix is run and what it gives is kept.

    Attributes:
        device: Where it runs.
        bfloat16: Whether it runs under bfloat16 autocast.
        half: Whether the features are kept as float16 instead of float32.
    """

    device: torch.device
    bfloat16: bool = False
    half: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of the features that are kept."""
        return torch.float16 if self.half else torch.float32


def feature_shape(prefix: nn.Module, preprocess: Preprocess, device: torch.device) -> tuple[int, ...]:
    """The shape of what a prefix gives for one picture."""
    with torch.inference_mode():
        image = torch.zeros(1, *preprocess.size, preprocess.channels, dtype=torch.uint8, device=device)
        return tuple(prefix(preprocess.normalise(image)).shape[1:])


def feature_bytes(shape: Sequence[int], pictures: int, dtype: torch.dtype) -> int:
    """What the features of so many pictures take."""
    return math.prod(shape) * pictures * dtype.itemsize


class CachedFeatures:
    """Gives batches of features in the order in which a loader would give pictures.

    View 0 is the picture as it is evaluated; each further view is augmented as in an epoch of training, and the epochs
    take the views of a picture in turn.

    Args:
        prefix: The frozen layers, in evaluation mode on their device.
        loader: Of the pictures; its order, batch size and augmentation hold.
        preprocess: From uint8 pictures to the prefix's input.
        settings: How it is run and kept.
        views: How many views of each picture.
        progress: Hears how many pictures of how many are done.

    Raises:
        OSError: There is no room for what it gives.
    """

    def __init__(
        self,
        prefix: nn.Module,
        loader: Loader,
        preprocess: Preprocess,
        settings: FeatureSettings,
        *,
        views: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.store, self.batch_size, self._loader = loader.store, loader.batch_size, loader
        shape = feature_shape(prefix, preprocess, settings.device)
        self._features = _allocate((views, len(loader.store), *shape), settings.dtype)
        self._labels = torch.from_numpy(loader.store.labels)
        done, total = 0, views * len(loader.store)
        for view in range(views):
            in_order = loader.in_order(augmented=view > 0)
            for indices, features in run_prefix(prefix, in_order, preprocess, settings, epoch=view):
                self._features[view, indices] = features
                done += len(indices)
                if progress is not None:
                    progress(done, total)

    @property
    def views(self) -> int:
        """How many views of each picture there are."""
        return self._features.shape[0]

    @property
    def bytes(self) -> int:
        """What the features take."""
        return self._features.nbytes

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self._loader)

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch]:
        """The batches of an epoch; `images` are float32 features of shape (N, ...)."""
        for positions in self._loader.positions(epoch, start_batch):
            indices = torch.from_numpy(positions)
            features = self._features[(indices + epoch) % self.views, indices].float()
            yield Batch(features, self._labels[indices], indices)


@torch.inference_mode()
def run_prefix(
    prefix: nn.Module, loader: Loader, preprocess: Preprocess, settings: FeatureSettings, *, epoch: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Run frozen layers over the pictures of a loader.

    Yields:
        The pictures' positions in the store, int64 of shape (N,), and their features (N, ...), on the CPU.
    """
    for batch in loader.epoch(epoch):
        images = preprocess.normalise(runtime.to_device(batch.images, settings.device))
        with torch.autocast(settings.device.type, torch.bfloat16, enabled=settings.bfloat16):
            features = prefix(images)
        yield batch.indices, features.to("cpu", settings.dtype)


def _allocate(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An empty tensor, in memory or, where it is large, in a file that has no name and is gone with the process.

    Raises:
        OSError: The file cannot be made, or the disk has too little room.
    """
    needed = math.prod(shape) * dtype.itemsize
    if needed <= _BYTES_IN_MEMORY:
        return torch.empty(shape, dtype=dtype)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=cache_folder()) as file:
        if hasattr(os, "posix_fallocate"):  # a disk that is full when a page is written would end the process
            os.posix_fallocate(file.fileno(), 0, needed)
        kept = np.memmap(file, dtype=str(dtype).removeprefix("torch."), mode="w+", shape=shape)
    return torch.from_numpy(kept)
