"""What is done to pictures after their geometry: blur, colour, the operations of a policy, noise, erasing.

Pictures are (n, C, h, w), float32 of whole values from 0 to 255, on any device; each step rounds and clips.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.data.augmentation.looks import Looks
from hubel.data.augmentation.policy_operations import apply_operation

MEAN_STEP = 4  # every fourth pixel of every fourth row is enough to know a picture's mean
NOISE_LENGTH = 2**20  # numbers in the table of noise; a picture's begin anywhere
_SIGMAS_OF_BLUR = 3  # where its kernel ends


def finished(images: Tensor, looks: Looks) -> Tensor:
    """Do to a batch of pictures what `looks` says."""
    if looks.blur is not None:
        images = blurred(images, looks.blur, looks.most_blur)
    for stage, maps in enumerate(looks.maps):
        if maps is not None:
            images = recoloured(images, maps, mean_colours(images))
        if stage < len(looks.operations):
            for name, rows, values in looks.operations[stage]:
                at = torch.from_numpy(rows).to(images.device)
                chosen = apply_operation(name, images[at], torch.from_numpy(values).to(images.device, torch.float32))
                images = images.index_copy(0, at, chosen)
    if looks.noise is not None:
        images = noisy(images, looks.noise, looks.noise_places)
    if looks.erased is not None:
        erase(images, looks.erased, mean_colours(images))
    return images


def mean_colours(images: Tensor) -> Tensor:
    """About the mean of each channel: float32 (n, C)."""
    some = images[:, :, ::MEAN_STEP, ::MEAN_STEP]
    # Of inputs up to 1,000 × 1,000 pixels, the sum of these whole numbers is exact in any order.
    return some.sum(dim=(2, 3)) / (some.shape[2] * some.shape[3])


def recoloured(images: Tensor, maps: npt.NDArray[np.float64], means: Tensor) -> Tensor:
    """Apply affine colour maps (n, C, 2 C + 1), see `hubel.data.augmentation.colour`."""
    count, channels, height, width = images.shape
    coefficients = torch.from_numpy(maps).to(images.device, torch.float32)
    matrix, around, shift = torch.split(coefficients, [channels, channels, 1], dim=2)
    offset = (around * means[:, None]).sum(dim=2, keepdim=True) + shift
    mapped = torch.baddbmm(offset, matrix, images.reshape(count, channels, height * width))
    return mapped.clamp_(0, 255).round_().view(images.shape)


def blurred(images: Tensor, sigmas: npt.NDArray[np.float64], most: float) -> Tensor:
    """Blur by a Gaussian of σ pixels each (n,), at most `most`; 0 leaves a picture as it is."""
    height, width = images.shape[2:]
    radius = min(max(1, int(np.ceil(_SIGMAS_OF_BLUR * most))), height - 1, width - 1)
    weights = gaussian_kernels(sigmas, radius)
    kernels = torch.from_numpy(weights).to(images.device, torch.float32)[:, :, None, None, None]  # (n, 2r + 1, 1, 1, 1)
    padded = F.pad(images, (radius,) * 4, mode="reflect")
    # A sum of shifted pictures: on processors several times as fast as a convolution with a kernel per picture.
    rows = padded[..., :width] * kernels[:, 0]
    for tap in range(1, weights.shape[1]):
        rows.addcmul_(padded[..., tap : tap + width], kernels[:, tap])
    result = rows[:, :, :height] * kernels[:, 0]
    for tap in range(1, weights.shape[1]):
        result.addcmul_(rows[:, :, tap : tap + height], kernels[:, tap])
    return result.round_().clamp_(0, 255)


def gaussian_kernels(sigmas: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Normalised Gaussians (n, 2 radius + 1); of σ = 0, a single 1."""
    offsets = np.arange(-radius, radius + 1)
    kernels = np.exp(-0.5 * (offsets / np.maximum(sigmas, 1e-6)[:, None]) ** 2)
    normalised: npt.NDArray[np.float64] = kernels / kernels.sum(axis=1, keepdims=True)
    return normalised


def noisy(images: Tensor, sigmas: npt.NDArray[np.float64], places: npt.NDArray[np.int64]) -> Tensor:
    """Add Gaussian noise of σ (n,) of 255 to each value.

    It is read from a table of 2^20 numbers, from a place of the picture's own (n,) on: that takes a fifth of the time
    of drawing it, and gives the same on every device.
    """
    table = _noise_table(images.device)
    length = images[0].numel()
    for image, sigma, place in zip(images, sigmas.tolist(), places.tolist(), strict=True):
        if sigma:
            noise = table[place : place + length]
            while len(noise) < length:  # it begins again
                noise = torch.cat((noise, table[: length - len(noise)]))
            image.add_(noise.view(image.shape), alpha=sigma).round_().clamp_(0, 255)
    return images


@lru_cache(maxsize=4)
def _noise_table(device: torch.device) -> Tensor:
    """Standard normal numbers, float32 (2^20,), always the same."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(NOISE_LENGTH, dtype=np.float32)).to(device)


def erase(images: Tensor, boxes: npt.NDArray[np.int64], colours: Tensor) -> None:
    """Fill boxes (n, 4) (top, left, bottom, right) with colours (n, C), in place; an empty box leaves all as it is."""
    for image, (top, left, bottom, right), colour in zip(images, boxes.tolist(), colours.round(), strict=True):
        if bottom > top and right > left:
            image[:, top:bottom, left:right] = colour[:, None, None]
