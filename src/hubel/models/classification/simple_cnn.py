"""A small convolutional network for 28×28 grey pictures.

Source: A. Géron, Hands-On Machine Learning with Scikit-Learn, Keras and TensorFlow (2nd edition, 2019),
chapter 14, "CNN Architectures": the example network for Fashion-MNIST.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register


def convolutions(in_channels: int, out_channels: int, *, kernel_size: int = 3, count: int = 2) -> nn.Sequential:
    """`count` convolutions with ReLU that keep the size, then 2×2 max pooling."""
    layers: list[tuple[str, nn.Module]] = []
    for index in range(1, count + 1):
        layers.append((f"conv{index}", nn.Conv2d(in_channels, out_channels, kernel_size, padding="same")))
        layers.append((f"relu{index}", nn.ReLU(inplace=True)))
        in_channels = out_channels
    layers.append(("pool", nn.MaxPool2d(2)))
    return nn.Sequential(OrderedDict(layers))


@register(
    "simple_cnn",
    source="Géron 2019, Hands-On Machine Learning, 2nd edition, chapter 14",
    input_size=(1, 28, 28),
    fixed_size=True,
    summary="five convolutions and three dense layers for 28×28 pictures",
)
def simple_cnn(*, num_classes: int = 10, in_channels: int = 1, dropout: float = 0.5) -> ClassificationNetwork:
    """The example network: 1,413,834 parameters for 10 classes of grey pictures.

    | stage | layers | map |
    | --- | --- | --- |
    | `stage1` | 7×7, 64; max pool | (N, 64, 14, 14) |
    | `stage2` | 3×3, 128, twice; max pool | (N, 128, 7, 7) |
    | `stage3` | 3×3, 256, twice; max pool | (N, 256, 3, 3) |
    | `head` | dense 128, dropout, dense 64, dropout, dense | (N, num_classes) |

    Departure: none; weights start as PyTorch's layers do, not as Keras's (Glorot uniform).

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: Probability to drop a value after the first and the second dense layer.
    """
    head: list[tuple[str, nn.Module]] = [
        ("flatten", nn.Flatten(1)),
        ("dense1", nn.Linear(256 * 3 * 3, 128)),
        ("relu1", nn.ReLU(inplace=True)),
        ("dropout1", nn.Dropout(dropout)),
        ("dense2", nn.Linear(128, 64)),
        ("relu2", nn.ReLU(inplace=True)),
        ("dropout2", nn.Dropout(dropout)),
        ("out", nn.Linear(64, num_classes)),
    ]
    return ClassificationNetwork(
        {
            "stage1": convolutions(in_channels, 64, kernel_size=7, count=1),
            "stage2": convolutions(64, 128),
            "stage3": convolutions(128, 256),
        },
        nn.Sequential(OrderedDict(head)),
        in_channels=in_channels,
        strides=(2, 4, 8),
        out_channels=(64, 128, 256),
        size=(28, 28),
    )
