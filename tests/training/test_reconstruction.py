"""Reconstruction through the verbs' functions: trained, resumed, measured, told what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hubel
from hubel.errors import ConfigError, DataError
from hubel.inference.generator import Generator
from hubel.results import Reconstruction
from hubel.tasks.generative.drawing import sheet
from hubel.tasks.reconstruction import autoencoding
from hubel.training.interruption import Interrupted
from hubel.training.progress import Reporter
from hubel.training.sheets import samples_of_prior

SMALL = {
    "data.size": 16,
    "model.in_channels": 1,
    "model.arguments": {"widths": [4, 8], "code_size": 4},
    "batch_size": 8,
    "data.near_duplicates": 0,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture
def strokes(tmp_path: Path) -> Path:
    """A folder of 40 grey pictures of 16×16 without classes: a bright stroke, upright or flat, at some place."""
    folder = tmp_path / "strokes"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(40):
        pixels = generator.integers(0, 30, size=(16, 16)).astype(np.uint8)
        at = int(generator.integers(2, 12))
        pixels[at : at + 3] = 220
        Image.fromarray(pixels if number % 2 else pixels.T.copy()).save(folder / f"{number:02}.png")
    return folder


def trained(strokes: Path, out: Path, **changes: Any) -> Any:
    settings = SMALL | changes.pop("settings", {})
    arguments: dict[str, Any] = {"task": "reconstruction", "model": "conv_autoencoder", "epochs": 2} | changes
    return hubel.train(strokes, out=out, settings=settings, **arguments)


def test_pictures_without_labels_become_a_model_that_gives_them_back(strokes: Path, tmp_path: Path) -> None:
    run = trained(strokes, tmp_path / "run", epochs=12, learning_rate=0.01)
    test = run.metrics["test"]
    assert test["psnr"] > run.metrics["validation"]["mean_picture_psnr"] - 3
    assert test["psnr_ci95"][0] < test["psnr"] < test["psnr_ci95"][1]
    assert set(test["error_quantiles"]) == {"0.9", "0.95", "0.99"}
    assert "restored_psnr" not in test
    assert "elbo" not in test
    assert "gives back" in run.report.read_text()
    assert not (run.dir / "samples").exists()
    model = hubel.load(run.bundle)
    result = model.predict(strokes / "03.png")
    assert isinstance(result, Reconstruction)
    assert result.picture.shape == (16, 16, 1)
    given = np.asarray(Image.open(strokes / "03.png"))
    np.testing.assert_array_equal(result.input[..., 0], given)
    rounded = np.square((result.picture[..., 0].astype(float) - given) / 255).mean()
    assert result.error == pytest.approx(rounded, rel=0.01)
    evaluation = hubel.evaluate(run.bundle, strokes, split="all")
    assert evaluation.metrics.images == 40
    drawn = model.task.draw(Image.open(strokes / "03.png"), result)
    assert drawn.size == (2 * 96 + 2, 96)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(strokes: Path, tmp_path: Path) -> None:
    settings = {
        "generative.kl_warmup": 9,
        "model.arguments": {"widths": [4, 8], "code_size": 4, "likelihood": "gaussian"},
    }
    whole = trained(strokes, tmp_path / "whole", model="conv_vae", epochs=3, settings=settings)

    class Stopping(Reporter):
        def epoch(self, row: dict[str, Any], *, best: bool) -> None:
            import os
            import signal

            if row["epoch"] == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        trained(strokes, tmp_path / "parts", model="conv_vae", epochs=3, settings=settings, reporter=Stopping())
    parts = hubel.train(out=tmp_path / "parts", resume=True)
    assert whole.bundle.read_bytes() == parts.bundle.read_bytes()


def test_a_variational_autoencoder_is_told_in_nats_and_bits(strokes: Path, tmp_path: Path) -> None:
    run = trained(strokes, tmp_path / "run", task="generation", model="conv_vae", epochs=1)
    test = run.metrics["test"]
    assert test["elbo"] < test["importance_weighted_bound"] < 0
    assert test["bits_per_dimension"] == pytest.approx(-test["elbo"] / 256 / np.log(2), rel=1e-5)
    page = run.report.read_text()
    assert 'alt="samples of the model"' in page
    assert 'alt="samples after epoch 1"' in page
    with Image.open(run.dir / "samples" / "epoch-0001.png") as drawn:
        assert drawn.size == (8 * 18 - 2, 8 * 18 - 2)
    header = (run.dir / "metrics.csv").read_text().splitlines()[0]
    assert "validation_elbo" in header
    assert "importance_weighted_bound" not in header  # of the end alone


def test_sheets_of_samples_are_of_the_average_that_is_kept(strokes: Path, tmp_path: Path) -> None:
    settings = {"average_decay": 0.9, "seed": 3}
    run = trained(strokes, tmp_path / "run", task="generation", model="conv_vae", epochs=1, settings=settings)
    kept = autoencoding(Generator.load(run.bundle, device="cpu").network)
    with Image.open(run.dir / "samples" / "epoch-0001.png") as drawn:
        assert (np.asarray(drawn) == np.asarray(sheet(samples_of_prior(kept, 3)))).all()


def test_noise_is_taken_off_in_the_figures_and_put_on_in_training_alone(strokes: Path, tmp_path: Path) -> None:
    arguments = {"widths": [4, 8], "code_size": 4, "noise": 0.5}
    run = trained(strokes, tmp_path / "run", settings={"model.arguments": arguments}, epochs=12, learning_rate=0.01)
    test = run.metrics["test"]
    assert test["noisy_psnr"] == pytest.approx(-20 * np.log10(0.5), abs=0.3)  # noise of 0.5 is 6 dB below white
    assert test["restored_psnr"] > test["noisy_psnr"] + 3
    model = hubel.load(run.bundle)
    first, second = (model.predict(strokes / "03.png") for _ in range(2))
    assert first.error == second.error  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"model": "dcgan", "settings": {"data.size": 32, "model.arguments": {}}},
            "a GAN has no encoder",
        ),
        (
            {"model": "conv_autoencoder", "task": "generation"},
            "is a network for reconstruction, the task is generation",
        ),
        ({"settings": {"model.arguments": {"code_size": 0}}}, "code_size is 0: expected at least 1"),
        (
            {"settings": {"data.size": 18, "model.arguments": {"widths": [4, 8], "code_size": None}}},
            "H and W that are multiples of 4; the next ones are 20 and 20; set another data.size",
        ),
        (
            {"settings": {"model.arguments": {"size": 32}}},
            "data.size is 16, model.arguments.size is 32: leave one of them out",
        ),
        (
            {"settings": {"generative": {"loss": "cross_entropy"}, "model.arguments": {"output": "linear"}}},
            "output is linear",
        ),
        ({"settings": {"generative": {"sparsity": 0.1, "sparsity_target": 0.1}}}, "code_activation=sigmoid"),
        ({"settings": {"generative": {"smoothing": 0.1, "game": "hinge"}}}, "has no labels: leave it out"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(strokes: Path, tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        trained(strokes, tmp_path / "run", **changes)


@pytest.mark.parametrize(("model", "components"), [("conv_autoencoder", 1), ("conv_vae", 2)])
def test_samples_are_of_codes_as_the_training_pictures_have(
    strokes: Path, tmp_path: Path, model: str, components: int
) -> None:
    arguments = {"widths": [4, 8], "code_size": 2, "code_components": components}
    run = trained(strokes, tmp_path / "run", model=model, epochs=1, settings={"model.arguments": arguments})
    loaded = hubel.load(run.bundle)
    distribution = loaded.network.code_distribution
    assert distribution.weights.shape == (components,)
    assert distribution.means.abs().max() > 0  # taken from pictures
    assert loaded.sample(3).shape == (3, 16, 16, 1)


def test_class_folders_serve_as_pictures_without_labels(coloured_squares: Path, tmp_path: Path) -> None:
    run = trained(coloured_squares, tmp_path / "run", epochs=1, settings={"model.in_channels": 3})
    assert hubel.load(run.bundle).classes == ()
    evaluation = hubel.evaluate(run.bundle, coloured_squares)
    assert evaluation.split == "test"  # of the division that it was trained on
    assert evaluation.metrics.figures()["psnr"] == pytest.approx(run.metrics["test"]["psnr"], abs=1e-4)
    assert "path,mean_squared_error,psnr,ssim" in evaluation.to_csv().splitlines()[0]


def test_labels_asked_of_a_folder_without_classes(strokes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class folders"):
        hubel.train(strokes, task="classification", out=tmp_path / "run")


def test_views_are_refused(strokes: Path, tmp_path: Path) -> None:
    run = trained(strokes, tmp_path / "run", epochs=1)
    with pytest.raises(ConfigError, match="a picture comes back from one view"):
        hubel.load(run.bundle).predict(strokes / "03.png", tta="flip")


def test_a_single_picture_to_train_on_is_told(strokes: Path, tmp_path: Path) -> None:
    for path in sorted(strokes.iterdir())[3:]:
        path.unlink()
    with pytest.raises(DataError, match="has 1 picture left to train on, and a step needs 2"):
        trained(strokes, tmp_path / "run")
