"""A training step of every network that learns without labels against a bare PyTorch loop over the same tensors, CPU.

The bare side has the same layers in plain `nn.Sequential`s and its losses in two lines, as tutorials have it; hubel's
has its networks and the losses of `hubel.tasks.generative`. Both have the same weights' shapes, batch, optimiser (Adam)
and memory settings, and take turns in one process.

`--pythae PYTHON` is the interpreter of an environment with pythae (`pip install pythae`): `conv_vae` is then compared
with pythae's VAE, whose encoder and decoder are the same layers, each side in a process of its own, in turn.

Run: python benchmarks/generative.py [NETWORK ...] [--pythae ../pythae/bin/python]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from side_by_side import alternate, median, spread

if TYPE_CHECKING:
    import torch
    from torch import nn

NETWORKS = ("autoencoder", "conv_autoencoder", "vae", "conv_vae", "dcgan")
WIDTHS, CODE = (32, 64, 128), 32

Step = Callable[[], object]


def size_of(name: str) -> tuple[int, int, int]:
    from hubel.models import model_entry

    return model_entry(name).input_size if name != "dcgan" else (3, 32, 32)


def trained(loss: Callable[[], torch.Tensor], network: nn.Module) -> Step:
    """A step of Adam on a loss."""
    import torch

    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def ours(name: str, images: torch.Tensor, width: int) -> Step:
    import torch

    from hubel.models import build_model
    from hubel.tasks.generative.adversarial import discriminator_loss, generator_loss
    from hubel.tasks.generative.likelihoods import bernoulli_log_likelihood
    from hubel.tasks.generative.variational import variational_loss

    network = build_model(name, **({"size": 32, "width": width} if name == "dcgan" else {})).train()
    if name == "dcgan":
        halves = [torch.optim.Adam(part.parameters(), lr=2e-4) for part in (network.generator, network.discriminator)]

        def step() -> None:
            generated = network.decode(network.sample_codes(len(images)))
            halves[1].zero_grad()
            judged = network.judge(images), network.judge(generated.detach())
            discriminator_loss("non-saturating", *judged).backward()
            halves[1].step()
            halves[0].zero_grad()
            generator_loss("non-saturating", network.judge(generated)).backward()
            halves[0].step()

        return step
    if name.endswith("vae"):
        return trained(lambda: variational_loss(network, network(images), images).total, network)
    return trained(lambda: -bernoulli_log_likelihood(network(images), images).mean(), network)


def dense(*units: int, act: type[nn.Module]) -> list[nn.Module]:
    """Dense layers with an activation between them."""
    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise(units):
        layers += [nn.Linear(before, after), act()]
    return layers[:-1]


def halves_of(name: str) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of the bare side."""
    from torch import nn

    if name in ("autoencoder", "vae"):
        widths, code, values, act = {
            "autoencoder": ((1000, 500, 250), 30, 30, nn.ReLU),
            "vae": ((500,), 20, 40, nn.Tanh),
        }[name]
        encoder = nn.Sequential(nn.Flatten(), *dense(784, *widths, values, act=act))
        return encoder, nn.Sequential(*dense(code, *reversed(widths), 784, act=act), nn.Unflatten(1, (1, 28, 28)))
    code, values = (64, 64) if name == "conv_autoencoder" else (CODE, 2 * CODE)
    return convolutional_halves(code, values)


def convolutional_halves(code: int, values: int) -> tuple[nn.Module, nn.Module]:
    """Three halvings of 3×32×32 and three doublings, as `conv_vae` has them."""
    from torch import nn

    down: list[nn.Module] = []
    for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
        down += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    up: list[nn.Module] = [nn.Linear(code, 2048), nn.Unflatten(1, (128, 4, 4)), nn.BatchNorm2d(128), nn.ReLU()]
    for before, after in ((128, 64), (64, 32)):
        up += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return (
        nn.Sequential(*down, nn.Flatten(), nn.Linear(2048, values)),
        nn.Sequential(*up, nn.ConvTranspose2d(32, 3, 4, 2, 1)),
    )


def bare(name: str, images: torch.Tensor, width: int) -> Step:
    import torch
    from torch import nn
    from torch.nn import functional as F

    if name == "dcgan":
        return bare_dcgan(images, width)
    encoder, decoder = halves_of(name)
    network = nn.ModuleList([encoder, decoder]).train()

    def loss() -> torch.Tensor:
        codes = encoder(images)
        kl = torch.zeros(())
        if name.endswith("vae"):
            mean, log_variance = codes.chunk(2, dim=1)
            codes = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
        outputs = decoder(codes)
        return (F.binary_cross_entropy_with_logits(outputs, images, reduction="sum") + kl) / len(images)

    return trained(loss, network)


