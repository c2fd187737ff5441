"""Losses of segmentation: of logits at every pixel against a mask of classes. A pixel may be ignored.

Logits are floats of shape (N, K, H, W), masks int64 of shape (N, H, W) with classes 0 to K - 1 or `IGNORED`. Whatever
is divided by a number of pixels is divided by that of the pixels that count; where none does, a loss is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    import numpy.typing as npt

IGNORED = 255  # what Pascal VOC's masks have along the outlines of objects

# Equation 2 of Ronneberger et al. 2015 and the values below it.
BORDER_WEIGHT, BORDER_SIGMA = 10.0, 5.0  # the sigma in pixels

_MOST_SIGMAS = 8  # farther objects would add a weight of less than w0 · 2e-14

_SMOOTH = 1.0  # counted as pixels that agree, so that a class that is nowhere and is predicted nowhere costs nothing


def pixel_cross_entropy(
    logits: Tensor,
    masks: Tensor,
    *,
    class_weights: Sequence[float] | None = None,
    pixel_weights: Tensor | None = None,
    ignore_index: int = IGNORED,
) -> Tensor:
    """The mean over the pixels that count of w(x) · w[y] · cross entropy, in nats.

    With weights it is the energy of U-Net's equation 1, divided by the number of pixels and not by the sum of their
    weights: so a pixel counts the same in whatever company it comes.

    Args:
        logits: Float (N, K, H, W).
        masks: int64 (N, H, W).
        class_weights: w[y], one for each class; None: 1.
        pixel_weights: w(x), float (N, H, W), such as `border_weights` of each mask; None: 1.
        ignore_index: The value in masks of pixels that do not count.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: The shapes or the number of class weights do not fit.
    """
    return _mean_of_pixels(
        _cross_entropy(logits, masks, ignore_index), logits, masks, class_weights, pixel_weights, ignore_index
    )


def pixel_focal_loss(
    logits: Tensor,
    masks: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Sequence[float] | None = None,
    pixel_weights: Tensor | None = None,
    ignore_index: int = IGNORED,
) -> Tensor:
    """The mean over the pixels that count of w(x) · w[y] · (1 - p[y])^γ · cross entropy, in nats.

    Lin et al. 2017, arXiv:1708.02002, equation 4; with class weights equation 5, whose α they are.

    Args:
        logits: Float (N, K, H, W).
        masks: int64 (N, H, W).
        gamma: γ; 0 gives the cross entropy.
        class_weights: As for `pixel_cross_entropy`.
        pixel_weights: Likewise.
        ignore_index: Likewise.

    Returns:
        A float32 scalar.
    """
    losses = _cross_entropy(logits, masks, ignore_index)  # (N, H, W)
    losses = (1 - torch.exp(-losses)) ** gamma * losses if gamma else losses
    return _mean_of_pixels(losses, logits, masks, class_weights, pixel_weights, ignore_index)


def soft_dice_loss(
    logits: Tensor, masks: Tensor, *, class_weights: Sequence[float] | None = None, ignore_index: int = IGNORED
) -> Tensor:
    """One minus the mean over the classes of the soft Dice coefficient, 2 Σ p t / (Σ p + Σ t).

    Milletari, Navab and Ahmadi 2016, V-Net, arXiv:1606.04797, section 3, for several classes; with the probabilities
    themselves in the denominator instead of their squares. The sums go over the whole batch, so that a class that is in
    few of its pictures does not scatter the loss.

    Args:
        logits: Float (N, K, H, W).
        masks: int64 (N, H, W).
        class_weights: What each class counts in the mean; None: all the same.
        ignore_index: The value in masks of pixels that do not count.

    Returns:
        A float32 scalar between 0 and 1.
    """
    _check(logits, masks, class_weights, None)
    counts = (masks != ignore_index).unsqueeze(1)  # (N, 1, H, W)
    probabilities = logits.float().softmax(dim=1) * counts
    targets = F.one_hot(masks.masked_fill(masks == ignore_index, 0), logits.shape[1]).movedim(-1, 1) * counts
    intersection = (probabilities * targets).sum(dim=(0, 2, 3))  # (K,)
    together = probabilities.sum(dim=(0, 2, 3)) + targets.sum(dim=(0, 2, 3))
    dice = (2 * intersection + _SMOOTH) / (together + _SMOOTH)
    weights = torch.ones_like(dice) if class_weights is None else dice.new_tensor(class_weights)
    return 1 - (weights * dice).sum() / weights.sum()


def inverse_pixel_frequencies(counts: Sequence[int]) -> tuple[float, ...]:
    """A weight for each class: w[c] = M / (K · m[c]) for m[c] of the M pixels that count; 0 for a class without any.

    Args:
        counts: m, the pixels of each of the K classes.
    """
    return tuple(sum(counts) / (len(counts) * count) if count else 0.0 for count in counts)


def border_weights(
    mask: npt.NDArray[np.integer],
    *,
    background: int = 0,
    weight: float = BORDER_WEIGHT,
    sigma: float = BORDER_SIGMA,
    ignore_index: int = IGNORED,
) -> npt.NDArray[np.float32]:
    """U-Net's weight of the thin borders between touching objects: w0 · exp(-(d1 + d2)² / (2 σ²)).

    Ronneberger et al. 2015, arXiv:1505.04597, equation 2, without its first summand, the weights of the classes, which
    `pixel_cross_entropy` takes as `class_weights`; add 1 for pixels that count 1 elsewhere. d1 and d2 are a background
    pixel's Euclidean distances to the nearest and the second nearest object. Objects are connected components (with
    diagonal neighbours) of pixels that are neither background nor ignored; of objects that touch, only their number
    tells them apart, so instance masks may have a number for each object.

    Args:
        mask: Integers (H, W): classes, or the numbers of objects.
        background: The value of the pixels between the objects.
        weight: w0.
        sigma: σ, in pixels.
        ignore_index: The value of pixels that do not count.

    Returns:
        float32 (H, W): 0 within objects, on ignored pixels, and where there are fewer than two objects.
    """
    from scipy import ndimage

    objects = _objects(mask, background, ignore_index)
    nearest = np.full((2, *mask.shape), np.inf)
    reach = int(np.ceil(_MOST_SIGMAS * sigma))
    for number, box in enumerate(ndimage.find_objects(objects), start=1):
        around = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        distance = ndimage.distance_transform_edt(objects[around] != number)
        first, second = nearest[0][around], nearest[1][around]  # views
        np.minimum(second, np.maximum(first, distance), out=second)
        np.minimum(first, distance, out=first)
    weights = weight * np.exp(-(nearest.sum(axis=0) ** 2) / (2 * sigma**2))
    return np.where(mask == background, weights, 0.0).astype(np.float32)


def _objects(mask: npt.NDArray[np.integer], background: int, ignore_index: int) -> npt.NDArray[np.int64]:
    """The number of the object that each pixel belongs to, from 1; 0: none."""
    from scipy import ndimage

    objects = np.zeros(mask.shape, np.int64)
    for value in np.unique(mask):
        if value not in (background, ignore_index):
            parts = ndimage.label(mask == value, structure=np.ones((3, 3)))[0]
            objects += np.where(parts > 0, parts + objects.max(), 0)
    return objects


def _cross_entropy(logits: Tensor, masks: Tensor, ignore_index: int) -> Tensor:
    """In nats, (N, H, W); 0 where a pixel does not count."""
    _check(logits, masks, None, None)
    return F.cross_entropy(logits.float(), masks, reduction="none", ignore_index=ignore_index)


def _mean_of_pixels(
    losses: Tensor,
    logits: Tensor,
    masks: Tensor,
    class_weights: Sequence[float] | None,
    pixel_weights: Tensor | None,
    ignore_index: int,
) -> Tensor:
    _check(logits, masks, class_weights, pixel_weights)
    counts = masks != ignore_index
    if class_weights is not None:
        losses = losses * losses.new_tensor(class_weights)[masks.masked_fill(~counts, 0)]
    if pixel_weights is not None:
        losses = losses * pixel_weights
    return losses.sum() / counts.sum().clamp(min=1)


def _check(logits: Tensor, masks: Tensor, class_weights: Sequence[float] | None, pixel_weights: Tensor | None) -> None:
    """Raise a ValueError that names what came where shapes do not fit."""
    expected = (len(logits), *logits.shape[2:])
    for what, tensor in (("masks", masks), ("pixel weights", pixel_weights)):
        if tensor is not None and tuple(tensor.shape) != expected:
            raise ValueError(
                f"logits of shape {tuple(logits.shape)} and {what} of shape {tuple(tensor.shape)} came: "
                f"expected {what} of shape {expected}"
            )
    if class_weights is not None and len(class_weights) != logits.shape[1]:
        raise ValueError(f"{len(class_weights)} class weights came for {logits.shape[1]} classes")
