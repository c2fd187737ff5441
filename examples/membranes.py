"""U-Net on electron-microscopy slices: less than a minute of training on one thread, and what it is worth.

The data are those that U-Net was published on, 30 slices of 512×512 with masks of membranes and cells (ISBI 2012). The
last six slices test, the others train. Training draws patches of 128×128, mirrored and turned at random; the test
slices are predicted whole, or in overlapping tiles if asked.

Run: python examples/membranes.py ../shared/data/membrane [--model unet/resnet18] [--steps 100] [--slices 24]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hubel import runtime
from hubel.data.mask_folders import paired
from hubel.data.masks import Legend, read_mask
from hubel.models import build_model
from hubel.models.segmentation import SegmentationNetwork
from hubel.tasks.segmentation_losses import inverse_pixel_frequencies, pixel_cross_entropy, soft_dice_loss
from hubel.tasks.segmentation_metrics import MaskCounts, SegmentationMetrics
from hubel.tasks.tiles import predict_mask

LEGEND = Legend.named({"membrane": 0, "cell": 255})
TESTED = 6
PATCH, BATCH, RATE, WARM_UP = 128, 4, 3e-3, 10

Slices = list[tuple[np.ndarray, np.ndarray]]


def prepare(tiles: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 1) to float (N, 1, H, W), about zero."""
    return tiles.permute(0, 3, 1, 2).float() / 127.5 - 1


def read(folder: Path) -> Slices:
    """Every slice, uint8 (H, W, 1), and its mask, uint8 (H, W), in the order of their numbers."""
    pairs = sorted(paired(folder / "images", folder / "masks"), key=lambda pair: int(pair.picture.stem))
    slices = []
    for pair in pairs:
        image = np.asarray(Image.open(pair.picture).convert("L"))[:, :, None]
        slices.append((image, read_mask(pair.mask, LEGEND, image.shape[:2])))
    return slices


def batch_of(slices: Slices, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches anywhere in the slices, in one of the eight ways to turn and mirror them."""
    images, masks = [], []
    for number in generator.integers(len(slices), size=BATCH):
        top, left = generator.integers(0, slices[number][0].shape[0] - PATCH + 1, 2)
        turns, mirrored = generator.integers(4), generator.integers(2)
        for target, values in zip((images, masks), slices[number], strict=True):
            patch = np.rot90(values[top : top + PATCH, left : left + PATCH], turns)
            target.append(np.ascontiguousarray(patch[:, ::-1] if mirrored else patch))
    return prepare(torch.from_numpy(np.stack(images))), torch.from_numpy(np.stack(masks)).long()


def train(network: SegmentationNetwork, slices: Slices, steps: int) -> None:
    """Train for so many steps, the rate falling to zero."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    weights = inverse_pixel_frequencies(np.bincount(np.stack([mask for _, mask in slices]).ravel()).tolist())
    generator = np.random.default_rng(0)
    network.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        images, masks = batch_of(slices, generator)
        logits = network(images)
        loss = pixel_cross_entropy(logits, masks, class_weights=weights) + soft_dice_loss(logits, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def measure(network: SegmentationNetwork | None, slices: Slices, tile: int | None = None) -> SegmentationMetrics:
    """The figures on slices; without a network those of the answer "cell" everywhere."""
    counts = MaskCounts(LEGEND.classes)
    for image, mask in slices:
        everywhere = np.full_like(mask, LEGEND.classes.index("cell"))
        counts.add(mask, everywhere if network is None else predict_mask(network, image, prepare, tile=tile))
    return counts.measure()


def main() -> None:
    """Train, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="has images/ and masks/")
    parser.add_argument("--model", default="unet/resnet18")
    parser.add_argument("--upsampling", default="transposed", help="transposed or bilinear")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--slices", type=int, default=24, help="how many train")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tile", type=int, help="the most pixels a side that are predicted at once")
    arguments = parser.parse_args()
    runtime.start(arguments.threads)
    torch.manual_seed(0)
    slices = read(arguments.folder)
    training, test = slices[:-TESTED][: arguments.slices], slices[-TESTED:]
    # Small enough for a minute of one thread; padded, so that patches may have any size.
    options: dict[str, object] = {"padded": True, "width": 16, "batch_norm": True} if arguments.model == "unet" else {}
    options |= {"upsampling": arguments.upsampling}
    network = build_model(arguments.model, num_classes=len(LEGEND.classes), in_channels=1, **options)
    assert isinstance(network, SegmentationNetwork)
    began = time.process_time()
    train(network, training, arguments.steps)
    print(
        f"{arguments.model}, {arguments.upsampling}: {len(training)} slices, {arguments.steps} steps in "
        f"{time.process_time() - began:.0f} s of processor time, {len(test)} slices tested"
    )
    measured = {"cell everywhere": measure(None, test), "model": measure(network, test, arguments.tile)}
    for name, metrics in measured.items():
        low, high = metrics.intervals["mean_iou"] or (float("nan"),) * 2
        dice = metrics.dice[LEGEND.classes.index("cell")]
        print(
            f"  {name:<15} mean IoU {metrics.mean_iou:.3f} ({low:.3f} to {high:.3f}), Dice of the cells {dice:.3f}, "
            f"pixel accuracy {metrics.pixel_accuracy:.3f}"
        )


if __name__ == "__main__":
    main()
