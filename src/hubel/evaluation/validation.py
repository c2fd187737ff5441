"""Where thresholds and temperatures are chosen: on validation pictures, never on those that are then measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hubel.data.sources import Sample
from hubel.errors import DataError, HubelError
from hubel.evaluation.selection import Selection, leave_out, select_samples
from hubel.inference.predictor import Predictor


def select_validation(data: Path, predictors: Sequence[Predictor], given: Path | None) -> tuple[Selection, str]:
    """The pictures to choose on.

    Args:
        data: The folder that is measured.
        predictors: The models.
        given: A folder that the user names; None: the validation split of the first model's run, else that of `data`.

    Returns:
        The pictures, none of which a model was trained on, and what they are.

    Raises:
        DataError: There are none.
    """
    if given is not None:
        return _of_folder(given, predictors), f"the pictures in {given}"
    roots = [root for root in (_data_of_run(predictors[0]), data) if root is not None]
    for root in roots:
        try:
            return _without_trained(select_samples(root, predictors, "validation"), predictors), (
                f"the validation split of {root}"
            )
        except HubelError:
            continue
    raise DataError(
        f"there are no validation pictures to choose on: neither the model's run nor {data} has a validation split "
        "here; name a folder with --validation FOLDER"
    )


def overlap(measured: Sequence[Sample], chosen_on: Sequence[Sample]) -> int:
    """How many pictures are among both, by their content."""
    return len({sample.digest for sample in measured} & {sample.digest for sample in chosen_on})


def refuse_overlap(measured: Sequence[Sample], chosen_on: Sequence[Sample], what: str) -> None:
    """Make sure that nothing is chosen on what is measured.

    Raises:
        DataError: Some pictures are in both.
    """
    if both := overlap(measured, chosen_on):
        raise DataError(
            f"{both} of the measured pictures are among those that the {what} would be chosen on: expected "
            "others; measure a test split (--split test), or choose on another folder (--validation FOLDER)"
        )


def _of_folder(folder: Path, predictors: Sequence[Predictor]) -> Selection:
    try:
        found = select_samples(folder, predictors, "validation")
    except DataError as error:
        if "has no validation split" not in str(error):
            raise
        found = select_samples(folder, predictors, "all")
    return _without_trained(found, predictors)


def _without_trained(found: Selection, predictors: Sequence[Predictor]) -> Selection:
    return leave_out(found, predictors, ("train",))


def _data_of_run(predictor: Predictor) -> Path | None:
    """The folder that a model's run was trained on, where both are still here."""
    file = predictor.path.parent / "config.yaml" if predictor.path else None
    if file is None or not file.is_file():
        return None
    values: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    path = values.get("data", {}).get("path") if isinstance(values, dict) else None
    return Path(path) if path and Path(path).is_dir() else None
