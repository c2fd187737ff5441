"""From operations and whose outputs they take to chains and branches.

A stretch of a network is cut wherever everything flows through one operation. Between two cuts lies either nothing, or
branches that leave one operation and meet in another; each branch is cut in the same way. What cannot be cut so is a
tangle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import nn

from hubel.models.drawing import wording
from hubel.models.drawing.observation import PART, Flow, Operation
from hubel.models.drawing.structure import Chain, Dense, Item, Layer, Parallel, Shape, Tangle


def decompose(flow: Flow, modules: dict[str, nn.Module], entry: int, end: int) -> list[Item]:
    """Everything from one operation's output to another's, which is one of the items; untidied, see `tidy`."""
    if entry == end:
        return []
    between = _between(flow, entry, end)
    return _Decomposition(modules, flow.operations[entry].shape).series(entry, _with_nested_concatenations(between))


def _between(flow: Flow, entry: int, end: int) -> list[Operation]:
    """The operations on the ways from one to another, without the first; with inputs from these ways only."""
    reached = {entry}
    for number in sorted(flow.operations):
        if entry < number <= end and reached.intersection(flow.operations[number].inputs):
            reached.add(number)
    leading, waiting = {entry}, [end]
    while waiting:
        number = waiting.pop()
        if number not in leading and number in reached:
            leading.add(number)
            waiting.extend(flow.operations[number].inputs)
    operations = [flow.operations[number] for number in sorted(leading) if number != entry]
    return [replace(each, inputs=tuple(source for source in each.inputs if source in leading)) for each in operations]


def _with_nested_concatenations(operations: Sequence[Operation]) -> list[Operation]:
    """Let a concatenation take an earlier one that has the beginning of its list: [a, b, c] becomes [[a, b], c].

    So dense links look alike, whether a network concatenates all earlier outputs for every layer, or adds to one map.
    """
    flat: dict[int, tuple[int, ...]] = {}
    result = []
    for operation in operations:
        if operation.name == "cat":
            inputs = operation.inputs
            everything = tuple(atom for source in inputs for atom in flat.get(source, (source,)))
            for end in range(len(inputs), 1, -1):
                start = tuple(atom for source in inputs[:end] for atom in flat.get(source, (source,)))
                same = next((number for number, atoms in flat.items() if atoms == start), None)
                if same is not None:
                    operation = replace(operation, inputs=(same, *inputs[end:]))
                    break
            if len(everything) > 1:
                flat.setdefault(operation.number, everything)
        result.append(operation)
    return result


class _Decomposition:
    """Holds the modules, and the shapes of operations, while a stretch is taken apart."""

    def __init__(self, modules: dict[str, nn.Module], given: Shape) -> None:
        self.modules = modules
        self.shapes: dict[int, Shape] = {}
        self.given = given

    def series(self, entry: int, operations: Sequence[Operation]) -> list[Item]:
        """The items of a stretch whose last operation is the last of these; all in the order of the computation."""
        for operation in operations:
            self.shapes.setdefault(operation.number, operation.shape)
        position = {entry: -1} | {operation.number: index for index, operation in enumerate(operations)}
        farthest = dict.fromkeys(range(-1, len(operations)), -1)  # position of the last one that takes its output
        for index, operation in enumerate(operations):
            for source in operation.inputs:
                farthest[position[source]] = index
        items: list[Item] = []
        reach, start = farthest[-1], -1
        for index, operation in enumerate(operations):
            if reach <= index:  # nothing flows around it
                source = operations[start].number if start >= 0 else entry
                items.append(self.between(source, operations[start + 1 : index], operation))
                start = index
            reach = max(reach, farthest[index])
        return items

    def between(self, entry: int, inside: Sequence[Operation], end: Operation) -> Item:
        """What is between two cuts: nothing, branches, or a tangle."""
        if not inside and len(end.inputs) == 1:
            return wording.layer(end, self.modules)
        parts = _connected(inside)
        if len(parts) + end.inputs.count(entry) < 2:
            return self.tangle(entry, [*inside, end])
        owner = {operation.number: index for index, part in enumerate(parts) for operation in part}
        branches: list[Chain] = []
        seen: set[int] = set()
        scaled = wording.scaled(end)
        for index, source in enumerate(end.inputs):
            if source == entry:
                branch: Chain = ()
            elif owner[source] not in seen:
                seen.add(owner[source])
                branch = self.branch(entry, parts[owner[source]], end)
            else:
                continue
            branches.append(tidy((*branch, scaled)) if scaled and index == 1 else branch)
        operation = wording.merging(end)
        return Parallel(
            operation=operation,
            branches=tuple(_flattened(branches, operation)),
            shape=end.shape,
            given=self.shapes.get(entry, self.given),
            path=end.path,
        )

    def branch(self, entry: int, part: Sequence[Operation], end: Operation) -> Chain:
        """One branch; if it has several ends, they meet in a joint of the same kind."""
        own = {operation.number for operation in part}
        ends = tuple(source for source in end.inputs if source in own)
        if len(ends) == 1:
            return tidy(self.series(entry, part))
        channels = sum(self.shapes.get(number, (0,))[0] for number in ends)
        shape = (channels, *end.shape[1:]) if end.name == "cat" else end.shape
        return tidy(self.series(entry, [*part, replace(end, inputs=ends, shape=shape)]))

    def tangle(self, entry: int, operations: Sequence[Operation]) -> Tangle:
        """Layers and links; what works value by value is a note where nothing else takes what came before."""
        takers = Counter(source for operation in operations for source in operation.inputs)
        layers = [Layer(kind="other", what="input", shape=self.shapes.get(entry, self.given))]
        place = {entry: 0}
        links: list[tuple[int, int]] = []
        for operation in operations:
            sources = list(dict.fromkeys(place[source] for source in operation.inputs))
            layer = self.layer(operation)
            only_taker = len(sources) == 1 and sources[0] > 0 and takers[operation.inputs[0]] == 1
            if layer.kind == "rearrangement":
                place[operation.number] = sources[0]
            elif layer.kind == "elementwise" and only_taker:
                before = layers[sources[0]]
                layers[sources[0]] = replace(before, notes=_noted(before.notes, layer))
                place[operation.number] = sources[0]
            else:
                place[operation.number] = len(layers)
                links.extend((source, len(layers)) for source in sources)
                layers.append(layer)
        return Tangle(layers=tuple(layers), links=tuple(links), shape=operations[-1].shape, path=operations[-1].path)

    def layer(self, operation: Operation) -> Layer:
        """An operation as a layer, also one that joins several inputs."""
        if len(operation.inputs) < 2:
            return wording.layer(operation, self.modules)
        return Layer(kind="other", what=wording.merging(operation), shape=operation.shape, path=operation.path)


def _connected(operations: Iterable[Operation]) -> list[list[Operation]]:
    """The operations in groups that do not take each other's outputs."""
    group: dict[int, list[Operation]] = {}
    for operation in operations:
        joined = [operation]
        for neighbour in {id(group[source]): group[source] for source in operation.inputs if source in group}.values():
            joined = neighbour + joined
        joined.sort(key=lambda each: each.number)
        for member in joined:
            group[member.number] = joined
    return list({id(each): each for each in group.values()}.values())


