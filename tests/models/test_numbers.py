"""`docs/numbers.md` is what `hubel models numbers` prints, and it has every row that it owes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubel.cli.models import app
from hubel.models.numbers import values

PAGE = Path(__file__).parents[2] / "docs" / "numbers.md"
ROWS = {
    *(f"E{number}" for number in range(1, 29)),
    *("F1", "F4", "F6"),
    *(f"A{number}" for number in (*range(1, 19), 20, 21)),
}


@pytest.fixture(scope="module")
def printed() -> str:
    result = CliRunner().invoke(app, ["numbers"], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_committed_page_is_what_the_command_prints(printed: str):
    assert PAGE.read_text(encoding="utf-8") == printed, "run: hubel models numbers --output docs/numbers.md"


def test_every_row_is_there(printed: str):
    rows = [line.split(" | ") for line in printed.splitlines() if re.match(r"\| [AEF]\d", line)]
    assert {identifier for row in rows for identifier in row[0].removeprefix("| ").split(", ")} == ROWS
    for _, often, right, how, source, basis in rows:
        assert all(cell.strip() for cell in (often, right, how, source))
        assert re.match(r"\*(computed|quoted)\*", basis)


def test_every_table_is_rectangular(printed: str):
    for block in re.findall(r"(?:^\|.*\n)+", printed, re.MULTILINE):
        assert len({line.count(" |") for line in block.splitlines()}) == 1, block


@pytest.mark.parametrize(
    ("identifier", "numbers"),
    [
        ("E1", ["271,351,808", "358,055,936", "3.15", "2.39"]),
        ("E2", ["304,267,264", "388,096"]),
        ("E3", ["15,237,608", "60.95 MB", "58.1 MiB", "42 %"]),
        ("E7", ["23.24 by the paper and 23.24", "43.87"]),
        ("E10", ["60,000", "340,908", "61,706", "840"]),
        ("E12", ["6,998,552", "13,378,280", "6,624,904"]),
        ("E13", ["138,357,544 and 143,667,240"]),
        ("E23", ["120,422,400", "12,443,648", "9.68"]),
        ("E24", ["854,196,224", "672", "480"]),
        ("A2", ["60,965,224", "62,378,344", "61,100,840", "724,406,816"]),
        ("A9", ["1,582,671,872", "8.7 times"]),
        ("A10", ["4×4×512 and 4×4×528", "0.3", "70 %"]),
        ("A16", ["7,978,856; 14,149,480; 20,013,928"]),
    ],
)
def test_rows_have_the_known_numbers(printed: str, identifier: str, numbers: list[str]):
    (line,) = [line for line in printed.splitlines() if line.startswith((f"| {identifier} ", f"| {identifier}, "))]
    assert [number for number in numbers if number not in line] == []


def test_what_is_stated_of_the_networks_is_checked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(values, "layers_of", lambda name, kind: [kind()])
    with pytest.raises(AssertionError, match=r"this does not hold: .*dropout"):
        values._residual()


def test_output_goes_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hubel.models.numbers.page", lambda: "# Numbers ×\n")
    result = CliRunner().invoke(app, ["numbers", "-o", str(tmp_path / "numbers.md")], catch_exceptions=False)
    assert result.stdout == ""
    assert (tmp_path / "numbers.md").read_text(encoding="utf-8") == "# Numbers ×\n"
