"""From a configuration to all that the loop needs: pictures, network, preprocessing; every mistake is found here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from hubel import runtime
from hubel.bundle import inspect_bundle
from hubel.config import AugmentConfig, DataConfig, TrainConfig
from hubel.data.augmentation import Augment, augment_of
from hubel.data.doctor.brief import examine_in_brief
from hubel.data.groups import Grouping
from hubel.data.labels import Labelling, label_array
from hubel.data.loading import Loader, channel_statistics, default_workers
from hubel.data.splits import DataSplits, open_division
from hubel.data.store import PictureStore, Unreadable, prepare_store, refuse_share
from hubel.errors import ConfigError, TrainingError, WeightsError
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import model_entry
from hubel.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from hubel.tasks.registry import TASK_OF, TASKS
from hubel.tasks.task import Task
from hubel.training.precision import choose_precision
from hubel.training.progress import Reporter
from hubel.training.recipes import AUTO, recipe_of
from hubel.transfer.freezing import trainable_stages
from hubel.weights import PretrainedModel, build_with_weights

# Below this side nobody crops the margin away: every pixel counts.
_SMALLEST_CROPPED_SIZE = 64

_BYTES_PER_GB = 10**9

# How many times larger the largest class is than the smallest where a run says that something can be done about it.
_NOTABLE_IMBALANCE = 3


@dataclass(frozen=True)
class Prepared:
    """What a run is made of.

    Attributes:
        config: The configuration with its recipe spelled out, but for `auto`.
        splits: The division of the pictures.
        task: What is learnt, with the loss and the watched figure that the settings ask for.
        stores: The readable pictures of each split; `test` is missing where the data has no test split.
        unreadable: The pictures left out, with reasons.
        network: On its device, with its starting weights.
        preprocess: From a picture to the network's input.
        augment: How training pictures are varied.
        device: Where it is trained.
    """

    config: TrainConfig
    splits: DataSplits
    task: Task
    stores: dict[str, PictureStore]
    unreadable: tuple[Unreadable, ...]
    network: ClassificationNetwork
    preprocess: Preprocess
    augment: Augment
    device: torch.device

    def loader(self, split: str) -> Loader:
        """Loads a split: the training split shuffled and augmented, the others as they are."""
        store, training = self.stores[split], split == "train"
        workers = self.config.data.workers
        return Loader(
            store,
            batch_size=self.config.batch_size,
            preprocess=self.preprocess,
            augment=self.augment if training else None,
            seed=self.config.seed,
            shuffle=training,
            balance=self.task.sampling_groups(store.labels)
            if training and self.config.imbalance == "sampling"
            else None,
            drop_last=training and len(store) % self.config.batch_size == 1,  # BatchNorm needs two
            workers=default_workers(store, self.device) if workers is None else workers,
            pin_memory=self.device.type == "cuda",
            augment_on=self.device if training and self.device.type == "cuda" else None,
            max_unreadable=self.config.data.max_unreadable,
            shuffle_buffer=self.config.data.shuffle_buffer,
        )


def prepare(config: TrainConfig, reporter: Reporter) -> Prepared:
    """Get everything ready for the loop, or say in one line what is wrong.

    Raises:
        HubelError: A name, setting, weights file or data set that cannot be used.
    """
    runtime.start(config.threads)
    device = runtime.choose_device(config.device)
    entry = model_entry(config.model.name)
    config = _with_phases(config)
    data = config.data
    splits = open_division(
        Path(data.path),
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        grouping=Grouping(data.group, Path(data.groups) if data.groups else None),
        folds=data.folds,
        fold=data.fold,
        labelling=wanted_labelling(config),
        near_duplicates=data.near_duplicates,
        tell=reporter.message,
    )
    for note in (*splits.notes, *examine_in_brief(splits, data.near_duplicates, partial(reporter.preparing, "all"))):
        reporter.message(note)
    task = make_task(config, splits)
    config = config.model_copy(update={"task": task.name})

    built, network = build_network(config, task, reporter)
    config = _with_weights_named(config, built.weights)
    for phase in config.phases or ():
        trainable_stages(network, phase.train)
    preprocess = choose_preprocess(
        config.data,
        network_size=entry.input_size[1:],
        fixed_size=entry.fixed_size,
        channels=network.in_channels,
        weights=built.preprocess or _preprocess_of_bundle(config.model.weights),
        name=config.model.name,
    )
    config = _with_precision(config, device, network, preprocess, reporter)
    augment = build_augment(config.augment, splits.classes, preprocess, reporter)
    stores, unreadable = _read_pictures(config, splits, preprocess, reporter)
    if config.imbalance == "none" and task.classes:
        _note_imbalance(list(splits.counts()["train"].values()), task.classes, reporter)
    if config.model.weights is None:
        mean, std = channel_statistics(stores["train"])
        preprocess = preprocess.with_statistics(mean, std)
    network.to(device).to(memory_format=runtime.memory_format(device))
    runtime.return_freed_memory()  # decoding has left its buffers
    return Prepared(config, splits, task, stores, unreadable, network, preprocess, augment, device)


def build_network(config: TrainConfig, task: Task, reporter: Reporter) -> tuple[PretrainedModel, ClassificationNetwork]:
    """The network that a configuration describes, its new layers drawn from the run's seed.

    Raises:
        HubelError: A name, an option or weights that cannot be used.
    """
    torch.manual_seed(config.seed)
    built = build_with_weights(
        config.model.name,
        num_classes=task.outputs,
        in_channels=config.model.in_channels,
        weights=config.model.weights,
        progress=reporter.downloading,
        **config.model.arguments,
    )
    for note in built.notes:
        reporter.message(note)
    if not isinstance(built.model, ClassificationNetwork):
        raise ConfigError(
            f"{config.model.name} is no classification network: `hubel models list` tells what each is for"
        )
    return built, built.model


def build_augment(
    settings: AugmentConfig, classes: Sequence[str], preprocess: Preprocess, reporter: Reporter
) -> Augment:
    """The augmentation that the settings describe; what they leave open follows from the input's size and the classes.

    Raises:
        ConfigError: The settings do not fit together.
    """
    augment, notes = augment_of(settings, classes, preprocess.size)
    for note in notes:
        reporter.message(note)
    return augment


def choose_preprocess(
    data: DataConfig,
    *,
    network_size: Sequence[int],
    fixed_size: bool,
    channels: int,
    weights: Preprocess | None,
    name: str,
) -> Preprocess:
    """The preprocessing of a run: what was set goes before what the weights need, that before the network's own.

    Without known statistics ImageNet's are taken; a network from random weights gets the training split's later.

    Raises:
        ConfigError: The network takes another size only.
    """
    height, width = (data.size, data.size) if data.size else weights.size if weights else network_size
    if fixed_size and (height, width) != tuple(network_size):
        raise ConfigError(
            f"{name} takes inputs of {network_size[0]}×{network_size[1]} only, data.size is {data.size}: leave it out"
        )
    side = max(height, width)
    if data.resize_to is not None:
        resize_to = data.resize_to
    elif weights is not None:
        resize_to = max(side, round(weights.resize_to * side / max(weights.size)))
    else:
        resize_to = side if side < _SMALLEST_CROPPED_SIZE else round(side * 8 / 7)
    mean, std = (weights.mean, weights.std) if weights else (IMAGENET_MEAN, IMAGENET_STD)
    if len(mean) != channels:
        mean, std = (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
    return Preprocess(
        channels=channels,
        size=(height, width),
        resize=data.resize or (weights.resize if weights else "shorter_side"),
        resize_to=resize_to,
        interpolation=data.interpolation or (weights.interpolation if weights else "bilinear"),
        antialias=weights.antialias if weights else True,
        mean=mean,
        std=std,
    )


def wanted_labelling(config: TrainConfig) -> Labelling | None:
    """The labels that the configuration's task needs; None: those that the data has."""
    return TASKS[config.task].labelling if config.task else None


