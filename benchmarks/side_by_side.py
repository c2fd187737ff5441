"""Two or more commands measured in turn, each in a process of its own: A B A B ..., so that drift hits all alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence


def alternate(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Run each command `rounds` times, in turn; its last line on stdout is JSON with its figures.

    Returns:
        Each command's figures, round by round; `peak_mb` (the largest resident memory, in MB of 1e6 bytes) is added.
    """
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            figures[name].append(run(command))
            print(f"  round {number}, {name}: {json.dumps(figures[name][-1])}", file=sys.stderr, flush=True)
    return figures


def run(command: Sequence[str]) -> dict[str, float]:
    """Run one command and read its figures."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return {**json.loads(output.splitlines()[-1]), "peak_mb": round(usage.ru_maxrss * 1024 / 1e6, 1)}


def median(figures: Sequence[Mapping[str, float]], key: str) -> float:
    """The median of one figure over the rounds."""
    return statistics.median(figure[key] for figure in figures)


def spread(figures: Sequence[Mapping[str, float]], key: str) -> str:
    """`median (least to greatest)`."""
    values = [figure[key] for figure in figures]
    return f"{statistics.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})"
