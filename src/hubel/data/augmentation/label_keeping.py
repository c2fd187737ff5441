"""A look at the names of the classes: which changes of a picture may make it one of another class?

A name is taken apart into words (`TurnLeft_2` has turn, left and 2). Whoever knows better sets the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hubel.results.naming import some

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_CHARACTER = re.compile(r"(?:(?:digit|letter|character|char|number)[\W_]*)?[^\W_]", re.IGNORECASE)
_NUMBER_WORDS = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
_SIDES = (
    {"left", "right"},
    {"east", "west"},
    {"clockwise", "counterclockwise"},
    {"clockwise", "anticlockwise"},
    {"links", "rechts"},
    {"gauche", "droite"},
    {"izquierda", "derecha"},
)
_DIRECTIONS = ({"up", "down"}, {"north", "south"}, {"upright", "inverted"}, {"horizontal", "vertical"}, {"90", "180"})
_COLOURS = {
    *("red", "orange", "yellow", "green", "cyan", "blue", "purple", "violet", "magenta", "pink", "brown", "turquoise"),
    *("beige", "golden", "crimson", "scarlet", "maroon"),
}
# Of what is seen in photographs that somebody took standing upright.
_UPRIGHT = {
    *(
        "sky",
        "ground",
        "road",
        "street",
        "sidewalk",
        "pavement",
        "building",
        "house",
        "tree",
        "grass",
        "person",
        "people",
    ),
    *(
        "pedestrian",
        "rider",
        "man",
        "woman",
        "face",
        "hair",
        "car",
        "bus",
        "truck",
        "bicycle",
        "bike",
        "motorbike",
        "pole",
    ),
    *(
        "motorcycle",
        "train",
        "boat",
        "horse",
        "cow",
        "sheep",
        "dog",
        "cat",
        "bird",
        "chair",
        "sofa",
        "table",
        "bed",
        "floor",
    ),
    *("wall", "ceiling", "window", "door", "bottle", "traffic"),
}
_LIGHTNESS = {"black", "white", "grey", "gray", "dark", "light", "bright", "pale", "day", "night"}
_SIZES = {"tiny", "small", "medium", "large", "big", "huge"}
_QUALITY = {"blurry", "blurred", "unfocused", "defocused", "noisy", "grainy"}


@dataclass(frozen=True)
class Doubt:
    """Why some changes may not keep the label.

    Attributes:
        because: What was seen in the names, in words.
        fields: The fields of `Augment` that it speaks against.
        operations: The operations of a policy that it speaks against.
    """

    because: str
    fields: tuple[str, ...]
    operations: tuple[str, ...] = ()


def doubts(classes: Sequence[str]) -> list[Doubt]:
    """What the names of classes speak against; nothing where there are none, as for numbers."""
    if not classes:
        return []
    words = [{word.lower() for word in _WORD.findall(name)} for name in classes]
    found = [rule(classes, words) for rule in _RULES]
    return [doubt for doubt in found if doubt is not None]


def _characters(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    characters = all(_CHARACTER.fullmatch(name) for name in classes)
    if not characters and not all(name.lower() in _NUMBER_WORDS for name in classes):
        return None
    return Doubt("the classes are single characters", ("mirror", "flip", "turn", "rotate"), ("rotate",))


def _sides(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = set().union(*words)
    for pair in _SIDES:
        if pair <= named:
            return Doubt(f"classes are told apart by {_listed(pair)}", ("mirror", "flip", "turn"), ("rotate",))
    return None


def _directions(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = set().union(*words)
    for pair in _DIRECTIONS:
        if pair <= named:
            return Doubt(f"classes are told apart by {_listed(pair)}", ("flip", "turn", "rotate"), ("rotate",))
    return None


def _upright(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = set().union(*words) & _UPRIGHT
    return Doubt(f"pictures have an upright ({_listed(named)})", ("flip", "turn")) if named else None


def _colours(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = _different(words, _COLOURS | _LIGHTNESS)
    if len(named) < 2 or not named & _COLOURS:
        return None
    operations = ("saturation", "posterize", "solarize", "autocontrast", "equalize")
    return Doubt(f"classes are named by colours ({_listed(named)})", ("saturation", "hue", "pca"), operations)


def _lightness(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = _different(words, _LIGHTNESS)
    if len(named) < 2:
        return None
    operations = ("brightness", "contrast", "solarize", "autocontrast", "equalize")
    return Doubt(f"classes are named by how light they are ({_listed(named)})", ("brightness", "contrast"), operations)


def _sizes(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = _different(words, _SIZES)
    return Doubt(f"classes are named by size ({_listed(named)})", ("scale", "zoom")) if len(named) > 1 else None


def _quality(classes: Sequence[str], words: Sequence[set[str]]) -> Doubt | None:
    named = _different(words, _QUALITY)
    if not named:
        return None
    return Doubt(f"classes are named by quality ({_listed(named)})", ("blur", "noise"), ("sharpness", "posterize"))


_RULES: tuple[Callable[[Sequence[str], Sequence[set[str]]], Doubt | None], ...] = (
    _characters,
    _sides,
    _directions,
    _upright,
    _colours,
    _lightness,
    _sizes,
    _quality,
)


def _different(words: Sequence[set[str]], known: set[str]) -> set[str]:
    """The known words by which at least one class differs from another."""
    return {word for word in known if 0 < sum(word in of_one for of_one in words) < len(words)}


def _listed(words: set[str]) -> str:
    return some(sorted(words), 3)
