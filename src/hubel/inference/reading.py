"""Pictures read ahead: in threads, while those before them are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from hubel import runtime

Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(items: Iterable[Item], read: Callable[[Item], Read], size: int) -> Iterator[list[tuple[Item, Read]]]:
    """Read some items at a time in threads; the next ones are being read while the caller works.

    Args:
        items: What is to be read.
        read: Reads one.
        size: How many together.

    Yields:
        Items with what was read, in order.
    """
    coming_items = iter(items)
    with ThreadPoolExecutor(runtime.available_cpus()) as pool:

        def start() -> list[tuple[Item, Future[Read]]]:
            return [(item, pool.submit(read, item)) for item in islice(coming_items, size)]

        coming = start()
        while coming:
            arrived = [(item, future.result()) for item, future in coming]
            coming = start()
            yield arrived
