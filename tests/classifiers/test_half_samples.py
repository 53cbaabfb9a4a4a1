"""Halves: disjoint, of the right size, never through a group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.classifiers.half_samples import half_samples
from occamscope.errors import InputError


@given(n=st.integers(2, 40), pairs=st.integers(1, 6), seed=st.integers(0, 99))
def test_pairs_are_disjoint_halves(n, pairs, seed):
    halves = half_samples(n, pairs, seed)
    assert halves.shape == (2 * pairs, n)
    assert (halves.sum(axis=1) == n // 2).all()
    assert not (halves[0::2] & halves[1::2]).any()


@given(groups=st.lists(st.integers(0, 8), min_size=8, max_size=40), seed=st.integers(0, 99))
def test_groups_stay_whole(groups, seed):
    groups = np.array(groups)
    units = np.unique(groups)
    if len(units) < 2:
        return
    for half in half_samples(len(groups), 3, seed, groups=groups):
        inside = [half[groups == g].mean() for g in units]
        assert set(inside) <= {0.0, 1.0} and sum(inside) == len(units) // 2


def test_every_crop_is_in_a_half_equally_often():
    share = half_samples(7, 4000, 0).mean(axis=0)
    np.testing.assert_allclose(share, 3 / 7, atol=5 * np.sqrt(3 / 7 * 4 / 7 / 8000))


def test_two_crops_meet_as_often_as_in_random_halves():
    halves = half_samples(6, 4000, 1)
    together = (halves[:, 0] & halves[:, 1]).mean()
    assert together == pytest.approx(3 / 6 * 2 / 5, abs=0.025)


def test_every_half_has_half_of_each_label():
    labels = np.repeat(["rare", "common"], [7, 40])
    halves = half_samples(47, 5, 2, strata=labels)
    assert (halves[:, :7].sum(axis=1) == 3).all() and (halves[:, 7:].sum(axis=1) == 20).all()


def test_groups_within_labels():
    groups, labels = np.repeat(np.arange(6), 4), np.repeat([0, 1], [8, 16])
    halves = half_samples(24, 5, 2, groups=groups, strata=labels)
    assert (halves[:, :8].sum(axis=1) == 4).all() and (halves[:, 8:].sum(axis=1) == 8).all()


def test_a_seed_gives_the_same_halves():
    first, again, other = (half_samples(20, 3, seed) for seed in (5, 5, 6))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("n", "pairs", "options", "match"),
    [
        (0, 1, {}, "at least 1"),
        (4, 0, {}, "at least 1"),
        (1, 1, {}, "halved"),
        (4, 1, {"groups": ["a"] * 4}, "1 groups"),
        (4, 1, {"groups": ["a"] * 3}, "one for each of 4"),
        (4, 1, {"strata": [0, 0, 0, 1]}, "1 crops"),
        (4, 1, {"groups": [0, 0, 1, 1], "strata": [0, 1, 0, 1]}, "more than one stratum"),
    ],
)
def test_unsuitable_halves_are_refused(n, pairs, options, match):
    with pytest.raises(InputError, match=match):
        half_samples(n, pairs, 0, **options)
