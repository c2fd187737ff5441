"""A classification network as backbone: its stages' maps at the strides that a detector asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from hubel.models.network import ClassificationNetwork, check_images
from hubel.models.registry import build_model


class Backbone(nn.Module):
    """The stages of a classification network, as far as the coarsest map that is asked for; the head is left out.

    Of several stages with the same stride the last one's map is taken: it is the one that saw most.

    Args:
        network: Any classification network, of hubel or of timm, with whatever weights it has. Its stages become the
            backbone's own.
        strides: Of the maps, in input pixels, ascending.
        frozen_norm: Keep every BatchNorm as it is, statistics, weight and bias: what detectors do that start from
            pretrained weights, since a step has too few pictures for statistics (Ren et al. 2015, arXiv:1506.01497,
            through He et al. 2015, arXiv:1512.03385, appendix A).
        norm_eps: The epsilon of every BatchNorm; None: the network's own.

    Attributes:
        stages: The network's stages, under their own names.
        strides: As given.
        out_channels: Per map.
        in_channels: Channels of the input.

    Raises:
        ValueError: The network has no stage of a stride.
    """

    def __init__(
        self,
        network: ClassificationNetwork,
        strides: Sequence[int],
        *,
        frozen_norm: bool = False,
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        names = [name for name, _ in network.stages.named_children()]
        if missing := [stride for stride in strides if stride not in network.strides]:
            raise ValueError(
                f"the backbone has maps of strides {_listed(sorted(set(network.strides)))}, none of "
                f"{_listed(missing)}: expected one whose stages have strides {_listed(strides)}"
            )
        last = {
            stride: number for number, stride in enumerate(network.strides)
        }  # a later stage replaces an earlier one
        taken = [last[stride] for stride in strides]
        self.stages = nn.Sequential(
            OrderedDict((name, network.stages.get_submodule(name)) for name in names[: max(taken) + 1])
        )
        self.taken = tuple(names[number] for number in taken)
        self.strides = tuple(strides)
        self.out_channels = tuple(network.out_channels[number] for number in taken)
        self.in_channels = network.in_channels
        self.size = network.size
        self.smallest = network.smallest
        self.frozen_norm = frozen_norm
        if norm_eps is not None:
            for norm in self._norms():
                norm.eps = norm_eps
        if frozen_norm:
            self.hold_norms()
            self.train(self.training)

    def forward(self, x: Tensor) -> list[Tensor]:
        """One map (N, C, ≈H / stride, ≈W / stride) per stride, of images (N, in_channels, H, W).

        Raises:
            ValueError: The images have another number of channels, or a size that the stages cannot take.
        """
        check_images(x, self.in_channels, self.size, self.smallest)
        maps = {}
        for name, stage in self.stages.named_children():
            x = stage(x)
            maps[name] = x
        return [maps[name] for name in self.taken]

    def train(self, mode: bool = True) -> Backbone:
        """As for any module; frozen BatchNorms stay in evaluation mode."""
        super().train(mode)
        if self.frozen_norm:
            for norm in self._norms():
                norm.eval()
        return self

    def hold_norms(self) -> None:
        """Keep frozen BatchNorms from training again after somebody has let all parameters train."""
        if self.frozen_norm:
            for norm in self._norms():
                norm.requires_grad_(False)

    def _norms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]


def build_backbone(backbone: str | ClassificationNetwork, in_channels: int) -> ClassificationNetwork:
    """The classification network of a name, with fresh weights; its head, which is left out, is a small one.

    Args:
        backbone: Of `list_models("classification")`, or `timm/<name>`; a network, which is given back, as it is.
        in_channels: Channels of the input.

    Raises:
        ConfigError: There is none of this name.
        ValueError: It is no classification network, or takes another number of channels.
    """
    network = build_model(backbone, num_classes=1, in_channels=in_channels) if isinstance(backbone, str) else backbone
    if not isinstance(network, ClassificationNetwork):
        raise ValueError(f"{backbone} is no classification network: expected one as backbone")
    if network.in_channels != in_channels:
        raise ValueError(f"the backbone takes {network.in_channels} channels, {in_channels} are wanted")
    return network


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
