"""A classifier that takes pictures of any size and answers at every place: its dense head becomes convolutions.

J. Long, E. Shelhamer, T. Darrell, Fully Convolutional Networks for Semantic Segmentation, 2015, arXiv:1411.4038,
section 3.1; P. Sermanet et al., OverFeat, 2013, arXiv:1312.6229, section 3.5.

A classifier for pictures of H×W (its window) with total stride S is slid over a larger picture in steps of S: place
(i, j) stands for the window whose upper left corner is at (i S, j S). The stages' maps of neighbouring windows are
almost the same, so they are computed once, for the whole picture, and a dense layer on a map of h×w becomes a
convolution of h×w. What then is equal to what:

- At every place, of every network: the result is the classifier's head on the h×w of the picture's last map that
  belong to the window.
- A network without padding (LeNet-5) sees nothing else in those h×w than in the window by itself: the result is the
  classifier's answer to the window that is cut out.
- A network whose convolutions are padded (AlexNet, VGG, ResNet) sees zeros around a window that is cut out, where in
  the picture it sees what is there. The answers differ, and no arithmetic can make them equal. The result is the
  classifier's answer to the window in its surroundings: equal to that for a larger piece of the picture, as far as
  the receptive field reaches, of whose last map the window's h×w are cut. At places near the border of the picture
  the receptive field reaches into the padding around it; `unpadded_places` tells which places are not touched by it.
"""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.complexity import output_field
from hubel.models.dry_run import dry_run, empty_image
from hubel.models.network import ClassificationNetwork
from hubel.models.receptive_field import Field
from hubel.nn import Concatenation, LocalResponseNorm

Size = tuple[int, int]

# Layers that treat every value for itself; in prediction, dropout is one of them.
_ELEMENTWISE = (
    *(nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish),
    *(nn.Tanh, nn.Sigmoid),
)
# Layers that treat every place of a map for itself.
_PER_PLACE = (nn.BatchNorm2d, LocalResponseNorm)


class FullyConvolutionalNetwork(nn.Module):
    """Stages and a head without dense layers; `to_fully_convolutional` makes it.

    Attributes:
        stages: The classifier's.
        head: From the last map to a map of logits.
        in_channels: Channels of the input.
        num_classes: How many classes the classifier tells apart.
        window: Height and width of the pictures that the classifier takes.
        stride: Pixels from one place to the next.
        field: What the first place's logits depend on, down and across; see `hubel.models.receptive_field`.
    """

    def __init__(self, stages: nn.Module, head: nn.Module, *, in_channels: int, num_classes: int, window: Size) -> None:
        super().__init__()
        self.stages = stages
        self.head = head
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.window = window
        self.field: Field = output_field(self, (in_channels, *window))
        self.stride = round(self.field[0].step)

    def forward(self, x: Tensor) -> Tensor:
        """The classifier's outputs (N, outputs, ≈(H - window) / stride + 1, ...) of images (N, in_channels, H, W).

        Raises:
            ValueError: The images have another number of channels, or are smaller than the window.
        """
        height, width = self.window
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[2] < height or x.shape[3] < width:
            raise ValueError(
                f"the input has shape {tuple(x.shape)}: this network takes (N, {self.in_channels}, H, W), H at least "
                f"{height} and W at least {width}"
            )
        return cast(Tensor, self.head(self.stages(x)))

    def windows(self, places: Size) -> Tensor:
        """The window of each place as a box.

        Args:
            places: Height and width of the map of logits.

        Returns:
            float32 (places, 4), `xyxy` in pixels, row by row. Those of the last row and column may end up to a stride
            outside of the picture, where the stages pad.
        """
        corners = torch.cartesian_prod(*(torch.arange(count) * self.stride for count in places)).flip(-1).float()
        corners = corners.view(-1, 2)
        return torch.cat([corners, corners + corners.new_tensor(self.window[::-1])], dim=1)

    def unpadded_places(self, size: Size) -> tuple[slice, slice]:
        """The rows and the columns of the map of logits whose receptive field lies in the picture, so without padding.

        Args:
            size: Height and width of the picture.
        """
        rows, columns = (
            slice(
                start := max(0, math.ceil(-span.low / span.step)),
                max(start, math.floor((length - 1 - span.high) / span.step) + 1),
            )
            for span, length in zip(self.field, size, strict=True)
        )
        return rows, columns


class PerPlace(nn.Module):
    """A layer for vectors, applied at every place of a map."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C_out, H, W)."""
        vectors = self.layer(x.permute(0, 2, 3, 1).flatten(0, 2))  # (N H W, C_out)
        places = vectors.unflatten(0, (x.shape[0], x.shape[2], x.shape[3]))
        return cast(Tensor, places.permute(0, 3, 1, 2))


