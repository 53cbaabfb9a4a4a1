"""Disentanglement, completeness and informativeness where they are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import hadamard
from scipy.stats import entropy
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, r2_score

from occamscope.errors import InputError
from occamscope.representation.dci import dci, factor_completeness, latent_disentanglement

RNG = np.random.default_rng(0)
N = 300
CODES = RNG.normal(size=(N, 4))
TRAIN, TEST = np.arange(200), np.arange(200, N)
FACTORS = pd.DataFrame(
    {"a": CODES[:, 2], "b": np.exp(CODES[:, 0]), "c": np.digitize(CODES[:, 3], [-0.5, 0.5])}
)

importances = st.integers(2, 5).flatmap(
    lambda k: arrays(float, (4, k), elements=st.floats(0, 1).filter(lambda v: v == 0 or v > 1e-6))
)


def both(codes=CODES, factors=FACTORS, **options):
    options = {"train": TRAIN, "test": TEST, "seed": 0, "discrete": ["c"], **options}
    return dci(codes, factors, **options)


@pytest.fixture(scope="module")
def plain():
    """Scores of the codes and factors as they are."""
    return both()


def test_importances_of_one_latent_a_factor_give_one():
    importance = np.array([[0, 3.0, 0], [0.2, 0, 0], [0, 0, 7.0]])
    disentanglement, weight = latent_disentanglement(importance)
    assert disentanglement.tolist() == [1, 1, 1]
    np.testing.assert_allclose(weight, np.array([3, 0.2, 7]) / 10.2)
    assert factor_completeness(importance).tolist() == [1, 1, 1]


def test_even_importances_give_zero():
    importance = np.full((5, 3), 0.2)
    np.testing.assert_allclose(latent_disentanglement(importance)[0], 0, atol=1e-12)
    np.testing.assert_allclose(factor_completeness(importance), 0, atol=1e-12)


def test_a_factor_in_two_of_d_latents_has_the_completeness_of_the_closed_form():
    for d in (2, 8, 32):
        importance = np.zeros((d, 2))
        importance[:2, 0] = 0.5
        importance[-1, 1] = 1
        expected = 1 - np.log(2) / np.log(d)
        assert factor_completeness(importance)[0] == pytest.approx(expected, abs=1e-12)


def test_a_latent_of_two_factors_has_the_disentanglement_of_the_closed_form():
    importance = np.array([[3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    entropy_ = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(4)
    disentanglement, weight = latent_disentanglement(importance)
    assert disentanglement == pytest.approx([1 - entropy_, 1])
    assert weight == pytest.approx([0.8, 0.2])


@given(importances)
def test_entropies_equal_scipys(importance):
    k = importance.shape[1]
    rows = importance[importance.sum(axis=1) > 0]
    found = latent_disentanglement(importance)[0][importance.sum(axis=1) > 0]
    np.testing.assert_allclose(found, 1 - entropy(rows, base=k, axis=1), atol=1e-9)
    columns = importance[:, importance.sum(axis=0) > 0]
    found = factor_completeness(importance)[importance.sum(axis=0) > 0]
    np.testing.assert_allclose(found, 1 - entropy(columns, base=4, axis=0), atol=1e-9)


@given(importances)
def test_what_is_of_no_importance_has_neither_score_nor_weight(importance):
    importance[1], importance[:, 1] = 0, 0
    disentanglement, weight = latent_disentanglement(importance)
    assert disentanglement[1] == 0 and weight[1] == 0
    assert weight.sum() == pytest.approx(1 if importance.any() else 0)
    assert factor_completeness(importance)[1] == 0


@pytest.mark.parametrize(
    "importance", [np.ones((1, 3)), np.ones((3, 1)), -np.ones((2, 2)), np.full((2, 2), np.nan)]
)
def test_importances_without_entropies_are_refused(importance):
    with pytest.raises(InputError, match="importances"):
        latent_disentanglement(importance)


@pytest.mark.parametrize("model", ["boosting", "forest"])
def test_one_latent_a_factor_scores_near_one(model):
    scores = both(model=model)
    assert scores.factors["latent"].tolist() == ["z2", "z0", "z3"]
    assert scores.factors["kind"].tolist() == ["continuous", "continuous", "discrete"]
    assert min(scores.disentanglement, scores.completeness) > 0.95
    assert scores.factors["informativeness"].min() > 0.9
    assert scores.latents["weight"].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3], abs=0.02)


@pytest.mark.parametrize("model", ["boosting", "forest"])
def test_factors_that_are_all_turned_together_score_low(model):
    """Each factor is an even mixture of all four latents."""
    mixed = pd.DataFrame(CODES @ hadamard(4) / 2, columns=list("abcd"))
    scores = both(factors=mixed, discrete=[], model=model)
    assert scores.disentanglement < 0.1 and scores.completeness < 0.1
    assert scores.informativeness > 0.5


@pytest.mark.parametrize("model", ["boosting", "forest"])
def test_a_factor_in_two_latents_loses_half_of_its_completeness(model):
    twice = np.column_stack([CODES[:, 0], CODES[:, 2], CODES[:, 2], CODES[:, 3]])
    scores = both(codes=twice, model=model)
    complete = scores.factors.set_index("factor")["completeness"]
    assert complete["a"] == pytest.approx(1 - np.log(2) / np.log(4), abs=0.04)
    assert complete["b"] > 0.95
    assert scores.disentanglement > 0.95


def test_means_are_those_of_the_definition():
    scores = both(codes=CODES + 0.3 * CODES[:, ::-1])
    R = scores.importance.to_numpy()
    np.testing.assert_allclose(R.sum(axis=0), 1)
    rows = 1 - entropy(R, base=3, axis=1)
    assert scores.disentanglement == pytest.approx((rows * R.sum(axis=1)).sum() / R.sum())
    assert scores.completeness == pytest.approx((1 - entropy(R, base=4, axis=0)).mean())
    assert scores.informativeness == pytest.approx(scores.factors["informativeness"].mean())


def test_importance_and_informativeness_are_those_of_the_models(plain):
    boosting, forest = plain, both(model="forest")
    tree = GradientBoostingClassifier(random_state=0).fit(CODES[TRAIN], FACTORS["c"][TRAIN])
    np.testing.assert_allclose(boosting.importance["c"], tree.feature_importances_, atol=1e-12)
    accuracy = accuracy_score(FACTORS["c"][TEST], tree.predict(CODES[TEST]))
    assert boosting.factors["informativeness"][2] == pytest.approx(accuracy)
    trees = RandomForestRegressor(100, random_state=0).fit(CODES[TRAIN], FACTORS["b"][TRAIN])
    np.testing.assert_allclose(forest.importance["b"], trees.feature_importances_, atol=1e-12)
    r2 = r2_score(FACTORS["b"][TEST], trees.predict(CODES[TEST]))
    assert forest.factors["informativeness"][1] == pytest.approx(r2)


def test_a_factor_of_which_the_codes_say_nothing_is_not_predicted():
    noise = FACTORS.assign(a=RNG.normal(size=N))
    assert both(factors=noise).factors["informativeness"][0] < 0.1


def test_a_factor_scores_the_same_beside_others_in_any_order(plain):
    one = plain.factors.set_index("factor")
    other = both(factors=FACTORS[["c", "b", "a"]]).factors.set_index("factor")
    pd.testing.assert_frame_equal(one, other.loc[one.index])


def test_one_seed_gives_one_result_and_only_given_rows_count():
    spoilt_codes, spoilt = CODES.copy(), FACTORS.copy()
    spoilt_codes[250:], spoilt.loc[250:, "a"] = 0, 0
    kept = np.arange(200, 250)
    one, other = both(test=kept), both(spoilt_codes, spoilt, test=kept)
    pd.testing.assert_frame_equal(one.importance, other.importance)
    pd.testing.assert_frame_equal(one.factors, other.factors)


def test_test_rows_say_nothing_of_importance(plain):
    spoilt = FACTORS.assign(a=np.where(np.arange(N) < 200, FACTORS["a"], -FACTORS["a"]))
    other = both(factors=spoilt)
    pd.testing.assert_frame_equal(plain.importance, other.importance)
    assert other.factors["informativeness"][0] < 0 < plain.factors["informativeness"][0]


def test_a_factor_that_does_not_vary_has_no_score_and_counts_in_no_mean(plain):
    scores = both(factors=FACTORS.assign(same=2.0))
    row = scores.factors.iloc[3]
    assert (
        row["latent"] == "" and np.isnan(row["completeness"]) and np.isnan(row["informativeness"])
    )
    assert list(scores.importance.columns) == ["a", "b", "c"]
    assert scores.disentanglement == plain.disentanglement
    assert scores.completeness == plain.completeness


def test_one_varying_factor_or_an_unknown_model_is_refused():
    with pytest.raises(InputError, match="two factors"):
        both(factors=FACTORS[["a"]].assign(c=0))
    with pytest.raises(InputError, match="lasso"):
        both(model="lasso")
