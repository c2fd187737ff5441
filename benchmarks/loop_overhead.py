"""What hubel's fit loop costs beside a bare hand-written loop: LeNet-5, batch 64, the same pictures in memory.

Both sides shuffle, normalise uint8 pictures, train with fused AdamW and read the loss of every step. hubel's side adds
the learning-rate schedule, gradient clipping, the check for NaN, seeding, sums for the log, the question whether to
stop, and the progress report. Neither augments or validates. Rounds alternate in one process.

Run: python benchmarks/loop_overhead.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from hubel import runtime
from hubel.config import OptimizerConfig, Phase, TransferConfig
from hubel.data.decoded.store import prepare_store
from hubel.data.loading.loader import Loader
from hubel.data.sources import Sample
from hubel.models.registry import build_model
from hubel.preprocessing import Preprocess
from hubel.tasks.classification import ClassificationTask
from hubel.training.fit import Fit
from hubel.training.fit_settings import FitSettings
from hubel.training.interruption import StopRequest
from hubel.training.progress import Reporter

COUNT, BATCH = 6400, 64
PREPROCESS = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.1,), std=(0.3,))


def pictures(folder: Path) -> list[Sample]:
    """Random grey pictures of 32×32 as files, so that both sides begin with what hubel decodes."""
    generator = np.random.default_rng(0)
    samples = []
    for number in range(COUNT):
        path = folder / f"{number}.png"
        Image.fromarray(generator.integers(0, 256, (32, 32), dtype=np.uint8)).save(path)
        samples.append(Sample(path.parent, path.name, number % 10, f"{number:032x}"))
    return samples


def bare_epoch(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """An epoch as everybody writes it."""
    network.train()
    total = 0.0
    for indices in torch.randperm(len(images)).split(BATCH):
        batch = PREPROCESS.normalise(images[indices])
        loss = F.cross_entropy(network(batch), labels[indices])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(indices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--network", default="lenet5")
    arguments = parser.parse_args()
    runtime.start(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        store = prepare_store(
            pictures(Path(folder)), PREPROCESS, classes=[*"0123456789"], purpose="training", cache_bytes=10**9
        )
        block = store.block()
        assert block is not None
        images, labels = torch.from_numpy(block[np.arange(len(store))]), torch.from_numpy(store.labels)
        torch.manual_seed(0)
        bare_network, our_network = (build_model(arguments.network) for _ in range(2))
        optimizer = torch.optim.AdamW(bare_network.parameters(), lr=1e-3, fused=True)
        loader = Loader(store, batch_size=BATCH, preprocess=PREPROCESS, shuffle=True)
        phase = Phase(name="benchmark", epochs=10**6, learning_rate=1e-3)
        settings = FitSettings(
            transfer=TransferConfig(),
            phases=[phase],
            optimizer=OptimizerConfig(),
            seed=0,
            patience=0,
            checkpoint=Path(folder) / "last.ckpt",
            checkpoint_seconds=1e9,
            bfloat16=False,
        )
        fit = Fit(
            our_network,
            ClassificationTask(tuple("0123456789")),
            PREPROCESS,
            loader,
            loader,
            settings,
            save_best=lambda tensors, metrics: None,
            load_best=dict,
            write_history=lambda rows, kept: None,
            reporter=Reporter(),
            stop=StopRequest(),
        )
        fit.start_phase()
        seconds: dict[str, list[float]] = {"bare": [], "hubel": []}
        for _ in range(arguments.rounds + 1):
            began = time.perf_counter()
            bare_epoch(bare_network, optimizer, images, labels)
            middle = time.perf_counter()
            fit.train_epoch()
            ended = time.perf_counter()
            seconds["bare"].append(middle - began)
            seconds["hubel"].append(ended - middle)
            fit.progress.start_epoch()
    steps = COUNT / BATCH
    what = f"{arguments.network}, batch {BATCH}, {arguments.threads} thread(s)"
    print(f"{what}, {arguments.rounds} rounds after one to warm up")
    for side, values in seconds.items():
        milliseconds = [1000 * value / steps for value in values[1:]]
        low, middle, high = min(milliseconds), statistics.median(milliseconds), max(milliseconds)
        print(f"  {side:<6} {middle:.3f} ms a step ({low:.3f} to {high:.3f})")
    ratios = [ours / bare for ours, bare in zip(seconds["hubel"][1:], seconds["bare"][1:], strict=True)]
    print(f"  ratio  {statistics.median(ratios):.3f} (median of the rounds' ratios)")


if __name__ == "__main__":
    main()
