"""Rows that estimators hold out."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.estimators.data import hold_out

FRACTIONS = st.floats(0.01, 0.5)


def assert_parts(parts, n):
    together = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(together), np.arange(n))
    for rows in parts:
        assert (np.diff(rows) > 0).all()


@given(FRACTIONS, st.lists(st.integers(2, 40), min_size=2, max_size=4), st.integers(0, 99))
@settings(deadline=None)
def test_every_class_gives_its_share_at_least_one_row_never_all(fraction, sizes, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = hold_out(fraction, len(classes), seed, classes)
    assert_parts(parts, len(classes))
    for k, size in enumerate(sizes):
        held = np.count_nonzero(classes[parts.held_out] == k)
        assert held == max(1, round(fraction * size)) < size


@given(FRACTIONS, st.integers(2, 200), st.integers(0, 99))
def test_numbers_give_their_share_of_rows(fraction, n, seed):
    parts = hold_out(fraction, n, seed)
    assert_parts(parts, n)
    assert len(parts.held_out) == max(1, round(fraction * n)) < n


@given(st.floats(0.1, 0.5), st.integers(4, 12), st.booleans(), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole_and_every_class_is_in_both_parts(fraction, count, labelled, seed):
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(count), 10))
    classes = random.permutation(np.arange(10 * count) % 2) if labelled else None
    parts = hold_out(fraction, len(groups), seed, classes, groups)
    assert_parts(parts, len(groups))
    assert set(groups[parts.search]).isdisjoint(groups[parts.held_out])
    if labelled:
        assert len(np.unique(classes[parts.search])) == len(np.unique(classes[parts.held_out])) == 2


def test_the_same_seed_holds_out_the_same_rows():
    classes = np.arange(100) % 3
    groups = np.arange(100) % 10
    for more in ((), (classes,), (classes, groups), (None, groups)):
        one, two, other = (hold_out(0.2, 100, seed, *more).held_out for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, other)


def test_a_class_of_one_row_holds_nothing_out_and_says_so():
    with pytest.warns(UserWarning, match="a class has one row only"):
        parts = hold_out(0.2, 5, 0, np.array([0, 0, 0, 0, 1]))
    assert len(parts.held_out) == 0 and len(parts.search) == 5


def test_a_fraction_of_0_holds_nothing_out_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(hold_out(0, 5, 0, np.array([0, 0, 0, 0, 1])).held_out) == 0


def test_a_class_in_one_group_only_cannot_be_in_both_parts():
    classes = np.repeat([0, 0, 0, 1], 5)
    with pytest.raises(InputError, match="too few groups"):
        hold_out(0.25, 20, 0, classes, np.repeat([0, 1, 2, 3], 5))


@pytest.mark.parametrize("fraction", [-0.1, 0.6, np.nan])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(InputError, match="validation_fraction"):
        hold_out(fraction, 10, 0)
