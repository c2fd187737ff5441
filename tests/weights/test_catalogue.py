"""The catalogue of published weights: what it says is what the publishers say, and a name means the right ones."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hubel.bundle import published_bundle
from hubel.errors import WeightsError
from hubel.models import list_models
from hubel.models.registry import model_entry
from hubel.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from hubel.weights import WeightsEntry, build_with_weights, find_weights, weights_for
from hubel.weights.entry import PackageFile
from hubel.weights.hub import Download
from hubel.weights.names import recognise

NETWORKS = [name for name in list_models() if weights_for(name)]
ENTRIES = [entry for name in NETWORKS for entry in weights_for(name)]
CLASSIFIERS = [entry for entry in ENTRIES if entry.data == "ImageNet-1k"]
TORCHVISIONS = [e for e in ENTRIES if e.origin.startswith("torchvision") and e.network != "faster_rcnn"]
HALF = (0.5, 0.5, 0.5)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_which_networks_have_weights():
    torchvisions = [
        *["alexnet_owt", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"],
        *["googlenet_bn", "inception_v3", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
        *["densenet121", "densenet161", "densenet169", "densenet201"],
    ]
    timms = ["inception_v4", "inception_resnet_v2", "xception", "resnetv2_50", "resnetv2_101"]
    of_cifar = ["resnet20_cifar", "resnet32_cifar", "resnet44_cifar", "resnet56_cifar"]
    assert set(NETWORKS) == {*torchvisions, *timms, *of_cifar, "fcn_resnet50", "faster_rcnn"}
    assert {name for name in NETWORKS if len(weights_for(name)) > 1} == {"resnet50", "resnet101", "resnet152"}


@pytest.mark.parametrize("entry", CLASSIFIERS, ids=lambda entry: entry.name)
def test_an_entry_is_complete(entry: WeightsEntry):
    assert isinstance(entry.source, Download)
    assert re.fullmatch(r"https://(download\.pytorch\.org|github\.com|huggingface\.co)/.+", entry.source.url)
    assert re.fullmatch(r"[0-9a-f]{8,64}", entry.sha256)
    assert entry.top1 is not None
    assert entry.top5 is not None
    assert 50 < entry.top1 < entry.top5 < 100
    assert entry.licence in ("BSD-3-Clause", "Apache-2.0")
    assert entry.data == "ImageNet-1k"
    assert entry.labels is not None
    assert len(set(entry.labels)) == 1000
    assert [entry.labels[k] for k in (0, 207, 985, 999)] == ["tench", "golden retriever", "daisy", "toilet tissue"]
    json.dumps(entry.to_dict())


def test_the_entry_of_a_segmentation_network():
    """https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.segmentation.fcn_resnet50.html"""
    (entry,) = weights_for("fcn_resnet50")
    assert entry.name == "fcn_resnet50.coco_with_voc_labels_v1"
    assert find_weights("COCO_WITH_VOC_LABELS_V1", "fcn_resnet50") == entry
    assert (entry.top1, entry.figures) == (None, {"mean_iou": 60.5, "pixel_accuracy": 91.4})
    assert entry.source.url == "https://download.pytorch.org/models/fcn_resnet50_coco-1167a1af.pth"
    assert entry.sha256 == "1167a1af"
    assert entry.labels[:3] == ("__background__", "aeroplane", "bicycle")
    assert (len(entry.labels), entry.preprocess.resize_to) == (21, 520)
    assert json.loads(json.dumps(entry.to_dict()))["mean_iou"] == 60.5
    from torchvision.models.segmentation import FCN_ResNet50_Weights

    expected = FCN_ResNet50_Weights.DEFAULT.transforms()(a_picture())
    whole = torch.from_numpy(entry.preprocess.to_array(a_picture(), whole=True).copy())
    torch.testing.assert_close(entry.preprocess.normalise(whole[None])[0], expected, atol=1e-6, rtol=1e-5)
    with pytest.raises(WeightsError, match="no published ImageNet weights for fcn_resnet50"):
        find_weights("imagenet", "fcn_resnet50")


def test_the_entry_of_a_detector():
    """https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.detection.fasterrcnn_resnet50_fpn.html"""
    (entry,) = weights_for("faster_rcnn")
    assert entry.name == "faster_rcnn.coco_v1"
    assert (entry.top1, entry.figures, entry.data) == (None, {"map": 37.0}, "COCO 2017")
    assert entry.source.url == "https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
    assert entry.labels[:3] == ("person", "bicycle", "car")  # the background is none of hubel's classes
    assert (len(entry.labels), entry.preprocess.resize) == (90, "fit")
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    network = model_entry("faster_rcnn").build_shapes()
    frozen = sum(parameters(module) for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["num_params"] == parameters(network) - frozen


def test_the_entry_of_a_cifar_resnet():
    """https://github.com/akamaster/pytorch_resnet_cifar10"""
    (entry,) = weights_for("resnet56_cifar")
    assert find_weights("cifar10", "resnet56_cifar") == entry
    assert (entry.name, entry.data, entry.top1) == ("resnet56_cifar.cifar10", "CIFAR-10", 93.39)
    assert entry.source.url.endswith("/raw/master/pretrained_models/resnet56-4bfd9763.th")
    assert (entry.sha256, entry.licence) == ("4bfd9763", "BSD-2-Clause")
    assert (entry.preprocess.size, entry.preprocess.resize_to, entry.preprocess.mean) == ((32, 32), 32, IMAGENET_MEAN)
    with pytest.raises(WeightsError, match="no published ImageNet weights for resnet56_cifar"):
        find_weights("imagenet", "resnet56_cifar")


