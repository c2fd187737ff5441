"""DCGAN: a generator of pictures and a discriminator that tells them from real ones, both of convolutions.

A. Radford, L. Metz, S. Chintala, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks, 2016, arXiv:1511.06434, figure 1 and section 3; what these leave open as in the authors' code
(github.com/Newmu/dcgan_code, `lsun`).

For pictures of 64×64:

| part | layers | map |
| --- | --- | --- |
| `generator.project` | linear from the code, BatchNorm, ReLU | (N, 1024, 4, 4) |
| `generator.up1` | transposed 5×5 512 /2, BatchNorm, ReLU | (N, 512, 8, 8) |
| `generator.up2` | transposed 5×5 256 /2, BatchNorm, ReLU | (N, 256, 16, 16) |
| `generator.up3` | transposed 5×5 128 /2, BatchNorm, ReLU | (N, 128, 32, 32) |
| `generator.out` | transposed 5×5 3 /2, tanh | (N, 3, 64, 64) |
| `discriminator` `down1` | 5×5 128 /2, leaky ReLU of 0.2 | (N, 128, 32, 32) |
| `discriminator` `down2` | 5×5 256 /2, BatchNorm, leaky ReLU | (N, 256, 16, 16) |
| `discriminator` `down3` | 5×5 512 /2, BatchNorm, leaky ReLU | (N, 512, 8, 8) |
| `discriminator` `down4` | 5×5 1024 /2, BatchNorm, leaky ReLU | (N, 1024, 4, 4) |
| `discriminator.head` | linear | (N, 1) |

For 32×32 one stage less, beginning at 512 channels; for 128×128 one more, from 2048. Codes are uniform from -1 to 1.
Weights start at N(0, 0.02), BatchNorm's at N(1, 0.02); there are no biases but BatchNorm's. Trained in the paper by
Adam at a rate of 0.0002 with β₁ = 0.5, in batches of 128.

Departures: BatchNorm normalises the projection by channels; the authors' code has figures for each of its 16,384
values. The discriminator returns logits; the paper's sigmoid is part of the loss.

Variants: `kernel=4`, as the field's tutorials have it; `discriminator_norm="spectral"` divides every weight of the
discriminator by its greatest singular value instead of BatchNorm (Miyato et al. 2018, arXiv:1802.05957), and `"none"`
leaves both out, as the gradient penalty asks for, which is a picture's own matter (Gulrajani et al. 2017,
arXiv:1704.00028, section 4).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import pairwise
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from hubel.models.evaluating import evaluating
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register

DiscriminatorNorm = Literal["batch", "spectral", "none"]

SIZES = (32, 64, 128)
SMALLEST_MAP = 4
SPREAD = 0.02  # of the first weights (section 3)
SLOPE = 0.2  # of the leaky ReLU (section 3)
ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}  # section 3; with batches of 128

_GENERATED_AT_ONCE = 256


class Adversaries(NamedTuple):
    """What both networks make of a batch.

    Attributes:
        logits: The discriminator's, of the pictures, (N,); positive: real.
        generated: As many pictures of the generator, (N, in_channels, H, W).
    """

    logits: Tensor
    generated: Tensor


class DCGAN(nn.Module):
    """Generator and discriminator; pictures are floats from -1 to 1.

    Args:
        in_channels: Channels of the pictures.
        size: Their side: 32, 64 or 128.
        code_size: Values of the code, 100 in the paper.
        width: Channels of the finest maps, 128 in the paper; each coarser one has twice as many.
        kernel: Side of every kernel, 5 in the paper; 4 or 5.
        discriminator_norm: `"batch"`, `"spectral"` or `"none"`.

    Attributes:
        generator: From codes (N, code_size) to pictures.
        discriminator: A `ClassificationNetwork` from pictures to one logit.
        value_range: The least and the greatest value of a picture.

    Raises:
        ValueError: An argument is out of its range.
    """

    value_range = (-1.0, 1.0)

    def __init__(
        self,
        *,
        in_channels: int = 3,
        size: int = 64,
        code_size: int = 100,
        width: int = 128,
        kernel: int = 5,
        discriminator_norm: DiscriminatorNorm = "batch",
    ) -> None:
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size is {size}: expected {', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]}")
        for name, value in {"code_size": code_size, "width": width}.items():
            if value < 1:
                raise ValueError(f"{name} is {value}: expected at least 1")
        if kernel not in (4, 5):
            raise ValueError(f"kernel is {kernel}: expected 5, as published, or 4")
        if discriminator_norm not in get_args(DiscriminatorNorm):
            raise ValueError(
                f"discriminator_norm is '{discriminator_norm}': expected {', '.join(get_args(DiscriminatorNorm))}"
            )
        self.in_channels, self.size, self.code_size = in_channels, (size, size), code_size
        widths = [width * 2**level for level in range(int(math.log2(size // SMALLEST_MAP)))]
        self.generator = _generator(code_size, widths[::-1], in_channels, kernel)
        self.discriminator = _discriminator(in_channels, widths, size, kernel, discriminator_norm)
        _draw_weights(self)
        if discriminator_norm == "spectral":
            for module in list(self.discriminator.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear):
                    parametrizations.spectral_norm(module)

    def forward(self, x: Tensor) -> Adversaries:
        """The logits of pictures (N, in_channels, H, W), and as many generated ones.

        Raises:
            ValueError: The pictures have another number of channels, or another size.
        """
        logits = self.judge(x)
        return Adversaries(logits, self.decode(self.sample_codes(len(x))))

    def judge(self, x: Tensor) -> Tensor:
        """The discriminator's logits (N,) of pictures: positive where it takes them for real.

        Raises:
            ValueError: The pictures have another number of channels, or another size.
        """
        return cast(Tensor, self.discriminator(x)).flatten()

    def decode(self, codes: Tensor) -> Tensor:
        """The generator's pictures (N, in_channels, H, W) of codes (N, code_size)."""
        return cast(Tensor, self.generator(codes))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw pictures (count, in_channels, H, W), in evaluation mode and without gradients.

        The same seed of the generator gives the same pictures, on whatever device the network is: codes are drawn on
        the generator's.
        """
        codes = self.sample_codes(count, generator)
        with torch.no_grad(), evaluating(self):
            starts = range(0, count, _GENERATED_AT_ONCE)
            return torch.cat([self.decode(codes[start : start + _GENERATED_AT_ONCE]) for start in starts])

    def sample_codes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (count, code_size), uniform from -1 to 1."""
        weight = next(self.parameters())
        device = weight.device if generator is None else generator.device
        codes = torch.rand(count, self.code_size, generator=generator, device=device)
        return (2 * codes - 1).to(weight)


