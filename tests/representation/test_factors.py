"""R2 of latents with factors, the size latent, and the ellipticity pair in any frame."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.representation.factors import (
    ellipticity_components,
    ellipticity_pair,
    factor_r2,
    r2_interval,
    size_unit,
    squared_correlations,
)

RNG = np.random.default_rng(0)
N = 400
AREAS = np.exp(RNG.normal(6, 0.5, N))
E_COS, E_SIN = RNG.normal(0, 0.2, (2, N))


def codes_with(columns: dict[int, np.ndarray]) -> np.ndarray:
    codes = np.random.default_rng(1).normal(0, 1, (N, 6))
    for unit, values in columns.items():
        codes[:, unit] = values
    return codes


def test_squared_correlation_equals_numpys():
    x, y = RNG.normal(size=(2, 50, 3))
    expected = np.corrcoef(x, y, rowvar=False)[:3, 3:] ** 2
    np.testing.assert_allclose(squared_correlations(x, y), expected)


def test_constant_latent_has_r2_zero_not_nan():
    r2 = factor_r2(np.zeros((N, 2)), pd.DataFrame({"area_px": AREAS}))
    assert r2["r2"].tolist() == [0.0, 0.0]


def test_areas_are_compared_by_their_logarithm_and_others_as_they_are():
    codes = codes_with({0: np.log(AREAS), 1: E_COS})
    table = factor_r2(codes, pd.DataFrame({"area_um2": AREAS, "e_cos2theta": E_COS}))
    r2 = table.set_index(["latent", "factor"])["r2"]
    assert r2["z0", "area_um2"] == pytest.approx(1) and r2["z1", "e_cos2theta"] == pytest.approx(1)
    assert r2["z1", "area_um2"] < 0.05


def test_missing_factors_are_left_out():
    holes = AREAS.copy()
    holes[::3] = np.nan
    r2 = factor_r2(codes_with({0: np.log(AREAS)}), pd.DataFrame({"area_px": holes}))
    assert r2["r2"][0] == pytest.approx(1)


def test_rows_must_match():
    with pytest.raises(InputError, match="rows"):
        factor_r2(np.zeros((3, 2)), pd.DataFrame({"area_px": AREAS}))


def test_size_latent_is_found_whatever_its_sign():
    unit, r2 = size_unit(codes_with({4: -2 * np.log(AREAS) + RNG.normal(0, 0.1, N)}), AREAS)
    assert unit == 4 and 0.95 < r2 < 1


@given(st.floats(0, 2 * np.pi), st.sampled_from([-1, 1]))
def test_pair_in_a_turned_frame_is_found_with_both_r2_near_one(angle, sign):
    first, second = ellipticity_components(E_COS, E_SIN, angle)
    pair = ellipticity_pair(codes_with({1: first, 5: sign * second}), E_COS, E_SIN)
    assert pair.units == (1, 5)
    assert min(pair.r2) > 0.999
    turn = (pair.angle_rad - angle) % np.pi
    assert min(turn, np.pi - turn) < np.radians(0.6)


def test_pair_is_judged_by_single_latents_not_by_their_mixture():
    """Two latents along 0 and 30 degrees span the plane, but each misses its component."""
    oblique = np.cos(np.pi / 6) * E_COS + np.sin(np.pi / 6) * E_SIN
    pair = ellipticity_pair(codes_with({0: E_COS, 1: oblique}), E_COS, E_SIN)
    assert max(pair.r2) < 0.8


def test_pair_needs_two_latents():
    with pytest.raises(InputError, match="two latents"):
        ellipticity_pair(np.zeros((N, 1)), E_COS, E_SIN)


@given(st.floats(-7, 7))
def test_turning_the_frame_keeps_the_length_of_the_vector(angle):
    a, b = ellipticity_components(E_COS, E_SIN, angle)
    np.testing.assert_allclose(np.hypot(a, b), np.hypot(E_COS, E_SIN))


def test_interval_holds_the_true_r2_as_often_as_promised():
    rng, rho, inside = np.random.default_rng(5), 0.8, 0
    for seed in range(40):
        x = rng.normal(size=120)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=120)
        low, high = r2_interval(x, y, seed, level=0.9)
        inside += low <= rho**2 <= high
    assert 30 <= inside <= 40


def test_interval_is_fixed_by_the_seed_and_narrows_with_the_level():
    y = np.log(AREAS) + RNG.normal(0, 0.3, N)
    wide = r2_interval(np.log(AREAS), y, seed=1)
    assert r2_interval(np.log(AREAS), y, seed=1) == wide
    low, high = r2_interval(np.log(AREAS), y, seed=1, level=0.5)
    assert wide[0] < low < high < wide[1]
