"""A phase whose frozen layers run once for every picture instead of in every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import nn

from hubel import runtime
from hubel.config import Phase, TransferConfig
from hubel.data.loading.loader import Loader
from hubel.models.network import ClassificationNetwork
from hubel.preprocessing import Preprocess
from hubel.tasks.task import AnyTask, LabelTask
from hubel.training.progress import Reporter
from hubel.transfer.cached_features import CachedFeatures, FeatureSettings, feature_bytes, feature_shape
from hubel.transfer.freezing import FrozenStages
from hubel.transfer.frozen_prefix import cut, parts_of


@dataclass(frozen=True)
class ComputedOnce:
    """What takes the network's and the pictures' place in a phase.

    Attributes:
        trained: The stages that train.
        train: The training pictures' features.
        validation: The validation pictures' features; None where there are none.
    """

    trained: tuple[str, ...]
    train: CachedFeatures
    validation: CachedFeatures | None

    def logits(self, network: nn.Module, features: torch.Tensor) -> torch.Tensor:
        """Logits (N, num_classes) of features (N, ...) on the network's device: its layers that train run."""
        if features.ndim == 4:
            features = features.contiguous(memory_format=runtime.memory_format(features.device))
        assert isinstance(network, ClassificationNetwork)
        _, rest = parts_of(network, self.trained)
        return cast(torch.Tensor, rest(features))

    def loss(
        self, network: nn.Module, task: AnyTask, features: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A step's mean loss, and the sum of what is scored."""
        assert isinstance(task, LabelTask)
        logits = self.logits(network, features)
        return task.loss(logits, labels), task.score(logits.detach(), labels)

    @torch.inference_mode()
    def validation_logits(self, network: nn.Module, settings: FeatureSettings) -> torch.Tensor:
        """Float32 logits (N, num_classes) of the validation pictures, on the CPU."""
        assert self.validation is not None
        network.eval()
        rows = []
        for batch in self.validation.epoch(0):
            features = runtime.to_device(batch.images, settings.device)
            with torch.autocast(settings.device.type, torch.bfloat16, enabled=settings.bfloat16):
                rows.append(self.logits(network, features).float())
        return torch.cat(rows).cpu()


def pays(phase: Phase, frozen: FrozenStages, transfer: TransferConfig, *, mixing: bool) -> bool:
    """Whether to run frozen layers once is less work than to run them in every epoch, and gives what is wanted.

    Args:
        phase: The phase.
        frozen: What it freezes.
        transfer: How many views of each picture there would be.
        mixing: Whether pictures are mixed with each other anew in every step.
    """
    something = bool(frozen.frozen) and not frozen.trained_aux
    return something and not mixing and 0 < transfer.views < phase.epochs


def compute_once(
    network: ClassificationNetwork,
    trained: Sequence[str],
    loaders: tuple[Loader, Loader | None],
    preprocess: Preprocess,
    settings: FeatureSettings,
    transfer: TransferConfig,
    reporter: Reporter,
) -> ComputedOnce | None:
    """Run the frozen layers over the pictures of the splits.

    Args:
        network: The network, on its device.
        trained: Its stages that train.
        loaders: Of the training and, if there are any, the validation pictures.
        preprocess: From uint8 pictures to the network's input.
        settings: How the layers run.
        transfer: How many views, and how much room they may take.
        reporter: Hears what happens.

    Returns:
        None where nothing is frozen, or the features would take too much room or cannot be kept.
    """
    parts = cut(network, trained, (preprocess.channels, *preprocess.size), fold=transfer.fold)
    if parts is None:
        return None
    prefix = parts.prefix.to(memory_format=runtime.memory_format(settings.device))
    train, validation = loaders
    shape = feature_shape(prefix, preprocess, settings.device)
    pictures = transfer.views * len(train.store) + (0 if validation is None else len(validation.store))
    needed = feature_bytes(shape, pictures, settings.dtype)
    values = "×".join(map(str, shape))
    if needed > transfer.cache_bytes:
        reporter.message(
            f"frozen layers run in every step: their outputs, {values} a picture, would take {needed / 1e9:.1f} GB, "
            f"transfer.cache_gb is {transfer.cache_gb:g}"
        )
        return None
    views = "as it is evaluated" if transfer.views == 1 else f"in {transfer.views} views"
    reporter.message(
        f"frozen layers run once: {len(train.store):,} training pictures {views}, {values} values each, "
        f"{needed / 1e6:,.0f} MB in all"
    )
    compute = partial(CachedFeatures, prefix, preprocess=preprocess, settings=settings)
    hear = partial(reporter.preparing, "frozen layers")
    try:
        return ComputedOnce(
            tuple(trained),
            compute(train, views=transfer.views, progress=hear),
            None if validation is None else compute(validation, progress=hear),
        )
    except OSError as error:
        reporter.message(f"frozen layers run in every step: their outputs cannot be kept ({error.strerror or error})")
        return None
