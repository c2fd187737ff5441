"""A trained model that makes pictures: samples, ways between codes, single values of a code turned through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from hubel import runtime
from hubel.bundle import Bundle, bundle_path, load_bundle
from hubel.errors import ConfigError
from hubel.models.evaluating import evaluating
from hubel.models.generative import DCGAN, Autoencoder, AutoencodingNetwork
from hubel.preprocessing import Preprocess
from hubel.tasks.generative.drawing import pixels_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

_AT_ONCE = 64
_TRAVERSED = 2.0  # standard deviations of a value of the code, to either side
# Codes of a GAN are uniform from -1 to 1, which is as far as its generator knows.
_FURTHEST_UNIFORM = 1.0


class Generator:
    """A bundle of a network that samples pictures, on a device.

    Args:
        bundle: What the model says of itself.
        network: Its network, with its weights.
        device: As for `hubel.runtime.choose_device`.
        path: The bundle's file, for messages.

    Raises:
        ConfigError: The network makes no pictures from codes.
    """

    def __init__(self, bundle: Bundle, network: nn.Module, *, device: str = "auto", path: Path | None = None) -> None:
        if not isinstance(network, DCGAN | AutoencodingNetwork):
            raise ConfigError(
                f"{path or 'the model'} is a {bundle.network} for {bundle.task}, which makes no pictures: expected a "
                "model of hubel train --task generation, such as a dcgan or a conv_vae"
            )
        if isinstance(network, Autoencoder) and network.code_distribution is None:
            raise ConfigError(
                f"the codes of {path or 'the model'}, a {bundle.network}, have no distribution to sample from: "
                "expected one that was trained with a code_size that is a number, and code_components of at least 1"
            )
        self.bundle, self.path = bundle, path
        self.device = runtime.choose_device(device)
        self.network = network.eval().to(self.device)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Generator:
        """Load a bundle.

        Args:
            path: The file, or a run's folder.
            device: As for `hubel.runtime.choose_device`.

        Raises:
            WeightsError: The file is missing or is no bundle.
            ConfigError: It is one of another task.
        """
        file = bundle_path(Path(path))
        bundle, network = load_bundle(file)
        return cls(bundle, network, device=device, path=file)

    @property
    def preprocess(self) -> Preprocess:
        """How a picture becomes the network's input."""
        return self.bundle.preprocess

    @property
    def code_size(self) -> int:
        """How many values a code has."""
        return self.network.code_size

    def sample(self, count: int, seed: int = 0) -> Pixels:
        """Pictures of codes that are drawn, uint8 (count, H, W, C); the same seed gives the same ones.

        Of a smaller count, the pictures are the first ones of a larger one.
        """
        return self.decode(self.codes(count, seed))

    def codes(self, count: int, seed: int = 0) -> torch.Tensor:
        """Codes (count, code_size) as `sample` draws them, on the CPU."""
        if count < 1:
            raise ConfigError(f"{count} samples asked for: expected at least 1")
        generator = torch.Generator().manual_seed(seed)
        return torch.cat([self.network.sample_codes(1, generator).cpu() for _ in range(count)])

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor) -> Pixels:
        """The pictures of codes (N, code_size), uint8 (N, H, W, C)."""
        with evaluating(self.network):
            parts = [self.network.decode(part.to(self.device)).float().cpu() for part in torch.split(codes, _AT_ONCE)]
        return pixels_of(torch.cat(parts).numpy(), self.network.value_range)

    def interpolate(self, rows: int, steps: int, seed: int = 0) -> Pixels:
        """Ways from one sample to another, uint8 (rows · steps, H, W, C), row by row.

        Normal codes are joined along a circle, on which codes stay as long as codes usually are (White 2016,
        arXiv:1609.04468); uniform ones along a straight line.
        """
        ends = self.codes(2 * rows, seed).double()
        shares = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]  # (steps, 1)
        join = _straight if isinstance(self.network, DCGAN) else _along_circle
        return self.decode(torch.cat([join(ends[at], ends[at + rows], shares) for at in range(rows)]).float())

    def traverse(self, rows: int, steps: int, seed: int = 0) -> Pixels:
        """A sample with single values of its code turned through, uint8 (rows · steps, H, W, C), a value a row.

        Args:
            rows: How many values, the first ones of the code.
            steps: From the least to the greatest: two standard deviations to either side of normal codes, the whole
                range of uniform ones.
            seed: Of the sample.

        Raises:
            ConfigError: The code has fewer values.
        """
        if rows > self.code_size:
            raise ConfigError(f"{rows} values of the code asked for, it has {self.code_size}: give at most as many")
        furthest = _FURTHEST_UNIFORM if isinstance(self.network, DCGAN) else _TRAVERSED
        codes = self.codes(1, seed).repeat(rows * steps, 1)
        for row in range(rows):
            codes[row * steps : (row + 1) * steps, row] = torch.linspace(-furthest, furthest, steps)
        return self.decode(codes)

    def __repr__(self) -> str:
        return f"Generator({self.bundle.network}, {self.path}, on {self.device})"


def _straight(first: torch.Tensor, last: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Codes (steps, code_size) on the straight line between two."""
    return torch.lerp(first[None], last[None], shares)


def _along_circle(first: torch.Tensor, last: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Codes (steps, code_size) on the arc between two; on a straight line where they lie in one direction."""
    cosine = torch.dot(first, last) / (first.norm() * last.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle < 1e-6 or angle > torch.pi - 1e-6:
        return _straight(first, last, shares)
    return (torch.sin((1 - shares) * angle) * first + torch.sin(shares * angle) * last) / torch.sin(angle)
