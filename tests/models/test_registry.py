"""Networks by name, and what is said about names and arguments that do not exist."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from hubel.errors import ConfigError
from hubel.models import build_model, list_models, model_entry, register


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
