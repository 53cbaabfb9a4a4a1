"""The mutual information gap of codes whose gap is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from occamscope.errors import InputError
from occamscope.representation.disentanglement_metrics import (
    mutual_information,
    mutual_information_gap,
)

RNG = np.random.default_rng(0)
FACTOR = RNG.normal(size=4000)
NOISE = RNG.normal(size=(4000, 2))


def gap_of(*latents: np.ndarray) -> pd.Series:
    return mutual_information_gap(np.stack(latents, 1), pd.DataFrame({"f": FACTOR})).iloc[0]


def test_mutual_information_of_equal_variables_is_their_entropy():
    values = np.repeat(np.arange(4), 25)
    assert mutual_information(values, values) == pytest.approx(np.log(4))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60))
def test_mutual_information_equals_scikit_learns(pairs):
    a, b = np.array(pairs).T
    assert mutual_information(a, b) == pytest.approx(mutual_info_score(a, b), abs=1e-9)


def test_mutual_information_of_a_product_design_is_zero():
    a, b = np.divmod(np.arange(100), 10)
    assert mutual_information(a, b) == pytest.approx(0, abs=1e-12)


def test_one_latent_that_is_the_factor_has_a_gap_near_one():
    row = gap_of(NOISE[:, 0], FACTOR, NOISE[:, 1])
    assert row["latent"] == "z1" and row["gap"] > 0.95


def test_any_monotone_function_of_the_factor_counts_alike():
    plain, bent = gap_of(FACTOR, NOISE[:, 0]), gap_of(np.exp(-FACTOR), NOISE[:, 0])
    assert bent["information"] == pytest.approx(plain["information"], abs=0.01)


def test_two_latents_with_the_same_information_have_no_gap():
    assert gap_of(FACTOR, -FACTOR)["gap"] == pytest.approx(0, abs=0.01)


def test_collapsed_latents_carry_no_information():
    assert gap_of(np.zeros(4000), np.zeros(4000))["information"] == 0


def test_missing_factors_are_left_out():
    factors = pd.DataFrame({"f": np.where(np.arange(4000) % 2, FACTOR, np.nan)})
    codes = np.stack([FACTOR, NOISE[:, 0]], 1)
    assert mutual_information_gap(codes, factors)["gap"][0] > 0.9


def test_one_latent_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        mutual_information_gap(FACTOR[:, None], pd.DataFrame({"f": FACTOR}))