def make_task(config: TrainConfig, splits: DataSplits) -> Task:
    """The task of a run, as the labels of the data say.

    Raises:
        ConfigError: A setting makes no sense for the task.
        DataError: There is nothing to learn.
    """
    labels = label_array([sample.label for sample in splits.train], splits.labelling, len(splits.classes))
    return TASK_OF[splits.labelling].for_training(splits.classes, labels, config)


def _note_imbalance(counts: Sequence[int], classes: Sequence[str], reporter: Reporter) -> None:
    most, fewest = max(counts), min(counts)
    if most > _NOTABLE_IMBALANCE * fewest:
        reporter.message(
            f"the training classes are imbalanced ({most:,} pictures of {classes[counts.index(most)]}, {fewest:,} of "
            f"{classes[counts.index(fewest)]}): where small classes matter as much, see --set imbalance=weights "
            "(or sampling, or focal)"
        )


def check_same_data(splits: DataSplits, stored: str) -> None:
    """Make sure that a resumed run sees the pictures that it began with.

    Args:
        splits: As found now.
        stored: The text of the run's `splits.csv`.

    Raises:
        TrainingError: They differ; how many do is told.
    """
    now, before = set(splits.to_csv().splitlines()), set(stored.splitlines())
    if now != before:
        raise TrainingError(
            f"the pictures in {splits.root} have changed since the run began ({len(now - before)} new or changed, "
            f"{len(before - now)} gone): put them back, or start a new run without --resume"
        )


