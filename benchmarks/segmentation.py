"""Segmentation networks against their twins: a training step and prediction, CPU, each side in a process of its own.

`unet/resnet18` at 256, batch 4, against segmentation_models_pytorch's `Unet("resnet18")`; `fcn_resnet50` at 256, batch
4, with its auxiliary head in training, against torchvision's. Both sides take the same random pictures and masks, with
cross entropy and AdamW. hubel's side has the settings of its verbs: freed memory kept, channels_last (`--format
contiguous` for the other one), BatchNorm folded for prediction; the twin is PyTorch as it comes, in evaluation mode
under `torch.inference_mode` for prediction. `--equal-format` gives the twin hubel's memory format, too.

segmentation_models_pytorch is no dependency of hubel: `--python` is the interpreter of an environment that has it
(`pip install segmentation-models-pytorch`); without it that comparison is left out, with a line.

Run: python benchmarks/segmentation.py [--python ../smp/bin/python]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from side_by_side import alternate, median, spread

if TYPE_CHECKING:
    import torch
    from torch import nn

CLASSES = 2
PAIRS = {"unet/resnet18": "segmentation_models_pytorch", "fcn_resnet50": "torchvision"}


def ours(name: str) -> nn.Module:
    from hubel.models import build_model

    return build_model(name, num_classes=CLASSES)


def twin(name: str) -> nn.Module:
    if name == "fcn_resnet50":
        from torchvision.models.segmentation import fcn_resnet50

        return fcn_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    import segmentation_models_pytorch

    return segmentation_models_pytorch.Unet("resnet18", encoder_weights=None, classes=CLASSES)


def loss(network: nn.Module, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the head, and half of that of the auxiliary head where there is one."""
    from torch.nn import functional as F

    if hasattr(network, "forward_with_aux"):
        logits, aux = network.forward_with_aux(images)
        others = list(aux.values())
    else:
        outputs = network(images)
        logits, others = (outputs["out"], [outputs["aux"]]) if isinstance(outputs, dict) else (outputs, [])
    return F.cross_entropy(logits, masks) + 0.5 * sum(F.cross_entropy(other, masks) for other in others)


def seconds_of(step: Callable[[], object], steps: int) -> float:
    """Seconds of a step, the first two left out."""
    for number in range(steps + 2):
        if number == 2:
            began = time.perf_counter()
        step()
    return (time.perf_counter() - began) / steps


def one_side(arguments: argparse.Namespace) -> None:
    """Images per second of training and of prediction of one side, as a JSON line."""
    import torch

    hubels = arguments.side == "hubel"
    if hubels:
        from hubel import runtime

        runtime.start()
    layout = torch.contiguous_format
    if (hubels or arguments.equal_format) and arguments.format == "channels_last":
        layout = torch.channels_last
    torch.manual_seed(0)
    size = (arguments.batch, 3, arguments.size, arguments.size)
    images = torch.randn(size).to(memory_format=layout)
    masks = torch.randint(CLASSES, (arguments.batch, arguments.size, arguments.size))
    network = (ours if hubels else twin)(arguments.network).to(memory_format=layout).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def train() -> None:
        optimizer.zero_grad()
        value = loss(network, images, masks)
        value.backward()
        optimizer.step()

    training = seconds_of(train, arguments.steps)
    network.eval()
    if hubels:
        from hubel.models.folding import fold_batch_norm

        network = fold_batch_norm(network, size[1:]).to(memory_format=layout)
    with torch.inference_mode():
        prediction = seconds_of(lambda: network(images), arguments.steps)
    print(json.dumps({"training": arguments.batch / training, "prediction": arguments.batch / prediction}))


def has(python: str, module: str) -> bool:
    """Whether an interpreter can import a module."""
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(PAIRS)}")
    parser.add_argument("--python", default=sys.executable, help="the interpreter for segmentation_models_pytorch")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("channels_last", "contiguous"), default="channels_last")
    parser.add_argument("--equal-format", action="store_true", help="hubel's memory format for the twin, too")
    parser.add_argument("--side", choices=("hubel", "twin"), help=argparse.SUPPRESS)
    parser.add_argument("--network", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        one_side(arguments)
        return
    if unknown := [name for name in arguments.networks if name not in PAIRS]:
        sys.exit(f"error: {', '.join(unknown)} has no twin here: expected {', '.join(PAIRS)}")
    options = [f"--{key}={getattr(arguments, key)}" for key in ("size", "batch", "steps", "format")]
    options += ["--equal-format"] if arguments.equal_format else []
    for name in arguments.networks or PAIRS:
        pythons = {"hubel": sys.executable, "twin": arguments.python if name.startswith("unet/") else sys.executable}
        if not has(pythons["twin"], PAIRS[name]):
            print(f"{name}: left out, {pythons['twin']} has no {PAIRS[name]}; give --python of an environment that has")
            continue
        commands = {
            side: [python, __file__, *options, "--network", name, "--side", side] for side, python in pythons.items()
        }
        figures = alternate(commands, arguments.rounds)
        print(
            f"{name}, {arguments.size}×{arguments.size}, batch {arguments.batch}, {arguments.rounds} rounds, "
            "median (least to greatest)"
        )
        for what in ("training", "prediction"):
            for side, rows in figures.items():
                print(f"  {what:<10} {side:<6} {spread(rows, what)} images/s")
            print(f"  {what:<10} ratio  {median(figures['hubel'], what) / median(figures['twin'], what):.2f}")
        for side, rows in figures.items():
            print(f"  peak       {side:<6} {spread(rows, 'peak_mb')} MB", flush=True)


if __name__ == "__main__":
    main()
