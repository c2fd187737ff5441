"""Networks by name, and what is said about names and arguments that do not exist."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from torch import nn

from hubel.errors import ConfigError
from hubel.models import build_model, list_families, list_models, model_entry, register, register_family, registry


def test_list_is_by_task():
    assert "resnet50" in list_models()
    assert set(list_models("classification")) <= set(list_models())
    with pytest.raises(ConfigError, match="unknown task 'classifcation': did you mean classification"):
        list_models("classifcation")


def test_unknown_model_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown model 'resnet51': did you mean resnet50.*`hubel models list`"):
        build_model("resnet51")


def test_unknown_argument_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown argument of resnet18 'shortcuts': did you mean shortcut"):
        build_model("resnet18", shortcuts="B")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("resnet18", {"shortcut": "D"}, "resnet18: shortcut is 'D': expected A or B or C"),
        ("resnet50", {"stride_on": "5x5"}, "resnet50: stride_on is '5x5': expected 3x3 or 1x1"),
        ("resnet20_cifar", {"shortcut": 1}, "resnet20_cifar: shortcut is '1': expected A or B or C"),
        ("lenet5", {"num_classes": 0}, "lenet5: num_classes is 0, expected at least 1"),
        ("lenet5", {"in_channels": -3}, "lenet5: in_channels is -3, expected at least 1"),
        ("lenet5_modern", {"activation": "swish"}, "activation 'swish' .*: expected relu or tanh or sigmoid"),
        ("simple_cnn", {"dropout": 2.0}, "simple_cnn: dropout probability"),
    ],
)
def test_bad_value_names_what_came(name: str, arguments: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        build_model(name, **arguments)
    assert "\n" not in str(caught.value)


def test_entry_lists_the_builders_arguments():
    expected = ["num_classes", "in_channels", "shortcut", "stride_on", "zero_init_residual"]
    assert model_entry("resnet50").arguments == expected
    assert model_entry("lenet5").arguments == ["num_classes", "in_channels"]


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="two networks are named 'lenet5'"):
        register("lenet5", source="", input_size=(1, 32, 32), summary="")(build_model)


def test_timm_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"'timm/resnet50' needs timm, .*pip install 'hubel\[timm\]'"):
        build_model("timm/resnet50")


def test_the_registry_imports_neither_torchvision_nor_timm():
    program = (
        "import sys, hubel.models; hubel.models.list_models(); "
        "print([name for name in ('torchvision', 'timm') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_family_is_built_on_any_backbone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_families", {})

    @register_family("pair", source="none", input_size=(3, 64, 64), summary="two of a kind", task="pairing")
    def pair(backbone: str, /, *, num_classes: int = 4, in_channels: int = 3, shared: bool = False) -> nn.Module:
        first = build_model(backbone, num_classes=num_classes, in_channels=in_channels)
        return nn.ModuleList([first, first if shared else build_model(backbone, num_classes=num_classes)])

    assert (list_families(), list_families("pairing"), list_families("classification")) == (["pair"], ["pair"], [])
    entry = model_entry("pair/lenet5_modern")
    assert (entry.name, entry.task, entry.arguments) == (
        "pair/lenet5_modern",
        "pairing",
        ["num_classes", "in_channels", "shared"],
    )
    built = build_model("pair/lenet5_modern", num_classes=7, in_channels=1, shared=True)
    assert built[0] is built[1]
    assert built[0].num_classes == 7
    with pytest.raises(ConfigError, match="unknown argument of pair/lenet5_modern 'share': did you mean shared"):
        build_model("pair/lenet5_modern", share=True)
    with pytest.raises(ConfigError, match="unknown model 'lenet55': did you mean lenet5"):
        build_model("pair/lenet55")
    with pytest.raises(ConfigError, match="pair/pair/lenet5: pair/lenet5 is a network for pairing, expected a"):
        model_entry("pair/pair/lenet5")
    with pytest.raises(ValueError, match="two families of networks are named 'pair'"):
        register_family("pair", source="", input_size=(3, 1, 1), summary="", task="pairing")(pair)
