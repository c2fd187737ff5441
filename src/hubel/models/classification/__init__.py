"""Classification networks, one file per paper."""

from hubel.models.classification import (
    inception_resnet_v2,
    inception_v4,
    lenet,
    resnet,
    resnet_cifar,
    simple_cnn,
    xception,
)

__all__ = [
    "inception_resnet_v2",
    "inception_v4",
    "lenet",
    "resnet",
    "resnet_cifar",
    "simple_cnn",
    "xception",
]
