"""Learning from scikit-learn's 1,797 handwritten digits without their labels, minutes each on one thread.

- `denoise`: a convolutional autoencoder takes noise of sigma 0.5 off digits that it has not seen.
- `vae`, `dcgan`: 1,000 new digits, judged by a LeNet that is trained on the labels first.
- `anomaly`: ten times one digit is unknown in training; how well does the error of the reconstruction tell it?

Pictures are scaled to 32×32; 70 % train, the others test.

Run: python examples/digits_without_labels.py denoise|vae|dcgan|anomaly [--sheet samples.png] [--seed 0]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from hubel import runtime
from hubel.models import build_model
from hubel.models.generative import DCGAN, Autoencoder, VariationalAutoencoder
from hubel.models.generative.dcgan import ADAM
from hubel.preprocessing import resample
from hubel.tasks.generative.adversarial import discriminator_accuracy, discriminator_loss, generator_loss
from hubel.tasks.generative.collapse import class_coverage, collapse_alarm, diversity
from hubel.tasks.generative.likelihoods import bernoulli_log_likelihood
from hubel.tasks.generative.reconstruction import mean_squared_error, psnr, ssim
from hubel.tasks.generative.variational import elbo, variational_loss, warmed_up
from hubel.training.averaging import moving_average

SIDE = 32
SAMPLES = 1000


def digits() -> tuple[Tensor, Tensor]:
    """All digits in an order drawn once, floats (1797, 1, 32, 32) from 0 to 1, and their labels (1797,)."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    pixels = np.rint(loaded.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(resample(Image.fromarray(each), (SIDE, SIDE), "bilinear")) for each in pixels])
    order = torch.randperm(len(large), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(large)[order, None].float() / 255, torch.from_numpy(loaded.target)[order]


def batches(images: Tensor, size: int, epochs: int) -> Iterator[tuple[float, Tensor]]:
    """The numbers of the pictures of each batch, and which share of the training is done."""
    steps = len(images) // size
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        for step in range(steps):
            yield (epoch + step / steps) / epochs, order[step * size : (step + 1) * size]


def cosine(optimizer: torch.optim.Optimizer, rate: float, done: float) -> None:
    """Set the rate to what it is at a share of the training."""
    optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * done))


def moved(images: Tensor, turn: float = 0.1, scale: float = 0.05, shift: float = 0.05) -> Tensor:
    """Each picture turned (radians), scaled and shifted (of its side) by a little, at random."""
    angle = (2 * torch.rand(len(images)) - 1) * turn
    factor = 1 + (2 * torch.rand(len(images)) - 1) * scale
    place = (2 * torch.rand(len(images), 2) - 1) * 2 * shift
    cos, sin = angle.cos() * factor, angle.sin() * factor
    matrix = torch.stack([torch.stack([cos, -sin, place[:, 0]], 1), torch.stack([sin, cos, place[:, 1]], 1)], 1)
    return F.grid_sample(images, F.affine_grid(matrix, list(images.shape), align_corners=False), align_corners=False)


