"""What is predicted of a film's frames, drawn and written beside all else."""

from __future__ import annotations

import json
import queue
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hubel.errors import HubelError
from hubel.inference.drawn import draw_result
from hubel.inference.film.reading import Frame, Reader
from hubel.inference.film.stages import Stage, reason

if TYPE_CHECKING:
    from hubel.inference.predictor import Predictor
    from hubel.results import Result

_QUALITY = "20"  # of H.264, as its constant rate factor


class Writer(Stage):
    """Draws what is predicted, and writes film and table."""

    def __init__(self, predictor: Predictor, reader: Reader, drawn: Path, table: Path, waiting: int) -> None:
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
        """End it; what is not finished is removed."""
        super().stop()
        for temporary in self.temporary.values():
            with suppress(OSError):  # there may be no folder
                temporary.unlink()

    def work(self) -> None:
        """Write until no more comes."""
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
            raise HubelError(f"cannot write {self.drawn}: {reason(error)}") from error
        finally:
            if self.container is not None:
                self.container.close()

    def _encode(self, image: Image.Image) -> None:
        if self.container is None:
            self.container = self.av.open(str(self.temporary[self.drawn]), "w", format="mp4")
            self.stream = self._stream(image)
        size = (self.stream.width, self.stream.height)
        if image.size != size:  # an odd side, or a legend of other lines; or a film whose pictures change their size
            image = image.crop((0, 0, *size)) if size[0] - image.width in (0, 1) else image.resize(size)
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


def _line(frame: Frame, result: Result) -> str:
    told = {name: value for name, value in result.to_dict().items() if name != "path"}
    return json.dumps({"frame": frame.number, "seconds": round(frame.seconds, 4), **told}, ensure_ascii=False) + "\n"
