"""Whether a network of ours computes what another library's does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hubel.models import ClassificationNetwork


def disturb(network: nn.Module) -> None:
    """Give BatchNorm statistics and weights that no fresh network has, and turn dropout off."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            if module.affine:
                nn.init.uniform_(module.weight, 0.3, 0.7)
                nn.init.uniform_(module.bias, -0.3, 0.3)
        elif isinstance(module, nn.Dropout):
            module.p = 0.0


def load_theirs(ours: ClassificationNetwork, theirs: nn.Module, file_name: Callable[[str], str]) -> None:
    """Every tensor of theirs has a place in ours, and the other way round."""
    theirs_by_name = dict(theirs.state_dict())
    renamed = {own: theirs_by_name.pop(file_name(own)) for own in ours.state_dict()}
    assert not theirs_by_name, f"left over: {list(theirs_by_name)[:5]}"
    ours.load_state_dict(renamed, strict=True)


def logits_of_ours(network: ClassificationNetwork, x: Tensor) -> list[Tensor]:
    """The head's logits; in training mode those of the auxiliary heads, too."""
    if not network.training:
        return [network(x)]
    logits, aux = network.forward_with_aux(x)
    return [logits, *aux.values()]


def assert_equal_networks(
    ours: ClassificationNetwork,
    theirs: nn.Module,
    file_name: Callable[[str], str],
    image: Tensor,
    *,
    logits_of_theirs: Callable[[nn.Module, Tensor], list[Tensor]] = lambda network, x: [network(x)],
) -> None:
    """Equal logits and equal gradients of the input, in both modes, with random weights and disturbed statistics.

    Both are compared in float64, where rounding cannot hide a difference: 1e-9 of the greatest value.

    Args:
        ours: Gets the weights of `theirs`, strictly.
        theirs: The other library's network.
        file_name: From a parameter's name in ours to its name in theirs.
        image: (N, C, H, W).
        logits_of_theirs: As `logits_of_ours`: all logits in the order of the network.
    """
    disturb(theirs)
    disturb(ours)
    load_theirs(ours, theirs, file_name)
    for training in (False, True):
        results = []
        for network, logits_of in ((ours, logits_of_ours), (theirs, logits_of_theirs)):
            network.double().train(training)
            x = image.double().requires_grad_()
            logits = logits_of(network, x)
            loss = sum((y.square().sum() for y in logits), start=torch.zeros((), dtype=torch.float64))
            results.append([*logits, torch.autograd.grad(loss, x)[0]])
        assert len(results[0]) == len(results[1])
        for own, other in zip(*results, strict=True):
            scale = other.abs().max().item()
            assert scale > 0
            torch.testing.assert_close(own, other, rtol=0, atol=1e-9 * scale)
