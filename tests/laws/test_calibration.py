import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.calibration import Platt, fit_platt, reliability


def test_platt_finds_the_sigmoid_that_made_the_labels():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000) * 3
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(0.8 * scores - 0.5)))
    platt = fit_platt(scores, labels.astype(int))
    assert (platt.a, platt.b) == pytest.approx((0.8, -0.5), abs=0.05)


def test_separated_scores_give_smoothed_probabilities():
    platt = fit_platt(np.r_[-np.ones(10), np.ones(10)], np.repeat([0, 1], 10))
    np.testing.assert_allclose(platt(np.array([-1.0, 1.0])), [1 / 12, 11 / 12], atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_probabilities_do_not_depend_on_the_scale_of_scores(scale):
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=200), rng.integers(0, 2, 200)
    scores += labels
    expected = fit_platt(scores, labels)(scores)
    np.testing.assert_allclose(
        fit_platt(scale * scores, labels)(scale * scores), expected, atol=1e-4
    )


def test_calibration_never_turns_a_decision_round():
    platt = fit_platt(np.array([1.0, 2, -1, -2]), np.array([0, 0, 1, 1]))
    assert platt.a >= 0


def test_one_class_is_refused():
    with pytest.raises(InputError, match="one class"):
        fit_platt(np.ones(5), np.ones(5))


def test_platt_survives_a_round_trip():
    platt = Platt(1.5, -0.25)
    assert Platt(**platt.to_dict()) == platt


def test_reliability_counts_and_weighs_bins():
    table, error = reliability(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 0]), bins=2)
    np.testing.assert_allclose(table, [[0.1, 0, 2], [0.9, 0.5, 2]])
    assert error == pytest.approx((0.1 + 0.4) / 2)


def test_whole_weights_count_as_so_many_rows_up_to_the_smoothing_of_targets():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=3000)
    labels = (rng.random(3000) < 1 / (1 + np.exp(-scores))).astype(int)
    weight = rng.integers(1, 4, 3000)
    weighted = fit_platt(scores, labels, weight)
    repeated = fit_platt(np.repeat(scores, weight), np.repeat(labels, weight))
    assert (weighted.a, weighted.b) == pytest.approx((repeated.a, repeated.b), rel=3e-3, abs=3e-3)


@pytest.mark.parametrize("shift", [0.0, 1e3, -1e6])
def test_the_sigmoid_is_the_minimum_of_the_logistic_loss(shift):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=500)
    labels = (rng.random(500) < 1 / (1 + np.exp(1 - 2 * scores))).astype(int)
    target = np.where(labels, (labels.sum() + 1) / (labels.sum() + 2), 0)
    target = np.where(labels, target, 1 / ((1 - labels).sum() + 2))
    platt = fit_platt(scores + shift, labels)
    rest = platt(scores + shift) - target  # the loss's derivative
    assert abs(np.mean(rest)) < 1e-7 and abs(np.mean(rest * scores)) < 1e-7


def test_scores_that_say_nothing_give_the_share_of_the_classes():
    platt = fit_platt(np.full(100, 3.0), np.repeat([0, 1], [75, 25]))
    assert platt.a == 0 and platt(np.zeros(1)) == pytest.approx(0.25, abs=0.01)
