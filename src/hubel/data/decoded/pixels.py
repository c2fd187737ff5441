"""What a store keeps of a picture: its pixels, resized, and where pixels have labels, its mask at the same size."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from hubel.data.decoding import (
    DECODING_VERSION,
    ImageSource,
    UnreadableImage,
    load_array,
    load_array_for,
    load_for,
    load_image,
)
from hubel.data.labels import MaskLabel
from hubel.data.masks.reading import IGNORED, resized_mask
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

Purpose = Literal["training", "evaluation"]
Pixels = npt.NDArray[np.uint8]

DECODER = f"{DECODING_VERSION}/{PIL.__version__}"

_HEADERS_TO_ESTIMATE = 64


@dataclass(frozen=True)
class Decoding:
    """How the pictures of a store are decoded.

    For training, a picture is resized (and framed), but not cropped; for evaluation, it is exactly what
    `hubel.data.decoding.read_array` gives. With a mask it is never cropped: every pixel is to be judged.

    Attributes:
        preprocess: How pictures are brought to size.
        purpose: What for.
        masked: Whether every picture has a mask.
    """

    preprocess: Preprocess
    purpose: Purpose
    masked: bool = False

    @property
    def planes(self) -> int:
        """Bytes that are kept for a pixel."""
        return self.preprocess.channels + self.masked

    @property
    def whole(self) -> bool:
        """Whether pictures are not cropped."""
        return self.masked or self.purpose == "training"

    def picture(self, source: ImageSource) -> Pixels:
        """Decode a picture: uint8 of shape (H, W, channels).

        Raises:
            UnreadableImage: It cannot be decoded.
        """
        load = load_array_for if self._by_torch else load_for
        return self._resized(load(source, self.preprocess))

    def with_mask(self, sample: Sample) -> tuple[Pixels, Pixels]:
        """Decode a picture and its mask: uint8 (H, W, channels) and (H, W).

        Raises:
            UnreadableImage: One of them cannot be read, or they do not fit.
        """
        label = sample.label
        if not isinstance(label, MaskLabel):
            raise TypeError(f"{sample.location} has the label {label!r}: expected a mask")
        load = load_array if self._by_torch else load_image
        loaded = load(sample, self.preprocess.channels)  # not at reduced scale: its size is compared
        height, width = size = _height_and_width(loaded)
        if size != label.size:
            raise UnreadableImage(
                sample.location, f"it has {width}×{height} pixels, its mask {label.size[1]}×{label.size[0]}"
            )
        try:
            mask = label.read()
        except DataError as error:
            raise UnreadableImage(sample.location, str(error)) from error
        picture = self._resized(loaded)
        scaled = self.preprocess.resized_size(size)
        return picture, self.preprocess.framed(resized_mask(mask, scaled), fill=IGNORED)

    def kept(self, sample: Sample) -> Pixels:
        """All that is kept of a picture, (H, W, planes): its pixels, and behind them, not beside, those of its mask."""
        if not self.masked:
            return self.picture(sample)
        picture, mask = self.with_mask(sample)
        return np.concatenate([picture.reshape(-1), mask.reshape(-1)]).reshape(*mask.shape, self.planes)

    def identity(self, sample: Sample) -> str:
        """What tells pictures apart of which different things are kept."""
        return f"{sample.digest}/{sample.label.digest}" if isinstance(sample.label, MaskLabel) else sample.digest

    def key(self, samples: Sequence[Sample]) -> str:
        """All that the pixels depend on, as 32 hexadecimal digits."""
        fields = self.preprocess.to_dict()
        rule = self.preprocess.resize
        for name in ("mean", "std"):
            del fields[name]
        if rule == "native" or (self.whole and rule == "shorter_side"):
            del fields["size"]
        if rule != "shorter_side":
            del fields["resize_to"]
        parts = [DECODER, self.purpose, fields, *(["mask"] * self.masked)]
        state = hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16)
        state.update("".join(map(self.identity, samples)).encode())
        return state.hexdigest()

    def estimate(self, samples: Sequence[Sample]) -> int:
        """About how many bytes the decoded pictures take; where they have no one size, from those of some."""
        height, width = self.preprocess.size
        rule = self.preprocess.resize
        if rule in ("stretch", "fit") or (rule == "shorter_side" and not self.whole):
            return len(samples) * height * width * self.planes
        step = -(-len(samples) // _HEADERS_TO_ESTIMATE)
        sizes = [size for sample in samples[::step] if (size := _size(sample)) is not None]
        if rule == "native":
            areas = [float(width * height) for width, height in sizes]
        else:
            areas = [self.preprocess.resize_to**2 * max(size) / min(size) for size in sizes]
        mean = sum(areas) / len(areas) if areas else float(height * width)
        return int(len(samples) * mean * self.planes)

    @property
    def _by_torch(self) -> bool:
        """Whether torch resizes: Pillow's algorithm, by 1 of 255 off in few places, in a quarter of the time."""
        rule = self.preprocess
        vectorised = rule.antialias and rule.interpolation in ("bilinear", "bicubic") and rule.channels == 3
        return vectorised and self.purpose == "training"

    def _resized(self, loaded: Image.Image | Pixels) -> Pixels:
        """What is kept of a picture that is loaded as what resizes it takes."""
        if isinstance(loaded, np.ndarray):
            return self.preprocess.framed(_resized_by_torch(loaded, self.preprocess))
        return self.preprocess.to_array(loaded, whole=self.whole)


def _resized_by_torch(picture: Pixels, preprocess: Preprocess) -> Pixels:
    """A picture (H, W, 3) by the resize rule, antialiased."""
    size = preprocess.resized_size(picture.shape[:2])
    if size == picture.shape[:2]:
        return picture
    import torch
    from torch.nn import functional as F

    # Torch, not numpy, adds the axis: numpy gives it the stride 0, which torch does not take for channels_last, and
    # channels_last is twice as fast.
    pixels = torch.from_numpy(picture)[None].permute(0, 3, 1, 2)
    resized = F.interpolate(pixels, size, mode=preprocess.interpolation, antialias=True)
    array: Pixels = resized[0].permute(1, 2, 0).contiguous().numpy()
    return array


def _height_and_width(loaded: Image.Image | Pixels) -> tuple[int, int]:
    if isinstance(loaded, Image.Image):
        return loaded.height, loaded.width
    height, width = loaded.shape[:2]
    return height, width


def _size(sample: Sample) -> tuple[int, int] | None:
    """Width and height as stored, from the file's header; None if it cannot be read."""
    try:
        with Image.open(sample.path or io.BytesIO(sample.read())) as image:
            return image.size
    except Exception:  # what is damaged is found when it is decoded
        return None
