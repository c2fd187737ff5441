"""What a task is usually trained with, where the settings leave it open."""

from __future__ import annotations

from hubel.config import Phase, TrainConfig
from hubel.training.recipes import recipe_of
from hubel.training.usual import with_usual_settings


def test_a_detector_learns_all_at_once_in_small_batches_and_is_averaged() -> None:
    config = with_usual_settings(TrainConfig(), "detection")
    assert (config.batch_size, config.average_decay, config.recipe) == (8, 0.99, "detector")
    (phase,) = recipe_of(config)
    assert (phase.train, phase.batch_norm, phase.epochs) == ("all", "train", 60)


def test_other_tasks_are_as_they_were() -> None:
    config = with_usual_settings(TrainConfig(), "classification")
    assert (config.batch_size, config.average_decay, config.recipe) == (32, 0.0, None)


def test_what_is_set_stays() -> None:
    settings = {"batch_size": 4, "average_decay": 0.0, "recipe": "full"}
    config = with_usual_settings(TrainConfig(**settings), "detection")
    assert config.model_dump(include=set(settings)) == settings
    phases = (Phase(name="own", epochs=3, learning_rate=0.1),)
    assert with_usual_settings(TrainConfig(phases=phases), "detection").recipe is None
