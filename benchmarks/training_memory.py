"""What a training step takes in memory on the CPU beside what `hubel models compare` computes for it.

Each network trains two steps with AdamW in a process of its own; what counts is the growth of its largest resident
memory. The allocator is left as it comes.

Run: python benchmarks/training_memory.py [--batch N] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from pathlib import Path

from side_by_side import run

NETWORKS = ("resnet50", "vgg16", "googlenet", "densenet121")


def one_network(name: str, batch: int) -> None:
    """Both figures in MB, as a JSON line."""
    import torch
    from torch.nn import functional as F

    import hubel
    from hubel.models.registry import model_entry
    from hubel.models.training_memory import training_memory

    entry = model_entry(name)
    computed = training_memory(entry.build_shapes(), entry.input_size, batch=batch)
    small = torch.randn(1, 3, 8, 8, requires_grad=True)
    F.conv2d(small, torch.randn(4, 3, 3, 3)).sum().backward()  # what the libraries need is there before
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    network = hubel.create_model(name).train()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    images, labels = torch.randn(batch, *entry.input_size), torch.zeros(batch, dtype=torch.long)
    for _ in range(2):
        logits, aux = network.forward_with_aux(images)
        loss = F.cross_entropy(logits, labels)
        for other in aux.values():
            loss = loss + network.aux_weight * F.cross_entropy(other, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(json.dumps({"computed_mb": computed.total / 1e6, "measured_mb": grown / 1e6}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_network(arguments.names[0], arguments.batch)
        return
    for name in arguments.names or NETWORKS:
        figures = run([sys.executable, __file__, name, f"--batch={arguments.batch}", "--one"])
        computed, measured = figures["computed_mb"], figures["measured_mb"]
        print(f"{name}, batch {arguments.batch}: computed {computed:,.0f} MB, measured {measured:,.0f} MB", end=", ")
        print(f"{100 * (measured / computed - 1):+.0f} %", flush=True)


if __name__ == "__main__":
    main()
