"""`hubel demo`: LeNet-5 learns real handwritten digits, from pictures on disk to predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from hubel.cli.options import DeviceOption

if TYPE_CHECKING:
    from hubel.results import Classification

# Mild crops, for the digits fill their pictures; so small a network is fastest on one thread.
_SETTINGS = {
    "augment.preset": "standard",
    "augment.scale": [0.7, 1.0],
    "augment.ratio": [0.85, 1.18],
    "learning_rate": 0.003,
    "label_smoothing": 0.0,
    "patience": 0,
    "threads": 1,
}


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where the pictures and the run go.")] = Path("demo"),
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training pictures.")] = 80,
    device: DeviceOption = "cpu",
) -> None:
    """Write 1,797 real handwritten digits as pictures, train LeNet-5 on them, test it and predict a few."""
    import time

    from hubel.cli.progress import progress_reporter
    from hubel.cli.text import percent
    from hubel.results.naming import duration

    began = time.monotonic()
    with progress_reporter() as reporter:
        pictures = write_digits(out / "digits")
        reporter.message(f"1,797 handwritten digits are in {pictures}, a folder for each class")
        from hubel.training.api import train

        run = train(
            pictures,
            model="lenet5",
            epochs=epochs,
            device=device,
            out=_next_free(out / "run"),
            settings=_SETTINGS,
            reporter=reporter,
        )
    from hubel.data.division.splits import DataSplits
    from hubel.inference.predictor import load

    held_out = DataSplits.from_csv((run.dir / "splits.csv").read_text(), pictures).test
    model = load(run.bundle, device=device)
    typer.echo("five of the held-out pictures:")
    some = held_out[:: max(1, len(held_out) // 5)][:5]
    for result in cast("list[Classification]", model.predict(some)):
        typer.echo(f"  {result.path}  is a {result.label} ({result.probability:.3f})")
    test = run.metrics["test"]
    typer.echo(
        f"\ntest accuracy {percent(test['accuracy'], test['accuracy_ci95'])} on {test['images']} held-out digits"
    )
    typer.echo(f"all of it took {duration(time.monotonic() - began)}")
    typer.echo(
        f"\nmodel   {run.bundle}\nreport  {run.report}\n\n"
        "next, on your own pictures:\n  hubel train PHOTOS --model resnet18"
    )


def _next_free(path: Path) -> Path:
    """The path, or with a number behind it when something is there already."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in range(2, 10_000))
    return path if not path.exists() else next(free for free in numbered if not free.exists())


def write_digits(folder: Path) -> Path:
    """Write scikit-learn's digits as 8×8 grey PNG files in class folders, unless they are there already.

    The digits are the test set of Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (UCI Machine
    Learning Repository, CC BY 4.0): 1,797 pictures of 43 writers, with values from 0 to 16.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (values, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        file = folder / str(label) / f"{number:04}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(values * (255 / 16)).astype(np.uint8)).save(file)
    return folder