def _generator(code_size: int, widths: list[int], in_channels: int, kernel: int) -> nn.Sequential:
    """The generator; `widths` are the channels of its maps, the coarsest first."""
    projected = (widths[0], SMALLEST_MAP, SMALLEST_MAP)
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    project: list[tuple[str, nn.Module]] = [
        ("dense", nn.Linear(code_size, math.prod(projected), bias=False)),
        ("map", nn.Unflatten(1, projected)),
        ("norm", nn.BatchNorm2d(widths[0])),
        ("relu", nn.ReLU(inplace=True)),
    ]
    stages["project"] = nn.Sequential(OrderedDict(project))
    for number, (before, after) in enumerate(pairwise(widths), start=1):
        layers: list[tuple[str, nn.Module]] = [
            ("conv", _doubling(before, after, kernel)),
            ("norm", nn.BatchNorm2d(after)),
            ("relu", nn.ReLU(inplace=True)),
        ]
        stages[f"up{number}"] = nn.Sequential(OrderedDict(layers))
    out = OrderedDict(conv=_doubling(widths[-1], in_channels, kernel), tanh=nn.Tanh())
    stages["out"] = nn.Sequential(out)
    return nn.Sequential(stages)


def _doubling(in_channels: int, out_channels: int, kernel: int) -> nn.ConvTranspose2d:
    """A transposed convolution from (N, in_channels, h, w) to (N, out_channels, 2 h, 2 w)."""
    padding, rest = (2, 1) if kernel == 5 else (1, 0)
    return nn.ConvTranspose2d(in_channels, out_channels, kernel, 2, padding, output_padding=rest, bias=False)


def _discriminator(
    in_channels: int, widths: list[int], size: int, kernel: int, norm: DiscriminatorNorm
) -> ClassificationNetwork:
    """The discriminator; `widths` are the channels of its maps, the finest first."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (before, after) in enumerate(pairwise([in_channels, *widths]), start=1):
        padding = 2 if kernel == 5 else 1
        layers: list[tuple[str, nn.Module]] = [("conv", nn.Conv2d(before, after, kernel, 2, padding, bias=False))]
        if norm == "batch" and number > 1:  # not on its input layer (section 3)
            layers.append(("norm", nn.BatchNorm2d(after)))
        layers.append(("act", nn.LeakyReLU(SLOPE, inplace=True)))
        stages[f"down{number}"] = nn.Sequential(OrderedDict(layers))
    places = widths[-1] * SMALLEST_MAP**2
    head = OrderedDict(flatten=nn.Flatten(1), out=nn.Linear(places, 1, bias=False))
    return ClassificationNetwork(
        stages,
        nn.Sequential(head),
        in_channels=in_channels,
        strides=[2**number for number in range(1, len(widths) + 1)],
        out_channels=widths,
        size=(size, size),
    )


def _draw_weights(network: nn.Module) -> None:
    """Start as in section 3 of the paper; BatchNorm's weights as in the authors' code."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, SPREAD)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, SPREAD)
            nn.init.zeros_(module.bias)


@register(
    "dcgan",
    source="Radford et al. 2016, arXiv:1511.06434, figure 1 and section 3",
    input_size=(3, 64, 64),
    fixed_size=True,
    summary="generator and discriminator of five layers each",
    task="generation",
)
def dcgan(
    *,
    in_channels: int = 3,
    size: int = 64,
    code_size: int = 100,
    width: int = 128,
    kernel: int = 5,
    discriminator_norm: DiscriminatorNorm = "batch",
) -> DCGAN:
    """DCGAN as published: a generator of 18,855,040 parameters, a discriminator of 17,232,768 for 64×64.

    Args:
        in_channels: Channels of the pictures.
        size: Their side: 32, 64 or 128.
        code_size: Values of the code.
        width: Channels of the finest maps; each coarser one has twice as many.
        kernel: Side of every kernel: 5, as published, or 4.
        discriminator_norm: `"batch"`, `"spectral"` or `"none"`.
    """
    return DCGAN(
        in_channels=in_channels,
        size=size,
        code_size=code_size,
        width=width,
        kernel=kernel,
        discriminator_norm=discriminator_norm,
    )
