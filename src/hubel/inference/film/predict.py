"""A film in, frame by frame: what is predicted of each, and the film again with it drawn.

Reading, predicting and drawing run beside each other, a few frames apart, so that memory does not grow with the film.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hubel.data.files.listing import FILM_EXTENSIONS
from hubel.errors import ConfigError, DataError
from hubel.inference.ensemble import predict_each
from hubel.inference.film.reading import Reader
from hubel.inference.film.writing import Writer
from hubel.inference.predictions import PLACES_TOGETHER
from hubel.results.naming import counted

if TYPE_CHECKING:
    from hubel.inference.predictor import Predictor
    from hubel.tasks.views import Views

_AHEAD = 2  # batches of frames that wait for the next stage


@dataclass(frozen=True)
class FilmTimes:
    """What a film took: seconds that each stage was at work, which overlap, and all of it.

    Attributes:
        frames: How many there were.
        decoding: Reading frames.
        network: Bringing them to size, the network, and what is made of its outputs.
        drawing: Drawing and encoding.
        whole: From the first frame to the last.
    """

    frames: int
    decoding: float
    network: float
    drawing: float
    whole: float

    def text(self) -> str:
        """`120 frames in 4.1 s, 29.3 a second (decoding alone 310, network alone 33.0, drawing alone 95.2)`."""
        alone = ", ".join(
            f"{stage} alone {_rate(self.frames, getattr(self, stage))}" for stage in ("decoding", "network", "drawing")
        )
        frames = counted(self.frames, "frame")
        return f"{frames} in {self.whole:.1f} s, {_rate(self.frames, self.whole)} a second ({alone})"


def is_film(path: str | Path) -> bool:
    """Whether a file is a film, by its name."""
    return Path(path).suffix.lower() in FILM_EXTENSIONS


def predict_film(
    predictors: Sequence[Predictor],
    film: Path,
    drawn: Path,
    table: Path,
    *,
    batch_size: int = 8,
    tta: str | Views | None = None,
    average: str = "probabilities",
    progress: Callable[[int, int], None] | None = None,
) -> FilmTimes:
    """Predict every frame of a film, draw the film again with it, and write a line of JSON for each frame.

    Args:
        predictors: The models, of the same task and classes.
        film: The film's file.
        drawn: The file of the drawn film, MP4; whole or not at all, as is the next one.
        table: The file of predictions: a JSON object a line, `frame`, `seconds` and what results have.
        batch_size: Frames computed together; 8 at most, as frames are large.
        tta: Test-time augmentation.
        average: What is averaged over views and models, as for `hubel.inference.ensemble.predict_each`.
        progress: Called with the frames that are done, and how many the film says it has, 0 where it does not.

    Raises:
        ConfigError: PyAV is not installed, or a file would replace the film.
        DataError: The film cannot be read, or has no frames.
        HubelError: The drawn film cannot be written.
    """
    if film.resolve() in (drawn.resolve(), table.resolve()):
        raise ConfigError(f"the drawn film would replace {film} itself: give another folder with --draw")
    batch_size = min(batch_size, PLACES_TOGETHER)
    reader = Reader(film, _AHEAD * batch_size)
    writer = Writer(predictors[0], reader, drawn, table, _AHEAD)
    began, network = time.perf_counter(), 0.0
    try:
        for frames in reader.batches(batch_size):
            started = time.perf_counter()
            images = [frame.image for frame in frames]
            results = predict_each(predictors, images, batch_size=batch_size, tta=tta, average=average)
            told = [result for _, result in results]
            network += time.perf_counter() - started
            writer.put(list(zip(frames, told, strict=True)))
            if progress is not None:
                progress(frames[-1].number + 1, reader.expected)
        if not reader.count:
            raise DataError(f"{film} has no frames: expected a film such as MP4, MOV or MKV with a picture track")
        writer.finish()
    finally:
        reader.stop()
        writer.stop()
    whole = time.perf_counter() - began
    return FilmTimes(reader.count, reader.seconds, network, writer.seconds, whole)


def _rate(frames: int, seconds: float) -> str:
    rate = frames / seconds if seconds else math.inf
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}"