def bare_dcgan(images: torch.Tensor, width: int) -> Step:
    import torch
    from torch import nn
    from torch.nn import functional as F

    channels = [4 * width, 2 * width, width]
    up: list[nn.Module] = [nn.Linear(100, 16 * channels[0], bias=False), nn.Unflatten(1, (channels[0], 4, 4))]
    up += [nn.BatchNorm2d(channels[0]), nn.ReLU(True)]
    for before, after in ((channels[0], channels[1]), (channels[1], channels[2])):
        up += [nn.ConvTranspose2d(before, after, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]
    up += [nn.ConvTranspose2d(width, 3, 5, 2, 2, 1, bias=False), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.LeakyReLU(0.2, True)]
    for before, after in ((channels[2], channels[1]), (channels[1], channels[0])):
        down += [nn.Conv2d(before, after, 5, 2, 2, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True)]
    down += [nn.Flatten(), nn.Linear(16 * channels[0], 1, bias=False)]
    generator, discriminator = nn.Sequential(*up), nn.Sequential(*down)
    halves = [torch.optim.Adam(part.parameters(), lr=2e-4) for part in (generator, discriminator)]
    real, fake = torch.ones(len(images), 1), torch.zeros(len(images), 1)

    def step() -> None:
        generated = generator(2 * torch.rand(len(images), 100) - 1)
        halves[1].zero_grad()
        loss = F.binary_cross_entropy_with_logits(discriminator(images), real)
        (loss + F.binary_cross_entropy_with_logits(discriminator(generated.detach()), fake)).backward()
        halves[1].step()
        halves[0].zero_grad()
        F.binary_cross_entropy_with_logits(discriminator(generated), real).backward()
        halves[0].step()

    return step


def pythaes(images: torch.Tensor) -> Step:
    """The VAE of pythae with the layers of `conv_vae`."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    encoder, decoder = convolutional_halves(CODE, 2 * CODE)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = encoder

        def forward(self, x: torch.Tensor) -> ModelOutput:
            mean, log_variance = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = decoder

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    config = VAEConfig(input_dim=(3, 32, 32), latent_dim=CODE, reconstruction_loss="bce")
    network = VAE(config, encoder=Encoder(), decoder=Decoder()).train()
    return trained(lambda: network({"data": images}).loss, network)


def pictures(name: str, batch: int) -> torch.Tensor:
    import torch

    torch.manual_seed(0)
    images = torch.rand(batch, *((3, 32, 32) if name == "pythae" else size_of(name)))
    return 2 * images - 1 if name == "dcgan" else images


def milliseconds(step: Step, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return 1000 * (time.perf_counter() - began) / steps


def in_turn(name: str, arguments: argparse.Namespace) -> None:
    """Both sides round by round in this process."""
    images = pictures(name, arguments.batch)
    sides = {"bare": bare(name, images, arguments.width), "hubel": ours(name, images, arguments.width)}
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(arguments.rounds + 1):
        for side, step in sides.items():
            value = milliseconds(step, arguments.steps)
            if number:
                figures[side].append(value)
    print(f"{name}, {'×'.join(map(str, images.shape[1:]))}, batch {arguments.batch}, {arguments.rounds} rounds")
    for side, values in figures.items():
        print(f"  {side:<6} {statistics.median(values):.2f} ms a step ({min(values):.2f} to {max(values):.2f})")
    ratios = [hubels / other for hubels, other in zip(figures["hubel"], figures["bare"], strict=True)]
    print(f"  ratio  {statistics.median(ratios):.3f} (median of the rounds' ratios)", flush=True)


def one_side(arguments: argparse.Namespace) -> None:
    """Pictures per second of `conv_vae`, as a JSON line."""
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.side == "hubel":
        from hubel import runtime

        runtime.start(arguments.threads)
    images = pictures("pythae", arguments.batch)
    step = pythaes(images) if arguments.side == "pythae" else ours("conv_vae", images, arguments.width)
    milliseconds(step, 5)
    print(json.dumps({"images_per_second": 1000 * arguments.batch / milliseconds(step, 5 * arguments.steps)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--pythae", metavar="PYTHON", help="the interpreter of an environment with pythae")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=32, help="of dcgan")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=("hubel", "pythae"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        one_side(arguments)
        return
    if unknown := [name for name in arguments.networks if name not in NETWORKS]:
        sys.exit(f"error: {', '.join(unknown)} came: expected {', '.join(NETWORKS)}")
    from hubel import runtime

    runtime.start(arguments.threads)
    for name in arguments.networks or NETWORKS:
        in_turn(name, arguments)
    if not arguments.pythae:
        print("pythae is left out: name the Python of an environment that has it with --pythae")
        return
    options = [f"--{key}={getattr(arguments, key)}" for key in ("batch", "steps", "threads")]
    sides = {"hubel": sys.executable, "pythae": arguments.pythae}
    commands = {side: [python, __file__, *options, "--side", side] for side, python in sides.items()}
    figures = alternate(commands, arguments.rounds)
    print(f"conv_vae beside pythae's VAE of the same layers, batch {arguments.batch}, {arguments.rounds} rounds")
    for side, rows in figures.items():
        print(f"  {side:<6} {spread(rows, 'images_per_second')} images/s")
    print(
        f"  ratio  {median(figures['hubel'], 'images_per_second') / median(figures['pythae'], 'images_per_second'):.2f}"
    )


if __name__ == "__main__":
    main()
