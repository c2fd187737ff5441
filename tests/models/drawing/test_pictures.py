"""Pictures of every network: well-formed, legible, small."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import ImageFont
from tests.depths import networks
from torch import Tensor, nn
from typer.testing import CliRunner

from hubel.cli.models import app
from hubel.errors import ConfigError, HubelError
from hubel.models import list_models, model_entry
from hubel.models.drawing import draw
from hubel.models.drawing.canvas import text_width
from hubel.models.drawing.page import MARGIN, MOST_WIDTH

SVG = "{http://www.w3.org/2000/svg}"
OTHERS = ["timm/mobilenetv3_small_050", "timm/convnext_tiny", "timm/vit_tiny_patch16_224", "timm/hrnet_w18"]
each_picture = pytest.mark.parametrize("name", networks([*list_models("classification"), *OTHERS]))


@cache
def drawn(name: str) -> str:
    entry = model_entry(name)
    return draw(entry.build_shapes(), entry.input_size, name)


@cache
def picture(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn(name))


@cache
def font(bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, one of the widest fonts that browsers take for sans-serif."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), 100)


def width_of(element: ElementTree.Element) -> float:
    return font(element.get("font-weight") == "bold").getlength(element.text or "") * number(element, "font-size") / 100


def number(element: ElementTree.Element, attribute: str) -> float:
    return float(element.get(attribute, "0"))


def extent(element: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text, as wide as DejaVu Sans sets it."""
    width, size = width_of(element), number(element, "font-size")
    left = number(element, "x") - {"middle": width / 2, "end": width}.get(element.get("text-anchor", "start"), 0)
    return left, number(element, "y") - 0.76 * size, left + width, number(element, "y") + 0.24 * size


def texts(name: str) -> list[ElementTree.Element]:
    return list(picture(name).iter(f"{SVG}text"))


@each_picture
def test_no_two_texts_overlap_and_none_is_cut_off(name: str):
    extents = [(extent(element), element.text) for element in texts(name)]
    for ((a, b, c, d), text), ((e, f, g, h), other) in combinations(extents, 2):
        assert a >= g or e >= c or b >= h or f >= d, (text, other)
    width, height = (number(picture(name), attribute) for attribute in ("width", "height"))
    for (left, top, right, bottom), text in extents:
        assert left >= 0, text
        assert top >= 0, text
        assert right <= width, text
        assert bottom <= height, text


@each_picture
def test_texts_lie_in_their_boxes(name: str):
    boxes = [
        tuple(number(box, attribute) for attribute in ("x", "y", "width", "height"))
        for box in picture(name).iter(f"{SVG}rect")
    ]
    for element in texts(name):
        left, top, right, bottom = extent(element)
        for x, y, width, height in boxes:
            across, down = (left + right) / 2, (top + bottom) / 2
            if x < across < x + width and y < down < y + height:
                assert x <= left, element.text
                assert right <= x + width, element.text
                assert y <= top, element.text
                assert bottom <= y + height, element.text


@each_picture
def test_pictures_are_small_and_their_texts_are_not(name: str):
    assert len(drawn(name).encode()) < 100_000
    assert number(picture(name), "width") <= MOST_WIDTH + 2 * MARGIN
    assert min(number(element, "font-size") for element in texts(name)) >= 12


@pytest.mark.parametrize("name", networks(list_models("classification")))
def test_stages_are_named_to_those_who_see_and_to_those_who_hear(name: str):
    root = picture(name)
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert title.text == f"{name}, a convolutional network"
    seen = " ".join(said(name))
    for stage, _ in model_entry(name).build_shapes().stages.named_children():
        assert stage in (description.text or "")
        assert stage in seen


@each_picture
def test_the_background_is_white(name: str):
    first = next(picture(name).iter(f"{SVG}rect"))
    assert first.get("fill") == "#ffffff"
    assert [first.get(side) for side in ("width", "height")] == [picture(name).get(s) for s in ("width", "height")]


@each_picture
def test_texts_are_estimated_wide_enough(name: str):
    for element in texts(name):
        text = element.text or ""
        bold = element.get("font-weight") == "bold"
        assert width_of(element) <= text_width(text, number(element, "font-size"), bold=bold), text


def said(name: str) -> list[str]:
    return [element.text or "" for element in texts(name)]


