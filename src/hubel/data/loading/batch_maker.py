"""Pictures read from a store and varied, with all that is known of their parts: what a loading process does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from hubel.data.augmentation import Augment, Packed
from hubel.data.augmentation.mosaic import Part, mosaic, mosaic_partners
from hubel.data.containers.shards import read_ahead
from hubel.data.decoded.pixels import Pixels
from hubel.data.decoded.store import Block, PictureStore
from hubel.data.decoding import UnreadableImage
from hubel.data.loading.requests import Request
from hubel.data.masks.reading import IGNORED
from hubel.data.targets import Batch, Objects, are_dense
from hubel.data.workers import Held
from hubel.errors import DataError
from hubel.runtime import one_torch_thread

_GREY = 128  # of the picture that stands in for one that is lost where the order must stay


class Loaded(NamedTuple):
    """What a worker answers.

    Attributes:
        batch: Its images are empty where they are packed.
        lost: Why pictures of it that could not be read could not, by position.
        packed: The pictures before they are varied, where that is done elsewhere.
    """

    batch: Batch
    lost: dict[int, str]
    packed: Packed | None


class Failure(NamedTuple):
    """An error's text on its way out of a worker, where the error itself would lose its kind."""

    text: str


class BatchMaker(Dataset["Loaded | Failure"]):
    """Loads what a request asks for; lives in every worker.

    Attributes:
        held: Which picture each worker is loading.
    """

    def __init__(
        self,
        store: PictureStore,
        augment: Augment,
        size: tuple[int, int],
        workers: int,
        *,
        in_order: bool,
        pack: bool,
    ) -> None:
        self.store, self.augment, self.size, self.in_order = store, augment, size, in_order
        self.dense = are_dense(store.labelling)
        self.pack = pack
        self.held = Held(workers)
        self._block = self._find_block()

    def __getitem__(self, request: Request) -> Loaded | Failure:
        with one_torch_thread():
            return self._load(request)

    def _load(self, request: Request) -> Loaded | Failure:
        lost = dict[int, str]()
        self.held.hold(int(request.positions[0]))
        if request.ahead is not None and not self.store.cached:
            read_ahead([self.store.samples[position] for position in request.ahead.tolist()])
        try:
            return self._with_places(request, lost) if self.dense else self._plain(request, lost)
        except DataError as error:
            return Failure(str(error))
        finally:
            self.held.let_go()

    def _plain(self, request: Request, lost: dict[int, str]) -> Loaded:
        """A batch whose labels do not lie in the pictures."""
        positions, draws = request.positions, request.draws
        images, packed = np.empty(0, dtype=np.uint8), None
        if self._block is not None:
            images = self.augment.block(self._block[positions], draws, self.size)
        else:
            pictures, positions = self._read(positions, lost)
            if self.pack:
                packed = self.augment.packed(pictures, draws, self.size)
            else:
                images = self.augment.batch(pictures, draws, self.size)
        labels = torch.from_numpy(self.store.labels[positions])
        return Loaded(Batch(torch.from_numpy(images), labels, torch.from_numpy(positions)), lost, packed)

    def _with_places(self, request: Request, lost: dict[int, str]) -> Loaded:
        """A batch whose labels move with the pictures."""
        if self.store.labelling == "mask":
            masks: dict[int, Pixels] = {}
            pictures, positions = self._read(request.positions, lost, masks)
            nothing = np.full(self.size, IGNORED, dtype=np.uint8)
            of_each = [masks.get(position, nothing) for position in positions.tolist()]
            varied = self.augment.together(pictures, request.draws, self.size, masks=of_each)
            assert varied.masks is not None
            labels: torch.Tensor | list[Objects] = torch.from_numpy(varied.masks).long()
        else:
            pictures, positions = self._read(request.positions, lost)
            objects = [self.store.objects(position) for position in positions.tolist()]
            pictures, boxes, classes = self._with_mosaics(request, pictures, objects, lost)
            varied = self.augment.together(pictures, request.draws, self.size, boxes=boxes)
            assert varied.boxes is not None
            assert varied.kept is not None
            labels = [
                Objects(torch.from_numpy(moved), torch.from_numpy(own[kept]))
                for moved, own, kept in zip(varied.boxes, classes, varied.kept, strict=True)
            ]
        images = torch.from_numpy(varied.pictures)
        return Loaded(Batch(images, labels, torch.from_numpy(positions)), lost, None)

    def _with_mosaics(
        self, request: Request, pictures: list[Pixels], objects: list[Objects], lost: dict[int, str]
    ) -> tuple[list[Pixels], list[npt.NDArray[np.float64]], list[npt.NDArray[np.int64]]]:
        """The pictures, boxes and classes of a batch, some of them joined with those of other pictures."""
        boxes = [each.boxes.double().numpy() for each in objects]
        classes = [each.labels.numpy() for each in objects]
        if not self.augment.mosaic:
            return pictures, boxes, classes
        partners = mosaic_partners(self.augment.mosaic, request.draws, len(self.store))
        for number, (centre, others) in partners.items():
            own = int(request.positions[number])
            parts = [part for position in (own, *others) if (part := self._part(position, lost)) is not None]
            if len(parts) > len(others):  # none of them is lost
                pictures[number], boxes[number], classes[number] = mosaic(parts, centre, self.size)
        return pictures, boxes, classes

    def _part(self, position: int, lost: dict[int, str]) -> Part | None:
        """A picture with its boxes, without its frame; None where it cannot be read (any more)."""
        self.held.hold(position)
        try:
            picture = self.store.array(position)
        except UnreadableImage as error:
            lost[position] = error.reason
            return None
        top, left, rows, columns = self.store.content(position)
        boxes, labels = self.store.objects(position)
        moved = boxes.double().numpy() - np.array([left, top, left, top])
        return Part(picture[top : top + rows, left : left + columns], moved, labels.numpy())

    def _read(
        self, positions: npt.NDArray[np.int64], lost: dict[int, str], masks: dict[int, Pixels] | None = None
    ) -> tuple[list[Pixels], npt.NDArray[np.int64]]:
        """The pictures at some positions, and the positions that they are of; what cannot be read is put into `lost`.

        Args:
            positions: The positions.
            lost: Takes the reasons.
            masks: Takes the pictures' masks, by position; None: they have none.

        Raises:
            DataError: None of them can be read.
        """
        read: dict[int, Pixels] = {}
        for position in positions.tolist():
            self.held.hold(position)
            try:
                if position not in read and position not in lost:
                    if masks is None:
                        read[position] = self.store.array(position)
                    else:
                        read[position], masks[position] = self.store.with_mask(position)
            except UnreadableImage as error:
                lost[position] = error.reason
        if not lost:
            return [read[position] for position in positions.tolist()], positions
        if not read:
            first = self.store.samples[int(positions[0])]
            raise DataError(
                f"none of the {len(positions)} pictures of a batch can be read any more, such as {first.location} "
                f"({lost[int(positions[0])]}): is the disk that has them still there?"
            )
        if self.in_order:
            grey = np.full((*self.size, self.store.channels), _GREY, dtype=np.uint8)
            return [read.get(position, grey) for position in positions.tolist()], positions
        round_about = positions.tolist() * 2
        taken = [next(position for position in round_about[at:] if position in read) for at in range(len(positions))]
        return [read[position] for position in taken], np.array(taken)

    def _find_block(self) -> Block | None:
        """All pictures as one array, where that is of use."""
        return None if self.pack or self.dense or self.augment.scale is not None else self.store.block()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_block": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._block = self._find_block()
