"""Detectors beside torchvision's, each side in a process of its own, in turn; CPU.

- `faster_rcnn` (ResNet-50 with a feature pyramid) at 320 against torchvision's `fasterrcnn_resnet50_fpn`: a step of
  training, and prediction with its post-processing. Both have the same random weights' statistics, normalise nothing
  and see the same pictures as tensors; the backbone's BatchNorms are frozen in both.
- `yolo_n` at 320 per picture against torchvision's `ssdlite320_mobilenet_v3_large`, the detector in the wild that is
  nearest to it in parameters (3.44 M; `yolo_n` with 90 classes has 2.27 M), both with their post-processing.
- Post-processing alone: what share of `yolo_n`'s time it takes for pictures that are crowded with objects.

hubel's side predicts as it does everywhere: freed memory kept, BatchNorm folded where it can be, channels_last.

Run: python benchmarks/detection.py [train predict yolo crowded]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from side_by_side import alternate, median, spread

SIZE = 320
CLASSES = 90
CROWD = 120  # objects in a crowded picture


def seconds_each(step: Callable[[], object], steps: int) -> float:
    """The mean time of a step, after two that do not count."""
    for number in range(steps + 2):
        if number == 2:
            began = time.perf_counter()
        step()
    return (time.perf_counter() - began) / steps


def objects_of_a_batch(batch: int) -> list[tuple[object, object]]:
    """Boxes and labels, eight objects in each picture."""
    import torch

    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(batch):
        low = torch.rand(8, 2, generator=generator) * 200
        boxes = torch.cat((low, low + 20 + torch.rand(8, 2, generator=generator) * 90), dim=1)
        found.append((boxes, torch.randint(CLASSES, (8,), generator=generator)))
    return found


def faster_rcnn_of_hubel() -> object:
    from hubel import runtime
    from hubel.models import build_model

    runtime.start()
    return build_model("faster_rcnn", num_classes=CLASSES, frozen_norm=True)


def faster_rcnn_of_torchvision() -> object:
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.models.detection.faster_rcnn import FasterRCNN
    from torchvision.ops import FrozenBatchNorm2d

    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=5
    )
    options = {"min_size": SIZE, "max_size": SIZE, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    return FasterRCNN(backbone, CLASSES + 1, **options)


def train(side: str, batch: int, steps: int) -> float:
    """Seconds of a step of training."""
    import torch

    images = torch.rand(batch, 3, SIZE, SIZE)
    labelled = objects_of_a_batch(batch)
    if side == "hubel":
        from hubel.tasks.detectors import Objects
        from hubel.tasks.detectors.faster_rcnn import losses, region_sampler

        network = faster_rcnn_of_hubel().train().to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
        objects = [Objects(*each) for each in labelled]

        def loss() -> torch.Tensor:
            return losses(network(images, select=region_sampler(objects)), objects).total
    else:
        network = faster_rcnn_of_torchvision().train()
        targets = [{"boxes": boxes, "labels": labels + 1} for boxes, labels in labelled]

        def loss() -> torch.Tensor:
            return sum(network(list(images), targets).values())

    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return seconds_each(step, steps)


def predict(side: str, batch: int, steps: int) -> float:
    """Seconds of prediction for a batch, post-processing included."""
    import torch

    images = torch.rand(batch, 3, SIZE, SIZE)
    if side == "hubel":
        from hubel.models.folding import fold_batch_norm
        from hubel.tasks.detectors.faster_rcnn import decode

        network = fold_batch_norm(faster_rcnn_of_hubel(), (3, SIZE, SIZE)).to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            return seconds_each(lambda: decode(network(images)), steps)
    network = faster_rcnn_of_torchvision().eval()
    with torch.inference_mode():
        return seconds_each(lambda: network(list(images)), steps)


def yolo(side: str, batch: int, steps: int) -> float:
    """Seconds for a picture, post-processing included."""
    import torch

    images = torch.rand(batch, 3, SIZE, SIZE)
    if side == "hubel":
        from hubel.tasks.detectors.yolo import decode

        network = yolo_for_prediction()
        images = images.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            return seconds_each(lambda: decode(network(images), (SIZE, SIZE)), steps) / batch
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    network = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES + 1).eval()
    with torch.inference_mode():
        return seconds_each(lambda: network(list(images)), steps) / batch


def yolo_for_prediction() -> object:
    import torch

    from hubel import runtime
    from hubel.models import build_model
    from hubel.models.folding import fold_batch_norm

    runtime.start()
    folded = fold_batch_norm(build_model("yolo_n", num_classes=CLASSES), (3, SIZE, SIZE))
    return folded.to(memory_format=torch.channels_last)


def crowded(pictures: int) -> dict[str, float]:
    """Milliseconds of the network and of post-processing for pictures with `CROWD` objects, one by one.

    The network's outputs are those of a detector that is sure of every object at several points around it, as a
    trained one is before non-maximum suppression.
    """
    import torch

    from hubel.models.detection.yolo import YOLOOutput
    from hubel.tasks.detectors.yolo import decode

    network = yolo_for_prediction()
    image = torch.rand(1, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(0)
    times = {"network": 0.0, "post_processing": 0.0}
    with torch.inference_mode():
        for number in range(-3, pictures):
            began = time.perf_counter()
            output = network(image)
            ran = time.perf_counter()
            logits = torch.full_like(output.class_logits, -6.0)
            sure = torch.randint(len(output.points), (6 * CROWD,), generator=generator)
            logits[0, sure, torch.randint(CLASSES, (6 * CROWD,), generator=generator)] = 2.0
            full = YOLOOutput(logits, output.distances, output.points, output.strides)
            start = time.perf_counter()
            decode(full, (SIZE, SIZE))
            if number >= 0:
                times["network"] += ran - began
                times["post_processing"] += time.perf_counter() - start
    return {name: 1000 * total / pictures for name, total in times.items()}


WHAT = {"train": train, "predict": predict, "yolo": yolo}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="*", default=[*WHAT, "crowded"], metavar="WHAT", help="train predict yolo crowded"
    )
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--side", choices=("hubel", "torchvision"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := [what for what in arguments.what if what not in (*WHAT, "crowded")]:
        sys.exit(f"error: {', '.join(unknown)} is nothing to measure: expected {', '.join((*WHAT, 'crowded'))}")
    if arguments.side:
        seconds = WHAT[arguments.what[0]](arguments.side, arguments.batch, arguments.steps)
        print(json.dumps({"milliseconds": 1000 * seconds}))
        return
    for what in arguments.what:
        if what == "crowded":
            times = crowded(arguments.pictures)
            share = times["post_processing"] / times["network"]
            print(
                f"crowded: {arguments.pictures} pictures, {6 * CROWD} candidates each: network "
                f"{times['network']:.1f} ms, post-processing {times['post_processing']:.2f} ms, {100 * share:.1f} %"
            )
            continue
        me = [sys.executable, __file__, what, f"--batch={arguments.batch}", f"--steps={arguments.steps}"]
        figures = alternate({side: [*me, "--side", side] for side in ("hubel", "torchvision")}, arguments.rounds)
        print(f"{what}, {SIZE}×{SIZE}, batch {arguments.batch}, {arguments.rounds} rounds, median (least to greatest)")
        for side, rows in figures.items():
            print(f"  {side:<12} {spread(rows, 'milliseconds')} ms, peak {spread(rows, 'peak_mb')} MB")
        ratio = median(figures["torchvision"], "milliseconds") / median(figures["hubel"], "milliseconds")
        print(f"  ratio        {ratio:.2f} times the speed", flush=True)


if __name__ == "__main__":
    main()
