"""The codes of pictures in two dimensions: where a network without labels puts what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from hubel.charts import write_chart
from hubel.data.collecting import labelled_splits
from hubel.data.decoding import UnreadableImage, read_array
from hubel.data.layouts.finding import find_source
from hubel.data.relabelling import relabelled
from hubel.errors import ConfigError, DataError, unknown_name
from hubel.inference.predictor import Predictor
from hubel.results.naming import counted
from hubel.results.palette import class_colour
from hubel.tasks.reconstruction import autoencoding

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from hubel.data.sources import Sample

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float64]

Method = Literal["pca", "t-sne"]

_AT_ONCE = 64
_THUMBNAILS = 150
_SIDE = 20  # pixels of a thumbnail in the drawing, at 100 a inch
_PERPLEXITY = 30.0  # the usual one (van der Maaten and Hinton 2008, section 2)
_LEAST = 4  # pictures


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Codes and where they lie in a plane.

    Attributes:
        codes: float64 (N, K); of a code that is a map, its values in a row.
        places: float64 (N, 2).
        method: How the places were found.
        explained: The shares of the codes' variance along the two axes; empty for t-SNE, whose axes mean nothing.
        labels: The class of each picture, int64 (N,); -1: none.
        classes: Their names; empty: there are none.
        pictures: uint8 (N, H, W, C), as the network took them.
        unreadable: What was left out, with reasons.
    """

    codes: Floats
    places: Floats
    method: Method
    explained: tuple[float, ...]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    pictures: Pixels
    unreadable: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Draw the map into a .png, .svg or .pdf file."""
        write_chart(_figure(self), path)


def latent_map(
    model: str | Path | Predictor,
    data: str | Path,
    *,
    method: str = "pca",
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[str, int, int], None] | None = None,
) -> LatentMap:
    """Encode pictures and lay their codes out in a plane.

    Args:
        model: A bundle of a network with an encoder, a run's folder, or a `Predictor`.
        data: Pictures as for `hubel train`; where they lie in class folders, the map is coloured by class.
        method: `pca`, the two directions in which the codes vary most, or `t-sne` (van der Maaten and Hinton 2008,
            JMLR 9), which keeps neighbours together and nothing else.
        seed: Of t-SNE.
        device: As for `hubel.runtime.choose_device`.
        progress: Called with what is done, how much of it, and how much there is.

    Raises:
        ConfigError: The model has no encoder, or there is no such method.
        DataError: There are fewer than four pictures.
    """
    if method not in get_args(Method):
        raise unknown_name("method", method, get_args(Method))
    predictor = model if isinstance(model, Predictor) else Predictor.load(model, device=device)
    network = autoencoding(predictor.network)
    source = relabelled(find_source(Path(data), labelling="none"), "none")
    of_split, _ = labelled_splits(source, source.classes)
    samples = [sample for of_one in of_split.values() for sample in of_one]
    pictures, labels, unreadable = _read(samples, predictor, progress or (lambda what, done, total: None))
    if len(pictures) < _LEAST:
        raise DataError(
            f"{data} has {counted(len(pictures), 'readable picture')}: expected at least {_LEAST} for a map"
        )
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _AT_ONCE):
            inputs = torch.from_numpy(pictures[start : start + _AT_ONCE]).to(predictor.device)
            parts.append(network.encode(predictor.preprocess.normalise(inputs)).flatten(1).cpu().double())
    codes = torch.cat(parts).numpy()
    places, explained = _laid_out(codes, method, seed)
    chosen: Method = "pca" if method == "pca" else "t-sne"
    return LatentMap(codes, places, chosen, explained, labels, source.classes, pictures, tuple(unreadable))


def _read(
    samples: list[Sample], predictor: Predictor, tell: Callable[[str, int, int], None]
) -> tuple[Pixels, npt.NDArray[np.int64], list[str]]:
    """Pictures of one size, their classes, and what cannot be read."""
    pictures, labels, unreadable = list[Any](), list[int](), list[str]()
    for number, sample in enumerate(samples, start=1):
        try:
            pictures.append(read_array(sample, predictor.preprocess))
            labels.append(sample.label if isinstance(sample.label, int) else -1)
        except UnreadableImage as error:
            unreadable.append(str(error))
        tell("reading", number, len(samples))
    if len({picture.shape for picture in pictures}) > 1:
        raise ConfigError("the pictures come to different sizes: expected a model with a fixed input, see data.size")
    return np.stack(pictures) if pictures else np.zeros((0, 1, 1, 1), np.uint8), np.array(labels, np.int64), unreadable


def _laid_out(codes: Floats, method: str, seed: int) -> tuple[Floats, tuple[float, ...]]:
    centred = codes - codes.mean(axis=0)
    if method == "t-sne":
        from sklearn.manifold import TSNE

        perplexity = min(_PERPLEXITY, (len(codes) - 1) / 3)
        start = "pca" if codes.shape[1] > 1 else "random"
        found = TSNE(init=start, perplexity=perplexity, random_state=seed).fit_transform(centred.astype(np.float32))
        return np.asarray(found, np.float64), ()
    left, values, axes = np.linalg.svd(centred, full_matrices=False)
    places = left[:, :2] * values[:2]
    # The sign of an axis is arbitrary: its largest weight is positive, so that the same codes give the same map.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:2]
    places = places * signs
    total = float(np.square(values).sum()) or 1.0
    explained = tuple(float(value) for value in np.square(values[:2]) / total)
    if places.shape[1] < 2:  # a code of one value
        places = np.column_stack([places, np.zeros(len(places))])
    return places, explained


def _figure(of: LatentMap) -> Figure:
    """The places as dots in the colours of the classes, and some pictures on theirs."""
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    figure = Figure(figsize=(9, 7.5), layout="constrained")
    axes = figure.subplots()
    for number in np.unique(of.labels).tolist():
        has = of.labels == number
        colour = "#0f766e" if number < 0 else np.array(class_colour(number)) / 255
        name = of.classes[number] if number >= 0 else None
        axes.scatter(of.places[has, 0], of.places[has, 1], s=14, color=[colour], label=name, linewidths=0)
    spaced = np.linspace(0, len(of.places) - 1, min(_THUMBNAILS, len(of.places))).astype(int).tolist()
    for at in spaced:
        picture = of.pictures[at]
        zoom = _SIDE / max(picture.shape[:2])
        image = OffsetImage(np.broadcast_to(picture, (*picture.shape[:2], 3)), zoom=zoom)
        number = int(of.labels[at])
        edge = "#0f766e" if number < 0 else np.array(class_colour(number)) / 255
        box = {"edgecolor": edge, "linewidth": 1.2}
        axes.add_artist(AnnotationBbox(image, tuple(of.places[at]), pad=0.1, bboxprops=box))
    shares = [f" ({share:.0%} of the variance)" for share in of.explained] or ["", ""]
    names = ("first axis", "second axis") if of.explained else ("", "")
    axes.set(title=f"{len(of.places):,} codes of {of.codes.shape[1]} values, {of.method.upper()}")
    axes.set_xlabel(names[0] + shares[0])
    axes.set_ylabel(names[1] + (shares[1] if len(shares) > 1 else ""))
    if of.classes:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure
