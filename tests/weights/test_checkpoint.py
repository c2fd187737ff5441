"""Weights files as they come from the wild, and what is said about those that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from hubel.errors import WeightsError
from hubel.models import build_model
from hubel.weights import read_checkpoint


class Unsafe:
    """Something that only code can unpickle."""


TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, 2.0])}


def saved(path: Path, content: object, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        {"state_dict": TENSORS, "epoch": 3},
        {"model_state_dict": TENSORS, "optimizer": {"lr": 0.1}},
        {"model": TENSORS},
        {"state_dict": {f"module.{name}": tensor for name, tensor in TENSORS.items()}, "best_prec1": 91.7},
        {f"_orig_mod.module.{name}": tensor for name, tensor in TENSORS.items()},
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_found_where_scripts_put_them(content: object, legacy: bool, tmp_path: Path):
    tensors = read_checkpoint(saved(tmp_path / "weights.pt", content, legacy=legacy))
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_content_tells_the_format_not_the_name(tmp_path: Path):
    save_file(TENSORS, tmp_path / "weights.pth")
    assert torch.equal(read_checkpoint(tmp_path / "weights.pth")["weight"], TENSORS["weight"])


def test_one_module_prefix_of_many_is_part_of_the_name(tmp_path: Path):
    content = {"module.weight": TENSORS["weight"], "head.bias": TENSORS["bias"]}
    assert read_checkpoint(saved(tmp_path / "w.pt", content)).keys() == content.keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds a mapping with the keys epoch, lr: expected tensors by parameter name"),
        ({}, "holds an empty mapping"),
        ([1, 2], "holds a list"),
        (torch.zeros(2), "holds a Tensor"),
        ({"state_dict": {"epoch": 3}}, "holds a mapping with the keys state_dict"),
        (Unsafe(), r"only be read by running code that it names \(.*Unsafe\), .*save `model.state_dict\(\)` alone"),
        (nn.Linear(2, 2), r"only be read by running code that it names \(torch.nn.modules.linear.Linear\)"),
        ({"state_dict": TENSORS, "hook": print}, r"only be read by running code that it names \(.*print\)"),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_content_that_is_no_tensors_is_said(content: object, message: str, legacy: bool, tmp_path: Path):
    with pytest.raises(WeightsError, match=message) as caught:
        read_checkpoint(saved(tmp_path / "weights.pt", content, legacy=legacy))
    assert "\n" not in str(caught.value)


def test_code_in_a_file_is_never_run(tmp_path: Path):
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'attacked'}",)

    with pytest.raises(WeightsError, match="running code"):
        read_checkpoint(saved(tmp_path / "weights.pt", {"state_dict": TENSORS, "x": Attack()}))
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 5, b"not weights at all, but some text", b"\x89PNG\r\n\x1a\n" * 9])
def test_something_else_is_said(content: bytes, tmp_path: Path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"weights.pth \({len(content)} bytes\) is neither safetensors nor a torch"):
        read_checkpoint(path)


def test_missing_file_and_folder_are_said(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"cannot read weights from .*missing.pt: No such file"):
        read_checkpoint(tmp_path / "missing.pt")
    with pytest.raises(WeightsError, match="is a folder, expected a file of weights"):
        read_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    save_file(TENSORS, folder / "safetensors")
    saved(folder / "zip", {"state_dict": TENSORS})
    saved(folder / "legacy", {"state_dict": TENSORS}, legacy=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60)
def test_a_file_cut_off_anywhere_is_one_line(
    whole_files: dict[str, bytes], kind: str, share: float, tmp_path_factory: pytest.TempPathFactory
):
    whole = whole_files[kind]
    path = tmp_path_factory.getbasetemp() / f"cut-{kind}"
    path.write_bytes(whole[: int(share * len(whole))])
    # A pickle that is cut inside the name of a class names another one.
    message = r"is damaged: .*fetch it again|is neither safetensors|running code that it names \(\w"
    with pytest.raises(WeightsError, match=message) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert "can still be loaded" not in str(caught.value)  # torch's advice to let the file run its code


@given(data=st.data())
@settings(max_examples=150)
def test_a_damaged_pickle_is_an_error_or_still_readable(
    whole_files: dict[str, bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    content = bytearray(whole_files["legacy"])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(2, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(content)
    tensors, message = {}, ""
    try:
        tensors = read_checkpoint(path)
    except WeightsError as error:
        message = str(error)
    assert bool(tensors) != bool(message)
    assert "\n" not in message
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def test_the_published_cifar_weights_are_read(shared: Path):
    tensors = read_checkpoint(shared / "weights" / "resnet20-12fca82f.th")
    assert "conv1.weight" in tensors
    assert len(tensors) == len(
        [name for name in build_model("resnet20_cifar").state_dict() if "num_batches" not in name]
    )
