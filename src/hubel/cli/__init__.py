"""The `hubel` command: parses, calls, prints. One module per verb; heavy imports happen inside the verb."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from hubel.cli import data, demo, evaluate, explain, generate, models, predict, probe, train
from hubel.errors import HubelError
from hubel.version import __version__

# Typer carries its own copy of click, in older releases it imports click: this is the class either way.
_UsageError: Any = typer.BadParameter.__mro__[1]

_NO_THREAD = "can't start new thread"  # CPython's text, in whichever of hubel's pools of threads it comes up

_HELP = """Train, evaluate and use convolutional networks on your own images.

Begin with `hubel train PHOTOS`, where PHOTOS has a folder of pictures per class."""

app = typer.Typer(name="hubel", help=_HELP, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(name="train")(train.train)
app.command(name="evaluate")(evaluate.evaluate)
app.command(name="predict")(predict.predict)
app.command(name="explain")(explain.explain)
app.command(name="generate")(generate.generate)
app.command(name="probe")(probe.probe)
app.command(name="data")(data.data)
app.command(name="demo")(demo.demo)
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hubel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Options that come before the verb."""


def main() -> None:
    """Run the command line. Exit status: 0 done, 2 the user's mistake, 1 a fault of hubel's, 128 + n signal n."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name need not be text, nor fit the terminal's alphabet
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except HubelError as error:
        sys.exit(_complain(str(error)))
    except _UsageError as error:
        sys.exit(_complain(f"{error.format_message()} (`hubel --help` and `hubel VERB --help` tell what there is)"))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except RuntimeError as error:
        if str(error) != _NO_THREAD:
            raise
        sys.exit(
            _complain(
                f"the system allows no more threads ({error}): end other programs of this user, or raise the limit of "
                "its processes (`ulimit -u`, or the container's)"
            )
        )


def _complain(text: str) -> int:
    """Print an error as one line on stderr and give its exit status."""
    print("error:", " ".join(text.split()), file=sys.stderr)
    return 2
