"""Disjoint sets: what hangs together, found link by link (Galler and Fischer 1964, doi:10.1145/364099.364331)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=Any)


class DisjointSets(Generic[Item]):
    """Sets of items that can be compared; an item that was never linked is alone."""

    def __init__(self) -> None:
        self._above: dict[Item, Item] = {}

    def least(self, item: Item) -> Item:
        """The least item of those that an item hangs together with, which stands for all of them."""
        above = self._above
        while (other := above.get(item, item)) != item:
            above[item] = above.get(other, other)  # paths become shorter on the way
            item = other
        return item

    def link(self, one: Item, other: Item) -> None:
        """Let two items, and all that they hang together with, hang together."""
        first, second = sorted((self.least(one), self.least(other)))
        self._above[second] = first
        self._above.setdefault(first, first)

    def items(self) -> list[Item]:
        """All items that were linked."""
        return list(self._above)
