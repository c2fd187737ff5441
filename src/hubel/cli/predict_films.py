"""Films given to `hubel predict`: each comes back drawn, with a table of what is predicted of its frames."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hubel.cli.text import tell

if TYPE_CHECKING:
    from hubel.inference.ensemble import Average
    from hubel.inference.predictor import Predictor
    from hubel.tasks.views import Views

_DRAWN = ".predicted"  # before the extension of what is written beside a film


def check_outputs(output: Path | None, style: str, *, anomaly: bool, only_films: bool) -> None:
    """Refuse what is for pictures alone.

    Args:
        output: The file or folder that was asked for.
        style: `table`, `csv` or `json`, in which the predictions are to be written or printed.
        anomaly: Whether the predictions are to be ranked.
        only_films: Whether no pictures came.

    Raises:
        ConfigError: Predictions of films were asked for as those of pictures.
    """
    from hubel.errors import ConfigError

    if anomaly:
        raise ConfigError(
            "--anomaly is for pictures: a film keeps its order, and of a model that gives pictures back each frame has "
            "its error in the lines of JSON; leave --anomaly out"
        )
    if (output is not None and only_films) or (output is None and style != "table"):
        asked = f"--format {style}" if output is None else "--output"
        raise ConfigError(
            f"{asked} is for pictures: what is predicted of a film goes beside it, a line of JSON for each frame, "
            "or where --draw says"
        )


def named_films(arguments: Sequence[str]) -> list[str]:
    """The films that some arguments name, those of a pattern in natural order; none twice, and none that hubel drew.

    Raises:
        DataError: One does not exist, or a pattern matches none.
    """
    from hubel.data.inputs import natural_order
    from hubel.errors import DataError
    from hubel.files import expanded

    found: dict[str, None] = {}
    for argument in arguments:
        path = str(expanded(argument))
        films = [path]
        if glob.has_magic(path) and not Path(path).exists():
            base, ending = os.path.splitext(path)  # noqa: PTH122 - of a pattern; cameras write .MP4
            patterns = {base + ending, base + ending.lower(), base + ending.upper()}
            matches = {each for one in patterns for each in glob.glob(one, recursive=True)}  # noqa: PTH207 - not absolute
            films = sorted((each for each in matches if Path(each).suffixes[-2:-1] != [_DRAWN]), key=natural_order)
            if not films:
                raise DataError(f"no film matches {argument}: check the pattern")
        elif not Path(path).is_file():
            raise DataError(f"no film at {argument}: expected a file")
        found.update(dict.fromkeys(films))
    return list(found)


def predict_films(
    predictors: Sequence[Predictor],
    films: Sequence[str],
    folder: Path | None,
    *,
    batch_size: int,
    tta: Views | None,
    average: Average,
) -> int:
    """Predict films one after the other, and print where each one's results are and how fast it went.

    Those that cannot be read are named on stderr and left out, as pictures are.

    Args:
        predictors: The models, of the same task and classes.
        films: The files.
        folder: Where drawn films go, under their own names; None: beside each, as `NAME.predicted.mp4`.
        batch_size: Frames computed together.
        tta: Test-time augmentation.
        average: What is averaged over views and models.

    Returns:
        How many could be read.
    """
    from hubel.cli.progress import evaluation_progress
    from hubel.errors import DataError
    from hubel.inference.film import predict_film
    from hubel.results.naming import counted

    left_out = 0
    for name in films:
        film = Path(name)
        base = film.with_suffix(_DRAWN) if folder is None else folder / film.stem
        drawn, table = (base.with_name(f"{base.name}{suffix}") for suffix in (".mp4", ".jsonl"))
        try:
            with evaluation_progress() as progress:
                times = predict_film(
                    predictors,
                    film,
                    drawn,
                    table,
                    batch_size=batch_size,
                    tta=tta,
                    average=average,
                    progress=partial(progress, film.name),
                )
        except DataError as error:
            tell(f"left out: {error}")
            left_out += 1
            continue
        print(f"{film}: {times.text()}")
        tell(f"drawn: {drawn}; predictions, a line of JSON a frame: {table}")
    if left_out:
        tell(f"left out, as they cannot be read: {left_out:,} of {counted(len(films), 'film')}")
    return len(films) - left_out
