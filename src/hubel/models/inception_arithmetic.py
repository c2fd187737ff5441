"""What an inception module multiplies, convolution by convolution: why there is a 1×1 before the 3×3 and the 5×5.

The modules are those of lectures on GoogLeNet: at 28×28 with 256 channels, where inception (3b) of Szegedy et al. 2014
(arXiv:1409.4842, table 1) stands, and the one branch at 28×28 with 192 channels that explains the idea. Everything is
computed from the shapes by closed formula; biases are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from hubel.models.classification.googlenet import MODULES, Widths

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ConvolutionCost:
    """One convolution of size "same" and stride 1.

    Attributes:
        name: What it is in its module, such as `"5×5 reduce"`.
        kernel_size: Height and width of its kernel.
        input_shape: Channels, height and width.
        output_shape: Channels, height and width.
    """

    name: str
    kernel_size: int
    input_shape: Shape
    output_shape: Shape

    @property
    def weights(self) -> int:
        """k² C_in C_out."""
        return self.kernel_size**2 * self.input_shape[0] * self.output_shape[0]

    @property
    def macs(self) -> int:
        """Multiply-accumulates: every weight at every place of the output."""
        return self.weights * self.output_shape[1] * self.output_shape[2]


@dataclass(frozen=True)
class ModuleCost:
    """The convolutions of one module or of one branch.

    Attributes:
        name: One line.
        input_shape: Channels, height and width.
        output_shape: Channels, height and width of all branches together.
        rows: The convolutions, in the order of the branches.
        note: What is printed elsewhere and why it differs; empty where there is nothing to say.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    rows: tuple[ConvolutionCost, ...]
    note: str = ""

    @property
    def weights(self) -> int:
        """Of all convolutions."""
        return sum(row.weights for row in self.rows)

    @property
    def macs(self) -> int:
        """Of all convolutions."""
        return sum(row.macs for row in self.rows)


def inception_arithmetic() -> tuple[ModuleCost, ...]:
    """The modules and branches that lectures compare, in the order of the argument.

    The naive module, the one with reductions to 64 channels, the one that the paper has there, and the 5×5 branch
    alone, without and with its reduction.
    """
    there, branch = (256, 28, 28), (192, 28, 28)
    return (
        naive_module("naive module", there, one=128, three=192, five=96),
        reduced_module(
            "module with reductions to 64 channels",
            there,
            Widths(one=128, reduce3=64, three=192, reduce5=64, five=96, projection=64),
            note="Lectures print 358M for these six convolutions (CS231n 2017, lecture 9): with 358,055,936 the sum "
            "has the 3×3's 86,704,128 twice.",
        ),
        reduced_module(
            "inception (3b) as published",
            there,
            MODULES["inception3b"],
            note="Table 1 of the paper prints 304M operations and 380K parameters.",
        ),
        _module("5×5 alone", branch, 32, (_same("5×5", 5, branch, 32),)),
        _module("5×5 behind its reduction", branch, 32, _behind_reduction(5, branch, 16, 32)),
    )


def naive_module(name: str, shape: Shape, *, one: int, three: int, five: int) -> ModuleCost:
    """The module of figure 2a on a map of this shape; the pooling keeps all of its channels."""
    rows = (_same("1×1", 1, shape, one), _same("3×3", 3, shape, three), _same("5×5", 5, shape, five))
    return _module(name, shape, one + three + five + shape[0], rows)


def reduced_module(name: str, shape: Shape, widths: Widths, *, note: str = "") -> ModuleCost:
    """The module of figure 2b on a map of this shape."""
    rows = (
        _same("1×1", 1, shape, widths.one),
        *_behind_reduction(3, shape, widths.reduce3, widths.three),
        *_behind_reduction(5, shape, widths.reduce5, widths.five),
        _same("pool projection", 1, shape, widths.projection),
    )
    return _module(name, shape, widths.out_channels, rows, note)


def _behind_reduction(kernel_size: int, shape: Shape, reduced: int, channels: int) -> tuple[ConvolutionCost, ...]:
    name = f"{kernel_size}×{kernel_size}"
    reduction = _same(f"{name} reduce", 1, shape, reduced)
    return reduction, _same(name, kernel_size, reduction.output_shape, channels)


def _same(name: str, kernel_size: int, shape: Shape, channels: int) -> ConvolutionCost:
    return ConvolutionCost(name, kernel_size, shape, (channels, *shape[1:]))


def _module(name: str, shape: Shape, channels: int, rows: tuple[ConvolutionCost, ...], note: str = "") -> ModuleCost:
    return ModuleCost(name, shape, (channels, *shape[1:]), rows, note)
