"""The public surface."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hubel


def test_all_is_what_the_design_names() -> None:
    assert set(hubel.__all__) == {
        *("HubelError", "Preprocess", "__version__", "complexity", "create_model"),
        *("cross_validate", "evaluate", "list_models", "load", "train"),
    }
    for name in hubel.__all__:
        assert getattr(hubel, name) is not None
    assert dir(hubel) == hubel.__all__


def test_an_unknown_attribute_is_one() -> None:
    with pytest.raises(AttributeError, match="module 'hubel' has no attribute 'trian'"):
        hubel.trian  # noqa: B018


def modules_after(code: str) -> set[str]:
    """The modules that a fresh Python has loaded after some code."""
    program = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_hubel_or_asking_for_help_loads_nothing_heavy() -> None:
    heavy = {"torch", "torchvision", "numpy", "PIL", "matplotlib", "sklearn", "timm", "yaml", "jinja2"}
    assert not (heavy | {"pydantic", "typer", "rich"}) & modules_after("import hubel")
    ask = "import hubel.cli\nsys.argv = ['hubel', 'train', '--help']\ntry:\n  hubel.cli.main()\nexcept SystemExit: pass"
    assert not heavy & modules_after(ask)  # typer itself loads pydantic where it is installed


def test_training_loads_neither_what_it_does_not_use() -> None:
    loaded = modules_after("import hubel.training.api, hubel.inference.predictor")
    assert not {"torchvision", "timm", "sklearn", "matplotlib", "rich", "hubel.evaluation"} & loaded