def _with_precision(
    config: TrainConfig,
    device: torch.device,
    network: ClassificationNetwork,
    preprocess: Preprocess,
    reporter: Reporter,
) -> TrainConfig:
    """The configuration with `auto` resolved, so that the run's own config.yaml repeats it on any machine."""
    precision = choose_precision(config.precision, device, network, (preprocess.channels, *preprocess.size))
    if config.precision == "auto" and precision == "bfloat16":
        reporter.message("arithmetic in bfloat16, which is faster here (--set precision=float32 for float32)")
    return config.model_copy(update={"precision": precision})


def _with_phases(config: TrainConfig) -> TrainConfig:
    """The configuration with its recipe spelled out; `auto` waits for a probe (`hubel.training.auto`)."""
    return config if config.phases or config.recipe == AUTO else config.model_copy(update={"phases": recipe_of(config)})


def _with_weights_named(config: TrainConfig, weights: str | None) -> TrainConfig:
    """The configuration with the weights that `imagenet` means today, for that may change; paths stay."""
    if weights is None or config.model.weights is None or Path(config.model.weights).is_file():
        return config
    return config.model_copy(update={"model": config.model.model_copy(update={"weights": weights})})


def _preprocess_of_bundle(weights: str | None) -> Preprocess | None:
    """What a bundle that serves as starting weights says of its inputs; None for anything else."""
    if weights is None or not Path(weights).is_file():
        return None
    try:
        return inspect_bundle(Path(weights)).preprocess
    except WeightsError:
        return None


def _read_pictures(
    config: TrainConfig, splits: DataSplits, preprocess: Preprocess, reporter: Reporter
) -> tuple[dict[str, PictureStore], tuple[Unreadable, ...]]:
    """Decode (or find decoded) every split's pictures; too many unreadable ones in all end the run here."""
    stores = {}
    for split in ("train", "validation", "test"):
        if samples := splits.split(split):
            stores[split] = prepare_store(
                samples,
                preprocess,
                classes=splits.classes,
                labelling=splits.labelling,
                purpose="training" if split == "train" else "evaluation",
                cache_bytes=int(config.data.cache_gb * _BYTES_PER_GB),
                max_unreadable=1.0,  # judged over all splits, below
                progress=partial(reporter.preparing, split),
            )
    unusable = [Unreadable(item.sample, item.reason) for item in splits.excluded if item.unusable]
    unreadable = (*unusable, *(item for store in stores.values() for item in store.unreadable))
    count = len(unusable) + sum(len(splits.split(split)) for split in stores)
    refuse_share(unreadable, count, config.data.max_unreadable)
    for item in unreadable:
        reporter.message(f"left out {item.sample.name}: {item.reason}")
    return stores, unreadable