def test_a_published_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As torchvision's own file, it wants frozen BatchNorms without an epsilon, also of a network for other classes."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    twin = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    publish(find_weights("coco_v1", "faster_rcnn"), twin, tmp_path, monkeypatch)
    bundle, network = published_bundle("faster_rcnn", weights="coco_v1")
    assert (bundle.task, bundle.classes[0], len(bundle.classes)) == ("detection", "person", 90)
    assert bundle.arguments == {"frozen_norm": True, "norm_eps": 0.0}
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {0.0}
    own = build_with_weights("faster_rcnn", weights="coco_v1", num_classes=3)
    assert own.classes is None
    assert own.notes == ("last layers replaced: another number of classes in the file, 3 wanted",)
    assert own.arguments == bundle.arguments


def test_names_are_unique():
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    assert len({entry.source.cached for entry in ENTRIES}) == len(ENTRIES)


def test_an_entry_as_its_publisher_prints_it():
    """https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html"""
    entry = find_weights("resnet50.imagenet1k_v2", "resnet50")
    assert entry.to_dict() == {
        "name": "resnet50.imagenet1k_v2",
        "network": "resnet50",
        "origin": "torchvision, ResNet50_Weights.IMAGENET1K_V2",
        "licence": "BSD-3-Clause",
        "data": "ImageNet-1k",
        "top1": 80.858,
        "top5": 95.434,
        "sha256": "11ad3fa6",
        "url": "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        "preprocess": Preprocess(
            size=(224, 224), resize_to=232, interpolation="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD
        ).to_dict(),
    }


@pytest.mark.parametrize("entry", TORCHVISIONS, ids=lambda entry: entry.name)
def test_torchvisions_weights_are_those_of_the_network(entry: WeightsEntry):
    """The parameters are as many as torchvision says; it counts Inception v3 with its auxiliary head."""
    import torchvision

    enum, _, member = entry.origin.removeprefix("torchvision, ").partition(".")
    weights = (getattr(torchvision.models, enum, None) or getattr(torchvision.models.segmentation, enum))[member]
    network = model_entry(entry.network).build_shapes()
    assert weights.meta["num_params"] in (parameters(network), parameters(network) - parameters(network.aux_heads))
    assert weights.url == entry.source.url


@pytest.mark.parametrize("network", [n for n in NETWORKS if weights_for(n)[0].origin.startswith("timm")])
def test_timms_weights_are_as_timm_says(network: str):
    timm = pytest.importorskip("timm")
    (entry,) = weights_for(network)
    config = timm.get_pretrained_cfg(entry.name)
    size, crop = config.test_input_size or config.input_size, config.test_crop_pct or config.crop_pct
    preprocess = entry.preprocess
    assert (3, *preprocess.size) == size
    assert preprocess.resize_to == int(size[1] / crop)
    assert (preprocess.mean, preprocess.std, preprocess.interpolation) == (config.mean, config.std, "bicubic")
    assert (config.interpolation, config.crop_mode, config.num_classes) == ("bicubic", "center", 1000)
    assert entry.licence.lower() == config.license
    if config.hf_hub_id and "huggingface.co" in entry.source.url:
        assert f"/{config.hf_hub_id}/resolve/" in entry.source.url
    elif config.url:
        assert config.url.partition("/releases/")[2] == entry.source.url.partition("/releases/")[2]
    with torch.device("meta"):
        theirs = timm.create_model(config.architecture)
    naming = recognise(ours := model_entry(network).build_shapes(), theirs.state_dict())
    assert {naming.file_name(name) for name in ours.state_dict()} == set(theirs.state_dict())


