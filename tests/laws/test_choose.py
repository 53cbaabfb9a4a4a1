import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.choose import (
    ChoiceSettings,
    balanced_standard_error,
    choose_law,
    validation_columns,
)

NAMES = ("z0", "z1")


def table(*rows):
    columns = ["complexity", "validation_balanced_accuracy", "validation_hinge", "expression"]
    return pd.DataFrame(rows, columns=columns).assign(validation_standard_error=0.01)


def scored(expressions, X, labels, scale=1.0):
    rows = pd.DataFrame({"expression": expressions, "output_scale": scale})
    return validation_columns(rows, np.asarray(X), labels, NAMES)


X4 = [[1.0, 0], [2.0, 0], [-1.0, 0], [3.0, 0]]


def test_validation_accuracy_counts_the_signs():
    row = scored(["z0"], X4, [1, 1, 0, 0]).iloc[0]
    assert row["validation_accuracy"] == 0.75
    assert row["validation_balanced_accuracy"] == 0.75


def test_balanced_accuracy_weighs_both_classes_alike():
    row = scored(["z0"], X4, [1, 1, 1, 0]).iloc[0]
    assert row["validation_accuracy"] == 0.5
    assert row["validation_balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)


def test_labels_may_be_zero_one_or_signs():
    zero_one, signs = scored(["z0"], X4, [1, 1, 0, 0]), scored(["z0"], X4, [1, 1, -1, -1])
    pd.testing.assert_frame_equal(zero_one, signs)


def test_validation_hinge_uses_the_output_scale():
    row = scored(["z0"], X4, [1, 1, 0, 1], scale=0.5).iloc[0]
    assert row["validation_hinge"] == pytest.approx((0.5 + 0 + 0.5 + 0) / 4)


def test_an_undefined_law_is_wrong_and_has_an_infinite_hinge():
    row = scored(["log(z0)"], X4, [1, 1, 0, 1]).iloc[0]
    assert row["validation_balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    assert row["validation_hinge"] == np.inf


def test_zero_is_no_positive_decision():
    assert scored(["0.0"], X4, [1, 1, 0, 1]).iloc[0]["validation_accuracy"] == 0.25


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 1, 2, 1]])
def test_unusable_validation_labels_are_refused(labels):
    with pytest.raises(InputError):
        scored(["z0"], X4, labels)


def test_standard_error_of_a_perfect_score_is_not_zero():
    expected = np.sqrt(2 * (11 / 12) * (1 / 12) / 10) / 2
    assert balanced_standard_error([10, 10], [10, 10]) == pytest.approx(expected)


def test_standard_error_agrees_with_repeated_sampling():
    rng = np.random.default_rng(0)
    draws = (rng.binomial(200, 0.9, 20000) / 200 + rng.binomial(100, 0.7, 20000) / 100) / 2
    assert balanced_standard_error([180, 70], [200, 100]) == pytest.approx(draws.std(), rel=0.05)


def test_the_simplest_law_within_one_standard_error_is_chosen():
    laws = table((13, 0.995, 0.1, "c"), (9, 0.986, 0.2, "b"), (3, 0.984, 0.1, "a"))
    assert choose_law(laws) == 1


def test_more_standard_errors_choose_a_simpler_law():
    laws = table((13, 0.995, 0.1, "c"), (9, 0.986, 0.2, "b"), (3, 0.984, 0.1, "a"))
    assert choose_law(laws, ChoiceSettings(standard_errors=2.0)) == 2
    assert choose_law(laws, ChoiceSettings(tolerance=0.0)) == 0


def test_among_equally_simple_laws_the_lower_hinge_wins():
    laws = table((9, 0.99, 0.3, "a"), (9, 0.985, 0.1, "b"))
    assert choose_law(laws) == 1


def test_training_loss_has_no_say():
    laws = table((9, 0.99, 0.3, "a"), (9, 0.90, 0.1, "b")).assign(loss=[1.0, 0.0])
    assert choose_law(laws) == 0


def test_laws_that_are_too_long_are_not_considered():
    laws = table((30, 1.0, 0.0, "a"), (5, 0.8, 0.5, "b"))
    assert choose_law(laws) == 1
    with pytest.raises(InputError, match="at most 4 nodes"):
        choose_law(laws, ChoiceSettings(max_complexity=4))


def test_choice_does_not_depend_on_the_order_of_the_rows():
    laws = table((9, 0.99, 0.3, "b"), (9, 0.99, 0.3, "a"), (11, 0.991, 0.1, "c"))
    chosen = {laws.sample(frac=1, random_state=s).pipe(choose_law) for s in range(10)}
    assert chosen == {1}


def test_the_index_label_is_returned():
    laws = table((9, 0.99, 0.3, "b"), (3, 0.5, 0.3, "a")).set_index(pd.Index([40, 50]))
    assert choose_law(laws) == 40
