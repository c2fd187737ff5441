"""How long `hubel --help` and `import hubel` take, beside a Python that does nothing.

Run: python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import hubel": [sys.executable, "-c", "import hubel"],
    "hubel --help": [sys.executable, "-m", "hubel", "--help"],
    "hubel train --help": [sys.executable, "-m", "hubel", "train", "--help"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    print(f"{'command':<20} {'median':>8} {'least':>8} {'most':>8}   seconds, {ROUNDS} rounds after one to warm up")
    for name, values in seconds.items():
        counted = values[1:]
        print(f"{name:<20} {statistics.median(counted):>8.3f} {min(counted):>8.3f} {max(counted):>8.3f}")


if __name__ == "__main__":
    main()
