"""Classification networks, one file per paper."""

from hubel.models.classification import (
    alexnet,
    densenet,
    densenet_cifar,
    googlenet,
    inception_resnet_v2,
    inception_v3,
    inception_v4,
    lenet,
    nin,
    resnet,
    resnet_cifar,
    resnetv2,
    simple_cnn,
    vgg,
    xception,
)

__all__ = [
    "alexnet",
    "densenet",
    "densenet_cifar",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "lenet",
    "nin",
    "resnet",
    "resnet_cifar",
    "resnetv2",
    "simple_cnn",
    "vgg",
    "xception",
]
