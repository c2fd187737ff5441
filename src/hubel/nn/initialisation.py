"""How weights start."""

from __future__ import annotations

from torch import nn


def kaiming_normal_convolutions(network: nn.Module) -> None:
    """Draw every convolution's weights from a normal distribution of variance 2 / (k² C_in); biases become 0.

    He et al. 2015 (arXiv:1502.01852), equation 10: the forward case, which that paper's experiments use.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
