"""Levenberg's and Marquardt's method: where it ends, and what holds it."""

import numpy as np
import pytest

from occamscope.laws.descent import SLOWEST, Parameters, descend

FREE = Parameters(np.ones(2, bool), np.full(2, -np.inf), np.full(2, np.inf))
RULES = {"steps": 200, "gain": 0.0, "failures": 12}


def rosenbrock(theta):
    """Half the sum of squares of (10 (y - x^2), 1 - x)."""
    x, y = theta
    return float(0.5 * (100 * (y - x * x) ** 2 + (1 - x) ** 2))


def rosenbrock_model(theta):
    x, y = theta
    J = np.array([[-20 * x, 10.0], [-1.0, 0.0]])
    H = J.T @ J
    return J.T @ np.array([10 * (y - x * x), 1 - x]), H, np.diagonal(H)


def test_a_curved_valley_is_followed_to_its_end():
    theta, value = descend(np.array([-1.2, 1.0]), rosenbrock, rosenbrock_model, FREE, **RULES)
    np.testing.assert_allclose(theta, [1.0, 1.0], atol=1e-8)
    assert value == rosenbrock(theta)


def test_the_loss_never_rises():
    seen = []

    def model(theta):
        seen.append(rosenbrock(theta))
        return rosenbrock_model(theta)

    descend(np.array([-1.2, 1.0]), rosenbrock, model, FREE, **RULES)
    assert len(seen) > 3 and (np.diff(seen) < 0).all()


def test_parameters_stay_within_their_bounds_and_the_others_go_on():
    bounded = Parameters(np.ones(2, bool), np.array([-2.0, -1.0]), np.array([0.5, 3.0]))
    theta, _ = descend(np.array([-1.2, 1.0]), rosenbrock, rosenbrock_model, bounded, **RULES)
    np.testing.assert_allclose(theta, [0.5, 0.25], atol=1e-8)


def test_what_is_not_free_does_not_move():
    fixed = Parameters(np.array([False, True]), FREE.low, FREE.high)
    theta, _ = descend(np.array([-1.2, 1.0]), rosenbrock, rosenbrock_model, fixed, **RULES)
    np.testing.assert_allclose(theta, [-1.2, 1.44], atol=1e-8)


def test_a_slow_parameter_approaches_zero_by_a_share_at_a_step():
    slow = Parameters(np.ones(1, bool), np.array([1e-6]), np.array([9.0]), np.ones(1, bool))
    theta = slow.step(np.array([1.0]), np.array([5.0]), np.eye(1), np.zeros(1))
    assert theta[0] == SLOWEST


def test_parameters_that_change_nothing_are_left_alone():
    def model(theta):
        return np.array([theta[0], 0.0]), np.diag([1.0, 0.0]), np.array([1.0, 0.0])

    theta, value = descend(
        np.array([3.0, 7.0]), lambda t: float(0.5 * t[0] ** 2), model, FREE, **RULES
    )
    np.testing.assert_allclose(theta, [0.0, 7.0], atol=1e-8)
    assert value == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("undefined", [np.nan, np.inf])
def test_it_ends_where_there_is_no_slope(undefined):
    def model(theta):
        return np.full(2, undefined), np.eye(2), np.ones(2)

    start = np.array([1.0, 2.0])
    theta, value = descend(start, lambda t: np.inf, model, FREE, **RULES)
    assert (theta == start).all() and value == np.inf


def test_a_loss_below_the_floor_counts_as_zero():
    start = np.array([-1.2, 1.0])
    theta, _ = descend(start, rosenbrock, rosenbrock_model, FREE, floor=1e3, **RULES)
    assert (theta == start).all()
