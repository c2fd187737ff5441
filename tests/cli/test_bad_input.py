"""Each mistake gives one clear line and exit status 2, and nothing is lost."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import Outcome

from hubel.models.registry import build_model

Hubel = Callable[..., Outcome]
QUICK = ("--model", "resnet20_cifar", "--device", "cpu", "--epochs", "1", "--set", "batch_size=8")


def check_refused(outcome: Outcome, *texts: str) -> None:
    """One line that says these things, status 2, no traceback, no run's folder."""
    assert outcome.status == 2, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.error.startswith("error: ")
    for text in texts:
        assert text in outcome.error
    assert not Path("runs").exists()


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def split_folders(tmp_path: Path) -> Path:
    """Two classes under train and test, eight pictures each."""
    root = tmp_path / "pets"
    for number, (split, name) in enumerate((s, c) for s in ("train", "test") for c in ("cat", "dog")):
        for i in range(8):
            picture(root / split / name / f"{i}.png", seed=100 * number + i)
    return root


def test_a_path_that_does_not_exist(hubel: Hubel) -> None:
    check_refused(hubel("train", "nowhere"), "nowhere does not exist")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "~nosuchuser/x"),
        ("train", "~nosuchuser/{a,b}.tar"),
        ("train", "PICTURES", "--weights", "~nosuchuser/x"),
        ("train", "PICTURES", "--set", "data.groups=~nosuchuser/x"),
        ("data", "~nosuchuser/x"),
    ],
)
def test_a_home_folder_of_nobody(hubel: Hubel, coloured_squares: Path, arguments: tuple[str, ...]) -> None:
    outcome = hubel(*(coloured_squares if each == "PICTURES" else each for each in arguments))
    check_refused(outcome, "~nosuchuser/", "there is no user 'nosuchuser'")