def judge(images: Tensor, labels: Tensor, count: int, epochs: int = 80) -> torch.nn.Module:
    """A LeNet that is trained on the first `count` digits and tested on the others."""
    torch.manual_seed(0)
    network = build_model("lenet5_modern", num_classes=10, in_channels=1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    for done, numbers in batches(images[:count], 64, epochs):
        cosine(optimizer, 3e-3, done)
        loss = F.cross_entropy(network(moved(images[numbers])), labels[numbers])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        right = (network(images[count:]).argmax(1) == labels[count:]).float().mean().item()
    print(f"judge: LeNet, accuracy {100 * right:.1f} % on {len(images) - count} test digits")
    return network


def report_samples(samples: Tensor, real: Tensor, classifier: torch.nn.Module, sheet: Path | None = None) -> None:
    """What the judge says of samples from 0 to 1, and whether they are as diverse as real digits."""
    with torch.no_grad():
        judged = class_coverage(classifier(samples).softmax(1).numpy())
    shares = " ".join(f"{100 * share:.1f}" for share in judged.shares)
    spread = diversity(samples.numpy(), real.numpy())
    print(f"{len(samples)} samples: shares of the classes 0 to 9 in % {shares}")
    alarm = "; ".join(collapse_alarm(coverage=judged.coverage, diversity=spread)) or "none"
    print(f"  {100 * judged.confident:.1f} % with a confidence above 0.9, coverage {judged.coverage:.2f}")
    print(f"  diversity {spread:.2f}, alarm: {alarm}")
    if sheet:
        rows = samples[:100, 0].reshape(10, 10, SIDE, SIDE).permute(0, 2, 1, 3).reshape(10 * SIDE, 10 * SIDE)
        Image.fromarray((rows.clamp(0, 1) * 255).round().byte().numpy()).save(sheet)


def denoise(images: Tensor, count: int, arguments: argparse.Namespace) -> None:
    """Train a denoising autoencoder, and measure it on noisy test digits."""
    network = build_model("conv_autoencoder", in_channels=1, size=SIDE, code_size=64, noise=0.5)
    assert isinstance(network, Autoencoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    for done, numbers in batches(images[:count], 64, arguments.epochs or 30):
        cosine(optimizer, 2e-3, done)
        loss = -bernoulli_log_likelihood(network(images[numbers]), images[numbers]).mean() / SIDE**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    clean = images[count:]
    noisy = clean + 0.5 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        restored = network.reconstruct(noisy)
    for what, pictures in {"noisy": noisy, "noisy, cut to 0..1": noisy.clamp(0, 1), "restored": restored}.items():
        print(f"{what:<20} PSNR {psnr(pictures, clean).mean():.2f} dB, SSIM {ssim(pictures, clean).mean():.3f}")


def vae(images: Tensor, labels: Tensor, count: int, arguments: argparse.Namespace) -> None:
    """Train a variational autoencoder and judge its samples."""
    rate, epochs = arguments.rate or 3e-3, arguments.epochs or 200
    network = build_model(
        "conv_vae",
        in_channels=1,
        size=SIDE,
        code_size=arguments.code_size or 5,
        widths=arguments.widths,
        code_components=30,
    )
    assert isinstance(network, VariationalAutoencoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.0)
    for done, numbers in batches(images[:count], 64, epochs):
        cosine(optimizer, rate, done)
        batch = images[numbers]
        beta = warmed_up(arguments.beta, int(1000 * done), 100)
        loss = variational_loss(network, network(batch), batch, beta=beta)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        bounds = [
            elbo(network, part, torch.Generator().manual_seed(0)).mean() for part in (images[:count], images[count:])
        ]
    print(f"conv_vae: ELBO {bounds[0]:.1f} nats in training, {bounds[1]:.1f} on test digits")
    judged_by = judge(images, labels, count)
    print("codes of the prior:")
    samples = network.sample(SAMPLES, torch.Generator().manual_seed(1))
    report_samples(samples, images[count:], judged_by)
    with torch.no_grad():
        code = network.posterior(images[:count])
        network.fit_codes(torch.cat([code.draw() for _ in range(4)]))
    print("codes of a mixture of 30 normal distributions, fitted to those of the training digits:")
    samples = network.sample(SAMPLES, torch.Generator().manual_seed(1))
    report_samples(samples, images[count:], judged_by, arguments.sheet)


def dcgan(images: Tensor, labels: Tensor, count: int, arguments: argparse.Namespace) -> None:
    """Train generator and discriminator and judge the samples of the generator's moving average.

    The discriminator sees all pictures, real and generated, moved a little: 1,257 alone it would know by heart (Zhao et
    al. 2020, arXiv:2006.10738).
    """
    network = build_model(
        "dcgan",
        in_channels=1,
        size=SIDE,
        width=arguments.width,
        kernel=4,
        code_size=arguments.code_size or 64,
        discriminator_norm=arguments.norm,
    )
    assert isinstance(network, DCGAN)
    rate = arguments.rate or 1e-3
    optimizers = [
        torch.optim.Adam(part.parameters(), lr=rate, betas=ADAM["betas"])
        for part in (network.generator, network.discriminator)
    ]
    averaged = moving_average(network.generator, 0.995)
    accuracy = 0.5

    def judged(pictures: Tensor) -> Tensor:
        return network.judge(2 * moved((pictures + 1) / 2) - 1)

    for done, numbers in batches(images[:count], arguments.batch, arguments.epochs or 400):
        for optimizer in optimizers:
            cosine(optimizer, rate, 0.9 * done)
        generated = network.decode(network.sample_codes(len(numbers)))
        logits = judged(2 * images[numbers] - 1), judged(generated.detach())
        optimizers[1].zero_grad()
        discriminator_loss(arguments.loss, *logits).backward()
        optimizers[1].step()
        network.discriminator.requires_grad_(False)
        optimizers[0].zero_grad()
        generator_loss(arguments.loss, judged(generated)).backward()
        optimizers[0].step()
        network.discriminator.requires_grad_(True)
        averaged.update_parameters(network.generator)
        accuracy = 0.95 * accuracy + 0.05 * discriminator_accuracy(arguments.loss, *logits)
    print(f"dcgan: the discriminator tells {100 * accuracy:.0f} % of the last batches")
    network.generator = averaged.module
    samples = (network.sample(SAMPLES, torch.Generator().manual_seed(1)) + 1) / 2
    report_samples(samples, images[count:], judge(images, labels, count), arguments.sheet)


def anomaly(images: Tensor, labels: Tensor, count: int, arguments: argparse.Namespace) -> None:
    """Ten autoencoders, each without one digit: the area under the curve of telling it by the error."""
    from sklearn.metrics import roc_auc_score

    areas = []
    for unknown in range(10):
        torch.manual_seed(arguments.seed)
        normal = images[:count][labels[:count] != unknown]
        network = build_model("autoencoder", size=SIDE, widths=(256, 64), code_size=arguments.code_size or 8, noise=0.5)
        assert isinstance(network, Autoencoder)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
        for done, numbers in batches(normal, 64, arguments.epochs or 40):
            cosine(optimizer, 2e-3, done)
            loss = -bernoulli_log_likelihood(network(normal[numbers]), normal[numbers]).mean() / SIDE**2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            errors = mean_squared_error(network.reconstruct(images[count:]), images[count:])
        areas.append(roc_auc_score((labels[count:] == unknown).numpy(), errors.numpy()))
        print(f"without {unknown}: AUROC {areas[-1]:.3f}", flush=True)
    print(f"mean AUROC {np.mean(areas):.3f}")


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("denoise", "vae", "dcgan", "anomaly"))
    parser.add_argument("--sheet", type=Path, help="write a picture of 100 samples")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--code-size", type=int)
    parser.add_argument("--beta", type=float, default=3.0)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--norm", default="spectral")
    parser.add_argument("--loss", default="hinge")
    arguments = parser.parse_args()
    runtime.start(arguments.threads)
    images, labels = digits()
    count = int(0.7 * len(images))
    torch.manual_seed(arguments.seed)
    began = time.process_time()
    if arguments.what == "denoise":
        denoise(images, count, arguments)
    else:
        {"vae": vae, "dcgan": dcgan, "anomaly": anomaly}[arguments.what](images, labels, count, arguments)
    print(f"{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
