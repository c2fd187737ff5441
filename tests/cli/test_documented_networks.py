"""docs/networks.md prints what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubel.cli.models import app

PAGE = (Path(__file__).parents[2] / "docs/networks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n\$ hubel models (.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)


def test_the_page_has_tables():
    assert [command.split()[0] for command, _ in BLOCKS] == ["show", "show", "compare"]


@pytest.mark.parametrize(("command", "printed"), BLOCKS)
def test_tables_are_what_the_command_prints(command: str, printed: str):
    result = CliRunner().invoke(app, command.split(), catch_exceptions=False)
    lines = iter([line.rstrip() for line in result.stdout.splitlines()])
    for line in printed.splitlines():
        assert line == "[...]" or line in lines, line  # `in` goes on from the last line found: the order counts, too


def test_pictures_are_there():
    for picture in re.findall(r"\((images/[\w-]+\.svg)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / picture).is_file()
