"""Prediction's throughput with hubel's settings against the twin's plain eager one, each in its own process; CPU.

hubel: freed memory kept, BatchNorm folded, channels_last (`--format contiguous` for the other one). The twin: PyTorch
as it comes, in evaluation mode under `torch.inference_mode`.

Run: python benchmarks/inference.py [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from side_by_side import alternate, median, spread
from twins import TWINS

NETWORKS = ("resnet50", "resnet18", "googlenet_bn", "densenet121", "timm/tf_efficientnet_lite0")


def one_side(name: str, arguments: argparse.Namespace) -> None:
    """Images per second of one side, as a JSON line."""
    import torch

    size = TWINS[name].size
    images = torch.randn(arguments.batch, 3, size, size)
    if arguments.side == "hubel":
        from hubel import runtime
        from hubel.models import build_model
        from hubel.models.folding import fold_batch_norm

        runtime.start()
        network = fold_batch_norm(build_model(name), (3, size, size))
        layout = torch.channels_last if arguments.format == "channels_last" else torch.contiguous_format
        network, images = network.to(memory_format=layout), images.to(memory_format=layout)
    else:
        network = TWINS[name].build().eval()
    with torch.inference_mode():
        for step in range(arguments.steps + 2):
            if step == 2:
                began = time.perf_counter()
            network(images)
    print(json.dumps({"images_per_second": arguments.steps * arguments.batch / (time.perf_counter() - began)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TWINS)}")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("channels_last", "contiguous"), default="channels_last")
    parser.add_argument("--side", choices=("hubel", "twin"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in TWINS]:
        sys.exit(f"error: {', '.join(unknown)} has no twin here: expected {', '.join(TWINS)}")
    if arguments.side:
        one_side(arguments.names[0], arguments)
        return
    options = [f"--{key}={getattr(arguments, key)}" for key in ("batch", "steps", "format")]
    for name in arguments.names or NETWORKS:
        me = [sys.executable, __file__, name, *options]
        figures = alternate({side: [*me, "--side", side] for side in ("hubel", "twin")}, arguments.rounds)
        print(f"{name}, batch {arguments.batch}, {arguments.rounds} rounds, median (least to greatest)")
        for side, rows in figures.items():
            print(f"  {side:<6} {spread(rows, 'images_per_second')} images/s, peak {spread(rows, 'peak_mb')} MB")
        speed = median(figures["hubel"], "images_per_second") / median(figures["twin"], "images_per_second")
        print(f"  ratio  {speed:.2f} times the speed", flush=True)


if __name__ == "__main__":
    main()
