from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubel.data.division.disjoint_sets import DisjointSets


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15))))
def test_links_against_repeated_merging(links):
    sets = DisjointSets[int]()
    expected = [{item} for item in range(16)]
    for one, other in links:
        sets.link(one, other)
        merged = next(group for group in expected if one in group) | next(group for group in expected if other in group)
        expected = [group for group in expected if not group & merged] + [merged]
    for group in expected:
        assert {sets.least(item) for item in group} == {min(group)}
    assert set(sets.items()) == {item for link in links for item in link}
