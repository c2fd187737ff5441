"""Pictures that a detector learns in seconds: coloured rectangles on noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hubel.tasks.detection_metrics import detection_metrics
from hubel.tasks.detectors import Detections, Objects

CLASSES = ("red", "green")


def rectangles(count: int, side: int, generator: torch.Generator) -> tuple[Tensor, list[Objects]]:
    """Pictures (count, 3, side, side) of up to three rectangles each, and what is in them."""
    images = torch.rand(count, 3, side, side, generator=generator) * 0.4
    objects = []
    for image in images:
        low = torch.randint(0, side - 28, (int(torch.randint(0, 4, (), generator=generator)), 2), generator=generator)
        high = low + torch.randint(14, 28, low.shape, generator=generator)
        labels = torch.randint(0, 2, (len(low),), generator=generator)
        for (x1, y1), (x2, y2), label in zip(low.tolist(), high.tolist(), labels.tolist(), strict=True):
            image[:, y1:y2, x1:x2] = 0.1
            image[label, y1:y2, x1:x2] = 1.0
        objects.append(Objects(torch.cat((low, high), dim=1).float(), labels))
    return images, objects


def learn(
    network: nn.Module,
    loss_of: Callable[[Tensor, list[Objects]], Tensor],
    *,
    steps: int,
    rate: float,
    side: int,
    batch: int = 8,
) -> None:
    """Train on fresh pictures, one batch a step, with a rate that warms up and then falls to nothing."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    network.train()
    for _ in range(steps):
        images, objects = rectangles(batch, side, generator)
        optimizer.zero_grad()
        loss_of(images, objects).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10)
        optimizer.step()
        scheduler.step()


def map50_of(network: nn.Module, decoded: Callable[[Tensor], list[Detections]], side: int) -> float:
    """mAP at IoU 0.5 on 24 pictures that were not trained on."""
    images, objects = rectangles(24, side, torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.eval()
        metrics = detection_metrics(decoded(images), objects, CLASSES)
    assert metrics.map50 is not None
    return metrics.map50
