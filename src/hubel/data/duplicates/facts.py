"""What is known of a picture once it has been opened: its file's facts, and a thumbnail.

Every picture is decoded once, at reduced scale where its format allows, and remembered by its digest.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from hubel.data.decoding import DECODING_VERSION, UnreadableImage, load_image
from hubel.data.decoding.orientation import orientation_of
from hubel.data.duplicates.perceptual_hash import SIDE
from hubel.data.files.remembered import remember_facts, remembered_facts
from hubel.data.sources import Sample
from hubel.runtime import available_cpus

Progress = Callable[[int, int], None]

_FACTS_VERSION = 1
_READER = f"{_FACTS_VERSION}/{DECODING_VERSION}/{PIL.__version__}"
_SAMPLES_PER_TASK = 16
_TASKS_AHEAD = 3  # per thread
_REMEMBERED_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture's file says of itself, and what the picture looks like.

    Attributes:
        reason: Why it cannot be decoded; empty if it can. All that follows is then empty or 0.
        format: Pillow's name of the file's format, such as `JPEG`.
        mode: Pillow's mode as it is stored, such as `RGB`, `L`, `RGBA`, `CMYK`, `I;16`.
        width: In pixels, as the picture is shown.
        height: Likewise.
        bits: Of a channel's value: 1, 8, 16 or 32.
        orientation: Of the EXIF data, 1 to 8; 1: it is stored as it is shown.
        transparent: Whether some pixel is not opaque.
        frames: More than 1 for an animation.
        darkest: The least grey value of the thumbnail's pixels, 0 to 255.
        brightest: The greatest.
        thumbnail: The picture in 32×32 grey pixels, row by row.
    """

    reason: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    bits: int = 0
    orientation: int = 1
    transparent: bool = False
    frames: int = 0
    darkest: int = 0
    brightest: int = 0
    thumbnail: bytes = b""


def gather_facts(samples: Sequence[Sample], progress: Progress | None = None) -> dict[str, PictureFacts]:
    """Open every picture, or remember what was found when it was opened before.

    Args:
        samples: The pictures; copies are opened once.
        progress: Called with how many pictures are done and how many there are.

    Returns:
        The facts by the pictures' digests.
    """
    progress = progress or (lambda done, total: None)
    of_digest = {sample.digest: sample for sample in samples}
    facts = {
        digest: PictureFacts(*(*json.loads(values), thumbnail))
        for digest, (values, thumbnail) in remembered_facts(list(of_digest), _READER).items()
    }
    new = [sample for digest, sample in of_digest.items() if digest not in facts]
    unwritten: dict[str, PictureFacts] = {}
    try:
        for sample, found in zip(new, _read_all(new), strict=True):
            facts[sample.digest] = unwritten[sample.digest] = found
            if len(unwritten) == _REMEMBERED_AT_ONCE:
                _remember(unwritten)
                unwritten.clear()
            progress(len(facts), len(of_digest))
    finally:
        _remember(unwritten)
    return facts


def facts_of(sample: Sample) -> PictureFacts:
    """Open one picture."""
    try:
        content = sample.read()
    except OSError as error:
        return PictureFacts(reason=error.strerror or str(error) or "it cannot be opened")
    try:
        grey = load_image(content, 1, shorter_side=SIDE)
    except UnreadableImage as error:
        return PictureFacts(reason=error.reason)
    thumbnail = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    with Image.open(io.BytesIO(content)) as image:
        orientation = orientation_of(image)
        width, height = image.size if orientation < 5 else reversed(image.size)
        return PictureFacts(
            format=image.format or "",
            mode=image.mode,
            width=width,
            height=height,
            bits=_bits(image),
            orientation=orientation,
            frames=_frames(image),
            transparent=_is_transparent(image),
            darkest=int(thumbnail.min()),
            brightest=int(thumbnail.max()),
            thumbnail=thumbnail.tobytes(),
        )


def thumbnails_of(facts: Sequence[PictureFacts]) -> npt.NDArray[np.uint8]:
    """The thumbnails as one array: uint8 of shape (N, 32, 32)."""
    joined = np.frombuffer(b"".join(picture.thumbnail for picture in facts), dtype=np.uint8)
    return joined.reshape(-1, SIDE, SIDE)


def _remember(facts: dict[str, PictureFacts]) -> None:
    rows = {}
    for digest, found in facts.items():
        *values, thumbnail = astuple(found)
        rows[digest] = (json.dumps(values), thumbnail)
    remember_facts(rows, _READER)


def _read_all(samples: Sequence[Sample]) -> Iterator[PictureFacts]:
    """The facts of each picture in order; threads do the work, for decoders let go of Python's lock."""
    threads = available_cpus() + 1  # one may wait for the disk
    tasks = iter([samples[start : start + _SAMPLES_PER_TASK] for start in range(0, len(samples), _SAMPLES_PER_TASK)])
    pool = ThreadPoolExecutor(threads)
    try:
        ahead: deque[Future[list[PictureFacts]]] = deque()
        while True:
            while len(ahead) < threads * _TASKS_AHEAD and (task := next(tasks, None)) is not None:
                ahead.append(pool.submit(lambda some: [facts_of(sample) for sample in some], task))
            if not ahead:
                break
            yield from ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _bits(image: Image.Image) -> int:
    """Bits of a channel's value, of 16-bit colour pictures, too, which Pillow reads as 8-bit ones."""
    if image.mode.startswith("I;16"):
        return 16
    if image.mode in ("I", "F"):
        return 16 if image.format == "PNG" else 32
    if image.mode == "1":
        return 1
    raw_modes = [str(tile.args) for tile in getattr(image, "tile", ())]
    return 16 if any(";16" in raw_mode for raw_mode in raw_modes) else 8


def _frames(image: Image.Image) -> int:
    """How many frames or pages there are; 1 where those behind the first are damaged."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # Pillow's decoders raise almost anything, and the first frame is what counts
        return 1


def _is_transparent(image: Image.Image) -> bool:
    """Whether some pixel is not opaque; alpha that is 255 everywhere changes nothing."""
    if not image.has_transparency_data:
        return False
    least: tuple[int, int] = image.convert("RGBA").getchannel("A").getextrema()  # type: ignore[assignment]
    return least[0] < 255
