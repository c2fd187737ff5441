"""Network in Network: small networks for filters, global average pooling for dense layers.

M. Lin, Q. Chen, S. Yan, Network In Network, 2013, arXiv:1312.4400.

`nin`, for an input of 224×224. The paper has no ImageNet network; this is its authors' own, of four mlpconv layers,
from Caffe's model zoo ("Network in Network ImageNet Model", gist.github.com/mavenlin/d802a5849de39225bcc6):

| stage | layers | map |
| --- | --- | --- |
| `mlpconv1` | 11×11, 96, stride 4 (to 54×54); 1×1: 96, 96; max pool | (N, 96, 27, 27) |
| `mlpconv2` | 5×5, 256 (27×27); 1×1: 256, 256; max pool | (N, 256, 13, 13) |
| `mlpconv3` | 3×3, 384 (13×13); 1×1: 384, 384; max pool; dropout | (N, 384, 6, 6) |
| `mlpconv4` | 3×3, 1024; 1×1: 1024 | (N, 1024, 6, 6) |
| `head` | 1×1: num_classes, ReLU; global average pool | (N, num_classes) |

`nin_cifar`, for an input of 32×32: the paper's network for CIFAR-10 (figure 2 and section 4), with the widths and
paddings of its authors' code (github.com/mavenlin/cuda-convnet, NIN/cifar-10_def):

| stage | layers | map |
| --- | --- | --- |
| `mlpconv1` | 5×5, 192 (32×32); 1×1: 160, 96; max pool; dropout | (N, 96, 16, 16) |
| `mlpconv2` | 5×5, 192 (16×16); 1×1: 192, 192; max pool; dropout | (N, 192, 8, 8) |
| `mlpconv3` | 3×3, 192; 1×1: 192 | (N, 192, 8, 8) |
| `head` | 1×1: num_classes, ReLU; global average pool | (N, num_classes) |

Every convolution has a ReLU, the last one too (equation 2), so that no logit is below 0. The pools are 3×3 with stride
2; as in Caffe and cuda-convnet, a last window that juts out counts.

The last 1×1 convolution belongs to the head: it is the layer that makes a map for each class, and that transfer
replaces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import mlpconv


class ClassMaps(nn.Conv2d):
    """The last layer: a 1×1 convolution to a map for each class.

    Args:
        channels: Channels of the last stage's map.
        num_classes: Number of maps.
        deviation: Standard deviation of the weights at the start; the biases start at 0.
    """

    def __init__(self, channels: int, num_classes: int, *, deviation: float) -> None:
        self.deviation = deviation
        super().__init__(channels, num_classes, 1)

    def reset_parameters(self) -> None:
        """Start from a normal distribution."""
        nn.init.normal_(self.weight, std=self.deviation)
        nn.init.zeros_(cast(nn.Parameter, self.bias))

    @property
    def in_features(self) -> int:
        """Channels of the last stage's map."""
        return self.in_channels

    @property
    def out_features(self) -> int:
        """Number of classes."""
        return self.out_channels

    def for_classes(self, num_classes: int) -> ClassMaps:
        """The same layer for another number of classes."""
        return ClassMaps(self.in_channels, num_classes, deviation=self.deviation)


class NetworkInNetwork(ClassificationNetwork):
    """Mlpconv layers, then a map for each class and its mean.

    Args:
        stages: The mlpconv layers, each with its pool and dropout, by name.
        out: The last layer.
        in_channels: Channels of the input.
        strides: Per stage.
        out_channels: Per stage.
        smallest: The least height and width that it takes.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        out: ClassMaps,
        *,
        in_channels: int,
        strides: tuple[int, ...],
        out_channels: tuple[int, ...],
        smallest: int,
    ) -> None:
        head: list[tuple[str, nn.Module]] = [
            ("out", out),
            ("relu", nn.ReLU(inplace=True)),
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten(1)),
        ]
        super().__init__(
            stages,
            nn.Sequential(OrderedDict(head)),
            in_channels=in_channels,
            strides=strides,
            out_channels=out_channels,
            smallest=smallest,
        )


def pooled(mlp: nn.Sequential, *, dropout: float = 0.0) -> nn.Sequential:
    """A stage: an mlpconv layer, the pool, and dropout where its probability is not 0."""
    layers: list[tuple[str, nn.Module]] = [("mlp", mlp), ("pool", nn.MaxPool2d(3, stride=2, ceil_mode=True))]
    if dropout:
        layers.append(("dropout", nn.Dropout(dropout)))
    return nn.Sequential(OrderedDict(layers))


def normal_convolutions(network: nn.Module, deviation: float) -> None:
    """Draw the weights of every convolution but the last from a normal distribution; their biases become 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and not isinstance(module, ClassMaps):
            nn.init.normal_(module.weight, std=deviation)
            nn.init.zeros_(cast(nn.Parameter, module.bias))


@register(
    "nin",
    source="Lin et al. 2013, arXiv:1312.4400; the authors' ImageNet network in Caffe's model zoo",
    input_size=(3, 224, 224),
    summary="Network in Network: four mlpconv layers, no dense layer",
)
def nin(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> NetworkInNetwork:
    """The authors' network for ImageNet: 7,595,176 parameters; weights start as theirs do.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: Probability to drop a value behind the third pool.
    """
    network = NetworkInNetwork(
        {
            "mlpconv1": pooled(mlpconv(in_channels, (96, 96, 96), 11, stride=4)),
            "mlpconv2": pooled(mlpconv(96, (256, 256, 256), 5, padding=2)),
            "mlpconv3": pooled(mlpconv(256, (384, 384, 384), 3, padding=1), dropout=dropout),
            "mlpconv4": mlpconv(384, (1024, 1024), 3, padding=1),
        },
        ClassMaps(1024, num_classes, deviation=0.01),
        in_channels=in_channels,
        strides=(8, 16, 32, 32),
        out_channels=(96, 256, 384, 1024),
        smallest=39,  # 39 → 8 → 4 → 2 → 1
    )
    normal_convolutions(network, 0.05)
    for name in ("mlpconv1.mlp.conv", "mlpconv3.mlp.conv"):
        nn.init.normal_(cast(nn.Parameter, network.stages.get_submodule(name).weight), std=0.01)
    return network


@register(
    "nin_cifar",
    source="Lin et al. 2013, arXiv:1312.4400, section 4; the authors' settings for CIFAR-10",
    input_size=(3, 32, 32),
    summary="Network in Network for 32×32: three mlpconv layers",
)
def nin_cifar(*, num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> NetworkInNetwork:
    """The paper's network for CIFAR-10: 966,986 parameters; weights start as the authors' do.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: Probability to drop a value behind the first and behind the second pool.
    """
    network = NetworkInNetwork(
        {
            "mlpconv1": pooled(mlpconv(in_channels, (192, 160, 96), 5, padding=2), dropout=dropout),
            "mlpconv2": pooled(mlpconv(96, (192, 192, 192), 5, padding=2), dropout=dropout),
            "mlpconv3": mlpconv(192, (192, 192), 3, padding=1),
        },
        ClassMaps(192, num_classes, deviation=0.05),
        in_channels=in_channels,
        strides=(2, 4, 4),
        out_channels=(96, 192, 192),
        smallest=4,  # 4 → 2 → 1
    )
    normal_convolutions(network, 0.05)
    return network
