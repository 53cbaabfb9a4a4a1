import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, r2_score

from occamscope.errors import InputError
from occamscope.laws.choice.choose import validation_columns
from occamscope.laws.choice.validation import (
    CLASS_COLUMNS,
    NUMBER_COLUMNS,
    add_validation,
    balanced_standard_error,
    class_accuracies,
    simplest_within,
    standard_error,
)
from occamscope.laws.loss import LOSSES, mean_loss

NAMES = ("z0", "z1")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2))
TARGET = X[:, 0] + 0.5 * RNG.normal(size=300)
LABELS = np.where(TARGET > 0.5, 1.0, -1.0)
WEIGHT = RNG.integers(0, 3, 300).astype(float)


def laws(*texts, scale=1.0, offset=0.0):
    return pd.DataFrame({"expression": texts, "output_scale": scale, "output_offset": offset})


def table(*rows):
    return pd.DataFrame(rows, columns=["complexity", "measure", "tie", "expression"])


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_its_columns(loss):
    y = LABELS if loss not in ("mse", "mae") else TARGET
    judged = add_validation(laws("z0", "2.0*z0 - 1.0"), X, y, loss, NAMES)
    expected = CLASS_COLUMNS if loss not in ("mse", "mae") else NUMBER_COLUMNS
    assert tuple(judged.columns[3:]) == expected
    assert judged["validation_loss"][1] == mean_loss(2 * X[:, 0] - 1, y, loss)
    assert np.isfinite(judged[list(expected)].to_numpy()).all()


def test_columns_are_those_of_scikit_learn():
    values = 3 * X[:, 0] - 1.2
    rows = laws("z0", scale=3.0, offset=-1.2)
    row = add_validation(rows, X, LABELS, "hinge", NAMES, WEIGHT).iloc[0]
    says = np.where(values > 0, 1, -1)
    expected = balanced_accuracy_score(LABELS, says, sample_weight=WEIGHT)
    assert row["validation_balanced_accuracy"] == pytest.approx(expected)
    assert row["validation_accuracy"] == pytest.approx(np.average(says == LABELS, weights=WEIGHT))
    assert row["validation_loss"] == mean_loss(values, LABELS, "hinge", WEIGHT)
    number = add_validation(rows, X, TARGET, "mse", NAMES, WEIGHT).iloc[0]
    expected = r2_score(TARGET, values, sample_weight=WEIGHT)
    assert number["validation_r2"] == pytest.approx(expected)


def test_columns_agree_with_those_that_the_workflow_writes():
    rows = laws("z0", "z0*z1 - 0.1", "log(z1)", scale=2.0)
    old, new = (
        validation_columns(rows, X, LABELS, NAMES),
        add_validation(rows, X, LABELS, "hinge", NAMES),
    )
    for name in CLASS_COLUMNS[1:]:
        np.testing.assert_array_equal(old[name], new[name])
    np.testing.assert_array_equal(old["validation_hinge"], new["validation_loss"])


def test_the_workflow_counts_the_sign_of_the_shifted_law():
    rows = laws("z0", offset=-0.5)
    shifted = laws("z0 - 0.5")
    pd.testing.assert_series_equal(
        validation_columns(rows, X, LABELS, NAMES).iloc[0, 3:],
        validation_columns(shifted, X, LABELS, NAMES).iloc[0, 3:],
    )


def test_an_undefined_law_is_wrong_and_has_an_infinite_loss():
    row = add_validation(laws("log(z0)"), X, TARGET, "mse", NAMES).iloc[0]
    assert row["validation_loss"] == np.inf
    assert row["validation_r2"] == -np.inf
    assert row["validation_standard_error"] == np.inf


def test_targets_that_do_not_vary_have_no_r2():
    row = add_validation(laws("z0"), X, np.ones(300), "mse", NAMES).iloc[0]
    assert np.isnan(row["validation_r2"])


