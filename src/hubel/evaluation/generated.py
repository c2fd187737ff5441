"""A generator measured by a classifier: how far its samples are from pictures, and which classes they show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from hubel.data.decoding import read_array
from hubel.errors import ConfigError, DataError
from hubel.evaluation.outputs import Settings, loader_of
from hubel.evaluation.selection import select_samples
from hubel.inference.generator import Generator
from hubel.inference.predictor import Predictor
from hubel.models.network import ClassificationNetwork
from hubel.results.naming import counted
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.generative.collapse import CONFIDENT, ClassCoverage, class_coverage, collapse_alarm, diversity
from hubel.tasks.generative.sample_distances import (
    KID_SUBSET_SIZE,
    KernelDistance,
    frechet_distance,
    kernel_distance,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float64]

_MOST = 10_000  # samples, unless a number is given
_AT_ONCE = 64
_HASH = 12  # characters of the extractor's SHA-256 that are shown


@dataclass(frozen=True, eq=False)
class GeneratorEvaluation:
    """What was measured of a generator, and by what.

    Attributes:
        samples: How many were drawn.
        pictures: How many real ones they are compared with.
        split: Which part of the data these are: `test`, `validation`, `train` or `all`.
        notes: What a reader should know of the choice.
        fid: The Fréchet distance.
        kid: The kernel distance.
        subset_size: Pictures in each of the kernel distance's subsets.
        diversity: The mean distance of two samples' features, relative to that of two pictures'.
        coverage: The classes that the extractor takes the samples for.
        coverage_of_pictures: And the pictures.
        classes: Their names.
        extractor: The network whose features these are.
        digest: The SHA-256 of its file.
        features: How many features a picture has.
        resize: How samples and pictures become its input.
        unreadable: Pictures that were left out, with reasons.
    """

    samples: int
    pictures: int
    split: str
    notes: tuple[str, ...]
    fid: float
    kid: KernelDistance
    subset_size: int
    diversity: float
    coverage: ClassCoverage
    coverage_of_pictures: ClassCoverage
    classes: tuple[str, ...]
    extractor: str
    digest: str
    features: int
    resize: str
    unreadable: tuple[str, ...] = ()

    @property
    def collapse(self) -> tuple[str, ...]:
        """The reasons to say that the generator has collapsed; none: it has not."""
        relative = self.coverage.coverage / self.coverage_of_pictures.coverage
        return collapse_alarm(coverage=relative, diversity=self.diversity)

    def text(self) -> str:
        """The figures for people, never without what they were measured by."""
        width = max(map(len, self.classes))
        shares = zip(self.classes, self.coverage.shares, self.coverage_of_pictures.shares, strict=True)
        return "\n".join(
            [
                *self.notes,
                f"{self.samples:,} samples against {self.pictures:,} pictures ({self.split}), by the "
                f"{self.features:,} features of {self.extractor} (SHA-256 {self.digest[:_HASH]}); {self.resize}",
                "",
                f"FID        {self.fid:.4g}",
                f"KID        {self.kid.mean:.4g} ± {self.kid.deviation:.2g} (subsets of {self.subset_size:,})",
                f"diversity  {self.diversity:.0%} of the pictures'",
                f"coverage   {self.coverage.coverage:.0%} of the classes (the pictures: "
                f"{self.coverage_of_pictures.coverage:.0%})",
                f"confident  {self.coverage.confident:.1%} of the samples above {CONFIDENT:g} (of the pictures "
                f"{self.coverage_of_pictures.confident:.1%})",
                *([f"\nthe generator has collapsed: {'; '.join(self.collapse)}"] if self.collapse else []),
                "",
                f"{'class':<{width}}  samples  pictures",
                *(f"{name:<{width}}  {own:>7.1%}  {real:>8.1%}" for name, own, real in shares),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {
            "samples": self.samples,
            "pictures": self.pictures,
            "split": self.split,
            "notes": list(self.notes),
            "fid": self.fid,
            "kid": self.kid.mean,
            "kid_deviation": self.kid.deviation,
            "kid_subset_size": self.subset_size,
            "diversity": self.diversity,
            "coverage": self.coverage.coverage,
            "confident": self.coverage.confident,
            "collapse": list(self.collapse),
            "classes": {
                name: {"samples": own, "pictures": real}
                for name, own, real in zip(
                    self.classes,
                    self.coverage.counts.tolist(),
                    self.coverage_of_pictures.counts.tolist(),
                    strict=True,
                )
            },
            "extractor": self.extractor,
            "extractor_sha256": self.digest,
            "features": self.features,
            "resize": self.resize,
            "unreadable": list(self.unreadable),
        }


def evaluate_generator(
    model: str | Path,
    data: str | Path,
    extractor: str | Path,
    *,
    count: int | None = None,
    seed: int = 0,
    split: str = "auto",
    device: str = "auto",
    max_unreadable: float = 0.01,
    progress: Callable[[str, int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> GeneratorEvaluation:
    """Compare samples of a generator with pictures.

    Pictures are first brought to the generator's size, as in its training, and then both go the same way into the
    extractor, so that a change of size is no difference between them.

    Args:
        model: The generator's bundle, or a run's folder.
        data: The pictures, as for `hubel.evaluate`; classes that they have are not looked at.
        extractor: The bundle of a classifier; its features are what its last layer takes.
        count: Samples; None: as many as there are pictures, at most 10,000.
        seed: Of the samples.
        split: Which pictures, as for `hubel.evaluate`.
        device: As for `hubel.runtime.choose_device`.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.
        tell: Hears of what takes a while before the pictures are listed.

    Raises:
        ConfigError: The model is no generator, the extractor no classifier.
        DataError: There are fewer than two pictures, they are all the same, or too many are unreadable.
    """
    generator, judge = Generator.load(model, device=device), Predictor.load(extractor, device=device)
    if not (isinstance(judge.task, ClassificationTask) and isinstance(judge.network, ClassificationNetwork)):
        raise ConfigError(
            f"--extractor {extractor} is a {judge.bundle.network} for {judge.bundle.task}: expected a classifier, such "
            "as the best.safetensors of a hubel train on pictures of this kind"
        )
    settings = Settings(_AT_ONCE, max_unreadable=max_unreadable, progress=progress or (lambda what, done, total: None))
    own = Predictor.load(model, device=device)
    selection = select_samples(Path(data), [own], split, tell=tell)
    loader = loader_of(own, selection.samples, settings)
    pictures = len(loader.store)
    if pictures < 2 or (count is not None and count < 2):
        raise DataError(
            f"{counted(pictures, 'readable picture')} and {counted(count or _MOST, 'sample')}: "
            "expected at least 2 of each"
        )
    number = count or min(pictures, _MOST)
    real = (batch.images.numpy() for batch in loader.epoch(0))
    judged = _judged(judge, real, partial(settings.progress, "pictures"), pictures)
    of_real = [loader.without_lost(rows)[1].numpy() for rows in judged]
    drawn = map(generator.decode, torch.split(generator.codes(number, seed), _AT_ONCE))
    of_samples = [rows.numpy() for rows in _judged(judge, drawn, partial(settings.progress, "samples"), number)]
    try:
        how_diverse = diversity(of_samples[0], of_real[0])
    except ValueError as error:  # all pictures are the same
        raise DataError(f"{data}: {error}") from error
    subset = min(KID_SUBSET_SIZE, number, len(of_real[0]))
    resize = judge.preprocess
    return GeneratorEvaluation(
        samples=number,
        pictures=len(of_real[0]),
        split=selection.split,
        notes=selection.notes,
        fid=frechet_distance(of_samples[0], of_real[0]),
        kid=kernel_distance(of_samples[0], of_real[0], subset_size=subset),
        subset_size=subset,
        diversity=how_diverse,
        coverage=class_coverage(of_samples[1]),
        coverage_of_pictures=class_coverage(of_real[1]),
        classes=judge.classes,
        extractor=judge.bundle.network,
        digest=hashlib.sha256(Path(judge.path or extractor).read_bytes()).hexdigest(),
        features=of_real[0].shape[1],
        resize=f"{generator.preprocess.size[0]}×{generator.preprocess.size[1]}, scaled to {resize.size[0]}×"
        f"{resize.size[1]} ({resize.resize}, {resize.interpolation})",
        unreadable=tuple(map(str, (*loader.store.unreadable, *loader.lost))),
    )


@torch.inference_mode()
def _judged(
    judge: Predictor, batches: Iterator[Pixels], tell: Callable[[int, int], None], count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, D) of batches of pictures (N, H, W, C), and the probabilities of the classes (N, K), float64."""
    network = judge.network
    assert isinstance(network, ClassificationNetwork)
    features: list[torch.Tensor] = []
    probabilities: list[torch.Tensor] = []
    done = 0
    handle = network.out.register_forward_pre_hook(
        lambda layer, inputs: features.append(inputs[0].flatten(1).cpu().double())
    )
    try:
        for pictures in batches:
            logits = judge.logits(np.stack([read_array(_image(picture), judge.preprocess) for picture in pictures]))
            probabilities.append(logits.double().softmax(dim=1))
            done += len(pictures)
            tell(done, count)
    finally:
        handle.remove()
    return torch.cat(features), torch.cat(probabilities)


def _image(picture: Pixels) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
