"""What a network predicts for all pictures of a loader, whatever its task: in training, at its end, in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hubel import runtime
from hubel.data.decoded.store import PictureStore
from hubel.data.decoding import UnreadableImage
from hubel.data.loading.loader import Loader
from hubel.inference.reading import read_ahead
from hubel.preprocessing import Preprocess
from hubel.tasks.task import AnyTask, PlaceTask, Predictions
from hubel.tasks.views import Views

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Progress = Callable[[int, int], None]

# Pictures that a `PlaceTask` is given at once, at most: its maps are as large as the pictures.
PLACES_TOGETHER = 8


def predictions_of(
    network: nn.Module,
    task: AnyTask,
    preprocess: Preprocess,
    loader: Loader,
    *,
    device: torch.device,
    bfloat16: bool = False,
    progress: Progress | None = None,
) -> tuple[PictureStore, Predictions]:
    """Run a network over the pictures of a loader, in its store's order and in evaluation mode.

    Args:
        network: On its device.
        task: What its outputs mean.
        preprocess: From uint8 pictures to its input.
        loader: Of pictures as they are evaluated.
        device: The network's.
        bfloat16: Whether the arithmetic runs under bfloat16 autocast.
        progress: Called with how much is done and how much there is.

    Returns:
        The store less what can no longer be read, and the predictions for its pictures, as its task has them.
    """
    if isinstance(task, PlaceTask):
        return place_predictions_of(
            network, task, preprocess, loader, device=device, bfloat16=bfloat16, progress=progress
        )
    outputs = outputs_of(network, preprocess, loader, device=device, bfloat16=bfloat16, progress=progress)
    store, outputs = loader.without_lost(outputs)
    return store, task.predictions(outputs)


@torch.inference_mode()
def outputs_of(
    network: nn.Module,
    preprocess: Preprocess,
    loader: Loader,
    *,
    device: torch.device,
    bfloat16: bool = False,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The outputs of a network for all pictures of a loader, in their order and in evaluation mode.

    Returns:
        float32 of shape (N, outputs) on the CPU; the rows of lost pictures mean nothing, see `Loader.without_lost`.
    """
    network.eval()
    rows = []
    try:
        for number, batch in enumerate(loader.epoch(0), start=1):
            images = preprocess.normalise(runtime.to_device(batch.images, device))
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                rows.append(network(images).float())
            if progress is not None:
                progress(number, len(loader))
    except BaseException:
        loader.close()
        raise
    return torch.cat(rows).cpu()


@torch.inference_mode()
def place_predictions_of(
    network: nn.Module,
    task: PlaceTask,
    preprocess: Preprocess,
    loader: Loader,
    *,
    device: torch.device,
    bfloat16: bool = False,
    views: Views | None = None,
    progress: Progress | None = None,
) -> tuple[PictureStore, list[Any]]:
    """As `predictions_of`, for a task whose answer lies in the picture, perhaps from several views of each.

    Pictures come from the store one by one, for they may have any shape.
    """
    network.eval()
    store = loader.store

    def read(position: int) -> npt.NDArray[np.uint8] | UnreadableImage:
        try:
            return store.array(position)
        except UnreadableImage as error:
            return error

    predictions, lost = list[Any](), dict[int, str]()
    for arrived in read_ahead(range(len(store)), read, min(loader.batch_size, PLACES_TOGETHER)):
        pictures, sizes = [], []
        for position, picture in arrived:
            if isinstance(picture, UnreadableImage):
                lost[position] = picture.reason
            else:
                height, width = getattr(store.samples[position].label, "size", picture.shape[:2])
                pictures.append(picture)
                sizes.append((height, width))
        if pictures:
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                predictions += task.predict(network, preprocess, pictures, sizes, views)
        if progress is not None:
            progress(arrived[-1][0] + 1, len(store))
    loader.lose(lost)
    return store.without(lost) if lost else store, predictions
