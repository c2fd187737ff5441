"""Variational autoencoders: the code of a picture is a normal distribution, and codes of the prior make new pictures.

D. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.

| name | encoder | code | decoder |
| --- | --- | --- | --- |
| `vae` | dense 500 | mean and log variance of 20 | dense 500, picture |
| `conv_vae` | 4×4 32, 64, 128, each /2 | mean and log variance of 32 | dense, 4×4 transposed 64, 32, picture |

`vae` is that of section 5 and appendix C (500 hidden units of tanh, for MNIST; the paper tries codes of 3 to 200).
`conv_vae` has the encoder and the decoder of `conv_autoencoder`.

What the decoder's raw values mean is the likelihood's to say. Bernoulli: logits of the probability that a pixel is
white; it is a likelihood of black-and-white pictures, and of grey ones the expected one of pictures drawn from them.
Gaussian: means of a normal distribution of each value, of one variance for all, which is learnt (Rybkin et al. 2021,
arXiv:2006.13202): a density, which bits per dimension follow from. Losses and bounds are in
`hubel.tasks.generative.variational`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor, nn

from hubel.models.generative.code_distribution import standard_normal
from hubel.models.generative.convolutional import Downsampling, Upsampling, convolutional_layers
from hubel.models.generative.dense import Activation, dense_layers
from hubel.models.generative.network import AutoencodingNetwork, Layers, height_and_width
from hubel.models.network import LogitsWithAux
from hubel.models.registry import register

Likelihood = Literal["bernoulli", "gaussian"]

_FIRST_VARIANCE = 0.1  # of a pixel from 0 to 1 about a decoder's mean that knows nothing yet


class GaussianCode(NamedTuple):
    """The normal distribution of each picture's code, of independent values.

    Attributes:
        mean: (N, code_size).
        log_variance: (N, code_size), natural logarithm.
    """

    mean: Tensor
    log_variance: Tensor

    def draw(self, generator: torch.Generator | None = None) -> Tensor:
        """A code (N, code_size) of each picture, reparameterised: mean + standard deviation · standard normal noise."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )  # (N, K)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


class VariationalOutput(NamedTuple):
    """What a variational autoencoder returns.

    Attributes:
        outputs: Raw values (N, in_channels, H, W), from one code of each picture.
        code: The distributions of the codes.
    """

    outputs: Tensor
    code: GaussianCode


