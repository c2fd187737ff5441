"""Checks of single pictures: unreadable ones, and those that are not what one expects."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

from hubel.data.doctor.examination import Examination, Picture
from hubel.data.doctor.findings import Case, Finding, Level, count_of

# Extensions by Pillow's name of the format that they promise.
_EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "WEBP": {".webp"},
    "BMP": {".bmp"},
    "TIFF": {".tif", ".tiff"},
    "GIF": {".gif"},
}
_LONGEST_RATIO = 4.0
# A picture is small against the others if its shorter side is less than a quarter of the median's.
_SMALL = 4


def check_files(examination: Examination) -> Iterator[Finding]:
    """Findings about single files, the worst first."""
    unreadable = [picture for picture in examination.pictures if not picture.readable]
    if unreadable:
        yield Finding(
            "unreadable",
            "problem",
            f"{count_of(len(unreadable), 'picture')} cannot be read",
            "Training leaves them out, and refuses to start where there are many. Mend or remove them.",
            tuple(Case((picture,), picture.facts.reason) for picture in unreadable),
        )
    for kind, level, title, advice, remark in _CHECKS:
        cases = tuple(Case((picture,), said) for picture in examination.readable if (said := remark(picture)))
        if cases:
            yield Finding(kind, level, f"{count_of(len(cases), 'picture')} {title[len(cases) > 1]}", advice, cases)
    yield from _small(examination)
    yield from _mixed_modes(examination)


def _blank(picture: Picture) -> str:
    facts = picture.facts
    return f"grey value {facts.darkest} everywhere" if facts.brightest - facts.darkest <= 1 else ""


def _deep(picture: Picture) -> str:
    return f"{picture.facts.bits} bits, mode {picture.facts.mode}" if picture.facts.bits > 8 else ""


def _transparent(picture: Picture) -> str:
    return f"mode {picture.facts.mode}" if picture.facts.transparent else ""


def _long(picture: Picture) -> str:
    width, height = picture.facts.width, picture.facts.height
    return f"{width}×{height} pixels" if max(width, height) > _LONGEST_RATIO * min(width, height) else ""


def _odd_mode(picture: Picture) -> str:
    mode = picture.facts.mode
    odd = mode.startswith(("CMYK", "LAB", "HSV", "YCbCr"))
    return f"mode {mode}" if odd else ""


def _animated(picture: Picture) -> str:
    return f"{picture.facts.frames} frames" if picture.facts.frames > 1 and picture.facts.format != "MPO" else ""


def _turned(picture: Picture) -> str:
    return f"orientation {picture.facts.orientation}" if picture.facts.orientation != 1 else ""


def _misnamed(picture: Picture) -> str:
    extension = os.path.splitext(picture.name)[1].lower()  # noqa: PTH122 - a name, maybe in an archive
    expected = _EXTENSIONS.get(picture.facts.format)
    return (
        f"{picture.facts.format} in a {extension} file" if extension and expected and extension not in expected else ""
    )


_CHECKS: tuple[tuple[str, Level, tuple[str, str], str, Callable[[Picture], str]], ...] = (
    (
        "blank",
        "warning",
        ("shows nothing: it has one colour", "show nothing: they have one colour"),
        "A failed scan or a placeholder? A network can learn nothing from such a picture but a wrong thing: remove it.",
        _blank,
    ),
    (
        "deep",
        "warning",
        ("has more than 8 bits a value", "have more than 8 bits a value"),
        "They are scaled from their whole range to 0..255. Where only a small part of the range is used, as in many "
        "microscopes' and medical pictures, that makes them nearly black: stretch their contrast first.",
        _deep,
    ),
    (
        "transparent",
        "warning",
        ("is transparent in places", "are transparent in places"),
        "They are put on white. If some classes are cut out and others are not, a network learns that instead.",
        _transparent,
    ),
    (
        "elongated",
        "warning",
        ("is more than four times as long as wide", "are more than four times as long as wide"),
        "The centre crop of the evaluation sees little of them: crop them, or see --set data.resize=stretch.",
        _long,
    ),
    (
        "colour_mode",
        "warning",
        ("has colours that are not RGB", "have colours that are not RGB"),
        "They are converted without their colour profile, and may look wrong: look at them.",
        _odd_mode,
    ),
    (
        "animated",
        "note",
        ("is animated or has several pages", "are animated or have several pages"),
        "The first frame counts.",
        _animated,
    ),
    (
        "rotated",
        "note",
        ("is stored turned, with its orientation in the EXIF data", "are stored turned, with EXIF orientations"),
        "hubel turns them upright. Other programs may not: those that ignore the orientation see them lying.",
        _turned,
    ),
    (
        "extension",
        "note",
        ("is called by another format's name", "are called by another format's name"),
        "hubel looks at the content and reads them all the same; other programs may not.",
        _misnamed,
    ),
)


def _small(examination: Examination) -> Iterator[Finding]:
    sides = sorted(min(picture.facts.width, picture.facts.height) for picture in examination.readable)
    if not sides:
        return
    median = sides[len(sides) // 2]
    small = [p for p in examination.readable if _SMALL * min(p.facts.width, p.facts.height) < median]
    if small:
        yield Finding(
            "small",
            "warning",
            f"{count_of(len(small), 'picture')} {'is' if len(small) == 1 else 'are'} much smaller than the others",
            f"The median's shorter side has {median} pixels, theirs less than a quarter: thumbnails by mistake?",
            tuple(Case((picture,), f"{picture.facts.width}×{picture.facts.height} pixels") for picture in small),
        )


def _mixed_modes(examination: Examination) -> Iterator[Finding]:
    """Grey and colour pictures in one data set."""
    modes = Counter("grey" if _is_grey(picture) else "colour" for picture in examination.readable)
    if len(modes) < 2:
        return
    (common, _), (rare, number) = modes.most_common()
    yield Finding(
        "mixed_modes",
        "note",
        f"{count_of(number, 'picture')} {'is' if number == 1 else 'are'} stored in {rare}, the others in {common}",
        "hubel brings all to what the network takes.",
    )


def _is_grey(picture: Picture) -> bool:
    return picture.facts.mode in ("1", "L", "LA", "I", "F") or picture.facts.mode.startswith("I;16")
