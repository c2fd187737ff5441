"""A trained model in use: pictures in, typed results out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import torch
from torch import nn

from hubel import runtime
from hubel.bundle import Bundle, bundle_path, load_bundle, published_bundle
from hubel.data.decoded.store import PictureStore
from hubel.data.decoding import UnreadableImage
from hubel.data.loading.loader import Loader
from hubel.inference.ensemble import predict_each
from hubel.inference.predictions import outputs_of, place_predictions_of
from hubel.models.folding import fold_batch_norm
from hubel.preprocessing import Preprocess
from hubel.results import Result
from hubel.tasks.registry import task_of
from hubel.tasks.task import PlaceTask, Predictions
from hubel.tasks.views import Views

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from hubel.data.sources import Sample

    Picture = str | Path | bytes | Sample | Image.Image | npt.NDArray[np.uint8]


class Predictor:
    """A bundle on a device.

    Args:
        bundle: What the model says of itself.
        network: Its network, with its weights.
        device: As for `hubel.runtime.choose_device`.
        path: The bundle's file, for messages.
    """

    def __init__(self, bundle: Bundle, network: nn.Module, *, device: str = "auto", path: Path | None = None) -> None:
        self.bundle, self.path = bundle, path
        self.device = runtime.choose_device(device)
        folded = fold_batch_norm(network, (bundle.preprocess.channels, *bundle.preprocess.size))
        self.network = folded.to(self.device).to(memory_format=runtime.memory_format(self.device))
        self.task = task_of(bundle)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Predictor:
        """Load a bundle.

        Args:
            path: The file, or a run's folder.
            device: As for `hubel.runtime.choose_device`.

        Raises:
            WeightsError: The file is missing or is no bundle.
        """
        file = bundle_path(Path(path))
        bundle, network = load_bundle(file)
        return cls(bundle, network, device=device, path=file)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in the order of the outputs; none for a number."""
        return self.bundle.classes

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the network's input."""
        return self.bundle.preprocess

    @overload
    def predict(  # type: ignore[overload-overlap]
        self, images: Picture, *, tta: str | Views | None = None, average: str = "probabilities"
    ) -> Result: ...
    @overload
    def predict(
        self,
        images: Iterable[Picture],
        *,
        batch_size: int = 32,
        tta: str | Views | None = None,
        average: str = "probabilities",
    ) -> list[Result]: ...
    def predict(
        self,
        images: Picture | Iterable[Picture],
        *,
        batch_size: int = 32,
        tta: str | Views | None = None,
        average: str = "probabilities",
    ) -> Result | list[Result]:
        """Predict one picture, or several.

        Args:
            images: A path, a file's bytes, a PIL image or a uint8 array (H, W) or (H, W, C); or a list of these, or
                what else gives them one by one, such as `Path("photos").glob("*.jpg")`.
            batch_size: Inputs computed together.
            tta: Views of each picture whose outputs are averaged (test-time augmentation): `"flip"`, `"turns"`,
                `"five-crop"`, `"ten-crop"`, `"multi-scale"`, `"grid:3"`, `"144-crop"`; see `hubel.tasks.views`. Of
                boxes and masks, `"flip"`, `"turns"` and `"multi-scale"`. None: one view.
            average: What is averaged over the views: `"probabilities"` (of numbers, they themselves) or `"logits"`.

        Returns:
            A result for a single picture, a list of them for several: as the model's task has it, a
            `hubel.results.Classification`, `MultiLabel`, `Number`, ...

        Raises:
            UnreadableImage: A picture cannot be read.
            ConfigError: Unknown views or average.
        """
        one = not _are_several(images)
        several = cast("Iterable[Picture]", [images] if one else images)
        results = [result for _, result in self.predict_each(several, batch_size=batch_size, tta=tta, average=average)]
        return results[0] if one else results

    def predict_each(
        self,
        images: Iterable[Picture],
        *,
        batch_size: int = 32,
        tta: str | Views | None = None,
        average: str = "probabilities",
        on_unreadable: Callable[[Picture, UnreadableImage], None] | None = None,
    ) -> Iterator[tuple[Picture, Result]]:
        """Predict many pictures, a batch at a time; the next batch is decoded while one is computed.

        Args:
            images: As for `predict`.
            batch_size: Inputs computed together.
            tta: As for `predict`.
            average: As for `predict`.
            on_unreadable: Called for a picture that cannot be read, which is then left out; None: the error is raised.

        Yields:
            Each picture with its result, in order.
        """
        return predict_each(
            [self], images, batch_size=batch_size, tta=tta, average=average, on_unreadable=on_unreadable
        )

    def sample(self, count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
        """Pictures that a generator makes, uint8 (count, H, W, C); the same seed gives the same ones.

        More of it, such as ways from one sample to another, is in `hubel.inference.generator.Generator`.

        Raises:
            ConfigError: The model samples none.
        """
        from hubel.inference.generator import Generator

        return Generator(self.bundle, self.network, device=str(self.device), path=self.path).sample(count, seed)

    @torch.inference_mode()
    def logits(self, arrays: npt.NDArray[np.uint8]) -> torch.Tensor:
        """The network's outputs for preprocessed pictures, divided by the bundle's temperature.

        Args:
            arrays: uint8 of shape (N, H, W, C), as `Preprocess.to_array` gives them.

        Returns:
            float32 of shape (N, num_classes) on the CPU.
        """
        images = self.preprocess.normalise(torch.from_numpy(arrays).to(self.device))
        logits: torch.Tensor = self.network(images)
        return self._tempered(logits.float().cpu())

    def view_logits(self, arrays: npt.NDArray[np.uint8], *, batch_size: int = 32) -> torch.Tensor:
        """The same for several views of each picture: uint8 (N, views, H, W, C) to float32 (N, views, num_classes)."""
        count, views = arrays.shape[:2]
        inputs = arrays.reshape(count * views, *arrays.shape[2:])
        parts = [self.logits(inputs[start : start + batch_size]) for start in range(0, len(inputs), batch_size)]
        return torch.cat(parts).reshape(count, views, -1)

    def logits_of(self, loader: Loader, progress: Callable[[int, int], None] | None = None) -> torch.Tensor:
        """The same for all pictures of a loader: float32 of shape (N, num_classes)."""
        outputs = outputs_of(self.network, self.preprocess, loader, device=self.device, progress=progress)
        return self._tempered(outputs)

    def predictions_of(
        self, loader: Loader, *, views: Views | None = None, progress: Callable[[int, int], None] | None = None
    ) -> tuple[PictureStore, Predictions]:
        """What is predicted for the pictures of a loader, as the model's task has it.

        Args:
            loader: Of pictures as they are evaluated.
            views: Of a `PlaceTask`, the views of each picture; None: one.
            progress: Called with how much is done and how much there is.

        Returns:
            The store less what can no longer be read, and the predictions for its pictures.
        """
        if isinstance(self.task, PlaceTask):
            return place_predictions_of(
                self.network, self.task, self.preprocess, loader, device=self.device, views=views, progress=progress
            )
        store, logits = loader.without_lost(self.logits_of(loader, progress))
        return store, self.task.predictions(logits)

    @torch.inference_mode()
    def places(
        self,
        arrays: Sequence[npt.NDArray[np.uint8]],
        sizes: Sequence[tuple[int, int]],
        views: Views | None = None,
    ) -> list[Any]:
        """What a `PlaceTask` predicts for preprocessed pictures; see `PlaceTask.predict`.

        Args:
            arrays: uint8 (H, W, C) each, as a store for evaluation has them.
            sizes: Height and width of the upright originals.
            views: Of each picture; None: one.
        """
        assert isinstance(self.task, PlaceTask)
        return self.task.predict(self.network, self.preprocess, arrays, sizes, views)

    def _tempered(self, logits: torch.Tensor) -> torch.Tensor:
        return logits if self.bundle.temperature == 1 else logits / self.bundle.temperature

    def __repr__(self) -> str:
        return f"Predictor({self.bundle.network}, {self.task.name}, {self.path}, on {self.device})"


def _are_several(images: object) -> bool:
    """Whether something gives pictures one by one; what gives letters, bytes, lines or rows of pixels is none."""
    one = isinstance(images, (str, bytes, bytearray, memoryview, np.ndarray, torch.Tensor)) or hasattr(images, "read")
    return isinstance(images, Iterable) and not one


def load(path: str | Path, *, weights: str | Path | None = None, device: str = "auto") -> Predictor:
    """Load a trained model.

    Args:
        path: A bundle's file, or a run's folder; with `weights`, the name of a network, such as `"resnet50"`.
        weights: Published weights, which know their classes: `"imagenet"` for the best, another name, or their file.
        device: `"auto"`, `"cpu"`, `"cuda"`, `"mps"`.

    Raises:
        WeightsError: The file is missing or is no bundle; the weights cannot be had.
    """
    if weights is not None:
        return Predictor(*published_bundle(str(path), weights=weights), device=device)
    return Predictor.load(path, device=device)
