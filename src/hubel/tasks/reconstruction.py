"""Reconstruction: pictures through a code and back, learnt without labels.

`ReconstructionTask` is the shell that training, prediction and evaluation hold; losses and bounds are the functions of
`hubel.tasks.generative`. What is true of a picture is the picture itself, so that a prediction holds its own figures.
`GenerationTask` is the same for a network whose codes have a prior to sample from, judged by its likelihood.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.config import GenerativeConfig
from hubel.data.labels import Labelling
from hubel.errors import ConfigError
from hubel.models.generative import Autoencoder, AutoencodingNetwork, VariationalAutoencoder
from hubel.nn import GaussianNoise
from hubel.results import Metrics, Reconstruction, ReconstructionMetrics, Result
from hubel.tasks.baselines import Baseline
from hubel.tasks.generative.likelihoods import bernoulli_log_likelihood, bits_per_dimension, dequantise
from hubel.tasks.generative.measuring import FIGURES, Pixels, Reconstructed, measure, of_pictures
from hubel.tasks.generative.reconstruction import SSIM_WINDOW, mean_squared_error, ssim
from hubel.tasks.generative.sparsity import kl_sparsity, l1_sparsity
from hubel.tasks.generative.variational import (
    elbo,
    importance_weighted_bound,
    log_importance_weights,
    variational_loss,
    warmed_up,
)
from hubel.tasks.paired import MeanDifference, mean_difference

if TYPE_CHECKING:
    from PIL import Image

    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.preprocessing import Preprocess
    from hubel.tasks.task import Labels
    from hubel.tasks.views import Views


@dataclass(frozen=True)
class ReconstructionTask:
    """What training, prediction and evaluation need to know of reconstruction.

    Attributes:
        settings: The loss and its parts.
        importance_samples: Codes of each picture for the importance-weighted bound; 0: it is not computed, as in the
            epochs of training, where it would take most of the time.
        beta: The weight of the divergence at the current step.
    """

    settings: GenerativeConfig
    importance_samples: int = 0
    beta: float = 1.0

    name: ClassVar[str] = "reconstruction"
    labelling: ClassVar[Labelling] = "none"
    score_name: ClassVar[str] = "mean_squared_error"

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run."""
        return cls(config.generative, beta=config.generative.beta)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        settings = GenerativeConfig(**bundle.config.get("generative", {}))
        return cls(settings, settings.importance_samples, settings.beta)

    def in_bundle(self) -> Mapping[str, Any]:
        """Nothing but that there are no classes; the settings are in its configuration."""
        return {"classes": ()}

    @property
    def classes(self) -> tuple[str, ...]:
        """None, even where the pictures have some."""
        return ()

    @property
    def outputs(self) -> int:
        """1, which stands for nothing: such networks have no classes."""
        return 1

    def describe(self) -> str:
        """`without labels`."""
        return "without labels"

    def at_step(self, step: int) -> Self:
        """The task at a step of training, from 0: during its warm-up the divergence counts less."""
        return replace(self, beta=warmed_up(self.settings.beta, step, self.settings.kl_warmup))

    def loss(self, network: nn.Module, images: Tensor, targets: Any) -> tuple[Tensor, Tensor]:
        """The mean loss of a value of the pictures, in nats or squared error, and the sum of their squared errors.

        Nats are divided by the number of values so that the optimiser's settings mean the same for all sizes.
        """
        network = autoencoding(network)
        if isinstance(network, VariationalAutoencoder):
            true = self._as_density(network, images)
            output = network(true)
            dimensions = images[0].numel()
            loss = variational_loss(network, output, true, beta=self.beta, free_bits=self.settings.free_bits).total
            return loss / dimensions, _summed_error(network, output.outputs, images)
        network.check_input(images)
        assert isinstance(network, Autoencoder)
        codes = network.encoded(network.corruption(images))
        outputs = network.outputs(codes)
        if self._is_cross_entropy(network):
            loss = -bernoulli_log_likelihood(outputs, images).mean() / images[0].numel()
        else:
            loss = F.mse_loss(network.pictures(outputs.float()), images.float())
        if self.settings.sparsity:
            loss = loss + self.settings.sparsity * self._sparsity(codes)
        return loss, _summed_error(network, outputs, images)

    def _is_cross_entropy(self, network: Autoencoder) -> bool:
        wanted = self.settings.loss
        if wanted == "cross_entropy" and network.output == "linear":
            raise ConfigError(
                "generative.loss is cross_entropy, but the network's output is linear: expected squared_error, or "
                "--set model.arguments.output=sigmoid"
            )
        return wanted == "cross_entropy" or (wanted is None and network.output == "sigmoid")

    def _sparsity(self, codes: Tensor) -> Tensor:
        if self.settings.sparsity_target is None:
            return l1_sparsity(codes)
        try:
            return kl_sparsity(codes, self.settings.sparsity_target)
        except ValueError as error:
            hint = "--set model.arguments.code_activation=sigmoid"
            raise ConfigError(f"generative.sparsity_target: {error} ({hint})") from error

    def _as_density(self, network: VariationalAutoencoder, images: Tensor) -> Tensor:
        """Pictures as the network's likelihood takes them: a density is of continuous values."""
        if network.likelihood == "bernoulli":
            return images
        generator = None if network.training else torch.Generator(images.device).manual_seed(0)
        return dequantise((images * 255).round(), generator)

    @torch.no_grad()
    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Sequence[Pixels],
        sizes: Sequence[tuple[int, int]],
        views: Views | None = None,
    ) -> list[Reconstructed]:
        """Each picture as it comes back, in the size of the network's input; see `PlaceTask.predict`."""
        if views is not None:
            raise ConfigError(
                f"--tta {views.name} came, but the task is {self.name}: a picture comes back from one view"
            )
        network = autoencoding(network)
        device = next(network.parameters()).device
        found: list[Reconstructed | None] = [None] * len(pictures)
        for positions in _of_one_shape(pictures):
            chosen = [pictures[at] for at in positions]
            images = preprocess.normalise(torch.from_numpy(np.stack(chosen)).to(device))
            restored = network.reconstruct(images).float().clamp(0, 1)
            pixels = (restored * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            figures = {name: values.tolist() for name, values in self._figures(network, images, restored).items()}
            for row, at in enumerate(positions):
                found[at] = Reconstructed(
                    pixels[row], chosen[row], {name: values[row] for name, values in figures.items()}
                )
        return cast("list[Reconstructed]", found)

    def _figures(self, network: AutoencodingNetwork, images: Tensor, restored: Tensor) -> dict[str, Tensor]:
        """The figures of each picture, (N,)."""
        figures = {"mean_squared_error": mean_squared_error(restored, images)}
        if min(images.shape[2:]) >= SSIM_WINDOW:
            figures["ssim"] = ssim(restored, images)
        if isinstance(network, VariationalAutoencoder):
            true = self._as_density(network, images)
            generator = torch.Generator(images.device).manual_seed(0)
            bound = elbo(network, true, generator)
            levels = 1 if network.likelihood == "bernoulli" else 256
            figures |= {
                "elbo": bound,
                "bits_per_dimension": bits_per_dimension(bound, images[0].numel(), levels=levels),
            }
            if self.importance_samples:
                weights = log_importance_weights(network, true, self.importance_samples, generator)
                figures["importance_weighted_bound"] = importance_weighted_bound(weights)
        elif isinstance(network, Autoencoder) and (noisy := _corrupted(network, images)) is not None:
            figures["noisy_error"] = mean_squared_error(noisy, images)
            figures["restored_error"] = mean_squared_error(network.reconstruct(noisy).float().clamp(0, 1), images)
        return figures

    def average(self, of_models: Sequence[Sequence[Reconstructed]]) -> list[Reconstructed]:
        """The mean of the pictures that several models give back; of what one alone can tell, nothing is left."""
        return [_mean_of(of_picture) for of_picture in zip(*of_models, strict=True)]

    def results(self, predictions: Sequence[Reconstructed], paths: Sequence[str | None]) -> list[Reconstruction]:
        """A result for each picture."""
        return [
            Reconstruction(
                picture,
                given,
                figures["mean_squared_error"],
                figures.get("ssim"),
                figures.get("elbo"),
                path=path,
            )
            for (picture, given, figures), path in zip(predictions, paths, strict=True)
        ]

    def truth(self, labels: Labels, paths: Sequence[str | None]) -> list[Reconstruction]:
        """Nothing is known of pictures without labels: `draw` shows them as they are."""
        nothing = np.zeros((0, 0, 3), np.uint8)
        return [Reconstruction(nothing, nothing, 0.0, path=path) for path in paths]

    def measure(self, predictions: Sequence[Reconstructed], labels: Labels) -> ReconstructionMetrics:
        """The means of the pictures' figures."""
        return measure(predictions)

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The headline: of a denoising network what it makes of noisy pictures, of a variational one its bound."""
        return (next(iter(metrics.figures().values())),)

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """None that follows from labels: `mean_picture_psnr` and `noisy_psnr` are among the figures."""
        return ()

    def compare(
        self, first: Sequence[Reconstructed], second: Sequence[Reconstructed], labels: Labels
    ) -> MeanDifference:
        """The difference of the headline figures that both have."""
        of_first, of_second = of_pictures(first), of_pictures(second)
        name = next(name for name in FIGURES if name in of_first and name in of_second)
        return mean_difference(name, of_first[name], of_second[name])

    def draw(self, image: Image.Image, result: Result) -> Image.Image:
        """The picture as the network took it, and beside it as it came back; enlarged where it is small.

        Where anomalies are told, a map of the error follows.
        """
        from hubel.tasks.generative.drawing import error_map, in_a_row

        assert isinstance(result, Reconstruction)
        if not result.picture.size:
            return image.convert("RGB")
        pictures = [np.broadcast_to(each, (*each.shape[:2], 3)) for each in (result.input, result.picture)]
        if result.anomalous is not None:
            pictures.append(error_map(result.picture, result.input))
        return in_a_row(pictures)


@dataclass(frozen=True)
class GenerationTask(ReconstructionTask):
    """Generation by a network that is trained as reconstruction is, and samples from the prior of its codes."""

    name: ClassVar[str] = "generation"


def autoencoding(network: nn.Module) -> AutoencodingNetwork:
    """The network, if it gives pictures back.

    Raises:
        ConfigError: It does not.
    """
    if not isinstance(network, AutoencodingNetwork):
        raise ConfigError(
            f"{type(network).__name__} gives no picture back: expected an autoencoder, such as conv_autoencoder or "
            "conv_vae (what a GAN has learnt, hubel generate shows and hubel evaluate --extractor measures)"
        )
    return network


def _summed_error(network: AutoencodingNetwork, outputs: Tensor, images: Tensor) -> Tensor:
    return mean_squared_error(network.pictures(outputs.detach().float()), images).sum()


def _of_one_shape(pictures: Sequence[Pixels]) -> Iterator[list[int]]:
    """Positions of pictures of the same shape."""
    for shape in dict.fromkeys(picture.shape for picture in pictures):
        yield [at for at, picture in enumerate(pictures) if picture.shape == shape]


def _corrupted(network: Autoencoder, images: Tensor) -> Tensor | None:
    """Pictures with the noise that the network was trained against, the same for the same picture; None without any."""
    noise, dropout = network.corruption.noise, network.corruption.dropout
    spread, share = cast(GaussianNoise, noise).sigma, cast(nn.Dropout, dropout).p
    if not (spread or share):
        return None
    noisy = []
    for image in images.cpu():
        generator = torch.Generator().manual_seed(zlib.crc32(image.contiguous().numpy().tobytes()))
        each = image + spread * torch.randn(image.shape, generator=generator)
        kept = torch.rand(image.shape, generator=generator) >= share
        noisy.append(each * kept / (1 - share))
    return torch.stack(noisy).to(images)


def _mean_of(of_models: Sequence[Reconstructed]) -> Reconstructed:
    given = of_models[0].input
    if any(each.input.shape != given.shape for each in of_models):
        shapes = sorted({"×".join(map(str, each.input.shape)) for each in of_models})
        raise ConfigError(
            f"the models' inputs are of {' and '.join(shapes)} values (height, width, channels): expected the same "
            "to average pictures of"
        )
    mean = np.mean([each.picture for each in of_models], axis=0)
    error = float(np.square((mean - given) / 255).mean())
    return Reconstructed(np.rint(mean).astype(np.uint8), given, {"mean_squared_error": error})
