"""How near reconstructions are to pictures, picture by picture: squared error, PSNR, SSIM.

Pictures are floats (N, C, H, W) whose values reach from 0 to `peak`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.runtime import in_float64

# Wang et al. 2004, section III.B and C.
SSIM_WINDOW = 11  # pixels; smaller pictures have no SSIM
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def mean_squared_error(reconstructions: Tensor, images: Tensor) -> Tensor:
    """The mean over a picture's values of their squared differences: float32 (N,).

    Raises:
        ValueError: The shapes differ.
    """
    _check(reconstructions, images)
    return (reconstructions.float() - images.float()).square().flatten(1).mean(dim=1)


def psnr(reconstructions: Tensor, images: Tensor, *, peak: float = 1.0) -> Tensor:
    """The peak signal-to-noise ratio of each picture, 10 log10(peak² / squared error), in dB; of equal ones infinite.

    Returns:
        float32 (N,).

    Raises:
        ValueError: The shapes differ.
    """
    return 10 * torch.log10(peak**2 / mean_squared_error(reconstructions, images))


def ssim(reconstructions: Tensor, images: Tensor, *, peak: float = 1.0) -> Tensor:
    """The mean structural similarity of each picture, at most 1, which equal pictures have.

    Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity,
    doi:10.1109/TIP.2003.819861, equation 13 and 17: normal windows of 11×11 with a sigma of 1.5, at the places where
    the whole window lies in the picture; channels count alike.

    Returns:
        float32 (N,).

    Raises:
        ValueError: The shapes differ, or a picture is smaller than the window.
    """
    _check(reconstructions, images)
    if min(images.shape[2:]) < SSIM_WINDOW:
        raise ValueError(
            f"pictures of shape {tuple(images.shape)} came: SSIM's window asks for at least {SSIM_WINDOW}×{SSIM_WINDOW}"
        )
    # In double precision: a variance is the small difference of two large means.
    x, y = in_float64(reconstructions), in_float64(images)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x.square()
    variance_y = _windowed(y * y) - mean_y.square()
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).flatten(1).mean(dim=1).to(images.device, torch.float32)


def _windowed(x: Tensor) -> Tensor:
    """Means under the window at every place, (N, C, H - 10, W - 10)."""
    distance = torch.arange(SSIM_WINDOW, dtype=x.dtype, device=x.device) - SSIM_WINDOW // 2
    weights = torch.exp(-(distance**2) / (2 * _SIGMA**2))
    weights = (weights / weights.sum()).expand(x.shape[1], 1, -1)  # (C, 1, 11)
    down = F.conv2d(x, weights[..., :, None], groups=x.shape[1])
    return F.conv2d(down, weights[..., None, :], groups=x.shape[1])


def _check(reconstructions: Tensor, images: Tensor) -> None:
    if reconstructions.shape != images.shape or images.ndim != 4:
        raise ValueError(
            f"reconstructions of shape {tuple(reconstructions.shape)} and pictures of shape {tuple(images.shape)} "
            "came: expected the same, (N, C, H, W)"
        )