def test_every_timm_network_has_a_catalogue():
    """Preparations of every kind are understood: stretched pictures, other sizes, other numbers of classes."""
    timm = pytest.importorskip("timm")
    entries = [entry for name in timm.list_pretrained() for entry in weights_for(f"timm/{name}")]
    assert len(entries) > 1000
    assert {entry.data == "ImageNet-1k" for entry in entries if entry.labels is None} == {False}
    downloads = {entry.name: entry.source for entry in entries if isinstance(entry.source, Download)}
    assert all(source.sha256 or "huggingface.co" in source.url for source in downloads.values())
    assert len({source.file for source in downloads.values()}) == len(downloads)
    assert not {"flexivit_base.300ep_in1k", "aimv2_1b_patch14_224.apple_pt"} & downloads.keys()


def test_timms_default_comes_first_and_a_tag_means_itself():
    pytest.importorskip("timm")
    names = [entry.name for entry in weights_for("timm/resnet50")]
    assert names[0] == "resnet50.a1_in1k"
    assert "resnet50.tv_in1k" in names
    assert [entry.name for entry in weights_for("timm/resnet50.tv_in1k")] == ["resnet50.tv_in1k"]
    assert find_weights("imagenet", "timm/resnet50").name == "resnet50.a1_in1k"
    assert find_weights("imagenet", "timm/resnet50.tv_in1k").name == "resnet50.tv_in1k"
    assert find_weights("tv_in1k", "timm/resnet50").source.url == (
        "https://huggingface.co/timm/resnet50.tv_in1k/resolve/main/model.safetensors"
    )


def test_a_mirror_of_the_hub(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    (entry,) = weights_for("inception_v4")
    assert entry.source.url.startswith("https://mirror.example/timm/inception_v4.tf_in1k/resolve/24edbb8f")


def test_imagenet_means_the_best_published():
    for network in {entry.network for entry in CLASSIFIERS}:
        best = find_weights("imagenet", network)
        assert best.top1 == max(entry.top1 for entry in weights_for(network))
    assert find_weights("imagenet", "resnet50").name == "resnet50.imagenet1k_v2"
    assert find_weights("imagenet", "vgg16").name == "vgg16.imagenet1k_v1"


def test_imagenet_means_what_needs_no_network_where_that_is_installed(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("timm")
    monkeypatch.setattr(PackageFile, "folder", Path())
    assert find_weights("imagenet", "timm/tf_efficientnet_lite0").name == "efficientnet-lite0"
    monkeypatch.setattr(PackageFile, "folder", None)
    assert find_weights("imagenet", "timm/tf_efficientnet_lite0").name == "tf_efficientnet_lite0.in1k"


@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "imagenet1k_v1", "resnet50.imagenet1k_v1", "ResNet50.IMAGENET1K_V1"])
def test_a_name_may_be_short_and_in_any_case(name: str):
    assert find_weights(name, "resnet50").name == "resnet50.imagenet1k_v1"


@pytest.mark.parametrize(
    ("weights", "network", "message"),
    [
        ("imagenet1k_v3", "resnet50", r"unknown weights 'imagenet1k_v3': did you mean .*resnet50\.imagenet1k_v2"),
        ("imagnet", "resnet18", r"unknown weights 'imagnet': did you mean imagenet\?; the path of a file is fine, too"),
        ("best", "resnet18", r"unknown weights 'best': known: imagenet, resnet18\.imagenet1k_v1; the path of a file"),
        ("resnet50.imagenet1k_v2", "resnet18", r"'resnet50\.imagenet1k_v2' are for resnet50, not for resnet18"),
        ("inception_v4.tf_in1k", "resnet18", r"'inception_v4\.tf_in1k' are for inception_v4, not for resnet18"),
        ("imagenet", "lenet5", r"no published ImageNet weights for lenet5: give a file, `--weights PATH`"),
        ("something", "lenet5", r"unknown weights 'something': hubel knows no published weights for lenet5; the path"),
    ],
)
def test_a_name_that_means_nothing(weights: str, network: str, message: str):
    with pytest.raises(WeightsError, match=message):
        find_weights(weights, network)


