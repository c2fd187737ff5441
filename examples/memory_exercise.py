"""The memory exercise: which is easier to learn by heart, ten random numbers or nineteen even ones in a row?

After A. Géron, Hands-On Machine Learning with Scikit-Learn, Keras and TensorFlow (2nd edition, 2019), chapter 17. An
autoencoder that has seen many sequences of a kind is to give a sequence back through a code of few numbers. Regular
ones, each number so much more or less than the one before, have a pattern that two numbers tell, however long they
are; random ones have none.

Run: python examples/memory_exercise.py [--steps 2000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from hubel import runtime
from hubel.models import build_model
from hubel.models.generative import Autoencoder
from hubel.tasks.generative.reconstruction import mean_squared_error

RANDOM = (40, 27, 25, 36, 81, 57, 10, 73, 19, 68)
EVEN = tuple(range(50, 13, -2))
BATCH, RATE = 128, 3e-3


def random_sequences(count: int) -> Tensor:
    """Ten numbers from 0 to 100 each, (count, 10)."""
    return 100 * torch.rand(count, len(RANDOM))


def regular_sequences(count: int) -> Tensor:
    """Nineteen numbers with a step from -3 to 3, which stay about 0 to 100, (count, 19)."""
    places = torch.arange(len(EVEN)) - len(EVEN) // 2
    return 30 + 40 * torch.rand(count, 1) + 3 * (2 * torch.rand(count, 1) - 1) * places


def as_pictures(sequences: Tensor) -> Tensor:
    """One row of pixels each, (count, 1, 1, length), from 0 to 1."""
    return (sequences / 100)[:, None, None]


def learnt(draw: Callable[[int], Tensor], length: int, code_size: int, steps: int) -> Autoencoder:
    """An autoencoder that has seen so many batches of new sequences."""
    torch.manual_seed(0)
    network = build_model(
        "autoencoder", size=(1, length), widths=(64,), code_size=code_size, activation="selu", output="linear"
    )
    assert isinstance(network, Autoencoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        x = as_pictures(draw(BATCH))
        loss = mean_squared_error(network(x), x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def main() -> None:
    """Train an autoencoder of each code size for both kinds, and ask each for its sequence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    runtime.start(1)
    kinds = {"10 random numbers": (random_sequences, RANDOM), "19 even numbers": (regular_sequences, EVEN)}
    for name, (draw, sequence) in kinds.items():
        print(f"{name}: {' '.join(map(str, sequence))}")
        for code_size in (1, 2, 5, 10):
            network = learnt(draw, len(sequence), code_size, arguments.steps)
            with torch.no_grad():
                recalled = 100 * network.reconstruct(as_pictures(torch.tensor([sequence])))[0, 0, 0]
            error = (recalled - torch.tensor(sequence)).abs().mean().item()
            numbers = " ".join(f"{number:.0f}" for number in recalled.tolist())
            print(f"  code of {code_size:>2}: off by {error:4.1f} on average   {numbers}")


if __name__ == "__main__":
    main()
