"""Classification networks, one file per paper."""

from hubel.models.classification import lenet, resnet, resnet_cifar, simple_cnn

__all__ = ["lenet", "resnet", "resnet_cifar", "simple_cnn"]
