"""timm's published weights: for the networks of hubel that torchvision lacks, and for every `timm/<name>`.

timm publishes on the Hugging Face hub, and earlier did in the releases of its repository, where a file's name ends in
the beginning of its SHA-256.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from hubel.models.registry import TIMM
from hubel.preprocessing import Interpolation, Preprocess
from hubel.weights.entry import IMAGENET, WeightsEntry
from hubel.weights.hub import Download
from hubel.weights.torchvision_weights import imagenet_labels

_RELEASES = "https://github.com/huggingface/pytorch-image-models/releases/download"
_LICENCES = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-nc-4.0": "CC-BY-NC-4.0"}
_HUB_FILE = "model.safetensors"
_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class _Published:
    """What is known of weights without asking timm, which need not be installed.

    Attributes:
        name: timm's name of the network, and its tag.
        revision: The hub's commit that has the file; empty where a release has it.
        release: The file's path among the releases.
        sha256: As the hub's page of the file has it, or as the file's name in the release does.
        top1, top5: results/results-imagenet.csv of timm's repository at commit 0173a139.
        size, crop: Under which they were measured, there.
    """

    name: str
    revision: str = ""
    release: str = ""
    sha256: str
    top1: float
    top5: float
    size: int
    crop: float

    def entry(self, network: str) -> WeightsEntry:
        """These weights in the catalogue."""
        if self.revision:
            url, file = hugging_face_url(f"timm/{self.name}", _HUB_FILE, self.revision), f"{self.name}.safetensors"
        else:
            url, file = f"{_RELEASES}/{self.release}", self.release.rpartition("/")[2]
        resize_to = math.floor(self.size / self.crop)
        return WeightsEntry(
            name=self.name,
            network=network,
            source=Download(url, file, self.sha256),
            origin=f"timm, {self.name}",
            licence="Apache-2.0",
            data=IMAGENET,
            top1=self.top1,
            top5=self.top5,
            preprocess=Preprocess(
                size=(self.size, self.size), resize_to=resize_to, interpolation="bicubic", mean=_HALF, std=_HALF
            ),
            labels=imagenet_labels(),
        )


_FOR_OWN_NETWORKS = {
    "inception_v4": (
        _Published(
            name="inception_v4.tf_in1k",
            revision="24edbb8f3ca9aab790ab91929a4101165581b168",
            sha256="a756a086851c8d5a8de135ec15c76b90ea56cb5aef450e3299107e659e725bb1",
            top1=80.156,
            top5=94.968,
            size=299,
            crop=0.875,
        ),
    ),
    "inception_resnet_v2": (
        _Published(
            name="inception_resnet_v2.tf_in1k",
            revision="89854797f99e77e1189626b74d7c07013a4308fa",
            sha256="dbea26b13a5fc8351919fed6a94222c0577ce324b2765fd081a798f837ca9d72",
            top1=80.462,
            top5=95.308,
            size=299,
            crop=0.8975,
        ),
    ),
    "xception": (
        _Published(
            name="legacy_xception.tf_in1k",
            release="v0.1-cadene/xception-43020ad28.pth",
            sha256="43020ad28",
            top1=79.040,
            top5=94.382,
            size=299,
            crop=0.8975,
        ),
    ),
    # ResNetV2 was trained at 224 pixels and measured at 288.
    "resnetv2_50": (
        _Published(
            name="resnetv2_50.a1h_in1k",
            release="v0.1-rsb-weights/resnetv2_50_a1h-000cdf49.pth",
            sha256="000cdf49",
            top1=81.398,
            top5=95.726,
            size=288,
            crop=1.0,
        ),
    ),
    "resnetv2_101": (
        _Published(
            name="resnetv2_101.a1h_in1k",
            release="v0.1-rsb-weights/resnetv2_101_a1h-5d01f016.pth",
            sha256="5d01f016",
            top1=83.002,
            top5=96.454,
            size=288,
            crop=1.0,
        ),
    ),
}


def hugging_face_url(repository: str, file: str, revision: str = "main") -> str:
    """The address of a file on the Hugging Face hub, or on the mirror that `HF_ENDPOINT` names."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{repository}/resolve/{revision}/{file}"


def own_networks_weights(network: str) -> list[WeightsEntry]:
    """The weights of timm for one of hubel's own networks, those that torchvision lacks."""
    return [published.entry(network) for published in _FOR_OWN_NETWORKS.get(network, ())]


def timm_weights(network: str) -> list[WeightsEntry]:
    """The weights of timm for `timm/<name>`, its default first; for `timm/<name>.<tag>`, those alone.

    Left out are weights without a classifier, those in a format that only timm reads (`custom_load`), and those
    whose SHA-256 nobody tells.
    """
    if importlib.util.find_spec("timm") is None:
        return []
    import timm

    timm_name = network.removeprefix(TIMM)
    architecture, _, tag = timm_name.partition(".")
    default = timm.get_pretrained_cfg(timm_name)
    tagged = [timm_name] if tag else timm.list_pretrained(f"{architecture}.*")
    configs = [config for name in tagged if (config := timm.get_pretrained_cfg(name)) is not None]
    configs.sort(key=lambda config: config != default)
    entries = (_entry(f"{TIMM}{architecture}", config) for config in configs)
    return [entry for entry in entries if entry is not None]


def _entry(network: str, config: Any) -> WeightsEntry | None:
    name = f"{config.architecture}.{config.tag}" if config.tag else config.architecture
    source = _source(config, name)
    if source is None or config.custom_load or not config.num_classes:
        return None
    imagenet = config.num_classes == 1000  # as timm takes it (`timm.data.infer_imagenet_subset`)
    return WeightsEntry(
        name=name,
        network=network,
        source=source,
        origin=f"timm, {name}",
        licence=_LICENCES.get(config.license, config.license or "not stated"),
        data=IMAGENET if imagenet else f"{config.num_classes:,} classes",
        top1=None,
        top5=None,
        preprocess=_preprocess(config),
        labels=imagenet_labels() if imagenet else None,
    )


def _source(config: Any, name: str) -> Download | None:
    """The hub's file, whose SHA-256 the hub tells, or a file whose name tells it."""
    if config.hf_hub_id:
        file = config.hf_hub_filename or _HUB_FILE
        return Download(hugging_face_url(config.hf_hub_id, file), f"{name}{PurePath(file).suffix}")
    file = (config.url or "").rpartition("/")[2]
    if digest := re.search(r"-([0-9a-f]{8,64})\.\w+$", file):
        return Download(config.url, file, digest[1])
    return None


def _preprocess(config: Any) -> Preprocess:
    """As timm measures; but without its margins (a crop of more than 1) and its crops of stretched pictures."""
    size, crop = config.test_input_size or config.input_size, config.test_crop_pct or config.crop_pct
    channels, height, width = size
    interpolation: Interpolation = config.interpolation
    return Preprocess(
        channels=channels,
        size=(height, width),
        resize="stretch" if config.crop_mode == "squash" else "shorter_side",
        resize_to=math.floor(max(height, width) / min(crop, 1.0)),
        interpolation=interpolation,
        mean=tuple(config.mean),
        std=tuple(config.std),
    )
