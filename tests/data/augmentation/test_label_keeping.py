from __future__ import annotations

import pytest

from hubel.config import AugmentConfig
from hubel.data.augmentation import augment_of
from hubel.data.augmentation.label_keeping import doubts

USUAL = ["dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt"]
IMAGENET_LIKE = ["goldfish", "white shark", "brown bear", "American black bear", "red fox", "school bus", "right whale"]


@pytest.mark.parametrize(
    ("classes", "fields"),
    [
        (["6", "9", "4"], {"mirror", "flip", "turn", "rotate"}),
        (["digit_6", "digit_9"], {"mirror", "flip", "turn", "rotate"}),
        (["Letter-b", "Letter-d"], {"mirror", "flip", "turn", "rotate"}),
        (["one", "two", "nine"], {"mirror", "flip", "turn", "rotate"}),
        (["turn_left", "turn_right", "stop"], {"mirror", "flip", "turn"}),
        (["LeftHand", "RightHand"], {"mirror", "flip", "turn"}),
        (["arrow-up", "arrow-down"], {"flip", "turn", "rotate"}),
        (["green_apple", "red_apple", "pear"], {"saturation", "hue", "pca"}),
        (["black_cloth", "white_cloth"], {"brightness", "contrast"}),
        (["road", "sky"], {"flip", "turn"}),
        (["red", "black", "white"], {"saturation", "hue", "pca", "brightness", "contrast"}),
        (["small", "large"], {"scale", "zoom"}),
        (["sharp", "blurry"], {"blur", "noise"}),
        (USUAL, set()),
        (["orange", "banana", "apple"], set()),  # one colour tells nothing: a fruit
        (["cell", "greenhouse", "blackbird", "lefty"], set()),
        (["right whale", "grey seal"], set()),
        (["red wolf", "red fox"], set()),  # they differ otherwise
        ([], set()),  # numbers have no classes
    ],
)
def test_what_names_speak_against(classes, fields):
    assert {field for doubt in doubts(classes) for field in doubt.fields} == fields


def test_names_as_in_imagenet_may_cost_colour_and_what_is_upside_down_but_nothing_else():
    """Names of species by colour cannot be told from classes by colour; a line says so. A bus stands upright."""
    assert {field for doubt in doubts(IMAGENET_LIKE) for field in doubt.fields} == {
        *("saturation", "hue", "pca", "brightness", "contrast", "flip", "turn")
    }


def test_what_is_off_is_told_with_how_to_put_it_back():
    augment, notes = augment_of(AugmentConfig(preset="strong"), ["6", "9"], (224, 224))
    assert (augment.mirror, augment.rotate) == (0.0, 0.0)
    assert augment.shear > 0
    assert notes == [
        "the classes are single characters: no mirror images, no rotation "
        "(to have it: --set augment.mirror=0.5 --set augment.rotate=15)"
    ]
    augment, notes = augment_of(AugmentConfig(preset="standard"), ["black", "red", "blue"], (224, 224))
    assert notes == []  # standard changes no colour, and one lightness among colours tells nothing
    assert augment.brightness == 0.2


def test_what_is_set_stays():
    settings = AugmentConfig(preset="strong", mirror=0.5, rotate=5.0, hue=3.0)
    augment, notes = augment_of(settings, ["left_red", "right_blue"], (224, 224))
    assert (augment.mirror, augment.rotate, augment.hue, augment.saturation) == (0.5, 5.0, 3.0, 0.0)
    assert notes == [
        "classes are named by colours (blue, red): no change of saturation (to have it: --set augment.saturation=0.4)"
    ]


def test_resized_crops_of_classes_by_size():
    augment, notes = augment_of(AugmentConfig(), ["small_box", "large_box"], (224, 224))
    assert augment.scale is None
    assert notes == [
        "classes are named by size (large, small): no resized crops (to have it: --set augment.scale=[0.25,1])"
    ]


def test_policies_leave_operations_out():
    settings = AugmentConfig(policy="trivialaugment")
    augment, notes = augment_of(settings, ["6", "9"], (224, 224))
    assert augment.excluded == ("rotate",)
    assert notes[0].endswith(
        "no mirror images, the policy does without rotate "
        "(to have it: --set augment.mirror=0.5 --set augment.excluded=[])"
    )
    allowed, notes = augment_of(AugmentConfig(policy="trivialaugment", excluded=()), ["6", "9"], (224, 224))
    assert allowed.excluded == ()
    assert "policy" not in notes[0]


def test_a_policy_comes_instead_of_the_presets_other_changes():
    augment, _ = augment_of(AugmentConfig(preset="strong", policy="randaugment", hue=4.0), USUAL, (224, 224))
    assert (augment.rotate, augment.brightness, augment.erase, augment.hue) == (0, 0, 0, 4.0)
    assert (augment.scale, augment.mirror) == ((0.25, 1.0), 0.5)


def test_small_inputs_have_the_light_preset():
    assert augment_of(AugmentConfig(), USUAL, (32, 32))[0].scale is None
    assert augment_of(AugmentConfig(), USUAL, (64, 64))[0].scale == (0.25, 1.0)


@pytest.mark.parametrize(
    "name", [name for name in AugmentConfig.model_fields if name not in ("preset", "mixup", "cutmix")]
)
def test_every_setting_reaches_the_augmentation(name):
    value = {
        **{"crop": False, "scale": (0.3, 0.9), "ratio": (0.9, 1.1), "pad": 3, "erase_area": (0.1, 0.2)},
        **{"outside": "reflect", "policy": "randaugment", "operations": 3, "magnitude": 7, "excluded": ("solarize",)},
        **{"elastic": 0.01, "elastic_smoothness": 0.2, "keep_boxes": True},
    }.get(name, 0.25)
    augment, _ = augment_of(AugmentConfig(preset="light", **{name: value}), USUAL, (224, 224))
    assert getattr(augment, name) == value
