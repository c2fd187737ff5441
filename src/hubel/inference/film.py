"""A film in, frame by frame: what is predicted of each, and the film again with it drawn.

Reading, predicting and drawing run beside each other, a few frames apart, so that memory does not grow with the film.
"""

from __future__ import annotations

import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hubel.errors import ConfigError, DataError, HubelError
from hubel.inference.drawn import draw_result
from hubel.inference.ensemble import predict_each
from hubel.inference.predictions import PLACES_TOGETHER

if TYPE_CHECKING:
    from types import ModuleType

    from hubel.inference.predictor import Predictor
    from hubel.results import Result
    from hubel.tasks.views import Views

FILMS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts"})

_AHEAD = 2  # batches of frames that wait for the next stage
_USUAL_RATE = Fraction(25)  # frames a second, where a film does not say
_QUALITY = "20"  # of H.264, as its constant rate factor


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
        return f"{self.frames:,} frames in {self.whole:.1f} s, {_rate(self.frames, self.whole)} a second ({alone})"


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


def is_film(path: str | Path) -> bool:
    """Whether a file is a film, by its name."""
    return Path(path).suffix.lower() in FILMS


def predict_film(
    predictors: Sequence[Predictor],
    film: Path,
    drawn: Path,
    table: Path,
    *,
    batch_size: int = 8,
    tta: str | Views | None = None,
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
        progress: Called with the frames that are done, and how many the film says it has, 0 where it does not.

    Raises:
        ConfigError: PyAV is not installed, or a file would replace the film.
        DataError: The film cannot be read, or has no frames.
        HubelError: The drawn film cannot be written.
    """
    if film.resolve() in (drawn.resolve(), table.resolve()):
        raise ConfigError(f"the drawn film would replace {film} itself: give another folder with --draw")
    batch_size = min(batch_size, PLACES_TOGETHER)
    reader = _Reader(film, _AHEAD * batch_size)
    writer = _Writer(predictors[0], reader, drawn, table, _AHEAD)
    began, network = time.perf_counter(), 0.0
    try:
        for frames in reader.batches(batch_size):
            started = time.perf_counter()
            results = predict_each(predictors, [frame.image for frame in frames], batch_size=batch_size, tta=tta)
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


class _Stage(threading.Thread):
    """A stage that works beside the others; what it fails of is raised where its work is wanted.

    Attributes:
        seconds: How long it was at work.
    """

    def __init__(self, waiting: int) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.queue: queue.Queue[Any] = queue.Queue(waiting)
        self.failure: Exception | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # it is raised again in the thread that waits
            self.failure = error

    def work(self) -> None:
        raise NotImplementedError

    def pass_on(self, item: Any, to: queue.Queue[Any], other: threading.Thread | None = None) -> bool:
        """Put something into a queue unless this stage is stopped or the other one is dead; whether it was put."""
        while not self.stopped.is_set() and (other is None or other.is_alive()):
            with suppress(queue.Full):
                to.put(item, timeout=0.1)
                return True
        return False

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self.stopped.set()
        if self.ident is not None:
            self.join()


class _Reader(_Stage):
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
            raise DataError(f"cannot read the film {film}: {_reason(error)}") from error
        if not self.container.streams.video:
            self.container.close()
            raise DataError(f"{film} has no picture track: expected a film such as MP4, MOV or MKV")
        stream = self.container.streams.video[0]
        stream.thread_type = "AUTO"
        self.expected = int(stream.frames or 0)
        self.rate = Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)

    def work(self) -> None:
        with self.container:
            frames = self.container.decode(video=0)
            while not self.stopped.is_set():
                began = time.perf_counter()
                try:
                    frame = next(frames, None)
                except (OSError, ValueError, self.av.FFmpegError) as error:
                    raise DataError(f"cannot read {self.film} beyond frame {self.count}: {_reason(error)}") from error
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


class _Writer(_Stage):
    """Draws what is predicted, and writes film and table."""

    def __init__(self, predictor: Predictor, reader: _Reader, drawn: Path, table: Path, waiting: int) -> None:
        super().__init__(waiting)
        self.predictor, self.av, self.rate, self.drawn, self.table = predictor, reader.av, reader.rate, drawn, table
        self.temporary = {path: path.with_name(f".{path.name}.tmp{path.suffix}") for path in (drawn, table)}
        self.container: Any = None
        self.stream: Any = None

    def put(self, predicted: list[tuple[Frame, Result]]) -> None:
        """Hand over frames with their results, in order."""
        if self.ident is None:
            self.start()
        if not self.pass_on(predicted, self.queue, self):
            self.join()
            raise self.failure or HubelError(f"cannot write {self.drawn}")

    def finish(self) -> None:
        """Wait until all is written, and put it into place."""
        self.pass_on(None, self.queue, self)
        self.join()
        if self.failure is not None:
            raise self.failure
        for path, temporary in self.temporary.items():
            temporary.replace(path)

    def stop(self) -> None:
        super().stop()
        for temporary in self.temporary.values():
            with suppress(OSError):  # there may be no folder
                temporary.unlink()

    def work(self) -> None:
        try:
            self.drawn.parent.mkdir(parents=True, exist_ok=True)
            self.table.parent.mkdir(parents=True, exist_ok=True)
            with self.temporary[self.table].open("w", encoding="utf-8") as table:
                while not self.stopped.is_set():
                    with suppress(queue.Empty):
                        predicted = self.queue.get(timeout=0.1)
                        if predicted is None:
                            break
                        began = time.perf_counter()
                        for frame, result in predicted:
                            self._encode(draw_result(self.predictor.task, frame.image, result))
                            table.write(_line(frame, result))
                        self.seconds += time.perf_counter() - began
            if self.container is not None:
                began = time.perf_counter()
                self.container.mux(self.stream.encode(None))
                self.seconds += time.perf_counter() - began
        except (OSError, ValueError, self.av.FFmpegError) as error:
            raise HubelError(f"cannot write {self.drawn}: {_reason(error)}") from error
        finally:
            if self.container is not None:
                self.container.close()

    def _encode(self, image: Image.Image) -> None:
        if self.container is None:
            self.container = self.av.open(str(self.temporary[self.drawn]), "w", format="mp4")
            self.stream = self._stream(image)
        size = (self.stream.width, self.stream.height)
        if image.size != size:  # an odd side; or a film whose pictures change their size
            image = image.crop((0, 0, *size)) if _nearly(image.size, size) else image.resize(size)
        frame = self.av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
        self.container.mux(self.stream.encode(frame))

    def _stream(self, image: Image.Image) -> Any:
        """H.264, which everything plays, or what comes nearest."""
        known = self.av.codecs_available
        name = next((codec for codec in ("libx264", "libopenh264", "mpeg4") if codec in known), "mpeg4")
        stream = self.container.add_stream(name, rate=self.rate)
        stream.width, stream.height = (side + side % 2 for side in image.size)  # colours have half as many pixels
        stream.pix_fmt = "yuv420p"
        if name == "libx264":
            stream.options = {"crf": _QUALITY, "preset": "veryfast"}
        else:
            stream.bit_rate = 4 * stream.width * stream.height
        return stream


def _nearly(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return all(0 <= b - a <= 1 for a, b in zip(size, wanted, strict=True))


def _upright(frame: Any) -> Image.Image:
    """A frame as it is to be shown: films of telephones say how they were held."""
    image: Image.Image = frame.to_image()
    turn = round(getattr(frame, "rotation", 0)) % 360
    return image.rotate(turn, expand=True) if turn else image


def _line(frame: Frame, result: Result) -> str:
    told = {name: value for name, value in result.to_dict().items() if name != "path"}
    return json.dumps({"frame": frame.number, "seconds": round(frame.seconds, 4), **told}, ensure_ascii=False) + "\n"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _rate(frames: int, seconds: float) -> str:
    rate = frames / seconds if seconds else math.inf
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}"
