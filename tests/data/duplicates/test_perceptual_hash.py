from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn

from hubel.data.duplicates import perceptual_hash
from hubel.data.duplicates.perceptual_hash import RADIUS, Window, cut_out, hashes_of, mirrored, pairs_within_radius


@pytest.fixture
def thumbnails():
    return np.random.default_rng(0).integers(0, 256, (50, 32, 32)).astype(np.float32)


def near(generator, hashes, bits):
    """Copies of hashes with so many bits flipped."""
    masks = [sum(1 << int(bit) for bit in generator.choice(64, bits, replace=False)) for _ in hashes]
    return hashes ^ np.array(masks, dtype=np.uint64)


def test_bits_are_the_signs_of_the_lowest_frequencies(thumbnails):
    low = dctn(thumbnails, axes=(1, 2))[:, :8, :8].reshape(len(thumbnails), 64)
    bits = np.unpackbits(hashes_of(thumbnails).view(np.uint8).reshape(-1, 8), axis=1)
    assert sorted((low > 0).T.tolist()) == sorted(bits.astype(bool).T.tolist())  # in some order, the same for all


def test_a_mirror_image_has_the_mirrored_hash(thumbnails):
    turned = np.ascontiguousarray(thumbnails[:, :, ::-1])
    np.testing.assert_array_equal(mirrored(hashes_of(thumbnails)), hashes_of(turned))


def test_brightness_and_contrast_change_nothing(thumbnails):
    np.testing.assert_array_equal(hashes_of(thumbnails), hashes_of(thumbnails * 0.5 + 20))


def test_a_window_is_what_a_crop_shows(thumbnails):
    window = Window(left=8 / 32, top=0, right=8 / 32, bottom=16 / 32)
    expected = np.repeat(np.repeat(thumbnails[:, :16, 8:24], 2, axis=1), 2, axis=2)
    np.testing.assert_allclose(cut_out(thumbnails, window), expected, rtol=1e-5)
    np.testing.assert_array_equal(hashes_of(thumbnails, window), hashes_of(expected))


@pytest.mark.parametrize("bits", range(RADIUS + 3))
def test_pairs_against_brute_force(bits):
    generator = np.random.default_rng(bits)
    table = generator.integers(0, 2**64, 300, dtype=np.uint64)
    table[200:] = table[generator.integers(0, 200, 100)] & np.uint64(0xFFFF_0000_FFFF_0000)  # many equal words
    queries = np.concatenate([near(generator, table[:150], bits), generator.integers(0, 2**64, 50, dtype=np.uint64)])
    distance = np.bitwise_count(queries[:, None] ^ table[None])
    expected = np.nonzero(distance <= RADIUS)
    assert len(expected[0]) >= (150 if bits <= RADIUS else 0)
    found = pairs_within_radius(queries, table)
    np.testing.assert_array_equal(found, expected)


def test_nothing_against_nothing():
    none = np.zeros(0, dtype=np.uint64)
    assert [len(part) for part in pairs_within_radius(none, none)] == [0, 0]


def test_portions_do_not_change_what_is_found(monkeypatch):
    generator = np.random.default_rng(0)
    table = generator.integers(0, 2**64, 500, dtype=np.uint64)
    queries = near(generator, table, 5)
    expected = pairs_within_radius(queries, table)
    monkeypatch.setattr(perceptual_hash, "_AT_ONCE", 3)
    np.testing.assert_array_equal(pairs_within_radius(queries, table), expected)


def test_very_many_equal_hashes_take_bounded_work():
    table = np.full(5_000, 0x1234_5678_9ABC_DEF0, dtype=np.uint64)  # a film of one scene
    first, second = pairs_within_radius(table, table)
    assert len(first) <= 5_000 * 256
    neighbours = second[first == 2_500]
    assert len(neighbours) == 256
    assert neighbours.min() >= 2_500 - 256
    assert neighbours.max() <= 2_500 + 256
