import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from occamscope.errors import InputError
from occamscope.evaluation.accuracy import (
    accuracy_table,
    auc_interval,
    balanced_interval,
    binary_metrics,
    mcnemar,
    ratio_interval,
    wilson_interval,
)


def cells(n=400, seed=0, shift=1.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return rng.normal(size=n) + shift * (labels - 0.5), labels


def test_wilson_matches_published_interval():
    # Newcombe 1998, table I: 81/263 and 0/20.
    low, high = wilson_interval(np.array([81, 0]), np.array([263, 20]))
    np.testing.assert_allclose(low, [0.2553, 0.0], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1611], atol=5e-5)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_the_share_and_stays_within_0_and_1(n, share):
    count = round(share * n)
    low, high = wilson_interval(count, n)
    assert 0 <= low <= count / n <= high <= 1
    assert high > low


def test_no_cells_give_no_interval():
    assert np.isnan(wilson_interval(0, 0)).all()


def test_metrics_match_scikit_learn():
    scores, labels = cells()
    found = binary_metrics(scores, labels)
    assert found["accuracy"] == np.mean((scores > 0) == labels)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores > 0))
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert found["sensitivity"] == pytest.approx(np.mean(scores[labels == 1] > 0))


def test_ties_count_half_in_the_auc():
    scores = np.array([0.0, 1, 1, 2, 2, 2, 3])
    labels = np.array([0, 0, 1, 0, 1, 1, 1])
    assert auc_interval(scores, labels)[0] == pytest.approx(roc_auc_score(labels, scores))


def test_zero_is_the_negative_class():
    found = binary_metrics(np.array([0.0, 0.0]), np.array([0, 1]))
    assert (found["specificity"], found["sensitivity"]) == (1, 0)


def test_delong_variance_matches_the_definition():
    scores, labels = cells(60)
    x, y = scores[labels == 1], scores[labels == 0]
    kernel = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    variance = kernel.mean(1).var(ddof=1) / len(x) + kernel.mean(0).var(ddof=1) / len(y)
    auc, low, high = auc_interval(scores, labels)
    logit = np.log(np.array([low, high]) / (1 - np.array([low, high])))
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))
    assert np.ptp(logit) / 2 == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize("n", [10, 100])
def test_perfect_auc_keeps_an_interval(n):
    scores = np.r_[np.linspace(-2, -1, n), np.linspace(1, 2, n)]
    auc, low, high = auc_interval(scores, np.repeat([0, 1], n))
    assert auc == high == 1
    assert 0.6 < low < 1


def test_intervals_cover_the_truth():
    covered = np.zeros(2)
    for seed in range(300):
        scores, labels = cells(80, seed)
        found = binary_metrics(scores, labels)
        truth = {"balanced_accuracy": 0.7733726, "auc": 0.8555778}  # Phi(.75), Phi(1.5/sqrt 2)
        covered += [found[f"{k}_low"] <= t <= found[f"{k}_high"] for k, t in truth.items()]
    assert (covered / 300 > 0.92).all()
    assert (covered / 300 < 0.99).all()


def test_perfect_recalls_keep_an_interval():
    value, low, high = balanced_interval(np.array([50, 10]), np.array([50, 10]))
    assert value == high == 1
    assert low == pytest.approx(1 - np.hypot(1 - 46.43 / 50, 1 - 7.225 / 10) / 2, abs=1e-3)


def test_one_class_leaves_auc_open():
    found = binary_metrics(np.array([1.0, -1]), np.array([1, 1]))
    assert found["accuracy"] == 0.5
    assert np.isnan([found["auc"], found["balanced_accuracy"], found["specificity"]]).all()


@pytest.mark.parametrize(
    ("scores", "labels"),
    [([np.nan], [0]), ([1.0], [-1]), ([], []), ([1.0, 2.0], [1])],
    ids=["nan score", "unlabelled", "empty", "lengths"],
)
def test_bad_scores_are_refused(scores, labels):
    with pytest.raises(InputError):
        binary_metrics(np.array(scores), np.array(labels))


def test_mcnemar_is_the_binomial_test_of_disagreements():
    a = np.repeat([1, 1, 0, 0], [10, 6, 1, 3]).astype(bool)
    b = np.repeat([1, 0, 1, 0], [10, 6, 1, 3]).astype(bool)
    assert mcnemar(a, b) == {"a_only": 6, "b_only": 1, "p_value": pytest.approx(16 / 128)}
    assert mcnemar(a, a)["p_value"] == 1


def test_ratio_interval_matches_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    a, b = rng.random(300) < 0.9, rng.random(300) < 0.95
    rows = rng.integers(300, size=(4000, 300))
    plain = np.quantile(a[rows].mean(1) / b[rows].mean(1), [0.025, 0.975])
    value, low, high = ratio_interval(a, b, seed=0, resamples=4000)
    assert value == a.mean() / b.mean()
    np.testing.assert_allclose([low, high], plain, atol=4e-3)


def test_balanced_ratio_compares_balanced_accuracies():
    labels = np.repeat([0, 1], [90, 10])
    a = np.repeat([1, 0], [90, 10]).astype(bool)
    value, low, high = ratio_interval(a, np.ones(100, bool), 0, labels=labels)
    assert (value, low, high) == (0.5, 0.5, 0.5)


def test_same_seed_gives_same_interval():
    a, b = np.arange(50) % 5 > 0, np.arange(50) % 7 > 0
    assert ratio_interval(a, b, 3) == ratio_interval(a, b, 3)
    assert ratio_interval(a, b, 3) != ratio_interval(a, b, 4)


def models(kinds, seeds):
    names = [f"{k}{s}" for k, s in zip(kinds, seeds, strict=True)]
    return pd.DataFrame({"model": names, "kind": kinds, "seed": seeds})


def test_table_compares_networks_of_the_same_seed():
    labels = np.repeat([0, 1], 50)
    right = 2.0 * labels - 1
    scores = np.stack([right] * 4)
    scores[1, :20] *= -1  # the dense network of seed 1 errs in 20 of 100 cells
    table = models(["dense", "dense", "sparse", "sparse"], [0, 1, 0, 1])
    found = accuracy_table(table, scores, labels, "test", seed=0)
    assert found["ratio_to_dense"].tolist() == [1, 1, 1, 1.25]
    assert found["ratio_to_black_box"].isna().all()
    assert (found["split"] == "test").all()
    assert found["mcnemar_p_to_dense"][3] < 1e-4
    assert found["ratio_to_dense_low"][3] < 1.25 < found["ratio_to_dense_high"][3]
    # All errors are in class 0: recalls .6 and 1.
    assert found["balanced_ratio_to_dense"][3] == pytest.approx(1 / 0.8)
    assert found["balanced_ratio_to_dense_low"][3] > 1.1
