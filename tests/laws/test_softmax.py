import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from occamscope.laws.joint.softmax import (
    TEMPERATURE_RANGE,
    cross_entropy,
    fit_temperature,
    log_priors,
    log_sum_exp,
    rest_values,
    softmax,
)
from occamscope.laws.loss import mean_loss

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 200)
D = RNG.normal(size=(200, 3)) + 1.5 * np.eye(3)[Y]
W = RNG.uniform(0.0, 2.0, 200)


def test_cross_entropy_is_the_weighted_mean_of_minus_log_softmax():
    expected = np.average(-log_softmax(D, axis=1)[np.arange(200), Y], weights=W)
    assert cross_entropy(D, Y, W) == pytest.approx(expected, rel=1e-13)


def test_two_classes_are_the_logistic_loss_of_the_difference():
    y = np.where(Y > 0, 1, 0)
    margin = mean_loss(D[:, 1] - D[:, 0], 2.0 * y - 1.0, "logistic", W)
    assert cross_entropy(D[:, :2], y, W) == pytest.approx(margin, rel=1e-13)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_seen_from_one_class_cross_entropy_is_logistic_with_a_base(k):
    rest = rest_values(D, k)
    own = np.where(k == Y, 1.0, -1.0)
    fixed = np.where(k == Y, 0.0, rest - D[np.arange(200), Y])
    rows = np.logaddexp(0.0, -own * (D[:, k] - rest)) + fixed
    assert rows.mean() == pytest.approx(cross_entropy(D, Y), rel=1e-13)


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=5), st.floats(-1e3, 1e3))
def test_probabilities_sum_to_one_whatever_the_values(values, summand):
    p = softmax([values])[0]
    assert p.sum() == pytest.approx(1.0, rel=1e-12)
    assert (p >= 0).all()
    if max(map(abs, values)) < 1e3:
        np.testing.assert_allclose(softmax([np.array(values) + summand])[0], p, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([np.nan, 0.0, 0.0], [0.0, 0.5, 0.5]),
        ([-np.inf, 1.0, 1.0], [0.0, 0.5, 0.5]),
        ([np.inf, np.inf, 5.0], [0.5, 0.5, 0.0]),
        ([np.nan, -np.inf, np.nan], [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_undefined_and_infinite_values_have_probabilities_too(values, expected, recwarn):
    np.testing.assert_allclose(softmax([values])[0], expected)
    assert not recwarn


def test_a_row_without_a_finite_loss_makes_the_mean_infinite_unless_it_weighs_nothing():
    d = np.array([[0.0, 1.0], [np.nan, 0.0]])
    assert cross_entropy(d, [1, 0]) == np.inf
    assert np.isfinite(cross_entropy(d, [1, 0], [1.0, 0.0]))


def test_log_sum_exp_overflows_no_sooner_than_its_largest_value():
    assert log_sum_exp(np.array([[1e300, 1e300], [-1e300, -1e300]])) == pytest.approx(
        [1e300, -1e300]
    )
    assert log_sum_exp(np.array([[-np.inf, -np.inf]]))[0] == -np.inf


def test_priors_are_the_best_constant_values():
    d = np.tile(log_priors(Y, 3, W), (200, 1))
    lowest = cross_entropy(d, Y, W)
    for k in range(3):
        for step in (-1e-3, 1e-3):
            moved = d.copy()
            moved[:, k] += step
            assert cross_entropy(moved, Y, W) > lowest
    assert log_priors([0, 0, 2], 3)[1] == -np.inf


def test_the_temperature_of_calibrated_values_is_about_one():
    random = np.random.default_rng(1)
    d = random.normal(size=(20_000, 3))
    y = (softmax(d).cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    assert fit_temperature(d, y) == pytest.approx(1.0, abs=0.05)
    assert fit_temperature(7.0 * d, y) == pytest.approx(7 * fit_temperature(d, y), rel=1e-6)


def test_the_temperature_is_where_the_smoothed_loss_is_lowest():
    T = fit_temperature(D, Y, W)
    targets = np.eye(3)[Y] * (1 - 3 / 203) + 1 / 203

    def smoothed(t):
        return -np.sum(W[:, None] * targets * log_softmax(D / t, axis=1))

    assert smoothed(T) < min(smoothed(T * 1.001), smoothed(T / 1.001))


def test_separated_rows_keep_a_temperature_within_its_range():
    d = 5e5 * np.eye(3)[Y]
    T = fit_temperature(d, Y)
    assert TEMPERATURE_RANGE[0] < T < TEMPERATURE_RANGE[1]
    assert 0.9 < softmax(d, T).max() < 1.0


def test_values_that_say_nothing_get_the_highest_temperature():
    assert fit_temperature(-D, Y) == TEMPERATURE_RANGE[1]


def test_rows_without_finite_values_and_classes_without_rows_do_not_disturb_the_temperature():
    d = np.column_stack([D, np.full(200, -np.inf)])
    assert fit_temperature(d, Y, W) == fit_temperature(D, Y, W)
    d = np.vstack([D, [[np.nan, 1.0, 2.0]]])
    assert fit_temperature(d, np.append(Y, 1)) == pytest.approx(fit_temperature(D, Y), rel=1e-9)
    assert fit_temperature(np.full((2, 2), np.nan), [0, 1]) == 1.0
