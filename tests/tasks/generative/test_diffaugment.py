"""What a discriminator sees: varied within the stated bounds, each picture by itself, and gradients pass."""

from __future__ import annotations

import pytest
import torch

from hubel.config import GenerativeConfig, TrainConfig
from hubel.config.tasks import DIFFAUGMENTS
from hubel.errors import ConfigError
from hubel.tasks.generative import diffaugment as module
from hubel.tasks.generative.diffaugment import diffaugment


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_the_settings_know_every_part() -> None:
    assert set(DIFFAUGMENTS) == set(module._PARTS)
    assert GenerativeConfig(diffaugment="color + cutout").augmentations == ("color", "cutout")
    assert GenerativeConfig().augmentations == ()
    with pytest.raises(ConfigError, match="there is no part 'colour', expected color, translation, cutout, affine"):
        TrainConfig.from_values({"generative": {"diffaugment": "colour"}})


@pytest.mark.parametrize("part", DIFFAUGMENTS)
def test_pictures_differ_and_gradients_pass(part: str) -> None:
    one = torch.rand(1, 3, 16, 24) * 2 - 1
    images = one.repeat(8, 1, 1, 1).requires_grad_()
    seen = diffaugment(images, (part,))
    assert seen.shape == images.shape
    assert len({picture.detach().numpy().tobytes() for picture in seen}) > 4
    (gradient,) = torch.autograd.grad(seen.sum(), images)
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()


def test_without_parts_pictures_stay() -> None:
    images = torch.rand(2, 1, 8, 8)
    assert diffaugment(images, ()) is images


def test_a_translation_is_a_shift_by_at_most_an_eighth() -> None:
    images = torch.zeros(400, 1, 16, 32)
    images[:, :, 8, 16] = 1
    places = diffaugment(images, ("translation",)).flatten(1).argmax(dim=1)
    rows, columns = places // 32 - 8, places % 32 - 16
    assert set(rows.tolist()) == set(range(-2, 3))
    assert set(columns.tolist()) == set(range(-4, 5))


def test_a_cutout_takes_a_quarter_where_it_lies_inside() -> None:
    taken = (diffaugment(torch.ones(400, 1, 16, 16), ("cutout",)) == 0).float().mean(dim=(1, 2, 3))
    assert taken.max() == 0.25
    assert taken.min() > 1 / 16 - 1 / 32  # in a corner, a quarter of the square at least


def test_colours_change_as_much_as_they_may() -> None:
    images = torch.zeros(500, 3, 4, 4)
    images[:, 0] = 0.5
    seen = diffaugment(images, ("color",))
    brightness = seen.mean(dim=(1, 2, 3)) - images.mean(dim=(1, 2, 3))
    assert 0.45 < brightness.max() <= 0.5 + 1e-6
    assert -0.5 - 1e-6 <= brightness.min() < -0.45
    colourfulness = seen[:, 0, 0, 0] - seen[:, 1, 0, 0]
    assert colourfulness.min() > -1e-6
    assert 1.0 < colourfulness.max() <= 0.5 * 2 * 1.5
    grey = torch.rand(3, 1, 4, 4)
    assert diffaugment(grey, ("color",)).std(dim=(1, 2, 3)).ne(grey.std(dim=(1, 2, 3))).all()


def test_an_affine_change_is_small() -> None:
    across = torch.linspace(-1, 1, 32).repeat(64, 1, 32, 1)  # values are places
    moved = (diffaugment(across, ("affine",)) - across)[:, :, 8:24, 8:24].abs()
    assert 0.05 < moved.max() < 0.3
