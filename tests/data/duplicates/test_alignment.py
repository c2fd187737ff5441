from __future__ import annotations

import numpy as np
import pytest
from tests.data.doctor.planting import scene

from hubel.data.duplicates.alignment import align, correlation, detail, strength
from hubel.data.duplicates.perceptual_hash import Window


def grey(seed: int, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """A part of a scene as a thumbnail, float32 (S, S)."""
    picture = scene(seed).convert("L").resize((side, side), box=box, resample=5)  # Hamming's window
    return np.asarray(picture, dtype=np.float32)


@pytest.mark.parametrize("side", [32, 64])
def test_a_part_of_a_picture_is_laid_on_the_whole_whatever_its_brightness(side):
    whole = np.stack([grey(seed, (0, 0, 160, 160), side) for seed in range(6)])
    part = np.stack([grey(seed, (5 - seed, 3, 157, 160 - seed), side) * 0.7 + 20 for seed in range(6)])
    before = correlation(detail(whole), detail(part))
    moved, shown = align(whole, part, Window())
    assert correlation(detail(moved), detail(part), shown).min() > 0.97 > before.max()
    assert set(np.unique(shown)) <= {0, 1}
    assert shown.mean() > 0.9


def test_each_pair_is_laid_as_it_is_alone_however_soon_the_others_have_found_their_place():
    first = np.stack([grey(seed, (0, 0, 160, 160), 32) for seed in range(5)])
    second = first.copy()
    second[2] = grey(2, (6, 6, 154, 156), 32)
    second[4] = grey(9, (0, 0, 160, 160), 32)
    together, shown = align(first, second, Window())
    for place in range(5):
        alone, shown_alone = align(first[place : place + 1], second[place : place + 1], Window())
        np.testing.assert_allclose(together[place], alone[0], atol=0.05)
        np.testing.assert_array_equal(shown[place], shown_alone[0])
    np.testing.assert_allclose(together[0], first[0], atol=0.05)


def test_of_no_pairs_there_is_nothing_to_lay():
    none = np.zeros((0, 32, 32), dtype=np.float32)
    moved, shown = align(none, none, Window())
    assert moved.shape == shown.shape == (0, 32, 32)
    assert correlation(none, none, shown).shape == strength(none).shape == (0,)


def test_correlations_are_those_of_numpy_where_something_is_shown():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 4, 32, 32)).astype(np.float32)
    second += 0.5 * first
    shown = (generator.random((4, 32, 32)) < 0.8).astype(np.float32)
    expected = [np.corrcoef(a[c > 0], b[c > 0])[0, 1] for a, b, c in zip(first, second, shown, strict=True)]
    np.testing.assert_allclose(correlation(first, second, shown), expected, atol=1e-5)
