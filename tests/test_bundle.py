import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hubel.bundle import FORMAT, Bundle, inspect_bundle, load_bundle, save_bundle
from hubel.errors import HubelError, WeightsError
from hubel.models.registry import build_model
from hubel.preprocessing import Preprocess

BUNDLE = Bundle(
    task="classification",
    network="lenet5_modern",
    preprocess=Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.1,), std=(0.3,)),
    classes=("one", "zwei", "trois éé"),
    metrics={"test": {"accuracy": 0.5}},
    fingerprint="abc",
    config={"seed": 1},
)


def save(path: Path, bundle: Bundle = BUNDLE) -> torch.nn.Module:
    network = build_model("lenet5_modern", num_classes=3)
    save_bundle(path, bundle, network.state_dict())
    return network


def test_a_bundle_rebuilds_its_network(tmp_path: Path) -> None:
    network = save(tmp_path / "best.safetensors").eval()
    for path in (tmp_path / "best.safetensors", tmp_path):
        bundle, loaded = load_bundle(path)
        assert bundle == BUNDLE
        images = torch.randn(2, 1, 32, 32)
        assert torch.equal(network(images), loaded(images))
        assert not loaded.training
    assert inspect_bundle(tmp_path) == BUNDLE


def test_a_bundle_may_lie_in_a_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "run" / "best.safetensors")
    assert inspect_bundle(Path("~/run")) == BUNDLE
    with pytest.raises(HubelError, match="there is no user 'nosuchuser'"):
        inspect_bundle(Path("~nosuchuser/run"))


def test_the_same_bundle_is_the_same_bytes(tmp_path: Path) -> None:
    network = save(tmp_path / "a.safetensors")
    save_bundle(tmp_path / "b.safetensors", BUNDLE, network.state_dict())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(HubelError, match=r"no model at .*gone\.safetensors: expected a bundle"):
        load_bundle(tmp_path / "gone.safetensors")
    with pytest.raises(HubelError, match=r"holds no best\.safetensors: expected the folder of a run"):
        load_bundle(tmp_path)
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(WeightsError, match="is no bundle"):
        load_bundle(text)
    bare = tmp_path / "bare.safetensors"
    save_file({"a": torch.zeros(1)}, bare)
    with pytest.raises(WeightsError, match="holds tensors but says nothing of their network"):
        load_bundle(bare)


def test_a_truncated_bundle_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    save(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is no bundle"):
        load_bundle(file)


def test_a_bundle_of_another_network_or_a_newer_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    save(file, replace(BUNDLE, network="lenet5"))
    with pytest.raises(WeightsError, match=r"does not fit lenet5 of hubel .*stages"):
        load_bundle(file)
    document = BUNDLE.to_dict() | {"format": FORMAT + 1, "hubel": "9.9"}
    save_file({"a": torch.zeros(1)}, file, metadata={"hubel": json.dumps(document)})
    with pytest.raises(WeightsError, match=r"was written by hubel 9\.9 in format 2"):
        inspect_bundle(file)


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[]",
        "null",
        json.dumps({"format": FORMAT}),
        json.dumps(BUNDLE.to_dict() | {"classes": None}),
        json.dumps(BUNDLE.to_dict() | {"preprocess": {"resize": "sideways"}}),
        json.dumps(BUNDLE.to_dict() | {"preprocess": {"sharpen": True}}),
    ],
)
def test_a_bundle_that_does_not_say_what_it_is_is_refused(tmp_path: Path, damaged: str) -> None:
    file = tmp_path / "best.safetensors"
    save_file({"a": torch.zeros(1)}, file, metadata={"hubel": damaged})
    with pytest.raises(WeightsError, match=r"what .*best\.safetensors says of its model is damaged \(.*take another"):
        load_bundle(file)


def test_a_temperature_is_kept_and_bundles_without_one_are_as_before(tmp_path: Path) -> None:
    assert "temperature" not in BUNDLE.to_dict()
    assert Bundle.from_dict(BUNDLE.to_dict()).temperature == 1
    save(tmp_path / "best.safetensors", replace(BUNDLE, temperature=1.25))
    assert inspect_bundle(tmp_path).temperature == 1.25
