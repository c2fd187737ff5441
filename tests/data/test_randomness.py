from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.data.randomness import Stream, balanced, in_turn, philox, shuffled, through_buffer, uniform


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # the known answers published with Random123 for philox4x32 with 10 rounds (tests/kat_vectors)
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    assert philox(np.array(counter, dtype=np.uint32), key).tolist() == expected


def test_many_counters_at_once_are_as_one_by_one():
    counters = np.random.default_rng(0).integers(0, 2**32, (4, 5, 3), dtype=np.uint32)
    together = philox(counters, (1, 2))
    for place in np.ndindex(5, 3):
        assert (philox(counters[(slice(None), *place)], (1, 2)) == together[(slice(None), *place)]).all()


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**31), min_size=1, max_size=8))
def test_numbers_belong_to_a_sample_not_to_its_company(seed, epoch, indices):
    together = uniform(seed, epoch, np.array(indices), 6, Stream.AUGMENTATION)
    for row, index in zip(together, indices, strict=True):
        assert (uniform(seed, epoch, np.array([index]), 6, Stream.AUGMENTATION)[0] == row).all()
        assert (uniform(seed, epoch, np.array([index]), 3, Stream.AUGMENTATION)[0] == row[:3]).all()


def test_seed_epoch_sample_and_stream_each_change_the_numbers():
    one = np.array([5])
    rows = {
        tuple(uniform(*arguments, 4, stream)[0])
        for arguments, stream in [
            ((0, 0, one), Stream.ORDER),
            ((1, 0, one), Stream.ORDER),
            ((2**32, 0, one), Stream.ORDER),
            ((0, 1, one), Stream.ORDER),
            ((0, 0, np.array([6])), Stream.ORDER),
            ((0, 0, one), Stream.AUGMENTATION),
            ((0, 0, one), Stream.BALANCE),
        ]
    }
    assert len(rows) == 7


def test_the_numbers_are_uniform_and_independent():
    numbers = uniform(3, 1, np.arange(50_000), 4, Stream.AUGMENTATION)
    assert numbers.shape == (50_000, 4)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.stack([np.histogram(column, bins=20, range=(0, 1))[0] for column in numbers.T])
    assert (((counts - 2500) ** 2 / 2500).sum(axis=1) < 50).all()  # chi-squared, 19 degrees of freedom: p < 0.0002
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.02
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.02


def test_an_order_is_a_permutation_of_its_own():
    order = shuffled(0, 0, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert (shuffled(0, 0, 1000) == order).all()
    assert (shuffled(0, 1, 1000) != order).any()
    assert (shuffled(1, 0, 1000) != order).any()
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any), st.integers(0, 2**32), st.integers(0, 2**32 - 9)
)
def test_a_balanced_epoch_has_every_class_equally_often(counts, seed, epoch):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    classes, of_class = np.unique(labels, return_counts=True)
    indices, repeats = balanced(seed, epoch, labels)
    assert indices.shape == repeats.shape == labels.shape
    drawn = np.array([(labels[indices] == label).sum() for label in classes])
    assert set(drawn) <= {len(labels) // len(classes), -(-len(labels) // len(classes))}
    assert len({(int(i), int(r)) for i, r in zip(indices, repeats, strict=True)}) == len(labels)
    for label, count, places in zip(classes, of_class, drawn, strict=True):
        times = np.bincount(indices, minlength=len(labels))[labels == label]
        assert set(times) <= {places // count, -(-places // count)}  # none a second time before all once
    times = np.bincount(indices, minlength=len(labels))
    assert (np.bincount(indices, weights=repeats, minlength=len(labels)) == times * (times - 1) / 2).all()


def test_balanced_epochs_differ_and_take_turns_in_the_odd_picture():
    labels = np.array([0] * 90 + [1] * 5 + [2] * 6)  # 101 = 3 × 33 + 2
    drawn = [np.bincount(labels[balanced(0, epoch, labels)[0]]).tolist() for epoch in range(3)]
    assert np.sum(drawn, axis=0).tolist() == [101, 101, 101]
    one, other, again, seeded = (balanced(*key, labels)[0].tolist() for key in ((0, 0), (0, 1), (0, 0), (1, 0)))
    assert one == again
    assert one != other != seeded != one
    assert abs(np.corrcoef(labels[one], np.arange(101))[0, 1]) < 0.3  # the classes are mixed


def test_shards_are_read_whole_in_turn():
    shards = np.repeat([0, 1, 4, 5], [3, 1, 4, 2])
    turns = set()
    for epoch in range(40):
        read = in_turn(7, epoch, shards)
        assert sorted(read.tolist()) == list(range(10))
        of_shard = shards[read]
        assert (np.diff(of_shard) != 0).sum() == 3  # each is read to its end before the next
        assert all(np.diff(read[of_shard == shard]).tolist() == [1] * (count - 1) for shard, count in ((0, 3), (4, 4)))
        turns.add(tuple(dict.fromkeys(of_shard.tolist())))
    assert len(turns) > 15  # of 24
    assert in_turn(7, 3, shards).tolist() == in_turn(7, 3, shards).tolist()


@pytest.mark.parametrize("buffer", [1, 2, 10, 1000])
def test_a_buffer_of_the_size_that_is_named_gives_the_order(buffer):
    read = in_turn(0, 1, np.repeat(np.arange(5), 40))
    order = through_buffer(0, 1, read, buffer)
    assert sorted(order.tolist()) == list(range(200))
    coming, held, most = iter(read.tolist()), set(), 0
    for index in order.tolist():  # somebody who reads in order and gives in this order
        while index not in held:
            held.add(next(coming))
            most = max(most, len(held))
        held.remove(index)
    assert most <= buffer
    if buffer == 1:
        assert order.tolist() == read.tolist()
    if buffer == 1000:
        assert abs(np.corrcoef(np.arange(200), read.argsort()[order])[0, 1]) < 0.25  # nearly a full shuffle
