"""One pass of a fully convolutional network against its classifier slid over the picture window by window; CPU.

Both sides answer at the same places, one stride apart; the windows are cut out of the picture as views and classified
in batches. Rounds alternate in one process. Beside the seconds stand the multiply-accumulates: what a faster machine
could not change. Without padding (LeNet-5) the answers are the same and the largest difference is printed; a padded
network sees zeros around a window that is cut out (docs/detection.md, "Sliding windows").

Run: python benchmarks/sliding_window.py [NAME ...] [--places 8]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from hubel import runtime
from hubel.models import ClassificationNetwork, build_model, model_entry
from hubel.models.complexity import complexity
from hubel.models.fully_convolutional import to_fully_convolutional

NETWORKS = ("lenet5_modern", "alexnet", "resnet18", "vgg16")


def slide(classifier: ClassificationNetwork, x: Tensor, window: tuple[int, int], stride: int, batch: int) -> Tensor:
    """Logits (1, num_classes, rows, columns) of every window of a picture (1, C, H, W)."""
    cut = x.unfold(2, window[0], stride).unfold(3, window[1], stride)[0]  # (C, rows, columns, *window)
    rows, columns = cut.shape[1:3]
    windows = cut.permute(1, 2, 0, 3, 4)
    logits = [
        classifier(torch.stack([windows[place // columns, place % columns] for place in places]))
        for places in torch.arange(rows * columns).split(batch)
    ]
    return torch.cat(logits).T.reshape(1, -1, rows, columns)


def seconds(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """How long one call takes, and what it returns."""
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def measure(name: str, arguments: argparse.Namespace) -> None:
    """Print one network's lines."""
    torch.manual_seed(0)
    channels, height, width = model_entry(name).input_size
    classifier = build_model(name, num_classes=arguments.classes).eval()
    assert isinstance(classifier, ClassificationNetwork)
    one_pass = to_fully_convolutional(classifier, (height, width))
    size = tuple(side + (arguments.places - 1) * one_pass.stride for side in (height, width))
    x = torch.randn(1, channels, *size)
    sides = {
        "one pass": lambda: one_pass(x),
        "windows": lambda: slide(classifier, x, (height, width), one_pass.stride, arguments.batch),
    }
    taken: dict[str, list[float]] = {side: [] for side in sides}
    answers = {}
    for number in range(arguments.rounds + 1):
        for side, run in sides.items():
            time_of_one, answers[side] = seconds(run)
            if number:  # the first round warms up
                taken[side].append(time_of_one)
    assert answers["one pass"].shape == answers["windows"].shape
    places = arguments.places**2
    macs = {
        "one pass": complexity(one_pass, (channels, *size)).macs,
        "windows": places * complexity(classifier, (channels, height, width)).macs,
    }
    print(f"{name}: {places} windows of {height}×{width}, {one_pass.stride} apart, in a picture of {size[0]}×{size[1]}")
    for side, times in taken.items():
        spread = f"{statistics.median(times):8.3f} s ({min(times):.3f} to {max(times):.3f})"
        print(f"  {side:<8} {spread}, {macs[side] / 1e6:12,.2f} M multiply-accumulates")
    faster = statistics.median(taken["windows"]) / statistics.median(taken["one pass"])
    fewer = macs["windows"] / macs["one pass"]
    print(f"  ratio    {faster:8.1f} times as fast, {fewer:.1f} times fewer multiplications")
    if one_pass.unpadded_places(size) == (slice(0, arguments.places), slice(0, arguments.places)):
        print(f"  largest difference of a logit: {(answers['one pass'] - answers['windows']).abs().max():.1e}")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"classification networks; {', '.join(NETWORKS)}")
    parser.add_argument("--places", type=int, default=8, help="windows across and down")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16, help="windows classified at once")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if min(arguments.places, arguments.batch, arguments.rounds) < 1:
        sys.exit("error: --places, --batch and --rounds are at least 1")
    runtime.start()
    with torch.inference_mode():
        for name in arguments.names or NETWORKS:
            measure(name, arguments)


if __name__ == "__main__":
    main()