def a_picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((400, 310), Image.Resampling.BICUBIC)


def random_twin(network: str, **arguments: Any) -> tuple[Any, nn.Module]:
    """The metadata of torchvision's best weights, and its network with random ones that let the input through."""
    import torchvision

    entry = find_weights("imagenet", network)
    enum, _, member = entry.origin.removeprefix("torchvision, ").partition(".")
    weights = (getattr(torchvision.models, enum, None) or getattr(torchvision.models.segmentation, enum))[member]
    torch.manual_seed(0)
    twin = torchvision.models.get_model({"googlenet_bn": "googlenet"}.get(network, network), **arguments)
    for module in twin.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return weights, twin


def publish(entry: WeightsEntry, twin: nn.Module, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a file with a twin's weights be what the catalogue's entry means."""
    file = folder / entry.source.cached.name
    torch.save(twin.state_dict(), file)
    monkeypatch.setattr(Download, "path", lambda self, progress=None: folder / self.file)
    return file


@pytest.mark.parametrize("network", ["googlenet_bn", "inception_v3"])
def test_networks_that_map_their_input_in_torchvision(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """torchvision normalises with ImageNet's statistics and `transform_input` undoes that; we normalise with 0.5."""
    weights, twin = random_twin(network, transform_input=True, aux_logits=True, init_weights=False)
    publish(find_weights("imagenet", network), twin, tmp_path, monkeypatch)
    built = build_with_weights(network, weights="imagenet")
    assert built.preprocess is not None
    assert (built.preprocess.mean, built.preprocess.std) == (HALF, HALF)
    image = a_picture()
    with torch.no_grad():
        theirs = twin.eval()(weights.transforms()(image)[None])
        ours = built.model.eval()(built.preprocess.apply(image)[None])
    assert theirs.std() > 1e-3  # else the comparison says nothing
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())
    twin.transform_input = False
    with torch.no_grad():
        assert not torch.allclose(twin(weights.transforms()(image)[None]), ours, rtol=1e-2)


def test_everything_that_comes_with_published_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights, twin = random_twin("resnet18")
    publish(find_weights("imagenet", "resnet18"), twin, tmp_path, monkeypatch)
    built = build_with_weights("resnet18", weights="imagenet")
    assert built.weights == "resnet18.imagenet1k_v1"
    assert built.classes == tuple(weights.meta["categories"])
    assert built.notes == ()
    image = a_picture()
    assert built.preprocess is not None
    with torch.no_grad():
        theirs = twin.eval()(weights.transforms()(image)[None])
        ours = built.model.eval()(built.preprocess.apply(image)[None])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    other_classes = build_with_weights("resnet18", weights="imagenet", num_classes=5)
    assert other_classes.classes is None
    assert other_classes.preprocess == built.preprocess
    assert other_classes.notes == ("head replaced: 1000 classes in the file, 5 wanted",)


def test_a_published_file_is_recognised_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It was fetched elsewhere, for there is no network: its preparation and classes are known all the same."""
    _, twin = random_twin("resnet18")
    file = tmp_path / "resnet18-00000000.pth"
    torch.save(twin.state_dict(), file)
    assert build_with_weights("resnet18", weights=file).preprocess is None
    entry = find_weights("imagenet", "resnet18")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(WeightsEntry, "sha256", property(lambda self: digest[:8] if self.name == entry.name else "no"))
    built = build_with_weights("resnet18", weights=file)
    assert (built.weights, built.preprocess, built.classes) == (entry.name, entry.preprocess, entry.labels)


def test_torchvision_is_imported_for_weights_alone():
    """Its import takes seconds."""
    code = (
        "import sys, hubel, hubel.cli, hubel.weights\n"
        "hubel.list_models(); hubel.create_model('lenet5')\n"
        "assert hubel.weights.weights_for('lenet5') == []\n"
        "assert 'torchvision' not in sys.modules and 'timm' not in sys.modules\n"
        "hubel.weights.weights_for('resnet18')\n"
        "assert 'torchvision' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
