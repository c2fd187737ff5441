"""Sheets of samples through training: written into the run's folder now and then, shown in its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from PIL import Image

from hubel.data.drawing.thumbnails import as_address
from hubel.inference.drawn import save_picture
from hubel.models.evaluating import evaluating
from hubel.models.generative import AutoencodingNetwork
from hubel.tasks.generative.drawing import enlarged, pixels_of, sheet

FOLDER = "samples"
ON_A_SHEET = 64
_SHEETS = 8  # through training


def is_due(epoch: int, epochs: int) -> bool:
    """Whether a sheet is drawn after an epoch, from 1, of so many."""
    return epoch * _SHEETS // epochs > (epoch - 1) * _SHEETS // epochs


def write_sheet(folder: Path, epoch: int, pictures: npt.NDArray[Any]) -> None:
    """Write pictures, uint8 (N, H, W, C), as the sheet of an epoch."""
    save_picture(folder / f"epoch-{epoch:04}.png", sheet(pictures))


def read_sheets(folder: Path) -> list[tuple[int, str]]:
    """The sheets of a folder as `data:` addresses, each with its epoch."""
    found = []
    for path in sorted(folder.glob("epoch-*.png")):
        with Image.open(path) as image:
            found.append((int(path.stem.partition("-")[2]), as_address(enlarged(image))))
    return found


def samples_of_prior(network: AutoencodingNetwork, seed: int) -> npt.NDArray[Any]:
    """Pictures of normal codes, uint8 (64, H, W, C): of the same codes for the same seed."""
    codes = torch.randn(ON_A_SHEET, network.code_size, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad(), evaluating(network):
        pictures = network.decode(codes.to(next(network.parameters()).device))
    return pixels_of(pictures.float().cpu().numpy(), network.value_range)
