"""Which input pixels a value of a map depends on, followed from operation to operation.

Closed formulas for one axis, as in Araujo, Norris & Sim 2019, Computing Receptive Fields of Convolutional
Neural Networks, doi:10.23915/distill.00021. The field is the theoretical one: where it is larger than the
input, the rest is padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Span:
    """One axis of a map.

    Attributes:
        low: The first input pixel that the map's first value depends on; negative in the padding.
        high: The last one.
        step: How many input pixels lie between neighbouring values.
        length: How many values the axis has.
    """

    low: float
    high: float
    step: float
    length: int

    @property
    def size(self) -> int:
        """The receptive field in pixels."""
        return round(self.high - self.low) + 1

    def whole(self) -> Span:
        """One value that depends on everything this axis does."""
        return Span(self.low, self.high + (self.length - 1) * self.step, self.step, 1)

    def window(self, kernel: int, stride: int, padding: int, dilation: int, length: int) -> Span:
        """A convolution or a pooling."""
        low = self.low - padding * self.step
        high = self.high + (dilation * (kernel - 1) - padding) * self.step
        return Span(low, high, self.step * stride, length)

    def transposed_window(self, kernel: int, stride: int, padding: int, dilation: int, length: int) -> Span:
        """A transposed convolution: a value depends on at most ⌈kernel / stride⌉ values before it."""
        reach = math.ceil((dilation * (kernel - 1) + 1) / stride)
        high = self.high + padding // stride * self.step
        return Span(self.low + (padding // stride - reach + 1) * self.step, high, self.step / stride, length)

    def shifted(self, start: int, stride: int, length: int) -> Span:
        """A slice, or padding where `start` is negative."""
        return Span(self.low + start * self.step, self.high + start * self.step, self.step * stride, length)

    def resampled(self, neighbours: int, length: int) -> Span:
        """An interpolation that weighs so many values more than the nearest one, on either side together."""
        before = math.ceil(neighbours / 2)
        return Span(
            self.low - before * self.step,
            self.high + (neighbours - before) * self.step,
            self.step * self.length / length,
            length,
        )


Field = tuple[Span, Span]


def union(fields: Iterable[Field]) -> Field:
    """What a value depends on that is made of values of several maps."""
    fields = list(fields)
    return _both(lambda axis: _union_of_axis([field[axis] for field in fields]))


def _union_of_axis(spans: list[Span]) -> Span:
    longest = max(spans, key=lambda span: span.length)
    return replace(longest, low=min(span.low for span in spans), high=max(span.high for span in spans))


def propagate(operation: str, values: Mapping[str, Any], fields: list[Field], output: Tensor) -> Field:
    """The field of an operation's output.

    Args:
        operation: ATen's name, such as `"aten::convolution"`.
        values: Its arguments by the names of ATen's schema.
        fields: The fields of those of its tensors that depend on the input; at least one.
        output: What it returned.
    """
    field = union(fields)
    image = values.get("input", values.get("self"))
    if isinstance(image, Tensor) and image.ndim == 4 and operation in _RULES:
        return _RULES[operation](field, values, image, output)
    if output.ndim != 4 and isinstance(image, Tensor) and image.ndim == 4:
        return field[0].whole(), field[1].whole()  # flattened: its layers mix all places
    return field


def _convolution(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    move = Span.transposed_window if values["transposed"] else Span.window
    kernel = values["weight"].shape[2:]
    stride, padding, dilation = values["stride"], values["padding"], values["dilation"]
    return _both(
        lambda axis: move(
            field[axis],
            kernel[axis],
            _of(stride, axis),
            _of(padding, axis),
            _of(dilation, axis),
            output.shape[2 + axis],
        )
    )


def _pooling(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    kernel, padding, dilation = values["kernel_size"], values["padding"], values.get("dilation", 1)
    stride = values["stride"] or kernel
    return _both(
        lambda axis: field[axis].window(
            _of(kernel, axis),
            _of(stride, axis),
            _of(padding, axis),
            _of(dilation, axis),
            output.shape[2 + axis],
        )
    )


def _adaptive_pooling(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    def shrink(axis: int) -> Span:
        before, after = field[axis].length, output.shape[2 + axis]
        return field[axis].window(math.ceil(before / after), max(1, before // after), 0, 1, after)

    return _both(shrink)


def _reduction(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    dims = {dim % 4 for dim in values["dim"] or range(4)}
    return _both(lambda axis: field[axis].whole() if axis + 2 in dims else field[axis])


def _padding(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    pad = values["pad"] if "pad" in values else values["padding"]
    before = (pad[2] if len(pad) > 2 else 0, pad[0])  # (left, right, top, bottom)
    return _both(lambda axis: field[axis].shifted(-before[axis], 1, output.shape[2 + axis]))


def _slice(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
    sliced = values["dim"] % 4 - 2
    start, step = values["start"] or 0, values["step"]
    return _both(
        lambda axis: field[axis].shifted(start, step, output.shape[2 + axis]) if axis == sliced else field[axis]
    )


def _interpolation(neighbours: int) -> Callable[..., Field]:
    def rule(field: Field, values: Mapping[str, Any], image: Tensor, output: Tensor) -> Field:
        return _both(lambda axis: field[axis].resampled(neighbours, output.shape[2 + axis]))

    return rule


def _both(rule: Callable[[int], Span]) -> Field:
    """The height's span (axis 0) and the width's (axis 1)."""
    return rule(0), rule(1)


def _of(value: int | list[int], axis: int) -> int:
    """An operation's argument for one axis; a single value is for both."""
    return value if isinstance(value, int) else value[-1 if len(value) == 1 else axis]


_RULES: dict[str, Callable[[Field, Mapping[str, Any], Tensor, Tensor], Field]] = {
    "aten::convolution": _convolution,
    "aten::max_pool2d_with_indices": _pooling,
    "aten::avg_pool2d": _pooling,
    "aten::_adaptive_avg_pool2d": _adaptive_pooling,
    "aten::adaptive_max_pool2d": _adaptive_pooling,
    "aten::mean": _reduction,
    "aten::sum": _reduction,
    "aten::amax": _reduction,
    "aten::constant_pad_nd": _padding,
    "aten::reflection_pad2d": _padding,
    "aten::replication_pad2d": _padding,
    "aten::slice": _slice,
    "aten::upsample_nearest2d": _interpolation(0),
    "aten::upsample_bilinear2d": _interpolation(1),
    "aten::upsample_bicubic2d": _interpolation(3),
}