class SlidHead(nn.Module):
    """A head whose layers are not known, given each window of the map in turn: the same answers for more work.

    Args:
        head: From a map (N, C, *window) to logits (N, num_classes).
        window: Height and width of the map that it takes.
    """

    def __init__(self, head: nn.Module, window: Size) -> None:
        super().__init__()
        self.head = head
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, num_classes, H - window + 1, W - window + 1)."""
        windows = x.unfold(2, self.window[0], 1).unfold(3, self.window[1], 1)  # (N, C, rows, columns, *window)
        rows = [
            torch.stack([self.head(windows[:, :, row, column]) for column in range(windows.shape[3])], dim=-1)
            for row in range(windows.shape[2])
        ]
        return torch.stack(rows, dim=2)


def to_fully_convolutional(network: ClassificationNetwork, window: Size | None = None) -> FullyConvolutionalNetwork:
    """A copy of a classifier, in evaluation mode, that answers at every place of a picture of any size.

    What its answers equal is at the top of this file. Dense layers, the poolings before them, dropout and activations
    become convolutions and layers on maps; a head that has anything else is slid over the last map as it is.

    Args:
        network: Any classifier whose last map is (N, C, H, W); it is not changed.
        window: Height and width of the pictures that it is for; None: those that it has to have.

    Raises:
        ValueError: The network takes any size and no window came, or one that it does not take; or it is no network to
            slide: its last stage gives no map, or what its stages see depends on the size of the whole picture.
    """
    window = window or network.size
    if window is None:
        raise ValueError("the network takes pictures of any size: say for which height and width it is, as `window`")
    _check_window(network, window)
    map_ = _map_size(network, window)
    _check_reach(network, window)
    copied = copy.deepcopy(network).eval()
    head = _on_any_map(copied.head, map_)
    return FullyConvolutionalNetwork(
        copied.stages, head, in_channels=network.in_channels, num_classes=network.num_classes, window=window
    ).eval()


def _check_window(network: ClassificationNetwork, window: Size) -> None:
    if network.size not in (None, window):
        raise ValueError(f"the window {window[0]}×{window[1]} came: this network is for {network.size}")
    if min(window) < network.smallest:
        raise ValueError(f"the window {window[0]}×{window[1]} came: expected at least {network.smallest}")


def _check_reach(network: ClassificationNetwork, window: Size) -> None:
    """Raise where what a stage sees grows with the picture."""
    height, width = (side + 2 * network.strides[-1] for side in window)
    near = output_field(network.stages, (network.in_channels, *window))
    far = output_field(network.stages, (network.in_channels, height, width))
    if near[0].size != far[0].size or near[1].size != far[1].size:
        raise ValueError(
            "the network's stages pool over the whole picture (as squeeze-and-excitation does): what they make of a "
            "window depends on all else in the picture, so that one pass is not the classifier slid over it"
        )


def _map_size(network: ClassificationNetwork, window: Size) -> Size:
    """Height and width of the last map, without arithmetic."""
    with torch.no_grad():
        map_ = dry_run(network.stages, empty_image(network, (network.in_channels, *window)))
    if map_.ndim != 4 or map_.shape[1] != network.out_channels[-1]:  # tokens, or a map with its channels last
        raise ValueError(f"the last stage gives {tuple(map_.shape)}: expected a map (N, C, H, W) to slide a head over")
    return int(map_.shape[2]), int(map_.shape[3])


def _on_any_map(head: nn.Module, map_: Size) -> nn.Module:
    """A head for maps of this size as one for maps of any size."""
    if isinstance(head, Concatenation):
        return Concatenation(**{name: _on_any_map(part, map_) for name, part in head.named_children()})
    converted = _as_convolutions(head, map_)
    return SlidHead(head, map_) if converted is None else converted


def _as_convolutions(head: nn.Module, map_: Size) -> nn.Sequential | None:
    """A head on a map of this size as layers on maps of any size; None where it has a layer that is not known."""
    if type(head) is not nn.Sequential:
        return None
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    size, flat = map_, False  # what is left of the map at this point, and whether it is a vector
    pooled_to: Size | None = None  # by a pooling that the next dense layer has to do as well
    for name, layer in head.named_children():
        if isinstance(layer, nn.Identity | nn.Dropout) or (isinstance(layer, _ELEMENTWISE) and not pooled_to):
            layers[name] = layer
        elif isinstance(layer, nn.Flatten) and not flat:
            flat = True
        elif isinstance(layer, nn.AdaptiveAvgPool2d) and not flat and not pooled_to:
            cells = _pair(layer.output_size, size)
            if cells == (1, 1) and size != (1, 1):
                layers[name] = nn.AvgPool2d(size, stride=1)
                size = cells
            elif cells != size:
                pooled_to = cells
        elif isinstance(layer, nn.Linear) and flat:
            layers[name] = _dense_as_convolution(layer, size, pooled_to or size)
            size, pooled_to = (1, 1), None
        elif pooled_to:
            return None
        elif flat and size == (1, 1):
            layers[name] = PerPlace(layer)
        elif not flat and (isinstance(layer, _PER_PLACE) or _is_1x1(layer)):
            layers[name] = layer
        else:
            return None
    return nn.Sequential(layers) if flat and size == (1, 1) and not pooled_to else None


def _dense_as_convolution(dense: nn.Linear, size: Size, cells: Size) -> nn.Conv2d:
    """A dense layer on a map of this size, which an adaptive pooling perhaps made into cells before."""
    channels = dense.in_features // (cells[0] * cells[1])
    weight = dense.weight.detach().view(dense.out_features, channels, *cells)
    if cells != size:
        rows, columns = (_pooling(*sides).to(weight) for sides in zip(size, cells, strict=True))
        weight = torch.einsum("kcij,ih,jw->kchw", weight, rows, columns)
    with torch.device("meta"):
        convolution = nn.Conv2d(channels, dense.out_features, size, bias=dense.bias is not None)
    convolution.weight = nn.Parameter(weight, requires_grad=dense.weight.requires_grad)
    if dense.bias is not None:
        convolution.bias = dense.bias
    return convolution


def _pooling(length: int, cells: int) -> Tensor:
    """What adaptive average pooling of one axis multiplies with: (cells, length)."""
    return F.adaptive_avg_pool1d(torch.eye(length)[None], cells)[0].T


def _is_1x1(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == layer.stride == (1, 1) and layer.padding == (0, 0)


def _pair(output_size: int | tuple[int | None, ...] | None, size: Size) -> Size:
    """An adaptive pooling's argument for both axes, None being the size that comes."""
    sides = output_size if isinstance(output_size, tuple) else (output_size, output_size)
    height, width = (before if side is None else side for side, before in zip(sides, size, strict=True))
    return height, width