def test_resnet152_on_one_page():
    words = said("resnet152")
    assert [text for text in words if text.startswith("× ") and text[2:].isdigit()] == ["× 2", "× 7", "× 35", "× 2"]
    assert {"conv4", "1024 @ 14×14", "36 residual blocks", "block2 … block36", "3×3 conv, 256, /2"} <= set(words)
    assert "input 3 @ 224×224, 60,192,808 parameters" in words


def test_projections_are_dashed_and_identities_are_not():
    dashed = [path for path in picture("resnet50").iter(f"{SVG}path") if path.get("stroke-dasharray")]
    assert len(dashed) == 2 * 4  # to each of the four projections, and from it
    assert len(list(picture("resnet50").iter(f"{SVG}circle"))) == 8  # four projections, four repeated identities
    assert not [path for path in picture("vgg16").iter(f"{SVG}path") if path.get("stroke-dasharray")]


def test_dense_blocks_have_an_arc_for_every_link():
    curves = [path for path in picture("densenet121").iter(f"{SVG}path") if " C" in path.get("d", "")]
    everything = 8 * 7 // 2 - 7  # block 1: links between input, 6 layers and concatenation, but for those to the next
    with_a_gap = 7 * 6 // 2 - 5  # the others show 5 layers; from the fourth to the last one, an arc
    assert len(curves) == everything + 3 * with_a_gap
    assert "k₀ + k(l - 1) = 128 + 32(l - 1)" in said("densenet121")
    assert {"layer 24", "992 in, 32 out"} <= set(said("densenet121"))


def test_lenet5_is_labelled_as_in_its_papers_figure_2():
    sizes = ["1 @ 32×32", "6 @ 28×28", "6 @ 14×14", "16 @ 10×10", "16 @ 5×5", "120 @ 1×1", "84", "10"]
    words = said("lenet5")
    places = [words.index(size) for size in sizes]
    assert places == sorted(places)


def test_larger_maps_are_higher_and_more_channels_wider():
    fronts = []
    for polygon in picture("resnet50").iter(f"{SVG}polygon"):
        if polygon.get("fill") == "#dceaf7":
            corners = [tuple(map(float, point.split(","))) for point in (polygon.get("points") or "").split()]
            fronts.append((corners[1][0] - corners[0][0], corners[2][1] - corners[1][1]))
    widths, heights = zip(*fronts, strict=True)
    assert len(fronts) == 6
    assert list(widths) == sorted(widths)
    assert list(heights) == sorted(heights, reverse=True)


class Odd(nn.Module):
    """A block whose class and whose network have names that XML must not take for its own."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().neg()


def test_names_are_escaped():
    odd = type("A<b>&", (Odd,), {})()
    text = draw(nn.Sequential(nn.Conv2d(1, 2, 3), odd), (1, 8, 8), 'x<y> & "z" \x00')
    root = ElementTree.fromstring(text)
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert 'x<y> & "z" \N{REPLACEMENT CHARACTER}' in words
    assert "A<b>&" in words


def test_command_draws_into_a_file(tmp_path: Path):
    file = tmp_path / "new folder" / "out.SVG"
    result = CliRunner().invoke(
        app, ["show", "resnet18", "--size", "64", "--figure", str(file)], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert result.stdout.replace("\n", "").endswith(f"Figure: {file}")
    assert file.read_text() == draw(model_entry("resnet18").build_shapes(), (3, 64, 64), "resnet18")


@pytest.mark.parametrize("name", ["out.png", "out", "folder.svg"])
def test_command_draws_svg_only(tmp_path: Path, name: str):
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(ConfigError, match=rf"--figure is .*{name}: networks are drawn as SVG, expected a file name"):
        CliRunner().invoke(app, ["show", "lenet5", "--figure", str(tmp_path / name)], catch_exceptions=False)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HubelError, match="cannot write"):
        CliRunner().invoke(
            app, ["show", "lenet5", "--figure", str(tmp_path / "file" / "x.svg")], catch_exceptions=False
        )


@pytest.mark.parametrize("name", ["lenet5", "resnet152"])
def test_the_documents_pictures_are_what_the_command_draws(name: str):
    file = Path(__file__).parents[3] / "docs" / "images" / f"{name}.svg"
    assert file.read_text() == drawn(name)
