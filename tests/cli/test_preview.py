from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.command_line import Outcome

Hubel = Callable[..., Outcome]


def test_a_sheet_of_varied_pictures(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    done = hubel("data", coloured_squares, "--augment", "strong", "--preview", "sheet.png")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines == [
        "classes are named by colours (blue, green, red): no change of saturation, no change of hue "
        "(to have it: --set augment.saturation=0.4 --set augment.hue=10)",
        "sheet    sheet.png",
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 8 * 160
    assert not (tmp_path / "data.html").exists()


def test_settings_of_the_sheet(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    settings = ("--set", "augment.policy=randaugment", "--set", "augment.excluded=[rotate]", "--set", "data.size=32")
    done = hubel("data", coloured_squares, *settings, "--out", "there")
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == f"sheet    {Path('there') / 'augmentation.png'}"
    assert (tmp_path / "there" / "augmentation.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--augment", "stronk"), "unknown augmentation preset 'stronk': did you mean strong"),
        (("--preview", "sheet.gif"), "--preview sheet.gif: expected a file that ends in .png, .jpg"),
        (("--augment", "light", "--set", "augment.rotate=200"), "augment.rotate is 200"),
        (("--augment", "light", "--set", "augment.rotat=20"), "did you mean"),
        (("--augment", "light", "--set", "augment.policy=autoaugment"), "augment.policy is 'autoaugment'"),
    ],
)
def test_mistakes(
    hubel: Hubel, coloured_squares: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = hubel("data", coloured_squares, *arguments)
    assert done.status == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