def test_one_class_is_refused():
    with pytest.raises(InputError, match="one class"):
        add_validation(laws("z0"), X, np.ones(300), "hinge", NAMES)
    with pytest.raises(InputError, match="one class"):
        add_validation(laws("z0"), X, LABELS, "hinge", NAMES, np.where(LABELS > 0, 1.0, 0.0))


def test_three_classes_weigh_alike():
    right = [True, True, False, True, False, False]
    _, balanced, error = class_accuracies(right, [0, 0, 0, 1, 2, 2])
    assert balanced == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert error == balanced_standard_error([2, 1, 0], [3, 1, 2])


def test_equal_weights_of_any_size_change_no_accuracy():
    right, number = RNG.random(50) < 0.8, RNG.integers(0, 2, 50)
    plain, scaled = (
        class_accuracies(right, number),
        class_accuracies(right, number, np.full(50, 7.0)),
    )
    np.testing.assert_allclose(plain, scaled, rtol=1e-12)


def test_standard_error_of_a_mean_is_the_textbooks():
    losses = RNG.normal(size=40)
    assert standard_error(losses) == pytest.approx(losses.std(ddof=1) / np.sqrt(40))
    assert standard_error(losses, np.full(40, 3.0)) == pytest.approx(standard_error(losses))


def test_rows_of_a_group_count_as_one_draw():
    losses, groups = RNG.normal(size=10), np.repeat(np.arange(10), 5)
    assert standard_error(np.repeat(losses, 5), groups=groups) == pytest.approx(
        standard_error(losses)
    )


def test_standard_error_of_a_weighted_mean_agrees_with_repeated_sampling():
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.2, 3.0, 200)
    means = [np.average(rng.exponential(size=200), weights=weight) for _ in range(4000)]
    mean_error = np.mean([standard_error(rng.exponential(size=200), weight) for _ in range(200)])
    assert mean_error == pytest.approx(np.std(means), rel=0.05)


def test_standard_error_without_a_spread_to_see_is_infinite():
    assert standard_error([1.0]) == np.inf
    assert standard_error([1.0, np.nan]) == np.inf
    assert standard_error([1.0, 3.0, np.inf], np.array([1.0, 1.0, 0.0])) == pytest.approx(1.0)


def test_the_simplest_law_near_the_best_is_taken():
    rows = table((9, 0.10, 0, "c"), (5, 0.14, 0, "b"), (3, 0.16, 0, "a"))
    assert simplest_within(rows, "measure", 0.05, "tie", larger_is_better=False) == 1
    assert simplest_within(rows, "measure", 0.06, "tie", larger_is_better=False) == 2
    assert simplest_within(rows, "measure", 0.0, "tie", larger_is_better=True) == 2


def test_a_rounding_error_does_not_decide_at_the_edge():
    rows = table((9, 0.7, 0, "c"), (3, 0.8, 0, "a"))
    assert 0.7 + 0.1 < 0.8
    assert simplest_within(rows, "measure", 0.1, "tie", larger_is_better=False) == 1


def test_a_law_that_is_undefined_is_taken_only_if_all_are():
    rows = table((9, 0.1, 0, "c"), (3, np.inf, 0, "a"))
    assert simplest_within(rows, "measure", np.inf, "tie", larger_is_better=False) == 0
    assert simplest_within(rows.assign(measure=np.inf), "measure", np.inf, "tie", False) == 1


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=12
    ),
    st.integers(0, 4),
    st.randoms(use_true_random=False),
)
def test_the_rule_is_what_its_words_say_in_any_order(triples, allowed, random):
    rows = table(*[(c, m, t, f"{i:02}") for i, (c, m, t) in enumerate(triples)])
    best = rows["measure"].min()
    near = rows[rows["measure"] <= best + allowed]
    expected = near.sort_values(["complexity", "tie", "expression"]).index[0]
    order = list(rows.index)
    random.shuffle(order)
    assert simplest_within(rows.loc[order], "measure", allowed, "tie", False) == expected
