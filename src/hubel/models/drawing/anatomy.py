"""What is in a network, found by watching it: the stages and, in each, layers, branches, blocks and what repeats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from torch import nn

from hubel.models.drawing.decomposition import decompose, tidy, with_dense_blocks
from hubel.models.drawing.observation import IMAGE, Flow, observe
from hubel.models.drawing.structure import Anatomy, Block, Chain, Dense, Item, Layer, Parallel, Repeat, Stage, Tangle
from hubel.models.network import ClassificationNetwork

LONGEST_PERIOD = 6
FEWEST_FOLDED = 4  # so many equal layers in a row are drawn; of more, one is


def anatomy(network: nn.Module, input_size: tuple[int, int, int]) -> Anatomy:
    """Take a network apart.

    A `ClassificationNetwork` has its own stages. In any other network one begins wherever the map's size changes.

    Args:
        network: Any module that takes images (N, C, H, W); it is not changed.
        input_size: Channels, height and width of the image.

    Raises:
        ValueError, RuntimeError: The network does not take this input.
    """
    flow = observe(network, input_size)
    modules = dict(network.named_modules())
    if not isinstance(network, ClassificationNetwork):
        return _without_stages(network, flow, modules)
    stages = [_stage(flow, modules, f"stages.{name}") for name, _ in network.stages.named_children()]
    return Anatomy(
        input_size=input_size,
        stages=tuple(stages),
        head=_stage(flow, modules, "head"),
        aux_heads=tuple(_stage(flow, modules, f"aux_heads.{name}") for name in network.aux_heads),
        parameters=_parameters(network) - _parameters(network.aux_heads),
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _stage(flow: Flow, modules: dict[str, nn.Module], path: str) -> Stage:
    start, end = flow.ends[path]
    items = with_dense_blocks(decompose(flow, modules, start, end))
    chain = fold(_blocks(items, path, modules) if path.startswith("stages.") else tidy(items))
    own_class = type(modules[path])
    kind = "" if own_class.__module__.startswith("torch.") else own_class.__name__
    match chain:
        case (Block() as block,):
            chain, kind = block.items, block.kind
        case _:
            pass
    return Stage(
        name=path.rpartition(".")[2],
        kind=kind,
        items=chain,
        given=flow.operations[start].shape,
        shape=flow.operations[end].shape,
    )


def _without_stages(network: nn.Module, flow: Flow, modules: dict[str, nn.Module]) -> Anatomy:
    """Stages by the size of the map: one begins wherever that changes; after the last map comes the head."""
    image = flow.operations[IMAGE].shape
    items = tidy(decompose(flow, modules, IMAGE, flow.output))
    last_map = max((index for index, item in enumerate(items) if item.shape[1:] not in ((), (1, 1))), default=-1)
    given, stages = image, []
    for number, (_, group) in enumerate(groupby(items[: last_map + 1], lambda item: item.shape[1:]), start=1):
        part = tuple(group)
        stages.append(Stage(name=f"stage {number}", items=fold(part), given=given, shape=part[-1].shape))
        given = part[-1].shape
    rest = items[last_map + 1 :]
    return Anatomy(
        input_size=(image[0], image[1], image[2]),
        stages=tuple(stages),
        head=Stage(name="head", items=fold(rest), given=given, shape=rest[-1].shape) if rest else None,
        aux_heads=(),
        parameters=_parameters(network),
    )


def _blocks(items: Sequence[Item], path: str, modules: dict[str, nn.Module]) -> Chain:
    """The items, those of each block of the network's own together; `path` is where all of them are."""
    result: list[Item] = []
    for child, group in groupby(items, lambda item: _child(item, path)):
        part = list(group)
        if child == path or not _is_compound(tidy(part)):
            result.extend(part)
        elif _holds_blocks(modules[child], part, child):
            result.extend(_blocks(part, child, modules))
        else:
            name = child.split(".", 2)[-1]  # without `stages.` and the stage's name
            result.append(Block(items=fold(tidy(part)), name=name, kind=type(modules[child]).__name__))
    return tidy(result)


def _child(item: Item, path: str) -> str:
    """The child of a module in which an item is, or the module itself."""
    own = item.path if isinstance(item, Layer | Parallel | Dense | Tangle) else path
    if not own.startswith(f"{path}."):
        return path
    return f"{path}.{own[len(path) + 1 :].partition('.')[0]}"


def _is_compound(items: Sequence[Item]) -> bool:
    """Whether there are several layers."""
    layers = [
        item for item in items if not isinstance(item, Layer) or item.kind not in ("elementwise", "rearrangement")
    ]
    return len(layers) > 1 or any(not isinstance(item, Layer) for item in layers)


def _holds_blocks(module: nn.Module, items: Sequence[Item], path: str) -> bool:
    """Whether a module only holds blocks: a sequence, or a module in several of whose parts branches meet."""
    meeting = [item for item in items if not isinstance(item, Layer) and _child(item, path) != path]
    return isinstance(module, nn.Sequential | nn.ModuleList) or len(meeting) > 1


def fold(items: Chain) -> Chain:
    """The chain with equal neighbours, or equal groups of neighbours, as one `Repeat`."""
    result: list[Item] = []
    start = 0
    while start < len(items):
        found = (1, 1)
        for period in range(1, LONGEST_PERIOD + 1):
            unit, count = items[start : start + period], 1
            while items[start + count * period : start + (count + 1) * period] == unit:
                count += 1
            if _worth_folding(unit, count) and period * (count - 1) > found[0] * (found[1] - 1):
                found = (period, count)
        period, count = found
        unit = items[start : start + period]
        if count > 1:
            result.append(_repeat(unit, count, items[start : start + period * count]))
        else:
            result.extend(unit)
        start += period * count
    return tuple(result)


def _worth_folding(unit: Chain, count: int) -> bool:
    plain = all(isinstance(item, Layer) for item in unit)
    return count > 1 and (not plain or len(unit) * count > FEWEST_FOLDED)


def _repeat(unit: Chain, count: int, all_items: Chain) -> Repeat:
    blocks = [item for item in all_items if isinstance(item, Block)]
    if len(unit) == 1 and blocks:
        return Repeat(items=blocks[0].items, count=count, names=(blocks[0].name, blocks[-1].name), kind=blocks[0].kind)
    return Repeat(items=unit, count=count)
