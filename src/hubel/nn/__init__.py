"""Blocks that three or more networks share, the field's layers by name, and the arithmetic of convolutions."""

from hubel.nn.arithmetic import (
    convolution_parameters,
    dense_parameters,
    output_size,
    transposed_output_size,
)
from hubel.nn.heads import pooled_linear_head
from hubel.nn.inception import Concatenation, normalized_convolution
from hubel.nn.initialisation import kaiming_normal_convolutions
from hubel.nn.mlpconv import mlpconv
from hubel.nn.noise import GaussianNoise
from hubel.nn.response_norm import LocalResponseNorm
from hubel.nn.separable import DepthwiseSeparableConv2d
from hubel.nn.upsampling import bilinear_upsampling

__all__ = [
    "Concatenation",
    "DepthwiseSeparableConv2d",
    "GaussianNoise",
    "LocalResponseNorm",
    "bilinear_upsampling",
    "convolution_parameters",
    "dense_parameters",
    "kaiming_normal_convolutions",
    "mlpconv",
    "normalized_convolution",
    "output_size",
    "pooled_linear_head",
    "transposed_output_size",
]
