"""Agreement between networks, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from occamscope.classifiers.selection import (
    choose_latents,
    jaccard_interval,
    pairwise_jaccard,
    selection_frequencies,
    wilson_interval,
)
from occamscope.errors import InputError

LIVE = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]], bool)


def test_frequencies_count_members():
    table = selection_frequencies(LIVE)
    assert table["latent"].tolist() == ["z0", "z1", "z2", "z3"]
    assert table["selected"].tolist() == [4, 3, 1, 0]
    assert table["frequency"].tolist() == [1.0, 0.75, 0.25, 0.0]
    assert (table["seeds"] == 4).all()


def test_wilson_interval_equals_the_published_example():
    """8 of 10 (Agresti and Coull 1998 style): 0.490 to 0.943."""
    low, high = wilson_interval(8, 10)
    assert float(low) == pytest.approx(0.4902, abs=1e-4)
    assert float(high) == pytest.approx(0.9433, abs=1e-4)


@given(n=st.integers(1, 60), data=st.data())
def test_wilson_interval_holds_the_proportion(n, data):
    hits = data.draw(st.integers(0, n))
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n <= high <= 1


def test_jaccard_of_pairs_by_hand():
    expected = [2 / 3, 1 / 2, 1, 1 / 3, 2 / 3, 1 / 2]  # 01 02 03 12 13 23
    np.testing.assert_allclose(pairwise_jaccard(LIVE), expected)


def test_two_members_without_latents_agree():
    assert pairwise_jaccard(np.zeros((2, 3), bool)).tolist() == [1.0]
    assert pairwise_jaccard([[0, 0], [0, 1]]).tolist() == [0.0]


@given(hnp.arrays(bool, st.tuples(st.integers(2, 7), st.integers(1, 6))))
def test_jaccard_does_not_depend_on_the_order_of_members_or_latents(live):
    shuffled = live[::-1, ::-1]
    np.testing.assert_allclose(
        np.sort(pairwise_jaccard(live)), np.sort(pairwise_jaccard(shuffled)), atol=1e-12
    )


def test_the_interval_holds_the_mean_and_repeats():
    value, low, high = jaccard_interval(LIVE, seed=0)
    assert value == pytest.approx(pairwise_jaccard(LIVE).mean())
    assert low < value < high
    assert jaccard_interval(LIVE, seed=0) == (value, low, high)


def test_members_that_agree_have_an_interval_of_no_width():
    assert jaccard_interval(np.tile([True, False], (5, 1)), seed=1) == (1.0, 1.0, 1.0)


def test_agreement_of_one_member_is_refused():
    with pytest.raises(InputError, match="two"):
        jaccard_interval(LIVE[:1], seed=0)


def test_latents_at_the_threshold_are_chosen():
    table = selection_frequencies(LIVE)
    assert choose_latents(table, 0.75) == [0, 1]
    assert choose_latents(table, 0.76) == [0]


def test_no_latent_at_the_threshold_is_an_error_with_the_best():
    with pytest.raises(InputError, match="25%"):
        choose_latents(pd.DataFrame({"frequency": [0.25, 0.0]}))
