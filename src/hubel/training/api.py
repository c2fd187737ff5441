"""`hubel.train`: what the command `hubel train` does, from Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubel import runtime
from hubel.config import TrainConfig, merge
from hubel.errors import ConfigError
from hubel.training import run
from hubel.training.interruption import Interrupted
from hubel.training.progress import Reporter
from hubel.training.recipes import AUTO, is_file, recipe_of


def train(
    data: str | Path | None = None,
    *,
    model: str | None = None,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    epochs: int | None = None,
    learning_rate: float | str | None = None,
    task: str | None = None,
    device: str | None = None,
    out: str | Path | None = None,
    config: str | Path | TrainConfig | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> run.Run:
    """Train a model on a folder of pictures.

    Args:
        data: The data set: a folder with a folder per class, with or without split folders above them; pictures with
            boxes or masks; a manifest, an archive, `torchvision:NAME`, ...: see `hubel.data.layouts`.
        model: A name of `hubel.list_models()`, `timm/<name>` or `<family>/<backbone>`; None: the task's usual one:
            resnet18, `yolo_n` for boxes, `unet/resnet18` for masks, `conv_autoencoder` for reconstruction, `dcgan` for
            generation.
        weights: To start from: a name in the catalogue, or a path; None: random.
        recipe: `scratch`, `head`, `mid`, `full`, `gradual`, `auto` (a probe of the pictures chooses), or a YAML file
            with phases; None: `gradual` with weights, `scratch` without.
        epochs: Of all phases together; None: the recipe's.
        learning_rate: The head's in the first phase (the other phases' keep their ratio to it), or `find`; None: the
            recipe's.
        task: `classification`, `multilabel`, `regression`, `localization`, `detection`, `segmentation`, or without
            labels `reconstruction` or `generation`; None: what the labels and the network say.
        device: `auto`, `cpu`, `cuda`, `mps`.
        out: The run's folder; None: `runs/<data's name>`.
        config: A configuration to start from, such as another run's `config.yaml`.
        settings: Any other fields of `hubel.config.TrainConfig`, dotted: `{"data.size": 160}`.
        resume: Go on with the run in `out`, or with the newest one of `data`.
        reporter: Hears what happens, such as `hubel.training.plain_progress.PlainReporter()`, which prints a line for
            each epoch; None: silence.

    Returns:
        The finished run, with `dir`, `metrics`, `bundle` and `report`.

    Raises:
        HubelError: Something that came is wrong; the text says what, what was expected, what to do.
        Interrupted: Ctrl-C or SIGTERM; everything is saved.
    """
    if reporter is not None and not isinstance(reporter, Reporter):
        raise ConfigError(
            f"reporter is {reporter!r}: expected a hubel.training.progress.Reporter, as PlainReporter() is"
        )
    folder = Path(out) if out is not None else None
    with runtime.torch_as_before(), telling_the_way_on("hubel.train"):
        if resume:
            return run.resume(out=folder, data=str(data or ""), device=device, reporter=reporter)
        whole = whole_configuration(
            data,
            model=model,
            weights=weights,
            recipe=recipe,
            epochs=epochs,
            learning_rate=learning_rate,
            task=task,
            device=device,
            config=config,
            settings=settings,
        )
        return run.start(whole, out=folder, reporter=reporter)


@contextmanager
def telling_the_way_on(function: str) -> Iterator[None]:
    """Let an interruption say how a function of hubel goes on with the run."""
    try:
        yield
    except Interrupted as stopped:
        if stopped.run is not None:
            stopped.args = (f"{stopped}; go on with {function}(out={str(stopped.run)!r}, resume=True)",)
        raise


def whole_configuration(
    data: str | Path | None = None,
    *,
    model: str | None = None,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    epochs: int | None = None,
    learning_rate: float | str | None = None,
    task: str | None = None,
    device: str | None = None,
    config: str | Path | TrainConfig | None = None,
    settings: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration that the arguments of `train` describe.

    Raises:
        ConfigError: A field that does not exist, a value that does not fit, or a recipe's field beside phases.
    """
    named = {
        "data": {"path": str(data)} if data is not None else None,
        "model": {k: v for k, v in {"name": model, "weights": weights and str(weights)}.items() if v is not None},
        "recipe": recipe and str(recipe),
        "epochs": epochs,
        "learning_rate": learning_rate,
        "task": task,
        "device": device,
    }
    changes = {key: value for key, value in named.items() if value not in (None, {})}
    settings = {} if settings is None else settings
    if not isinstance(settings, Mapping):
        raise ConfigError(f"settings are {settings!r}: expected fields with their values, such as {{'data.size': 160}}")
    for key, value in settings.items():
        changes = merge(changes, _nested(key, value))
    return configuration(config, changes)


def configuration(base: str | Path | TrainConfig | None, changes: Mapping[str, Any]) -> TrainConfig:
    """A configuration with some fields changed.

    Phases that follow from the base's own recipe are spelled out anew; phases written by hand stay.

    Raises:
        ConfigError: A field that does not exist, a value that does not fit, or a recipe's field beside phases.
    """
    if base is None:
        base = TrainConfig()
    elif not isinstance(base, TrainConfig):
        base = TrainConfig.from_yaml(Path(base))
    by_name = base.recipe is None or not (is_file(base.recipe) or base.recipe == AUTO)
    if base.phases is not None and by_name and base.phases == recipe_of(base):
        base = base.model_copy(update={"phases": None})
    config = TrainConfig.from_values(merge(base.model_dump(), dict(changes)))
    fields = ["recipe", "epochs", *(["learning_rate"] if config.learning_rate != "find" else [])]
    if config.phases is not None and (beside := [name for name in fields if name in changes]):
        raise ConfigError(f"{beside[0]} has no effect beside phases that are spelled out: change it in the phases")
    return config


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
