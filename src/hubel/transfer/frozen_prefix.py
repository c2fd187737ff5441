"""A network cut where training begins: the frozen prefix, which can be computed once, and the rest, which learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from hubel.models.folding import fold_batch_norm
from hubel.models.network import ClassificationNetwork


@dataclass(frozen=True)
class CutNetwork:
    """The two parts of a network; `rest(prefix(x))` is `network(x)`.

    Attributes:
        prefix: From images (N, C, H, W) to what trains; folded, it is a copy, else these are the network's own layers.
        rest: From the prefix's outputs to logits (N, num_classes); these are the network's own layers.
    """

    prefix: nn.Module
    rest: nn.Sequential


def cut(
    network: ClassificationNetwork, trained: Sequence[str], input_size: Sequence[int], *, fold: bool = True
) -> CutNetwork | None:
    """Cut a network before the first layer that trains or is random.

    Behind the last frozen stage the prefix takes pooling and the like, too, where only the head trains: then it gives
    a vector per picture instead of a map.

    Args:
        network: The network.
        trained: The names of the stages that train, the last ones of the network.
        input_size: Channels, height and width of an image.
        fold: Whether BatchNorm is folded into convolutions, which changes outputs by rounding and saves time.

    Returns:
        None where nothing comes before what trains.
    """
    if len(trained) == len(network.stages):
        return None
    prefix, rest = parts_of(network, trained)
    folded = fold_batch_norm(prefix, input_size) if fold else prefix.eval()
    return CutNetwork(folded, rest)


def parts_of(network: ClassificationNetwork, trained: Sequence[str]) -> tuple[nn.Sequential, nn.Sequential]:
    """The network's own layers before and behind the cut; arguments as for `cut`."""
    stages = list(network.stages.named_children())
    frozen = [stage for name, stage in stages if name not in trained]
    learning = [stage for name, stage in stages if name in trained]
    if learning:
        return nn.Sequential(*frozen), nn.Sequential(*learning, network.head)
    fixed, rest = _divide(network.head)
    return nn.Sequential(*frozen, *fixed), nn.Sequential(*rest)


class _BeforeOut(nn.Module):
    """What a head does before its last layer."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return cast(Callable[[Tensor], Tensor], self.head.before_out)(x)


def _divide(head: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The layers of a head that neither learn nor are random, and those from the first other one on."""
    if isinstance(head, nn.Sequential):
        layers = list(head)
        first = next(number for number, layer in enumerate(layers) if not _is_fixed(layer))
        return layers[:first], layers[first:]
    others = [child for name, child in head.named_children() if name != "out"]
    if hasattr(head, "before_out") and all(map(_is_fixed, others)):
        return [_BeforeOut(head)], [cast(nn.Module, head.out)]
    return [], [head]


def _is_fixed(module: nn.Module) -> bool:
    """Whether a module gives the same for the same input, whatever training does."""
    if next(module.parameters(), None) is not None or next(module.buffers(), None) is not None:
        return False
    random = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
    parts = list(module.modules())
    return not any((isinstance(part, random) and part.p > 0) or getattr(part, "drop_rate", 0) for part in parts)
