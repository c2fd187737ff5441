"""Films: every frame is predicted and drawn, in order; what is no film is told in a line."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.bundle import Bundle
from hubel.errors import ConfigError, DataError, HubelError
from hubel.inference.ensemble import predict_each
from hubel.inference.film import FilmTimes, is_film, predict_film
from hubel.inference.film.reading import Reader
from hubel.inference.predictor import Predictor
from hubel.models import build_model
from hubel.preprocessing import Preprocess

CLASSES = ("Platelets", "RBC", "WBC")


@pytest.fixture(scope="module")
def detector() -> Predictor:
    """A detector that knows nothing, and so reports something in every picture."""
    torch.manual_seed(0)
    config = {"detection": {"least_score": 0.0, "most": 5}}
    bundle = Bundle("detection", "yolo_n", Preprocess(size=(64, 64), resize="fit"), CLASSES, config=config)
    return Predictor(bundle, build_model("yolo_n", num_classes=3), device="cpu")


def write_film(path: Path, images: list[Image.Image], rate: int = 10) -> Path:
    av = pytest.importorskip("av", reason="films need PyAV")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *images[0].size, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    return path


def frames_of(path: Path) -> list[Image.Image]:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def test_a_film_of_cells(shared: Path, tmp_path: Path, detector: Predictor):
    files = sorted((shared / "data" / "bccd" / "JPEGImages").glob("*.jpg"))[:11]
    film = write_film(tmp_path / "cells.mp4", [Image.open(file).convert("RGB").resize((320, 240)) for file in files])
    seen: list[tuple[int, int]] = []
    times = predict_film(
        [detector],
        film,
        tmp_path / "out" / "cells.mp4",
        tmp_path / "out" / "cells.jsonl",
        batch_size=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert times.frames == 11
    assert [done for done, _ in seen] == [4, 8, 11]
    assert min(times.decoding, times.network, times.drawing) > 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "cells.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(11))
    assert lines[10]["seconds"] == pytest.approx(1.0)
    assert all((line["width"], line["height"]) == (320, 240) and 1 <= len(line["objects"]) <= 5 for line in lines)
    drawn, plain = frames_of(tmp_path / "out" / "cells.mp4"), frames_of(film)
    assert [frame.size for frame in drawn] == [(320, 240)] * 11
    for before, after in zip(plain, drawn, strict=True):  # the same frames in the same order, with boxes on them
        difference = np.abs(np.asarray(before, int) - np.asarray(after, int)).mean(axis=2)
        assert np.median(difference) < 12
        assert difference.max() > 60
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cells.mp4", "cells.jsonl"}


def test_odd_sides_and_small_frames(tmp_path: Path, detector: Predictor):
    film = write_film(tmp_path / "small.avi", [Image.new("RGB", (70, 50), (n * 40, 90, 60)) for n in range(3)])
    predict_film([detector], film, tmp_path / "a.mp4", tmp_path / "a.jsonl", batch_size=2)
    assert [frame.size for frame in frames_of(tmp_path / "a.mp4")] == [(350, 250)] * 3  # enlarged, to be read


def test_frames_keep_their_scale_whatever_is_written_below_them(
    tmp_path: Path, detector: Predictor, monkeypatch: pytest.MonkeyPatch
):
    """A legend may need another line in some frames."""
    heights = iter([250, 280, 250, 226])

    def drawn(task: object, image: Image.Image, result: object) -> Image.Image:
        page = Image.new("RGB", (320, next(heights)), (90, 90, 90))
        page.paste((255, 255, 255), (0, 200, 320, 216))
        return page

    monkeypatch.setattr("hubel.inference.film.writing.draw_result", drawn)
    film = write_film(tmp_path / "film.mp4", [Image.new("RGB", (320, 240))] * 4)
    predict_film([detector], film, tmp_path / "a.mp4", tmp_path / "a.jsonl")
    for frame in map(np.asarray, frames_of(tmp_path / "a.mp4")):
        assert frame.shape == (250, 320, 3)
        bright = np.flatnonzero(frame[:, 160].mean(axis=1) > 180)
        assert max(abs(bright.min() - 200), abs(bright.max() - 215)) <= 2


UNITY = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def with_display_matrix(film: Path, a: int, b: int, c: int, d: int) -> Path:
    """An MP4 file that is to be shown with (x, y) at (a x + c y, b x + d y): the matrix in its track's header."""
    content = bytearray(film.read_bytes())
    at = content.index(struct.pack(">9i", *UNITY), content.index(b"tkhd"))
    content[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000)
    film.write_bytes(content)
    return film


