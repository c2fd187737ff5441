"""A plan carried out picture by picture, in the processor's cache: what loading processes do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from hubel.data.augmentation.colour import LUMA
from hubel.data.augmentation.finishing import MEAN_STEP, finished
from hubel.data.augmentation.looks import Looks
from hubel.data.augmentation.plan import Plan
from hubel.data.augmentation.resampling import Pixels, bent, seen

_SMALL = 2**14  # bytes; smaller pictures are mirrored all at once, larger ones one by one, in the processor's cache


def vary(pictures: Sequence[Pixels], plan: Plan, *, reflect: bool) -> Pixels:
    """Carry out a plan: N pictures, uint8 (h, w, C), to uint8 (N, H, W, C)."""
    geometry, looks = plan.geometry, plan.looks
    out = np.empty((len(pictures), *geometry.size, pictures[0].shape[2]), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        if geometry.bent[number]:
            images = finished(bent(picture, geometry, number, reflect=reflect), looks.of(number))
            _write(images, out[number])
        else:
            seen(picture, geometry, number, out[number])
    finish_plain(out, plan)
    return out


def finish_plain(out: Pixels, plan: Plan) -> None:
    """Mirror and flip those pictures of a batch that were only cropped, and change their looks, in place."""
    plain = ~plan.geometry.bent
    _turn(out, plan.geometry.mirrored & plain, axis=2)
    _turn(out, plan.geometry.flipped & plain, axis=1)
    if plan.looks.change:
        for number in np.flatnonzero(plain).tolist():
            _change_looks(out[number], plan.looks, number)


def _turn(out: Pixels, which: npt.NDArray[np.bool_], *, axis: int) -> None:
    """Reverse an axis of those pictures of a batch (N, H, W, C), in place."""
    if not which.any():
        return
    images = torch.from_numpy(out)
    if out[0].size < _SMALL:
        rows = torch.from_numpy(np.flatnonzero(which))
        images[rows] = images[rows].flip(axis)
    else:
        for number in np.flatnonzero(which).tolist():
            images[number] = images[number].flip(axis - 1)


def _change_looks(picture: Pixels, looks: Looks, number: int) -> None:
    """Do to a picture (H, W, C) of a batch what is planned for its looks, in place."""
    if not looks.even[number]:
        pixels = torch.from_numpy(picture).permute(2, 0, 1)
        images = pixels.to(torch.float32, memory_format=torch.contiguous_format)[None]
        _write(finished(images, looks.of(number)), picture)
        return
    if looks.maps[0] is not None:
        _map_values(picture, looks.maps[0][number])
    if looks.erased is not None:
        top, left, bottom, right = looks.erased[number].tolist()
        if bottom > top and right > left:
            picture[top:bottom, left:right] = np.rint(_mean_colour(picture))


def _map_values(picture: Pixels, colour_map: npt.NDArray[np.float64]) -> None:
    """Apply a colour map that does the same to every channel, by a table of the 256 values."""
    channels = picture.shape[2]
    mean = _mean_colour(picture)
    luminance = mean[0] if channels == 1 else sum(value * weight for value, weight in zip(mean, LUMA, strict=True))
    gain = colour_map[0, 0]
    shift = colour_map[0, channels : 2 * channels].sum() * luminance + colour_map[0, -1]
    values = np.clip(np.rint(np.arange(256) * gain + shift), 0, 255).astype(np.uint8)
    picture[...] = np.frombuffer(bytearray(picture).translate(values.tobytes()), dtype=np.uint8).reshape(picture.shape)


def _mean_colour(picture: Pixels) -> list[float]:
    """About the mean of each channel of a picture (H, W, C), as `hubel.data.augmentation.finishing.mean_colours`."""
    some = picture[::MEAN_STEP, ::MEAN_STEP]
    return [int(some[:, :, channel].sum()) / some[:, :, channel].size for channel in range(picture.shape[2])]


def _write(images: torch.Tensor, target: Pixels) -> None:
    """Write a picture (1, C, H, W) of whole values from 0 to 255 into a target (H, W, C)."""
    planes = images[0].numpy().astype(np.uint8)  # faster than torch's conversion, and than a copy that also transposes
    for channel, plane in enumerate(planes):
        target[:, :, channel] = plane
