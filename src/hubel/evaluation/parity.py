"""Whether our networks compute what torchvision's and timm's do: the same random weights, the same picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import model_entry
from hubel.weights.names import Naming, namings

# Of the greatest logit, in float64: what differing orders of summation leave is about 1e-15 times the depth.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Twin:
    """The same network in another library.

    Attributes:
        library: `torchvision` or `timm`.
        name: Its name there.
        arguments: Of its builder, beside the number of classes.
    """

    library: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def build(self, num_classes: int) -> nn.Module:
        """The twin, on the device that is the default."""
        if self.library == "timm":
            from timm import create_model

            return create_model(self.name, num_classes=num_classes, **self.arguments)
        from torchvision.models import get_model

        return cast(nn.Module, get_model(self.name, num_classes=num_classes, **self.arguments))


def _torchvision(*names: str, **arguments: Any) -> dict[str, Twin]:
    return {name: Twin("torchvision", name, arguments) for name in names}


_AUX = {"init_weights": False, "aux_logits": True}

TWINS: dict[str, Twin] = {
    "alexnet_owt": Twin("torchvision", "alexnet"),
    **_torchvision(*(f"vgg{depth}{norm}" for norm in ("", "_bn") for depth in (11, 13, 16, 19)), init_weights=False),
    "googlenet_bn": Twin("torchvision", "googlenet", _AUX),
    "inception_v3": Twin("torchvision", "inception_v3", _AUX),
    "inception_v4": Twin("timm", "inception_v4"),
    "inception_resnet_v2": Twin("timm", "inception_resnet_v2"),
    "xception": Twin("timm", "legacy_xception"),
    **_torchvision("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    "resnetv2_50": Twin("timm", "resnetv2_50"),
    "resnetv2_101": Twin("timm", "resnetv2_101"),
    **_torchvision("densenet121", "densenet161", "densenet169", "densenet201"),
}


@dataclass(frozen=True)
class Parity:
    """A network beside its twin.

    Attributes:
        network: Our name of it.
        twin: The other library's network.
        difference: The greatest difference of two logits, as a share of the greatest logit; None where the other
            library is not installed.
    """

    network: str
    twin: Twin
    difference: float | None

    @property
    def holds(self) -> bool | None:
        """Whether both compute the same; None where the other library is not installed."""
        return None if self.difference is None else self.difference <= TOLERANCE


def compare_with_twins(names: Iterable[str]) -> Iterator[Parity]:
    """Give each network and its twin the same random weights and picture, and compare their logits in float64.

    Args:
        names: Networks; those without a twin are passed over.
    """
    for name in names:
        if twin := TWINS.get(name):
            installed = find_spec(twin.library) is not None
            yield Parity(name, twin, _difference(name, twin) if installed else None)


def _difference(name: str, twin: Twin, *, num_classes: int = 10, seed: int = 0) -> float:
    """The greatest difference of two logits, as a share of the greatest one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        theirs = twin.build(num_classes)
    theirs = theirs.to_empty(device="cpu").double().eval()
    _draw(theirs, generator)
    ours = cast(ClassificationNetwork, model_entry(name).build_shapes(num_classes=num_classes)).double().eval()
    load(ours, theirs.state_dict(), naming_of(ours, twin).file_name)
    side = max(64, ours.smallest)
    image = torch.rand(2, ours.in_channels, side, side, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(image)
        return float((ours(image) - expected).abs().max() / expected.abs().max())


def naming_of(network: nn.Module, twin: Twin) -> Naming:
    """How a twin names the parameters of a network."""
    return next(naming for naming in namings(network) if naming.origin == twin.library)


def load(network: nn.Module, tensors: dict[str, Tensor], file_name: Callable[[str], str]) -> None:
    """Put the tensors of a twin into a network of ours; both then share them.

    Raises:
        ValueError: A tensor is left over.
        KeyError: A tensor is missing.
    """
    rest = dict(tensors)
    renamed = {own: rest.pop(file_name(own)) for own in network.state_dict()}
    last = renamed.get("head.out.weight")
    if last is not None and last.shape[2:] == (1, 1):  # timm's ResNetV2 has a 1×1 convolution there
        renamed["head.out.weight"] = last.flatten(1)
    if rest:
        raise ValueError(f"the twin has tensors that the network has no place for: {', '.join(sorted(rest)[:5])}")
    network.load_state_dict(renamed, strict=True, assign=True)


def _draw(network: nn.Module, generator: torch.Generator) -> None:
    """Random weights that keep values in range, and statistics of BatchNorm that no fresh network has."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.ndim > 1:
                tensor.normal_(std=math.sqrt(2 / tensor[0].numel()), generator=generator)
            elif name.endswith(("running_var", "weight")):
                tensor.uniform_(0.5, 1.0, generator=generator)
            else:
                tensor.uniform_(-0.3, 0.3, generator=generator)