def _flattened(branches: Iterable[Chain], operation: str) -> Iterable[Chain]:
    """Branches that only join others in the same way are these others: a + (b + c) is a + b + c."""
    for branch in branches:
        match branch:
            case (Parallel(operation=inner, notes=()) as parallel,) if inner == operation and operation in (
                "add",
                "concatenate",
            ):
                yield from parallel.branches
            case _:
                yield branch


def tidy(items: Sequence[Item]) -> Chain:
    """A chain as one draws it: what works value by value is a note, rearrangements go, dense links are found."""
    kept: list[Item] = []
    for item in with_dense_blocks(_without_rearrangements(items)):
        last = kept[-1] if kept else None
        if isinstance(item, Layer) and item.kind == "elementwise" and isinstance(last, Layer | Parallel):
            kept[-1] = replace(last, notes=_noted(last.notes, item))
        elif isinstance(item, Layer) and isinstance(last, Layer) and _is_pointwise_after_depthwise(last, item):
            what = last.what.replace("depthwise", "separable")
            kept[-1] = replace(item, what=what, details=(*item.details, *last.details[1:]))
        else:
            kept.append(item)
    return tuple(kept)


def _noted(notes: tuple[str, ...], elementwise: Layer) -> tuple[str, ...]:
    """The notes of a part, and what follows it."""
    return (*notes, elementwise.what, *elementwise.notes)


def _without_rearrangements(items: Sequence[Item]) -> list[Item]:
    """The others; where there are none, the rearrangement that adds zeros or takes values away, if there is one."""
    moving = [item for item in items if isinstance(item, Layer) and item.kind == "rearrangement"]
    others = [item for item in items if not (isinstance(item, Layer) and item.kind == "rearrangement")]
    if others or not moving:
        return others
    telling = sorted((item for item in moving if item.what), key=lambda item: item.what == PART)
    return [replace(telling[0], shape=moving[-1].shape)] if telling else []


def _is_pointwise_after_depthwise(first: Layer, second: Layer) -> bool:
    """Whether two convolutions are one separable convolution, with nothing in between (Chollet 2017)."""
    return "depthwise conv" in first.what and not first.notes and second.what == "1×1 conv" and len(second.details) == 1


def with_dense_blocks(items: Sequence[Item]) -> list[Item]:
    """Runs of the same layers, each concatenated to what it takes, are dense blocks (Huang et al. 2017)."""
    result: list[Item] = []
    run: list[Parallel] = []
    for item in (*items, None):
        layer = _dense_layer(item)
        if run and (layer is None or layer != _dense_layer(run[0]) or _added(item) != _added(run[0])):
            result.extend([_dense_block(run)] if len(run) > 1 else run)
            run = []
        if layer is not None and isinstance(item, Parallel):
            run.append(item)
        elif item is not None:
            result.append(item)
    return result


def _dense_layer(item: Item | None) -> Chain | None:
    """The layer that is concatenated to its own input, or None."""
    match item:
        case Parallel(operation="concatenate", branches=((), layer) | (layer, ()), notes=()) if layer:
            return layer if layer[-1].shape[0] == _added(item) else None
        case _:
            return None


def _added(item: Item | None) -> int:
    return item.shape[0] - item.given[0] if isinstance(item, Parallel) else 0


def _dense_block(run: Sequence[Parallel]) -> Dense:
    first, last = run[0], run[-1]
    paths = [item.path.split(".") for item in run]
    common = [names[0] for names in zip(*paths, strict=False)]
    while any(path[: len(common)] != common for path in paths):
        common.pop()
    return Dense(
        layer=_dense_layer(first) or (),
        count=len(run),
        start=first.given[0],
        growth=_added(first),
        shape=last.shape,
        path=".".join(common),
    )
