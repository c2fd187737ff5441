"""Settings of the pictures: where they are, and how they are read and divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hubel.config.settings import BYTES_PER_GB, Fraction, Settings


class DataConfig(Settings):
    """Where the pictures are and how they are read.

    Attributes:
        path: The data set: a folder, manifest, archive, tar shards, or `torchvision:NAME`; see `hubel.data.layouts`.
        size: Side of the network's input in pixels; None: the network's own.
        resize_to: The shorter side in pixels before the centre crop; None: the weights' own, else 8/7 of `size`
            (256 for 224) from 64 pixels on and `size` below.
        resize: `shorter_side` (keep the aspect ratio, crop the centre), `stretch`, `fit` (keep the aspect ratio, frame
            it in grey) or `native` (no scaling); None: the weights' own, or what the task needs.
        interpolation: The resampling filter; None: the weights' own, else bilinear.
        validation_fraction: Share of a folder without splits (or of `train`) that chooses the epoch; 0: none does, all
            pictures but those of the test train, and the last epoch is kept.
        test_fraction: Share of a folder without splits that is kept for the end.
        group: Which pictures belong together and are never on both sides of a division: a regular expression that is
            searched for in the file's name (where it has a slash: in its path below `path`); what its first parentheses
            match, or all that it matches, is the group.
        groups: The same as a CSV file with the columns `path` (below the data set's folder) and `group`.
        folds: Cross-validation with so many folds instead of one division; None: none.
        fold: The fold, from 1, that this run holds out for its test; None: all in turn.
        near_duplicates: Of up to so many pictures, near duplicates stay together in a division; 0: never searched.
        fraction: Share of the training pictures that is used, of every class, drawn by the run's seed; None: all.
        per_class: So many of each class instead; None: all.
        max_unreadable: Share of pictures that may be unreadable before the run is refused.
        workers: Processes that load pictures; None: as many as pay.
        shuffle_buffer: Through how many pictures tar shards are shuffled, which are read from front to back.
        cache_gb: How much disk the decoded pictures may take, in GB (1e9 bytes); 0: never cache.
    """

    path: str = ""
    size: Annotated[int, Field(ge=8)] | None = None
    resize_to: Annotated[int, Field(ge=8)] | None = None
    resize: Literal["shorter_side", "stretch", "fit", "native"] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.15
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    group: str | None = None
    groups: str | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=1)] | None = None
    near_duplicates: Annotated[int, Field(ge=0)] = 20_000
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    per_class: Annotated[int, Field(ge=1)] | None = None
    max_unreadable: Fraction = 0.01
    workers: Annotated[int, Field(ge=0)] | None = None
    shuffle_buffer: Annotated[int, Field(ge=1)] = 5000
    cache_gb: Annotated[float, Field(ge=0)] = 20.0

    @property
    def cache_bytes(self) -> int:
        """`cache_gb` in bytes."""
        return int(self.cache_gb * BYTES_PER_GB)
