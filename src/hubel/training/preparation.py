"""From a configuration to all that the loop needs: pictures, network, preprocessing; every mistake is found here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from hubel import runtime
from hubel.bundle import Bundle
from hubel.config import AugmentConfig, TrainConfig
from hubel.data.augmentation import Augment, augment_of
from hubel.data.decoded.statistics import channel_statistics
from hubel.data.decoded.store import PictureStore, Unreadable, prepare_store, refuse_share
from hubel.data.division.splits import DataSplits
from hubel.data.doctor.brief import examine_in_brief
from hubel.data.labels import label_array
from hubel.data.loading.loader import Loader, default_workers
from hubel.errors import DataError
from hubel.models.generative import DCGAN
from hubel.models.registry import model_entry
from hubel.preprocessing import Preprocess
from hubel.results.naming import counted
from hubel.tasks.registry import task_for
from hubel.tasks.task import AnyTask, LabelTask, Task, label_task
from hubel.training.inputs import choose_preprocess, preprocess_of_bundle, usual_rule
from hubel.training.network import (
    build_network,
    check_learns,
    check_takes,
    makes_pictures,
    with_network,
    with_size,
    with_values_of,
)
from hubel.training.pictures import open_pictures
from hubel.training.precision import choose_precision
from hubel.training.progress import Reporter
from hubel.training.recipes import AUTO, recipe_of
from hubel.training.usual import with_usual_settings
from hubel.transfer.freezing import trainable_stages
from hubel.weights import PretrainedModel

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
    task: AnyTask
    stores: dict[str, PictureStore]
    unreadable: tuple[Unreadable, ...]
    network: nn.Module
    preprocess: Preprocess
    augment: Augment
    device: torch.device

    @property
    def batch_size(self) -> int:
        """Pictures a step."""
        assert self.config.batch_size is not None
        return self.config.batch_size

    def loader(self, split: str, *, workers: int | None = None) -> Loader:
        """Loads a split: the training split shuffled and augmented, the others as they are.

        Args:
            split: Its name.
            workers: Processes that load pictures; None: as the settings say, else as many as pay.
        """
        store, training, task = self.stores[split], split == "train", self.task
        workers = self.config.data.workers if workers is None else workers
        balanced = training and self.config.imbalance == "sampling"
        return Loader(
            store,
            batch_size=self.batch_size,
            preprocess=self.preprocess,
            augment=self.augment if training else None,
            seed=self.config.seed,
            shuffle=training,
            balance=task.sampling_groups(store.labels) if balanced and isinstance(task, LabelTask) else None,
            drop_last=training and len(store) % self.batch_size == 1,  # BatchNorm needs two
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
    if config.model.name is not None:
        model_entry(config.model.name)  # an unknown network is told before anything is read
    _with_phases(config)  # an unknown recipe is told before anything is read
    splits = open_pictures(config, reporter)
    found = examine_in_brief(splits, config.data.near_duplicates, partial(reporter.preparing, "all"))
    for note in (*splits.notes, *found):
        reporter.message(note)
    task = make_task(config, splits)
    config = _with_phases(_for_task(config, task))

    built = build_network(config, task, reporter)
    network = built.model
    check_learns(network, task, config)
    config = _with_weights_named(config, built)
    if not isinstance(network, DCGAN):
        for phase in config.phases or ():
            trainable_stages(network, phase.train)
    preprocess = _preprocess(config, built, splits)
    check_takes(network, preprocess, config.model.name or "")
    config = _with_precision(config, device, network, preprocess, reporter)
    augment = build_augment(config.augment, splits.classes, preprocess, task.name, reporter)
    stores, unreadable = _read_pictures(config, splits, preprocess, reporter)
    if config.imbalance == "none" and task.classes and isinstance(task, LabelTask):
        _note_imbalance(list(splits.counts()["train"].values()), task.classes, reporter)
    if makes_pictures(network):
        preprocess = with_values_of(network, preprocess)
    elif config.model.weights is None:
        mean, std = channel_statistics(stores["train"])
        preprocess = preprocess.with_statistics(mean, std)
    network.to(device).to(memory_format=runtime.memory_format(device))
    runtime.return_freed_memory()  # decoding has left its buffers
    return Prepared(config, splits, task, stores, unreadable, network, preprocess, augment, device)


def build_augment(
    settings: AugmentConfig, classes: Sequence[str], preprocess: Preprocess, task: str, reporter: Reporter
) -> Augment:
    """The augmentation that the settings describe; what they leave open follows from the input, the classes, the task.

    Raises:
        ConfigError: The settings do not fit together.
    """
    augment, notes = augment_of(settings, classes, preprocess.size, task)
    for note in notes:
        reporter.message(note)
    return augment


def make_task(config: TrainConfig, splits: DataSplits) -> AnyTask:
    """The task of a run, as the configuration, the labels of the data and the network say.

    Raises:
        ConfigError: A setting makes no sense for the task.
        DataError: There is nothing to learn.
    """
    labels = label_array([sample.label for sample in splits.train], splits.labelling, len(splits.classes))
    network = None if config.model.name is None else model_entry(config.model.name).task
    task = task_for(splits.labelling, name=config.task, network=network)
    return task.for_training(splits.classes, labels, config)


def _for_task(config: TrainConfig, task: AnyTask) -> TrainConfig:
    """The configuration with its task and network named, and with what is usual for the task.

    Raises:
        ConfigError: The network, or a setting, is for other tasks.
    """
    config = with_usual_settings(config.model_copy(update={"task": task.name}), task.name)
    config = with_size(with_network(config, task))
    if isinstance(task, LabelTask):
        return config
    augment = config.augment
    refused = {
        f"imbalance={config.imbalance}": config.imbalance != "none",
        f"label_smoothing={config.label_smoothing}": bool(config.label_smoothing),
        f"augment.mixup={augment.mixup}": augment.mixup,
        f"augment.cutmix={augment.cutmix}": augment.cutmix,
        f"recipe={AUTO}": config.recipe == AUTO and config.phases is None,
    }
    for setting, is_set in refused.items():
        if is_set:
            label_task(task, setting)
    # What is outside the frozen layers moves with every picture, so that they run in every step.
    return config.model_copy(update={"transfer": config.transfer.model_copy(update={"views": 0})})


def _preprocess(config: TrainConfig, built: PretrainedModel, splits: DataSplits) -> Preprocess:
    """From a picture to the network's input; its statistics may be another's still."""
    assert config.model.name is not None
    entry = model_entry(config.model.name)
    usual, resize_to = usual_rule(config.task or "", splits.train)
    only = getattr(built.model, "size", None)  # of a network that was built for one size
    return choose_preprocess(
        config.data,
        network_size=only or entry.input_size[1:],
        fixed_size=only is not None,
        channels=cast(int, built.model.in_channels),
        weights=built.preprocess or preprocess_of_bundle(config.model.weights),
        whole=built.whole,
        name=config.model.name,
        usual=usual,
        usual_resize_to=resize_to,
    )


def _note_imbalance(counts: Sequence[int], classes: Sequence[str], reporter: Reporter) -> None:
    most, fewest = max(counts), min(counts)
    if most > _NOTABLE_IMBALANCE * fewest:
        reporter.message(
            f"the training classes are imbalanced ({most:,} pictures of {classes[counts.index(most)]}, {fewest:,} of "
            f"{classes[counts.index(fewest)]}): where small classes matter as much, see --set imbalance=weights "
            "(or sampling, or focal)"
        )


def _with_precision(
    config: TrainConfig,
    device: torch.device,
    network: nn.Module,
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


def _with_weights_named(config: TrainConfig, built: PretrainedModel) -> TrainConfig:
    """The configuration with what `imagenet` means today, for that may change, and wants of the network; paths stay."""
    changes: dict[str, Any] = {"arguments": {**built.arguments, **config.model.arguments}}
    if built.weights is not None and not Path(config.model.weights or "").is_file():
        changes["weights"] = built.weights
    return config.model_copy(update={"model": config.model.model_copy(update=changes)})


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
                cache_bytes=config.data.cache_bytes,
                max_unreadable=1.0,  # judged over all splits, below
                progress=partial(reporter.preparing, split),
            )
    unusable = [Unreadable(item.sample, item.reason) for item in splits.excluded if item.unusable]
    unreadable = (*unusable, *(item for store in stores.values() for item in store.unreadable))
    count = len(unusable) + sum(len(splits.split(split)) for split in stores)
    refuse_share(unreadable, count, config.data.max_unreadable)
    if (left := len(stores["train"])) < 2:  # BatchNorm needs two
        raise DataError(f"{splits.root} has {counted(left, 'picture')} left to train on, and a step needs 2: add some")
    for item in unreadable:
        reporter.message(f"left out {item}")
    return stores, unreadable


def bundle_of(prepared: Prepared, metrics: Mapping[str, Any], task: Task) -> Bundle:
    """What the run's model says of itself; of paths to data only the last name, for models are passed on."""
    values = prepared.config.model_dump(mode="json")
    values["data"]["path"] = prepared.splits.root.name
    if prepared.config.data.groups:
        values["data"]["groups"] = Path(prepared.config.data.groups).name
    return Bundle(
        task=task.name,
        network=prepared.config.model.name or "",
        arguments=prepared.config.model.arguments,
        preprocess=prepared.preprocess,
        **task.in_bundle(),
        metrics=metrics,
        fingerprint=prepared.splits.fingerprint,
        config=values,
    )
