"""Separated attribute predictability where it is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import LinearSVC

from occamscope.errors import InputError
from occamscope.representation.sap import separated_attribute_predictability

LEVELS = np.linspace(-1, 1, 5)
# All combinations, so that three latents are uncorrelated exactly, in each part alike.
GRID = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 3)
CODES = np.concatenate([GRID, GRID])
TRAIN, TEST = np.arange(125), np.arange(125, 250)
RNG = np.random.default_rng(0)


def sap(factors: dict, codes=CODES, discrete=(), train=TRAIN, test=TEST):
    return separated_attribute_predictability(codes, pd.DataFrame(factors), train, test, discrete)


def gap(factor: np.ndarray, codes=CODES, **options) -> pd.Series:
    return sap({"f": factor}, codes, **options).factors.iloc[0]


def test_one_latent_a_factor_has_a_gap_of_one():
    scores = sap({"a": -3 * CODES[:, 2] + 1, "b": CODES[:, 0], "c": CODES[:, 1]})
    assert scores.factors["latent"].tolist() == ["z2", "z0", "z1"]
    np.testing.assert_allclose(scores.factors["gap"], 1)
    assert scores.mean == pytest.approx(1)
    np.testing.assert_allclose(scores.scores, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-12)


@given(st.floats(0, np.pi))
def test_a_mixture_of_two_latents_has_the_gap_of_the_closed_form(angle):
    """The squared correlations are cos^2 and sin^2; their difference is |cos 2 angle|."""
    row = gap(np.cos(angle) * CODES[:, 0] + np.sin(angle) * CODES[:, 1])
    assert row["gap"] == pytest.approx(abs(np.cos(2 * angle)), abs=1e-9)
    assert {row["latent"], row["runner_up"]} == {"z0", "z1"} or row["runner_up_score"] < 1e-9


def test_factors_that_are_all_turned_together_have_no_gap():
    mixed = CODES @ np.array([[1, 1, 1], [1, -1, 1], [1, 1, -1]])
    np.testing.assert_allclose(
        sap(dict(zip("abc", mixed.T, strict=True))).factors["gap"], 0, atol=1e-9
    )


@pytest.mark.parametrize("discrete", [(), ("f",)])
def test_a_factor_in_two_latents_has_no_gap(discrete):
    codes = np.column_stack([CODES[:, 0], CODES[:, 1], -CODES[:, 0]])
    row = gap(CODES[:, 0], codes, discrete=discrete)
    assert row["gap"] == pytest.approx(0, abs=1e-12) and row["score"] == pytest.approx(1)


def test_continuous_scores_are_the_r2_of_a_line_on_the_test_rows():
    codes, factor = RNG.normal(size=(80, 3)), RNG.normal(size=80)
    factor[::7] = np.nan
    test = np.arange(40, 80)
    scores = sap({"f": factor}, codes, train=np.arange(40), test=test).scores["f"]
    kept = test[np.isfinite(factor[test])]
    for unit in range(3):
        x, y = codes[kept][:, [unit]], factor[kept]
        assert scores[f"z{unit}"] == pytest.approx(LinearRegression().fit(x, y).score(x, y))


def test_two_classes_are_told_apart_as_by_a_linear_svm():
    labels = RNG.integers(0, 2, 600)
    codes = np.column_stack([labels + RNG.normal(0, s, 600) for s in (0.3, 0.6, 1.5)])
    train, test = np.arange(300), np.arange(300, 600)
    scores = sap({"f": labels}, codes, ["f"], train, test).scores["f"]
    for unit in range(3):
        svm = LinearSVC(class_weight="balanced").fit(codes[train][:, [unit]], labels[train])
        predicted = svm.predict(codes[test][:, [unit]])
        expected = balanced_accuracy_score(labels[test], predicted)
        assert scores[f"z{unit}"] == pytest.approx(expected, abs=0.03)


def test_ordered_classes_of_one_latent_are_told_apart():
    """One class against all others, as scikit-learn's linear SVM has it, misses one of them."""
    labels = np.digitize(CODES[:, 1], [-0.75, -0.25, 0.25, 0.75])
    row = gap(labels, discrete=["f"])
    assert (row["latent"], row["score"]) == ("z1", 1.0)
    assert row["runner_up_score"] == pytest.approx(1 / 5)  # guessing
    svm = LinearSVC().fit(CODES[TRAIN][:, [1]], labels[TRAIN])
    assert svm.score(CODES[TEST][:, [1]], labels[TEST]) < 0.9


def test_thresholds_come_from_the_training_rows():
    """Learnt the wrong way round, they are wrong on all test rows."""
    positive = CODES[:, 0] > 0.1
    row = sap({"f": np.where(np.arange(250) < 125, positive, ~positive)}, discrete=["f"])
    assert row.scores["f"]["z0"] == 0


def test_collapsed_latents_score_nothing():
    codes = CODES * [1, 0, 0]
    assert gap(CODES[:, 0], codes)["gap"] == pytest.approx(1)
    assert gap(CODES[:, 0] > 0.1, codes, discrete=["f"])["gap"] == 1


def test_a_factor_that_does_not_vary_has_no_score_and_counts_in_no_mean():
    scores = sap({"a": CODES[:, 0], "same": 1.0, "class": "x"}, discrete=["class"])
    assert scores.factors["latent"].tolist() == ["z0", "", ""]
    assert np.isnan(scores.factors["gap"][1:]).all() and scores.mean == pytest.approx(1)


def test_shared_rows_are_refused():
    with pytest.raises(InputError, match="held out"):
        sap({"a": CODES[:, 0]}, test=TRAIN)
