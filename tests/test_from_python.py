"""hubel as a part of somebody's program: a notebook, a script with several trainings, a server."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hubel
from hubel.data.decoding import UnreadableImage
from hubel.inference.predictor import Predictor
from hubel.training.interruption import Interrupted
from hubel.training.plain_progress import PlainReporter
from hubel.training.progress import Reporter, StepReport
from hubel.training.run import Run

SMALL = {"device": "cpu", "batch_size": 8, "epochs": 1, "data.size": 32}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python") / "shades"
    generator = np.random.default_rng(0)
    for name, shade in {"dark": 60, "light": 200}.items():
        (folder / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(generator.normal(shade, 30, size=(36, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def run(pictures: Path) -> Run:
    return hubel.train(pictures, model="resnet20_cifar", out=pictures.parent / "run", settings=SMALL)


@pytest.fixture(scope="module")
def model(run: Run) -> Predictor:
    return hubel.load(run.dir, device="cpu")


@pytest.mark.usefixtures("four_threads")
def test_training_leaves_torch_as_it_was(pictures: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    random, handler = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    hubel.train(pictures, model="resnet20_cifar", out=tmp_path / "run", settings={**SMALL, "threads": 1})
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == 4
    assert signal.getsignal(signal.SIGINT) is handler


def test_training_leaves_no_tensors(pictures: Path, tmp_path: Path) -> None:
    """At once: the memory of a GPU is not asked back by Python's search for cycles, which may come much later."""

    def tensors() -> int:
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = tensors()
        settings = {**SMALL, "model.arguments.width": 8}
        hubel.train(pictures, model="dcgan", task="generation", out=tmp_path / "run", settings=settings)
        assert tensors() <= before + 8  # constants that are computed once
    finally:
        gc.enable()


def test_training_without_pictures_is_refused() -> None:
    with pytest.raises(hubel.HubelError, match="no pictures to train on: give data"):
        hubel.train(model="resnet20_cifar")
    with pytest.raises(hubel.HubelError, match="no pictures to train on: give data"):
        hubel.cross_validate(folds=2)


def test_settings_are_fields_with_values() -> None:
    with pytest.raises(
        hubel.HubelError, match=r"settings are \['data.size=32'\]: expected fields with their values, such as"
    ):
        hubel.train("photos", settings=["data.size=32"])  # type: ignore[arg-type]


def test_training_in_another_thread(pictures: Path, tmp_path: Path) -> None:
    runs = []

    def work() -> None:
        runs.append(hubel.train(pictures, model="resnet20_cifar", out=tmp_path / "run", settings=SMALL))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert runs[0].bundle.is_file()


