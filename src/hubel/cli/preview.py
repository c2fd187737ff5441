"""`hubel data DATA --augment PRESET --preview SHEET`: how training would vary the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from hubel.data.sources import Sample

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_USUAL_SIDE, _LEAST_SIDE = 224, 8  # of a network's input; pictures that are smaller themselves are shown at their size
_HEADERS = 32  # pictures that are looked at to know their size


def write_preview(data: str, *, preset: str | None, sheet: Path, settings: Sequence[str]) -> None:
    """Write a sheet of varied training pictures, and say what the names of the classes speak against.

    Args:
        data: What `hubel train` takes.
        preset: Of the augmentation; None: what a run would take.
        sheet: The picture's file.
        settings: Further ones, `key=value`, of which those of `augment`, `data` and `seed` count.

    Raises:
        HubelError: There is no such preset, setting or data set, or the sheet cannot be written.
    """
    from hubel.cli.text import output
    from hubel.config import TrainConfig, merge, parse_settings
    from hubel.data.augmentation import augment_of
    from hubel.data.augmentation.presets import preset_fields
    from hubel.data.collecting import labelled_splits
    from hubel.data.drawing.preview import preview_sheet
    from hubel.data.layouts.finding import find_source
    from hubel.data.relabelling import relabelled
    from hubel.errors import ConfigError, DataError
    from hubel.files import write_whole
    from hubel.tasks.registry import TASKS, task_for
    from hubel.training.inputs import choose_preprocess, usual_rule

    if (kind := _FORMATS.get(sheet.suffix.lower())) is None:
        raise ConfigError(f"--preview {sheet}: expected a file that ends in {', '.join(_FORMATS)}")
    if preset is not None:
        preset_fields(preset, "classification")  # tells an unknown name better than the settings do
    config = TrainConfig.from_values(
        merge({"augment": {"preset": preset}} if preset else {}, parse_settings(list(settings)))
    )
    wanted = TASKS[config.task].labelling if config.task else None
    source = relabelled(find_source(data, labelling=wanted), wanted)
    task = config.task or task_for(source.labelling).name
    of_split, _ = labelled_splits(source, source.classes)
    samples = of_split.get("train") or next(iter(of_split.values()), ())
    side = config.data.size or _side(samples)
    rule, resize_to = usual_rule(task, samples)
    preprocess = choose_preprocess(
        config.data,
        network_size=(side, side),
        fixed_size=False,
        channels=config.model.in_channels or 3,
        weights=None,
        name="a network",
        usual=rule,
        usual_resize_to=resize_to,
    )
    augment, notes = augment_of(config.augment, source.classes, preprocess.size, task)
    image = preview_sheet(samples, source.classes, augment, preprocess, seed=config.seed)
    try:
        write_whole(sheet, lambda file: image.save(cast("IO[bytes]", file), kind))
    except OSError as error:
        raise DataError(f"cannot write {sheet}: {error.strerror or error}") from error
    console = output()
    for note in notes:
        console.print(note)
    console.print(f"sheet    {sheet}")


def _side(samples: Sequence[Sample]) -> int:
    """The side of the input that pictures are shown at."""
    import io

    import numpy as np
    from PIL import Image

    shorter = []
    for sample in samples[:: max(1, len(samples) // _HEADERS)]:
        try:
            with Image.open(io.BytesIO(sample.read())) as image:
                shorter.append(min(image.size))
        except Exception:  # what cannot be read has no size
            continue
    return max(_LEAST_SIDE, min(_USUAL_SIDE, int(np.median(shorter)))) if shorter else _USUAL_SIDE
