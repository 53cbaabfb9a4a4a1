import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.laws.calibration import Platt, fit_platt, reliability


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