def test_a_line_for_each_epoch_where_asked_for(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = partial(hubel.train, pictures, model="resnet20_cifar", settings={**SMALL, "epochs": 2})
    train(out=tmp_path / "silent")
    assert capsys.readouterr() == ("", "")
    train(out=tmp_path / "told", reporter=PlainReporter())
    lines = capsys.readouterr().err.splitlines()
    assert [line[:9] for line in lines if line.startswith("epoch")] == ["epoch   1", "epoch   2"]
    with pytest.raises(hubel.HubelError, match=r"reporter is <built-in function print>: expected a .*Reporter"):
        train(out=tmp_path / "printed", reporter=print)


def test_an_interruption_says_how_to_go_on(pictures: Path, tmp_path: Path) -> None:
    class Stops(Reporter):
        def step(self, report: StepReport) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "run"
    settings = {**SMALL, "epochs": 300}
    with pytest.raises(Interrupted, match=rf"go on with hubel\.train\(out='{out}', resume=True\)$"):
        hubel.train(pictures, model="resnet20_cifar", out=out, settings=settings, reporter=Stops())


def test_what_a_notebook_shows_is_short(pictures: Path, run: Run, model: Predictor) -> None:
    assert repr(run).startswith(f"Run({run.dir}, validation accuracy ")
    evaluation = hubel.evaluate([model, model], pictures, split="all", compare=True)
    assert repr(evaluation).startswith("Evaluation(accuracy ")
    assert "all, 24 pictures, 2 models compared" in repr(evaluation)
    costs = hubel.complexity(hubel.create_model("lenet5"), (1, 32, 32))
    assert repr(costs).startswith("Complexity(1×32×32: 60,000 parameters, ")
    for value in (run, evaluation, evaluation.metrics, model, model.predict(pictures / "dark" / "00.png"), costs):
        assert len(repr(value)) < 500


def test_pictures_come_as_they_are_at_hand(pictures: Path, model: Predictor) -> None:
    path = pictures / "dark" / "00.png"
    image = Image.open(path)
    expected = model.predict(path).to_dict()["probabilities"]
    for picture in (str(path), path.read_bytes(), image, np.asarray(image)):
        assert model.predict(picture).to_dict()["probabilities"] == pytest.approx(expected)
    assert len(model.predict((pictures / "dark").glob("*.png"))) == 12
    assert len(model.predict({path})) == 1
    assert model.predict(iter([])) == []
    with path.open("rb") as file:
        assert model.predict(file).to_dict()["probabilities"] == pytest.approx(expected)


@pytest.mark.parametrize("other", [None, 7, torch.zeros(3, 8, 8)])
def test_what_is_no_picture_is_told(model: Predictor, other: object) -> None:
    with pytest.raises(
        UnreadableImage, match=f"object of type {type(other).__name__}: expected a path, a file's bytes"
    ):
        model.predict(other)  # type: ignore[call-overload]


def test_views_have_names(pictures: Path, model: Predictor) -> None:
    with pytest.raises(
        hubel.HubelError, match=r"tta is 3: expected a name, such as 'flip', or hubel.tasks.views.Views"
    ):
        model.predict(pictures / "dark" / "00.png", tta=3)  # type: ignore[call-overload]


@pytest.mark.parametrize("size", [0, -1, 2.5, "all"])
def test_batches_of_nothing_are_refused(pictures: Path, model: Predictor, size: int) -> None:
    text = rf"batch_size is {size!r}: expected a whole number of at least 1"
    with pytest.raises(hubel.HubelError, match=text):
        model.predict([pictures / "dark" / "00.png"], batch_size=size)
    with pytest.raises(hubel.HubelError, match=text):
        hubel.evaluate(model, pictures, batch_size=size)
    with pytest.raises(hubel.HubelError, match="workers is -1: expected 0"):
        hubel.evaluate(model, pictures, workers=-1)


def test_a_model_can_be_copied_and_sent(pictures: Path, model: Predictor) -> None:
    path = pictures / "light" / "03.png"
    expected = model.predict(path).to_dict()
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.predict(path).to_dict() == expected


@pytest.mark.usefixtures("four_threads")
def test_a_model_serves_several_threads(pictures: Path, model: Predictor) -> None:
    paths = sorted(pictures.glob("*/*.png"))
    expected = [model.predict(path).to_dict() for path in paths]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda path: model.predict(path).to_dict(), paths)) == expected
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 4


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork")
@pytest.mark.usefixtures("four_threads")
def test_forked_processes_predict_and_train(pictures: Path, tmp_path: Path, model: Predictor) -> None:
    """Those of a pool may have no processes of their own, and none of the threads that torch had here."""
    paths = sorted(pictures.glob("*/*.png"))
    expected = [result.to_dict() for result in model.predict(paths[:2])]
    torch.rand(2000, 2000).relu_()  # in threads
    settings = {**SMALL, "threads": 2, "data.workers": 1, "data.cache_gb": 0}
    train = partial(hubel.train, pictures, model="resnet20_cifar", out=tmp_path / "run", settings=settings)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(model.predict, (paths[:2],)).get(timeout=120)
        assert [result.to_dict() for result in found] == expected
        assert pool.apply_async(train).get(timeout=120).bundle.is_file()
