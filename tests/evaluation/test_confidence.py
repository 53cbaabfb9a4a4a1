import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from occamscope.errors import InputError
from occamscope.evaluation.confidence import confidence_thresholds
from occamscope.laws.choice.calibration import Platt, fit_platt


def drawn(slope, offset, n=40_000, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, n)
    return scores, (rng.random(n) < expit(slope * scores + offset)).astype(int)


@given(
    st.floats(0.01, 100),
    st.floats(-2, 2),
    st.floats(0.6, 0.999),
)
def test_the_sigmoid_reaches_the_level_at_the_thresholds(a, b, level):
    found = confidence_thresholds(
        np.array([-1.0, 1.0]), np.array([0, 1]), lambda *_: Platt(a, b), level
    )
    assert found.lower <= 0 <= found.upper
    odds = np.log(level / (1 - level))
    if odds > abs(b):
        assert expit(a * found.upper + b) == pytest.approx(level)
        assert expit(a * found.lower + b) == pytest.approx(1 - level)
    elif b > 0:  # the boundary itself is surely positive
        assert found.upper == 0


def test_known_probabilities_are_recovered():
    found = confidence_thresholds(*drawn(1.5, 0.0), fit_platt, 0.9)
    assert found.upper == pytest.approx(np.log(9) / 1.5, rel=0.03)
    assert found.lower == pytest.approx(-np.log(9) / 1.5, rel=0.03)


def test_a_rare_class_moves_no_threshold():
    scores, labels = drawn(1.5, 0.0)
    rare = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:2000]])
    all_cells = confidence_thresholds(scores, labels, fit_platt)
    few = confidence_thresholds(scores[rare], labels[rare], fit_platt)
    assert few.upper == pytest.approx(all_cells.upper, rel=0.08)
    assert few.lower == pytest.approx(all_cells.lower, rel=0.08)


def test_it_agrees_with_scikit_learn():
    scores, labels = drawn(0.8, -1.0, n=5000)
    model = LogisticRegression(C=1e9, class_weight="balanced", tol=1e-10)
    model.fit(scores[:, None], labels)
    odds = np.log(19)
    found = confidence_thresholds(scores, labels, fit_platt)
    assert found.upper == pytest.approx((odds - model.intercept_[0]) / model.coef_[0, 0], rel=2e-3)
    assert found.lower == pytest.approx((-odds - model.intercept_[0]) / model.coef_[0, 0], rel=2e-3)


def test_scores_of_another_unit_move_the_thresholds_by_the_same_factor():
    scores, labels = drawn(1.0, 0.5, n=3000)
    one, thousand = (confidence_thresholds(k * scores, labels, fit_platt) for k in (1, 1000))
    assert thousand.upper == pytest.approx(1000 * one.upper, rel=1e-6)
    assert thousand.lower == pytest.approx(1000 * one.lower, rel=1e-6)


def test_separable_classes_have_finite_thresholds():
    scores = np.concatenate([np.linspace(-9, -3, 50), np.linspace(3, 9, 50)])
    found = confidence_thresholds(scores, np.repeat([0, 1], 50), fit_platt)
    assert 0 < found.upper < 9
    assert found.lower == pytest.approx(-found.upper)


@pytest.mark.parametrize(
    ("scores", "labels", "level", "message"),
    [
        ([1.0, 2.0], [1, 1], 0.95, "0 negative and 2 positive"),
        ([], [], 0.95, "0 negative and 0 positive"),
        ([-1.0, 1.0], [1, 0], 0.95, "do not rise"),
        ([2.0, 2.0], [1, 0], 0.95, "do not rise"),
        ([-1.0, np.inf], [0, 1], 0.95, "1 held-out scores are not finite"),
        ([-1.0, 1.0], [0, 2], 0.95, "0 or 1"),
        ([-1.0, 1.0], [0, 1], 0.5, "level 0.5"),
        ([-1.0, 1.0], [0, 1], 1.0, "level 1.0"),
        ([-1.0, 1.0, 2.0], [0, 1], 0.95, "(3,) scores"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(scores, labels, level, message):
    with pytest.raises(InputError) as error:
        confidence_thresholds(np.array(scores), np.array(labels), fit_platt, level)
    assert message in str(error.value)
