"""From the images of masks to labels: which values occur in them is looked up once, and remembered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL

from hubel.data.decoding import DECODING_VERSION
from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.files.remembered import remember_verdicts, remembered_verdicts
from hubel.data.labels import MaskLabel
from hubel.data.masks.reading import (
    IGNORED,
    MOST_CLASSES,
    Legend,
    Value,
    check_flat,
    check_number,
    is_jpeg,
    legend_of_values,
    mask_values,
    read_mask,
    value_counts,
)
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.runtime import available_cpus

if TYPE_CHECKING:
    import numpy.typing as npt

_READER = f"mask values 2/{DECODING_VERSION}/{PIL.__version__}"
_MOST_TOLD = 4 * MOST_CLASSES  # of the values of one image; more are no classes


@dataclass(frozen=True)
class MaskImage:
    """A mask that is kept as an image.

    Attributes:
        image: The image, with the digest of its bytes.
        legend: What its values mean.
        numbers: The number of each of the legend's classes; None: its place in the legend.
    """

    image: Sample
    legend: Legend
    numbers: tuple[int, ...] | None = None

    @property
    def digest(self) -> str:
        """BLAKE2b of the image's digest and of what its values mean, 32 hexadecimal digits."""
        content = f"{self.image.digest} {self.legend.text()}"
        return hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).hexdigest()

    def read(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The mask of a picture of this height and width; see `hubel.data.masks.reading.read_mask`."""
        mask = read_mask(self.image, self.legend, size)
        if self.numbers is None:
            return mask
        table = np.full(IGNORED + 1, IGNORED, np.uint8)
        table[: len(self.numbers)] = self.numbers
        renumbered: npt.NDArray[np.uint8] = table[mask]
        return renumbered

    def renumbered(self, numbers: Sequence[int]) -> MaskImage:
        """The same with other numbers of the classes: `numbers[k]` for k."""
        own = self.numbers or range(len(self.legend.classes))
        return MaskImage(self.image, self.legend, tuple(numbers[number] for number in own))


class MaskFacts(NamedTuple):
    """What was found when the image of a mask was opened.

    Attributes:
        size: Height and width.
        counts: How many pixels have each value, as it is stored.
        jpeg: Whether it is a JPEG.
        reason: Why it cannot be read; empty if it can.
    """

    size: tuple[int, int]
    counts: Mapping[Value, int]
    jpeg: bool = False
    reason: str = ""


def mask_facts(images: Sequence[Sample], tell: Callable[[int, int], None] | None = None) -> dict[str, MaskFacts]:
    """Open the images of masks, or remember what was found when they were opened before.

    Args:
        images: With their digests.
        tell: Called with how many have been opened and how many there are.

    Returns:
        By the images' digests.
    """
    known = remembered_verdicts([image.digest for image in images], _READER)
    new = list({image.digest: image for image in images if image.digest not in known}.values())
    found: dict[str, str] = {}
    with ThreadPoolExecutor(available_cpus() + 1) as pool:
        for image, facts in zip(new, pool.map(_facts_text, new), strict=True):
            found[image.digest] = facts
            if tell is not None:
                tell(len(found), len(new))
    remember_verdicts(found, _READER)
    return {digest: _facts(text) for digest, text in (known | found).items()}


def masks_as_labels(
    images: Sequence[Sample], legend: Legend | None, tell: Callable[[int, int], None] | None = None
) -> tuple[Legend, list[MaskLabel | str]]:
    """The labels that images of masks are.

    Args:
        images: With their digests.
        legend: What their values mean; None: see `hubel.data.masks.reading.legend_of`.
        tell: See `mask_facts`.

    Returns:
        The legend, and for each image its label, or the reason why it is none.

    Raises:
        DataError: Without a legend, the images have too many values, or none of them can be read.
    """
    facts = mask_facts(images, tell)
    if legend is None:
        legend = _legend_of(images, facts)
    return legend, [_label(image, legend, facts[image.digest]) for image in images]


def _legend_of(images: Sequence[Sample], facts: Mapping[str, MaskFacts]) -> Legend:
    values: set[Value] = set()
    reason = "there are none"
    for image in images:
        found = facts[image.digest]
        reason = f"{image.name}: {found.reason}" if found.reason else reason
        values.update(found.counts)
        check_number(values, image.location)
        check_flat(found.counts, image.location, jpeg=found.jpeg)
    if not values:
        raise DataError(f"no mask can be read ({reason}): expected images with a class for every pixel")
    return legend_of_values(values)


def _label(image: Sample, legend: Legend, facts: MaskFacts) -> MaskLabel | str:
    if facts.reason:
        return f"its mask cannot be used: {facts.reason}"
    if legend.values.keys() >= facts.counts.keys():
        numbers = {legend.values[value] for value in facts.counts}
    else:  # indices of a palette whose colours count, or values that mean nothing: reading it tells
        try:
            numbers = set(np.unique(read_mask(image, legend)).tolist())
        except DataError as error:
            return str(error)
    return MaskLabel(facts.size, MaskImage(image, legend), tuple(sorted(numbers - {IGNORED})))


def _facts_text(image: Sample) -> str:
    """What is found in an image, as JSON: colours as lists."""
    try:
        values = mask_values(image)
        counts = value_counts(values)
        jpeg = is_jpeg(image)
    except DataError as error:
        return json.dumps({"reason": getattr(error, "reason", str(error))})
    if len(counts) > _MOST_TOLD:
        counts = dict(list(counts.items())[:_MOST_TOLD])
    told = [[value, count] for value, count in counts.items()]
    return json.dumps({"size": values.shape[:2], "counts": told, "jpeg": jpeg})


def _facts(text: str) -> MaskFacts:
    content: dict[str, Any] = json.loads(text)
    if "reason" in content:
        return MaskFacts((0, 0), {}, reason=content["reason"])
    height, width = content["size"]
    counts = {tuple(value) if isinstance(value, list) else value: count for value, count in content["counts"]}
    return MaskFacts((height, width), counts, content["jpeg"])


def pixel_counts(masks: Sequence[MaskLabel], num_classes: int) -> npt.NDArray[np.int64]:
    """How many pixels of each mask have each class, (N, num_classes); masks that cannot be read have none."""

    def count(mask: MaskLabel) -> npt.NDArray[np.int64]:
        try:
            return np.bincount(mask.read().reshape(-1), minlength=IGNORED + 1)[:num_classes]
        except DataError:
            return np.zeros(num_classes, np.int64)

    with ThreadPoolExecutor(available_cpus() + 1) as pool:
        rows = list(pool.map(count, masks))
    return np.stack(rows) if rows else np.zeros((0, num_classes), np.int64)
