import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize_scalar

from occamscope.errors import InputError
from occamscope.laws.loss import (
    LOSSES,
    MARGIN_LOSSES,
    SCALE_RANGE,
    check_targets,
    check_weights,
    elementwise_loss,
    fit_output_scale,
    mean_loss,
)

F = np.array([2.0, 0.5, -1.0, 0.0])
Y = np.array([1.0, 1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("hinge", [0.0, 0.5, 2.0, 1.0]),
        ("squared_hinge", [0.0, 0.25, 4.0, 1.0]),
        ("ramp", [0.0, 0.5, 2.0, 1.0]),
        ("logistic", np.log1p(np.exp([-2.0, -0.5, 1.0, 0.0]))),
        ("mse", [1.0, 0.25, 4.0, 1.0]),
    ],
)
def test_losses_match_their_formulas(loss, expected):
    np.testing.assert_allclose(elementwise_loss(F, Y, loss), expected, rtol=1e-14)


def test_logistic_loss_does_not_overflow():
    np.testing.assert_allclose(elementwise_loss([-1e4, 1e4], [1, 1], "logistic"), [1e4, 0.0])


def test_undefined_values_have_an_infinite_loss():
    for loss in LOSSES:
        assert mean_loss([1.0, np.nan], [1.0, -1.0], loss) == np.inf


def test_infinite_values_on_the_right_side_cost_nothing():
    assert mean_loss([np.inf, -np.inf], [1.0, -1.0], "hinge") == 0.0
    assert mean_loss([np.inf, -np.inf], [1.0, 1.0], "hinge") == np.inf


def test_a_weight_counts_like_repeated_rows():
    repeated = mean_loss(np.repeat(F, [1, 2, 3, 0]), np.repeat(Y, [1, 2, 3, 0]), "hinge")
    assert mean_loss(F, Y, "hinge", [1, 2, 3, 0]) == pytest.approx(repeated, rel=1e-14)


def test_rows_of_weight_zero_may_be_undefined():
    assert mean_loss([1.0, np.nan], [1.0, 1.0], "hinge", [1.0, 0.0]) == 0.0


def test_unknown_loss_is_refused():
    with pytest.raises(InputError, match="hinge, squared_hinge"):
        elementwise_loss(F, Y, "huber")


@pytest.mark.parametrize("labels", [[0, 1, 1], [1.0, np.nan, -1.0], []])
def test_margin_losses_refuse_other_labels(labels):
    with pytest.raises(InputError):
        check_targets(labels, "hinge")


@pytest.mark.parametrize("weight", [[1.0], [1, -1, 1], [1, np.nan, 1], [0, 0, 0], [[1, 1, 1]]])
def test_unusable_weights_are_refused(weight):
    with pytest.raises(InputError, match="weights"):
        check_weights(weight, 3)


def test_hinge_scale_of_a_separating_law_is_the_smallest_that_reaches_zero():
    assert fit_output_scale([0.5, -0.25, 3.0], [1, -1, 1], "hinge") == 4.0


def test_hinge_scale_trades_an_error_against_the_margin():
    # mean of max(0, 1 - s/2) (three times) and 1 + s: slope -1.5 + 1 until s = 2.
    assert fit_output_scale([0.5, 0.5, 0.5, -1.0], [1, 1, 1, 1], "hinge") == 2.0


def test_a_row_far_on_the_wrong_side_costs_a_ramp_no_more_than_one_beyond_the_margin():
    np.testing.assert_allclose(
        elementwise_loss([-1.0, -1.5, -1e6, -np.inf], np.ones(4), "ramp"), 2.0
    )
    assert np.isnan(elementwise_loss([np.nan], [1.0], "ramp")).all()


def test_one_false_label_in_the_tail_does_not_change_the_ramps_scale():
    margins = np.array([0.5] * 9 + [-100.0])
    assert fit_output_scale(margins, np.ones(10), "ramp") == 2.0
    assert fit_output_scale(margins, np.ones(10), "hinge") == SCALE_RANGE[0]


def test_mse_scale_is_the_closed_form():
    f, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    assert fit_output_scale(f, y, "mse") == pytest.approx(13 / 5, rel=1e-15)


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_a_law_that_is_always_wrong_gets_the_smallest_scale(loss):
    assert fit_output_scale([1.0, -2.0], [-1, 1], loss) == SCALE_RANGE[0]


def test_undefined_laws_get_scale_one():
    assert fit_output_scale([np.nan, 1.0], [1, 1], "hinge") == 1.0
    assert fit_output_scale([-np.inf, 1.0], [1, 1], "hinge") == 1.0


def test_overflow_on_the_right_side_leaves_the_scale_of_the_other_rows():
    assert fit_output_scale([np.inf, 0.5], [1, 1], "hinge") == 2.0


values = st.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3))


@settings(derandomize=True, max_examples=120, deadline=None)
@given(hnp.arrays(float, 12, elements=values), st.sampled_from(LOSSES), st.integers(0, 2**32 - 1))
def test_no_scale_beats_the_fitted_one(f, loss, seed):
    rng = np.random.default_rng(seed)
    y, w = rng.choice([-1.0, 1.0], 12), rng.uniform(0.1, 3, 12)
    y[0], y[1] = 1.0, -1.0
    best = mean_loss(fit_output_scale(f, y, loss, w) * f, y, loss, w)
    tried = [*np.geomspace(*SCALE_RANGE, 301), *rng.uniform(0, 3, 50)]
    assert best <= min(mean_loss(s * f, y, loss, w) for s in tried) * (1 + 1e-12) + 1e-14


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic"])  # the convex ones
def test_fitted_scale_agrees_with_a_numeric_minimiser(loss):
    rng = np.random.default_rng(3)
    y = np.repeat([-1.0, 1.0], 200)
    f = 0.05 * (y + rng.normal(size=400))
    found = minimize_scalar(
        lambda s: mean_loss(s * f, y, loss), (1, 50), method="golden", tol=1e-12
    )
    assert fit_output_scale(f, y, loss) == pytest.approx(found.x, rel=1e-5)


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_scaling_a_law_changes_its_scale_and_not_its_loss(loss):
    rng = np.random.default_rng(0)
    y = np.repeat([-1.0, 1.0], 100)
    f = y + rng.normal(size=200)
    s, t = fit_output_scale(f, y, loss), fit_output_scale(7 * f, y, loss)
    assert s == pytest.approx(7 * t, rel=1e-12)
    assert mean_loss(s * f, y, loss) == pytest.approx(mean_loss(t * 7 * f, y, loss), rel=1e-12)
