from __future__ import annotations

import numpy as np

from hubel.data.containers.shards import ReadingOrder
from hubel.data.loading.order import Order
from hubel.data.randomness import in_turn, shuffled, through_buffer

SHARDS = ReadingOrder(np.array([3, 1, 2, 0, 5, 4]), np.array([0, 0, 0, 1, 1, 1]))


def test_the_stores_own_order():
    order = Order(6, seed=1, reading=SHARDS)
    assert order.stays
    assert order.of(3).positions.tolist() == [0, 1, 2, 3, 4, 5]
    assert order.of(3).read is None


def test_files_are_shuffled_all_at_once():
    order = Order(6, seed=1, shuffle=True)
    assert not order.stays
    assert order.of(3).positions.tolist() == shuffled(1, 3, 6).tolist()
    assert order.of(3).read is None


def test_shards_are_shuffled_as_they_are_read():
    turns = Order(6, seed=1, shuffle=True, reading=SHARDS, buffer=2).of(3)
    read = in_turn(1, 3, SHARDS.shards)
    assert turns.read is not None
    assert turns.read.tolist() == SHARDS.positions[read].tolist()
    assert turns.positions.tolist() == SHARDS.positions[through_buffer(1, 3, read, 2)].tolist()
    assert sorted(turns.positions.tolist()) == list(range(6))
    assert not turns.repeats.any()


def test_a_balanced_epoch_goes_before_the_shards():
    turns = Order(6, seed=1, shuffle=True, balance=np.array([0, 0, 0, 0, 0, 1]), reading=SHARDS).of(0)
    assert turns.read is None
    assert np.bincount(turns.positions == 5).tolist() == [3, 3]
    assert turns.repeats.max() == 2
