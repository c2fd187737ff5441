"""Tensors out of a weights file, whatever wrote it; no code in the file is ever run."""

from __future__ import annotations

import json
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from hubel.errors import WeightsError
from hubel.files import expanded

BUNDLE_NAME = "best.safetensors"  # of a run's model, in the run's folder

# Keys under which training scripts put a network's tensors beside the optimiser's state and the epoch.
CONTAINER_KEYS = ("state_dict", "model_state_dict", "model")

# What wrappers put before every name: torch.nn.DataParallel, torch.compile.
WRAPPER_PREFIXES = ("module.", "_orig_mod.")

# What torch.load raises on files that are cut off or are something else.
_DAMAGE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError),
    *(TypeError, AttributeError, AssertionError, OverflowError, struct.error),
)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a network's tensors by name, on the CPU.

    Understood are safetensors and torch checkpoints (zip or legacy), told apart by content; the tensors may
    lie under a key such as `state_dict`, and the names may have a wrapper's prefix such as `module.`.

    Raises:
        WeightsError: The file is missing, damaged, is something else, or could only be read by running code
            in it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except IsADirectoryError as error:
        raise WeightsError(
            f"{path} is a folder, expected a file of weights, or a run's folder with a {BUNDLE_NAME}"
        ) from error
    except OSError as error:
        raise WeightsError(f"cannot read weights from {path}: {error.strerror or error}") from error
    if start[8:9] == b"{":  # the header's length in 8 bytes, then the header, which is JSON
        return _without_wrappers(_read_safetensors(path))
    if start.startswith((b"PK\x03\x04", b"\x80")):  # a zip archive, or a pickle
        return _without_wrappers(_tensors(_read_torch(path), path))
    size = path.stat().st_size
    raise WeightsError(
        f"{path} ({size:,} bytes) is neither safetensors nor a torch checkpoint: expected a file that "
        "`safetensors.torch.save_file` or `torch.save` wrote"
    )


def file_of_run(weights: str | Path) -> str | Path:
    """The model's file, where `weights` is the folder of a run that has one; anything else as it came."""
    file = expanded(weights) / BUNDLE_NAME
    return file if file.is_file() else weights


@dataclass(frozen=True)
class StatedNetwork:
    """What a bundle (see `hubel.bundle`) says of its network.

    Attributes:
        name: In the registry.
        arguments: Of its builder, beside the numbers of classes and channels.
        in_channels: Of its input; None: not known.
    """

    name: str
    arguments: Mapping[str, Any]
    in_channels: int | None


def stated_network(path: Path) -> StatedNetwork | None:
    """What a file says of the network whose tensors it holds; None where it is no bundle."""
    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})["hubel"])
        network = document["network"]
        return StatedNetwork(network["name"], network["arguments"], document["preprocess"]["channels"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def stated_arguments(path: Path, network: str) -> Mapping[str, Any]:
    """The arguments that the network of a bundle was built with; of another network's, or another file, none."""
    stated = stated_network(path)
    return stated.arguments if stated is not None and stated.name == network else {}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(_damaged(path, "safetensors", error)) from error


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():  # of unusual pickle protocols: the file is read or it is not
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        if needs := re.search(r"GLOBAL (\w[\w.]*\w)|(TorchScript)|Unsupported (class \S+)", str(error)):
            what = next(group for group in needs.groups() if group)
            raise WeightsError(
                f"{path} could only be read by running code that it names ({what}), which hubel never "
                f"does: where you trust it, load it in the program that wrote it and save "
                f"`model.state_dict()` alone"
            ) from error
        raise WeightsError(_damaged(path, "torch.load", error)) from error


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The name-to-tensor mapping in what torch.load returned."""
    if isinstance(content, Mapping):
        for candidate in (content, *(content[key] for key in CONTAINER_KEYS if key in content)):
            if candidate and isinstance(candidate, Mapping) and all(map(_is_tensor, candidate.items())):
                return dict(candidate)
        keys = ", ".join(map(str, list(content)[:5]))
        found = f"a mapping with the keys {keys}" if keys else "an empty mapping"
    else:
        found = f"a {type(content).__name__}"
    raise WeightsError(
        f"{path} holds {found}: expected tensors by parameter name, alone or under {', '.join(CONTAINER_KEYS)}"
    )


def _is_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in WRAPPER_PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            return _without_wrappers({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    return tensors


def _damaged(path: Path, reader: str, error: Exception) -> str:
    """One line about an error whose own text may have many; torch puts the reason behind its advice."""
    reason = str(error).rpartition("WeightsUnpickler error: ")[2]
    text = " ".join(reason.split()) or type(error).__name__
    return f"{path} is damaged: {reader} says '{text[:120]}'; fetch it again"
