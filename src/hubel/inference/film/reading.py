"""A film's frames, upright, read beside all else."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from hubel.errors import ConfigError, DataError
from hubel.inference.film.stages import Stage, reason

_USUAL_RATE = Fraction(25)  # frames a second, where a film does not say


@dataclass(frozen=True)
class Frame:
    """A picture of a film.

    Attributes:
        number: From 0.
        seconds: When it is shown.
        image: Upright, of mode RGB.
    """

    number: int
    seconds: float
    image: Image.Image


class Reader(Stage):
    """Reads a film.

    Attributes:
        count: How many frames were read.
        expected: How many the film says it has; 0 where it does not.
        rate: Frames a second.
    """

    def __init__(self, film: Path, waiting: int) -> None:
        super().__init__(waiting)
        self.film, self.count = film, 0
        self.av = _av()
        if not film.is_file():
            raise DataError(f"no film at {film}: expected a file")
        try:
            self.container = self.av.open(str(film))
        except (OSError, ValueError, self.av.FFmpegError) as error:
            raise DataError(f"cannot read the film {film}: {reason(error)}") from error
        if not self.container.streams.video:
            self.container.close()
            raise DataError(f"{film} has no picture track: expected a film such as MP4, MOV or MKV")
        stream = self.container.streams.video[0]
        stream.thread_type = "AUTO"
        self.expected = int(stream.frames or 0)
        self.rate = Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)

    def work(self) -> None:
        """Read until the film ends."""
        with self.container:
            frames = self.container.decode(video=0)
            while not self.stopped.is_set():
                began = time.perf_counter()
                try:
                    frame = next(frames, None)
                except (OSError, ValueError, self.av.FFmpegError) as error:
                    raise DataError(f"cannot read {self.film} beyond frame {self.count}: {reason(error)}") from error
                if frame is None:
                    break
                seconds = float(self.count / self.rate if frame.time is None else frame.time)
                upright = _upright(frame)
                self.seconds += time.perf_counter() - began
                if not self.pass_on(Frame(self.count, seconds, upright), self.queue):
                    return
                self.count += 1
        self.pass_on(None, self.queue)

    def batches(self, size: int) -> Iterator[list[Frame]]:
        """The frames, some at a time."""
        self.start()
        batch: list[Frame] = []
        while True:
            try:
                frame = self.queue.get(timeout=0.1)
            except queue.Empty:
                if self.is_alive() or not self.queue.empty():
                    continue
                frame = None
            if frame is not None:
                batch.append(frame)
            if batch and (frame is None or len(batch) == size):
                yield batch
                batch = []
            if frame is None:
                break
        self.join()
        if self.failure is not None:
            raise self.failure


def _av() -> ModuleType:
    """PyAV.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import av
    except ImportError:
        raise ConfigError("films need the package av: `pip install 'hubel[video]'`") from None
    module: ModuleType = av
    return module


# How a display matrix (a b u; c d v; x y w), which takes (x, y) to (a x + c y, b x + d y), moves a picture: by the
# signs of a, b, c and d (as in FFmpeg's libavutil/display.h).
_MOVES = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,  # clockwise by 90 degrees
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


def _upright(frame: Any) -> Image.Image:
    """A frame as it is to be shown: films of telephones say how they were held."""
    image: Image.Image = frame.to_image()
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d, *_ = np.sign(np.frombuffer(bytes(matrix), np.int32)).tolist()
    move = _MOVES.get((a, b, c, d))
    return image if move is None else image.transpose(move)
