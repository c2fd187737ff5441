"""Each network against its twin in torchvision or timm: forward, forward and backward, peak memory; CPU.

Both sides run in one process in turn, step by step, in the same memory format and under the same allocator, so that
drift hits both alike. Peak memory is counted: the most that the tensors of one step take at once (activations, and
gradients where there are any; not weights, nor what oneDNN takes for itself), from every allocation that the profiler
saw. A process's resident memory would add up to 30 % of chance to it.

Run: python benchmarks/networks.py [NAME ...] [--channels-last]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING

from twins import TWINS

if TYPE_CHECKING:
    import torch
    from torch import nn


def build(name: str, side: str) -> nn.Module:
    """One side's network with 1,000 classes."""
    if side == "twin":
        return TWINS[name].build()
    from hubel.models import build_model

    return build_model(name)


def logits(network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """All logits: in training mode those of the auxiliary heads, too."""
    if network.training and hasattr(network, "forward_with_aux"):
        head, aux = network.forward_with_aux(images)
        return [head, *aux.values()]
    output = network(images)
    return list(output) if isinstance(output, tuple) else [output]


def forward(network: nn.Module, images: torch.Tensor) -> None:
    """Prediction's pass."""
    import torch

    network.eval()
    with torch.inference_mode():
        logits(network, images)


def forward_backward(network: nn.Module, images: torch.Tensor) -> None:
    """A training step without the optimiser."""
    network.train()
    network.zero_grad(set_to_none=True)
    sum(output.square().mean() for output in logits(network, images)).backward()


STEPS = {"forward": forward, "forward and backward": forward_backward}


def images_for(name: str, batch: int, channels_last: bool) -> torch.Tensor:
    """Random images."""
    import torch

    size = TWINS[name].size
    images = torch.randn(batch, 3, size, size)
    return images.to(memory_format=torch.channels_last) if channels_last else images


def in_format(network: nn.Module, channels_last: bool) -> nn.Module:
    """The network in the chosen memory format."""
    import torch

    return network.to(memory_format=torch.channels_last) if channels_last else network


def compare(name: str, arguments: argparse.Namespace) -> None:
    """Both sides in turn in this process; one JSON line with the medians of both, of their ratios, and the memory."""
    from hubel import runtime

    runtime.start()
    images = images_for(name, arguments.batch, arguments.channels_last)
    sides = {side: in_format(build(name, side), arguments.channels_last) for side in ("hubel", "twin")}
    rows = {}
    for title, step in STEPS.items():
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(arguments.steps + 2):
            for side in sorted(sides, reverse=bool(number % 2)):
                began = time.perf_counter()
                step(sides[side], images)
                if number >= 2:
                    seconds[side].append(time.perf_counter() - began)
        ratios = [ours / theirs for ours, theirs in zip(seconds["hubel"], seconds["twin"], strict=True)]
        rows[title] = {
            "hubel_ms": statistics.median(seconds["hubel"]) * 1e3,
            "twin_ms": statistics.median(seconds["twin"]) * 1e3,
            "ratio": statistics.median(ratios),
            **{f"{side}_mb": peak(step, sides[side], images) for side in sides},
        }
    print(json.dumps(rows))


def peak(step: Callable[[nn.Module, torch.Tensor], None], network: nn.Module, images: torch.Tensor) -> float:
    """The most that the tensors of a step take at once, in MB of 1e6 bytes."""
    from torch.profiler import ProfilerActivity, profile

    network.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step(network, images)
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    taken = accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(taken) / 1e6


def measure(name: str) -> dict[str, dict[str, float]]:
    """Compare one network in a process of its own; its last line is JSON."""
    command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TWINS)}")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        compare(arguments.one, arguments)
        return
    if unknown := [name for name in arguments.names if name not in TWINS]:
        sys.exit(f"error: {', '.join(unknown)} has no twin here: expected {', '.join(TWINS)}")
    layout = "channels_last" if arguments.channels_last else "contiguous"
    print(f"batch {arguments.batch}, {layout}, medians of {arguments.steps} steps; ratio: hubel / twin, less is better")
    print(f"{'':<27}" + "".join(f" {title:^48}" for title in STEPS))
    print(
        f"{'network':<27}"
        + f" {'hubel ms':>9} {'twin ms':>9} {'ratio':>6} {'hubel MB':>8} {'twin':>6} {'ratio':>5}" * 2
    )
    for name in arguments.names or TWINS:
        rows = measure(name)
        line = f"{name:<27}"
        for title in STEPS:
            row = rows[title]
            line += f" {row['hubel_ms']:>9.1f} {row['twin_ms']:>9.1f} {row['ratio']:>6.3f}"
            line += f" {row['hubel_mb']:>8.0f} {row['twin_mb']:>6.0f} {row['hubel_mb'] / row['twin_mb']:>5.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
