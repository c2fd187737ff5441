"""`hubel generate`: pictures out of a trained generator, as files, on a sheet, or in a quiz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.options import DeviceOption
from hubel.cli.text import tell

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hubel.inference.generator import Generator

_PICTURES = (".png", ".jpg", ".jpeg")
_SHEET = 64  # samples where no number is given
_ROWS, _STEPS = 8, 9  # of interpolations and traversals
_MOST_IN_QUIZ = 20  # of real pictures, and of generated ones


def generate(
    model: Annotated[str, typer.Argument(help="A bundle (best.safetensors) or a run's folder.")],
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, help="Samples; of strips, rows; of a quiz, of either kind. [64; 8; 20]"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same pictures.")] = 0,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="A folder for PNG files, or sheet.png for one sheet; with --quiz, page.html."),
    ] = Path("samples.png"),
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Rows that lead from one sample to another.")
    ] = False,
    traverse: Annotated[
        bool, typer.Option("--traverse", help="A row for each value of the code, turned from low to high.")
    ] = False,
    quiz: Annotated[
        str | None,
        typer.Option("--quiz", metavar="DATA", help="A page that asks of samples and these pictures which are real."),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Make pictures with a model of `hubel train --task generation`."""
    from hubel.errors import ConfigError

    chosen = {"--interpolate": interpolate, "--traverse": traverse, "--quiz": quiz is not None}
    if len(both := [name for name, is_set in chosen.items() if is_set]) > 1:
        raise ConfigError(f"{' and '.join(both)} came: expected one of them")
    suffix = out.suffix.lower()
    if quiz is not None and suffix not in (".html", ".htm"):
        raise ConfigError(f"--out is {out}: a quiz is a page, expected a name such as quiz.html")
    if quiz is None and suffix and suffix not in _PICTURES:
        raise ConfigError(f"--out is {out}: expected a folder, or a sheet such as samples.png or samples.jpg")
    from hubel import runtime
    from hubel.inference.generator import Generator

    runtime.start()
    generator = Generator.load(model, device=device)
    if quiz is not None:
        _write_quiz(generator, quiz, count or _MOST_IN_QUIZ, seed, out)
    elif interpolate:
        rows = count or _ROWS
        _write(generator.interpolate(rows, _STEPS, seed), out, columns=_STEPS)
    elif traverse:
        rows = count or min(_ROWS, generator.code_size)
        _write(generator.traverse(rows, _STEPS, seed), out, columns=_STEPS)
    else:
        _write(generator.sample(count or _SHEET, seed), out)


def _write(pictures: npt.NDArray[np.uint8], out: Path, columns: int | None = None) -> None:
    """Pictures on a sheet, or as files of a folder."""
    from PIL import Image

    from hubel.inference.drawn import save_picture
    from hubel.results.naming import counted
    from hubel.tasks.generative.drawing import sheet

    if out.suffix:
        save_picture(out, sheet(pictures, columns))
        typer.echo(f"{counted(len(pictures), 'picture')} on {out}")
        return
    for number, picture in enumerate(pictures):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        save_picture(out / f"{number:0{len(str(len(pictures) - 1))}}.png", image)
    typer.echo(f"{counted(len(pictures), 'picture')} in {out}")


def _write_quiz(generator: Generator, data: str, count: int, seed: int, out: Path) -> None:
    import numpy as np

    from hubel.data.decoding import UnreadableImage, read_array
    from hubel.data.inputs import list_images
    from hubel.errors import DataError
    from hubel.files import write_whole
    from hubel.inference.quiz import quiz_page
    from hubel.results.naming import counted

    files = list_images([data], tell=tell)
    real: list[npt.NDArray[np.uint8]] = []
    for at in np.random.default_rng(seed).permutation(len(files)).tolist():
        if len(real) == count:
            break
        try:
            real.append(read_array(files[at], generator.preprocess))
        except UnreadableImage as error:
            tell(f"left out {error.name}: {error.reason}")
    if len(real) < count:
        raise DataError(
            f"{data} has {counted(len(real), 'readable picture')}, the quiz shows {count} real ones: give "
            "more, or a lower --count"
        )
    page = quiz_page(real, list(generator.sample(count, seed)), title=Path(data).name, seed=seed)
    write_whole(out, page)
    typer.echo(f"{2 * count} pictures, half of them real, in {out}")