def moved(pixels: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """The same, pixel by pixel."""
    rows, columns = np.indices(pixels.shape[:2])
    across, down = a * columns + c * rows, b * columns + d * rows
    across, down = across - across.min(), down - down.min()
    shown = np.empty((down.max() + 1, across.max() + 1, 3), np.uint8)
    shown[down, across] = pixels
    return shown


@pytest.mark.parametrize(
    "matrix",
    [
        *((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)),
        *((-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)),
    ],
    ids=["as it is", "clockwise", "upside down", "anticlockwise", "mirrored", "flipped", "transposed", "transverse"],
)
def test_films_are_upright_however_the_telephone_was_held(
    tmp_path: Path, detector: Predictor, matrix: tuple[int, int, int, int]
):
    quarters = np.zeros((160, 224, 3), np.uint8)
    quarters[:80, :112], quarters[:80, 112:], quarters[80:, :112] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    film = write_film(tmp_path / "held.mp4", [Image.fromarray(quarters)] * 3)
    plain = [np.asarray(frame) for frame in frames_of(film)]
    with_display_matrix(film, *matrix)
    read = [np.asarray(frame.image) for batch in Reader(film, 4).batches(2) for frame in batch]
    assert len(read) == 3
    assert all(np.array_equal(have, moved(before, *matrix)) for have, before in zip(read, plain, strict=True))
    predict_film([detector], film, tmp_path / "a.mp4", tmp_path / "a.jsonl")
    line = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert (line["height"], line["width"]) == read[0].shape[:2]
    (drawn, *_) = [np.asarray(frame) for frame in frames_of(tmp_path / "a.mp4")]
    assert drawn.shape[0] / drawn.shape[1] == pytest.approx(read[0].shape[0] / read[0].shape[1])


def test_what_is_averaged_can_be_chosen(tmp_path: Path):
    """Two models that are sure of different classes: the mean of their probabilities is not that of their logits."""
    predictors = []
    for seed in range(2):
        torch.manual_seed(seed)
        network = build_model("lenet5_modern", num_classes=3)
        network.head.out.weight.data *= 30
        bundle = Bundle(
            "classification", "lenet5_modern", Preprocess(channels=1, size=(32, 32), mean=(0.5,), std=(0.5,)), CLASSES
        )
        predictors.append(Predictor(bundle, network, device="cpu"))
    film = write_film(tmp_path / "film.mp4", [Image.new("RGB", (64, 64), (n * 40, 90, 60)) for n in range(3)])
    told = {}
    for way in ("probabilities", "logits"):
        predict_film(predictors, film, tmp_path / "a.mp4", tmp_path / f"{way}.jsonl", average=way)
        lines = (tmp_path / f"{way}.jsonl").read_text().splitlines()
        told[way] = [json.loads(line)["probabilities"] for line in lines]
        frames = [frame.image for batch in Reader(film, 4).batches(3) for frame in batch]
        results = [result for _, result in predict_each(predictors, frames, average=way)]
        assert told[way] == [result.to_dict()["probabilities"] for result in results]
    assert told["probabilities"] != told["logits"]


def test_what_is_no_film_is_said_and_leaves_nothing_behind(tmp_path: Path, detector: Predictor):
    pytest.importorskip("av", reason="films need PyAV")
    out = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    text = tmp_path / "text.mp4"
    text.write_text("this is no film")
    with pytest.raises(DataError, match=r"cannot read the film .*text\.mp4: "):
        predict_film([detector], text, *out)
    with pytest.raises(DataError, match=r"no film at .*missing\.mp4: expected a file"):
        predict_film([detector], tmp_path / "missing.mp4", *out)
    whole = write_film(tmp_path / "whole.mp4", [Image.new("RGB", (64, 64), (n, n, n)) for n in range(40)])
    sound = tmp_path / "sound.wav"
    sound.write_bytes(_silence())
    with pytest.raises(DataError, match=r"sound\.wav has no picture track"):
        predict_film([detector], sound, *out)
    with pytest.raises(ConfigError, match=r"would replace .*whole\.mp4 itself: give another folder with --draw"):
        predict_film([detector], whole, whole, tmp_path / "b.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(HubelError, match="cannot write"):
        predict_film([detector], whole, tmp_path / "file" / "out.mp4", tmp_path / "file" / "out.jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"text.mp4", "whole.mp4", "sound.wav", "file"}


def test_a_film_without_frames(tmp_path: Path, detector: Predictor):
    av = pytest.importorskip("av", reason="films need PyAV")
    film = tmp_path / "empty.avi"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"empty\.avi"):
        predict_film([detector], film, tmp_path / "a.mp4", tmp_path / "a.jsonl")


def test_without_pyav_it_says_what_to_install(tmp_path: Path, detector: Predictor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"films need the package av: `pip install 'hubel\[video\]'`"):
        predict_film([detector], tmp_path / "x.mp4", tmp_path / "a.mp4", tmp_path / "a.jsonl")


def test_films_are_known_by_their_names_and_times_told():
    assert is_film("a/b.MP4")
    assert not is_film("a/b.jpg")
    text = FilmTimes(frames=120, decoding=0.4, network=3.0, drawing=1.2, whole=4.0).text()
    assert text == "120 frames in 4.0 s, 30.0 a second (decoding alone 300, network alone 40.0, drawing alone 100)"


def _silence() -> bytes:
    import io
    import wave

    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return content.getvalue()