class VariationalAutoencoder(AutoencodingNetwork):
    """A variational autoencoder with a standard normal prior.

    New pictures are of codes of the prior, or, with `code_components` and after `fit_codes`, of a mixture fitted to the
    codes of pictures; give it drawn codes, `posterior(x).draw()`, not their means, which scatter less.

    Args:
        layers: The encoder and the decoder; the encoder's values are the means and then the log variances.
        in_channels: Channels of the pictures.
        size: Their height and width.
        likelihood: `"bernoulli"` or `"gaussian"`.
        code_components: As for `AutoencodingNetwork`.

    Raises:
        ValueError: The likelihood is unknown.
    """

    def __init__(
        self,
        layers: Layers,
        *,
        in_channels: int,
        size: tuple[int, int],
        likelihood: Likelihood,
        code_components: int = 0,
    ) -> None:
        if likelihood not in get_args(Likelihood):
            raise ValueError(f"likelihood is '{likelihood}': expected {' or '.join(get_args(Likelihood))}")
        output: Literal["sigmoid", "linear"] = "sigmoid" if likelihood == "bernoulli" else "linear"
        super().__init__(layers, in_channels=in_channels, size=size, output=output, code_components=code_components)
        self.likelihood: Likelihood = likelihood
        if likelihood == "gaussian":  # the head's, so that it trains with the head
            self.head.register_parameter("log_variance", nn.Parameter(torch.tensor(math.log(_FIRST_VARIANCE))))

    @property
    def pixel_log_variance(self) -> Tensor:
        """The logarithm of the Gaussian likelihood's variance, a scalar."""
        return cast(Tensor, self.head.log_variance)

    def posterior(self, x: Tensor) -> GaussianCode:
        """The distributions of the codes of pictures (N, in_channels, H, W).

        Raises:
            ValueError: The pictures have another number of channels, or another size.
        """
        self.check_input(x)
        mean, log_variance = self.encoded(x).chunk(2, dim=1)
        return GaussianCode(mean, log_variance)

    def forward(self, x: Tensor) -> VariationalOutput:
        """The reconstruction: in training from codes that are drawn, in evaluation from their means."""
        code = self.posterior(x)
        return VariationalOutput(self.outputs(code.draw() if self.training else code.mean), code)

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """The raw values in the place of logits, and no auxiliary heads."""
        return LogitsWithAux(self(x).outputs, {})

    def encode(self, x: Tensor) -> Tensor:
        """The means of the codes."""
        return self.posterior(x).mean

    def sample_codes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (count, code_size) from the prior, or from the mixture where there is one."""
        if self.code_distribution is not None:
            return self.code_distribution.draw(count, generator)
        return standard_normal(count, self.code_size, generator, next(self.parameters()))


@register(
    "vae",
    source="Kingma and Welling 2014, arXiv:1312.6114, section 5 and appendix C",
    input_size=(1, 28, 28),
    fixed_size=True,
    summary="dense layers of 500, Gaussian code of 20",
    task="generation",
)
def vae(
    *,
    in_channels: int = 1,
    size: int | tuple[int, int] = 28,
    widths: Sequence[int] = (500,),
    code_size: int = 20,
    activation: Activation = "tanh",
    likelihood: Likelihood = "bernoulli",
    code_components: int = 0,
) -> VariationalAutoencoder:
    """A variational autoencoder of dense layers: 815,824 parameters for 28×28 grey pictures.

    Departure: weights start as PyTorch's layers do.

    Args:
        in_channels: Channels of the pictures.
        size: Their side, or height and width.
        widths: Units of the encoder's hidden layers, from the picture on; the decoder has them in reverse.
        code_size: Values of the code.
        activation: Of the hidden layers: relu, selu, tanh, sigmoid or linear.
        likelihood: `"bernoulli"` or `"gaussian"`.
        code_components: Normal distributions in a mixture for samples; 0: they are of the prior.
    """
    sides = height_and_width(size)
    shape = (in_channels, *sides)
    layers = dense_layers(shape, widths, code_size, code_values=2 * code_size, activation=activation)
    return VariationalAutoencoder(
        layers, in_channels=in_channels, size=sides, likelihood=likelihood, code_components=code_components
    )


@register(
    "conv_vae",
    source="after Kingma and Welling 2014, arXiv:1312.6114, and Radford et al. 2016, arXiv:1511.06434",
    input_size=(3, 32, 32),
    fixed_size=True,
    summary="strided or pooled convolutions 32, 64, 128, Gaussian code of 32, and their mirror image",
    task="generation",
)
def conv_vae(
    *,
    in_channels: int = 3,
    size: int | tuple[int, int] = 32,
    widths: Sequence[int] = (32, 64, 128),
    code_size: int = 32,
    downsampling: Downsampling = "strided",
    upsampling: Upsampling = "transposed",
    batch_norm: bool = True,
    activation: Activation = "relu",
    likelihood: Likelihood = "bernoulli",
    code_components: int = 0,
) -> VariationalAutoencoder:
    """A convolutional variational autoencoder: 530,371 parameters for 32×32 colour pictures.

    Args:
        in_channels: Channels of the pictures.
        size: Their side, or height and width, of at least 2 to the number of widths.
        widths: Channels of the encoder's maps, each half as high and wide as the one before.
        code_size: Values of the code.
        downsampling: `"strided"` or `"pooled"`.
        upsampling: `"transposed"`, `"nearest"` or `"bilinear"`.
        batch_norm: Whether BatchNorm follows every convolution but the last.
        activation: As for `vae`, and so are the others.
        likelihood: See there.
        code_components: See there.
    """
    layers = convolutional_layers(
        in_channels,
        size,
        widths,
        code_size,
        code_values=2 * code_size,
        downsampling=downsampling,
        upsampling=upsampling,
        batch_norm=batch_norm,
        activation=activation,
    )
    return VariationalAutoencoder(
        layers,
        in_channels=in_channels,
        size=height_and_width(size),
        likelihood=likelihood,
        code_components=code_components,
    )
