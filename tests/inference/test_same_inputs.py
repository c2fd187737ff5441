"""One preprocessing: training's evaluation, evaluate and predict give a network bit-equal inputs for the same file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import hubel
from hubel.data.division.splits import DataSplits
from hubel.models.network import ClassificationNetwork


@contextmanager
def recorded_inputs() -> Iterator[list[torch.Tensor]]:
    """Every picture that a network in evaluation mode is given, one by one."""
    seen: list[torch.Tensor] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, ClassificationNetwork) and not module.training and not inputs[0].is_meta:
            seen.extend(inputs[0].detach().clone().unbind())

    hook = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.fixture
def odd_pictures(tmp_path: Path) -> Path:
    """Two classes of pictures as they come: large, small, tall, rotated by EXIF, grey, palette, with alpha, 16-bit."""
    generator = np.random.default_rng(4)

    def noise(height: int, width: int, channels: int = 3) -> Image.Image:
        small = generator.integers(0, 255, (height // 8 + 1, width // 8 + 1, channels), dtype=np.uint8)
        return Image.fromarray(small.squeeze()).resize((width, height), Image.Resampling.BICUBIC)

    for name in ("x", "y"):
        folder = tmp_path / "odd" / name
        folder.mkdir(parents=True)
        rotated = Image.Exif()
        rotated[0x0112] = 6
        for number in range(3):
            noise(900, 1300).save(folder / f"large{number}.jpg", quality=88)  # decoded at reduced scale
            noise(50, 41).save(folder / f"small{number}.png")
            noise(300, 111).save(folder / f"tall{number}.webp")
            noise(200, 260).save(folder / f"rotated{number}.jpg", exif=rotated)
            noise(90, 90, 1).save(folder / f"grey{number}.bmp")
            noise(90, 120).convert("P").save(folder / f"palette{number}.gif")
            noise(80, 90, 4).save(folder / f"alpha{number}.png")
            deep = generator.integers(0, 65535, (70, 64)).astype(np.uint16)
            Image.fromarray(deep).save(folder / f"deep{number}.png")
    return tmp_path / "odd"


@pytest.mark.parametrize("model", ["resnet20_cifar", "lenet5_modern"])
@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_three_roads_one_input(
    odd_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, cache_gb: float
) -> None:
    # the plan's estimates come from random pictures
    monkeypatch.setattr("hubel.training.fit_run.make_plan", lambda *given, **options: [])
    settings = {"batch_size": 8, "data.cache_gb": cache_gb, "data.workers": 0}
    with recorded_inputs() as in_training:
        run = hubel.train(odd_pictures, model=model, epochs=1, device="cpu", out=tmp_path / "run", settings=settings)
    splits = DataSplits.from_csv((run.dir / "splits.csv").read_text(), odd_pictures)
    validation, test = splits.validation, splits.test
    assert len(validation) >= 2
    # the loop's validation, then the final measurement of validation and of test
    assert len(in_training) == 2 * len(validation) + len(test)
    with recorded_inputs() as in_evaluate:
        hubel.evaluate(run.dir, odd_pictures, split="validation", device="cpu", workers=0, cache_gb=cache_gb)
    predictor = hubel.load(run.dir, device="cpu")
    with recorded_inputs() as in_predict:
        predictor.predict([sample.path for sample in validation])
    assert len(in_evaluate) == len(in_predict) == len(validation)
    for trained, evaluated, predicted in zip(in_training[: len(validation)], in_evaluate, in_predict, strict=True):
        assert torch.equal(trained, evaluated)
        assert torch.equal(trained, predicted)