@pytest.mark.parametrize(("verb", "started"), [("train", 0), ("train", 1), ("data", 0)])  # one may do for `data`
def test_a_system_that_refuses_threads(
    hubel: Hubel, coloured_squares: Path, monkeypatch: pytest.MonkeyPatch, verb: str, started: int
) -> None:
    start, left = threading.Thread.start, [started]

    def refuse(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome = hubel(verb, coloured_squares, *(QUICK if verb == "train" else ()))
    check_refused(outcome, "the system allows no more threads (can't start new thread): end other", "ulimit -u")


def test_no_pictures_named(hubel: Hubel) -> None:
    check_refused(hubel("train"), "no pictures to train on: give DATA")


def test_a_folder_without_images(hubel: Hubel, tmp_path: Path) -> None:
    (tmp_path / "empty" / "a").mkdir(parents=True)
    (tmp_path / "empty" / "a" / "notes.txt").write_text("hello")
    check_refused(hubel("train", tmp_path / "empty"), "has no images")


def test_one_class_only(hubel: Hubel, coloured_squares: Path) -> None:
    shutil.rmtree(coloured_squares / "blue")
    shutil.rmtree(coloured_squares / "green")
    check_refused(hubel("train", coloured_squares), "one class", "red")


def test_a_class_in_test_that_train_lacks(hubel: Hubel, split_folders: Path) -> None:
    picture(split_folders / "test" / "hamster" / "1.png", seed=1)
    check_refused(hubel("train", split_folders), "hamster", "train")


def test_a_split_that_lacks_a_class(hubel: Hubel, split_folders: Path) -> None:
    shutil.rmtree(split_folders / "test" / "dog")
    check_refused(hubel("train", split_folders), "dog", "test")


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("--model", "resnet8"), ("unknown model 'resnet8'", "did you mean resnet18", "hubel models list")),
        (("--recipe", "gradul"), ("unknown recipe 'gradul'", "did you mean gradual")),
        (("--set", "data.siz=3"), ("unknown setting 'data.siz'", "did you mean data.size")),
        (("--set", "model.arguments.shortcat=A"), ("shortcat", "shortcut")),
        (("--task", "detektion"), ("task is 'detektion'", "classification")),
        (("--device", "gpu"), ("device 'gpu' is not here",)),
        (("--weights", "efficientnet-lite"), ("efficientnet-lite",)),
        (("--weights", "gone.pth"), ("gone.pth",)),
        (("--epochs", "0"), ("epochs is 0",)),
        (("--epochs", "many"), ("--epochs", "valid integer")),
        (("--modle", "resnet18"), ("--modle",)),
        (("--model", "lenet5", "--set", "data.size=64"), ("lenet5 takes inputs of 32×32 only", "64")),
        (("--set", "augment.scale=[0.9,0.1]"), ("scale",)),
        (("--config", "gone.yaml"), ("gone.yaml",)),
    ],
)
def test_names_and_settings(
    hubel: Hubel, coloured_squares: Path, arguments: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    check_refused(hubel("train", coloured_squares, *arguments), *texts)


def test_a_phase_from_a_stage_that_the_network_lacks(hubel: Hubel, coloured_squares: Path) -> None:
    phases = "phases=[{name: a, epochs: 1, train: layer9, learning_rate: 0.1}]"
    check_refused(
        hubel("train", coloured_squares, "--set", phases), "there is no stage 'layer9'", "all, later, head or one of"
    )


def test_weights_of_another_network(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    torch.save(build_model("resnet32_cifar").state_dict(), tmp_path / "other.pth")
    outcome = hubel("train", coloured_squares, *QUICK, "--weights", tmp_path / "other.pth")
    check_refused(outcome, "do not fit resnet20_cifar", "stages.")


@pytest.mark.parametrize("damage", ["truncated", "zero bytes", "no image", "bomb"])
def test_too_many_unreadable_pictures_stop_before_training(hubel: Hubel, coloured_squares: Path, damage: str) -> None:
    victim = coloured_squares / "red" / "00.png"
    if damage == "bomb":
        Image.new("1", (20_000, 20_000)).save(victim)
    else:
        content = {"truncated": victim.read_bytes()[:2000], "zero bytes": b"", "no image": b"<html>not found</html>"}
        victim.write_bytes(content[damage])
    outcome = hubel("train", coloured_squares, *QUICK)
    check_refused(outcome, "red/00.png", "data.max_unreadable")
    allowed = hubel("train", coloured_squares, *QUICK, "--set", "data.max_unreadable=0.2", "--out", "run")
    assert allowed.status == 0, allowed.err
    assert "red/00.png" in Path("run/log.txt").read_text()
    page = Path("run/report.html").read_text()
    assert "Left out because they cannot be read: 1<" in page
    [row] = re.findall(r'<tr class="total"><td>pictures</td>(.*?)</tr>', page)
    assert sum(map(int, re.findall(r"<td>(\d+)</td>", row))) == 59
    [row] = re.findall(r"<tr><td>red</td>(<td>\d+</td><td>\d+</td><td>\d+</td>)</tr>", page)
    assert sum(map(int, re.findall(r"<td>(\d+)</td>", row))) == 19


def test_a_folder_that_cannot_be_written(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    outcome = hubel("train", coloured_squares, *QUICK, "--out", tmp_path / "file")
    check_refused(outcome, "is a file: expected a folder for the run")
    outcome = hubel("train", coloured_squares, *QUICK, "--out", tmp_path / "file" / "run")
    check_refused(outcome, "cannot write")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_loss_that_is_not_a_number_names_the_step_and_the_files(hubel: Hubel, coloured_squares: Path) -> None:
    arguments = ("--set", "learning_rate=1.0e+30", "--set", "optimizer.clip_norm=0")
    outcome = hubel("train", coloured_squares, *QUICK, *arguments, "--out", "run")
    assert outcome.status == 2
    assert "Traceback" not in outcome.err
    assert "the loss is nan at step" in outcome.error
    assert ".png" in outcome.error


def test_hidden_files_and_folders_are_no_classes(hubel: Hubel, coloured_squares: Path) -> None:
    shutil.copytree(coloured_squares / "red", coloured_squares / ".cache")
    (coloured_squares / "red" / "._00.png").write_bytes(b"not an image")
    assert hubel("train", coloured_squares, *QUICK, "--out", "run").status == 0
    assert ".cache" not in Path("run/splits.csv").read_text()


def test_mistakes_in_predict_and_evaluate(hubel: Hubel, coloured_squares: Path) -> None:
    check_refused(hubel("predict", "no.safetensors", coloured_squares), "no model at no.safetensors")
    check_refused(hubel("evaluate", coloured_squares), "expected a model and then a folder")
    assert hubel("train", coloured_squares, *QUICK, "--out", "run").status == 0
    check_refused(hubel("predict", "run", "nowhere.jpg"), "nowhere.jpg does not exist")
    check_refused(hubel("predict", "run", coloured_squares, "--format", "xml"), "unknown format 'xml'")
    check_refused(hubel("evaluate", "run", "nowhere"), "nowhere does not exist")
    check_refused(
        hubel("evaluate", "run", coloured_squares, "--split", "tset"), "unknown split 'tset': did you mean test"
    )
    (coloured_squares / "red").rename(coloured_squares / "crimson")
    check_refused(hubel("evaluate", "run", coloured_squares), "crimson", "does not know")


def test_commands_that_say_nothing_of_what_to_do(hubel: Hubel) -> None:
    alone = hubel()
    assert alone.status == 0
    assert "Begin with `hubel train PHOTOS`" in alone.out
    outcome = hubel("models")
    assert outcome.status == 2
    assert outcome.error.startswith("error: Missing command")
