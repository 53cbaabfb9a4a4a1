import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.refit import refit
from occamscope.laws.choice.selection import (
    cross_validate,
    deal_folds,
    pick_by_losses,
    select,
    select_by_cross_validation,
)
from occamscope.laws.choice.validation import add_validation
from occamscope.laws.front import Front
from occamscope.laws.loss import LOSSES, elementwise_loss
from occamscope.laws.spec import SearchSpec

NAMES = ("a", "b")


def front(*rows):
    return pd.DataFrame(rows, columns=["complexity", "loss", "score"]).assign(
        expression=[f"{i}.0" for i in range(len(rows))]
    )


FRONT = front((1, 1.0, 0.0), (3, 0.3, 0.6), (5, 0.12, 0.46), (7, 0.1, 0.09), (9, 0.099, 0.005))


def planted(loss, n=120, seed=0):
    """A noisy planted law, and the front of it with longer ones that fit the noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = 2 * X[:, 0] + 0.7 + 0.5 * rng.normal(size=n)
    spec = SearchSpec(loss=loss, operators=("+", "-", "*", "square", "cube"), maxsize=60)
    y = np.where(y > 0, 1.0, -1.0) if spec.is_margin else y
    texts = [
        "0.7",
        "a + 0.35",
        "2.0*a + 0.7",
        "2.0*a + 0.7 + 0.01*b**3",
        "2.0*a + 0.7 + 0.01*b**3 + 0.01*a**3*b",
        "2.0*a + 0.7 + 0.01*b**3 + 0.01*a**3*b + 0.01*a**3*b**3 + 0.01*a**2*b**2 + 0.01*a**2*b",
    ]
    from occamscope.laws.expressions.expression import parse

    fitted = [refit(parse(text, NAMES), X, y, spec).law for text in texts]
    return Front.from_expressions(fitted, X, y, spec, NAMES, engine="test"), X, y, spec


def test_accuracy_takes_the_lowest_loss():
    assert select(FRONT, "accuracy").row == 4


def test_score_takes_the_steepest_drop():
    assert select(FRONT, "score").row == 1


def test_best_takes_the_steepest_drop_among_the_good():
    chosen = select(FRONT, "best")
    assert chosen.row == 2
    assert chosen.rule == "best"
    pd.testing.assert_frame_equal(chosen.table, FRONT)


@pytest.mark.parametrize("seed", range(20))
def test_the_rules_are_those_of_pysr(seed):
    """Written as in PySR's `idx_model_selection`."""
    rng = np.random.default_rng(seed)
    table = front(*zip(range(1, 9), rng.random(8), rng.normal(size=8), strict=True))
    near = table.query(f"loss <= {1.5 * table['loss'].min()}")
    assert select(table, "best").row == near["score"].idxmax()
    assert select(table, "accuracy").row == table["loss"].idxmin()
    assert select(table, "score").row == table["score"].idxmax()


def test_laws_without_loss_are_equally_good():
    table = front((1, 1.0, 0.0), (3, 1e-20, 13.0), (5, 1e-31, 0.0))
    assert select(table, "accuracy").row == 1
    assert select(table, "best").row == 1


def test_a_row_is_a_position_whatever_the_index():
    assert select(FRONT.set_index(pd.Index([7, 8, 9, 10, 11])), "best").row == 2


def test_validation_takes_the_simplest_near_the_best_accuracy():
    table = FRONT.assign(
        validation_loss=[0.9, 0.3, 0.2, 0.1, 0.2],
        validation_balanced_accuracy=[0.5, 0.93, 0.96, 0.97, 0.95],
        validation_standard_error=0.015,
    )
    assert select(table, "validation").row == 2


def test_validation_of_a_regression_goes_by_the_loss():
    table = FRONT.assign(validation_loss=[0.9, 0.3, 0.21, 0.2, 0.5], validation_standard_error=0.02)
    assert select(table, "validation").row == 2


@pytest.mark.parametrize(
    ("table", "rule", "message"),
    [
        (FRONT.iloc[:0], "best", "empty"),
        (FRONT, "validation", "held-out"),
        (FRONT, "luck", "not one of best"),
        (FRONT, "one_standard_error", "select_by_cross_validation"),
    ],
)
def test_what_cannot_be_selected_is_refused(table, rule, message):
    with pytest.raises(InputError, match=message):
        select(table, rule)


@pytest.mark.parametrize("loss", LOSSES)
def test_cross_validation_keeps_the_planted_law_and_not_the_noise(loss):
    found, X, y, spec = planted(loss)
    assert select(found.table, "accuracy").row == len(found) - 1
    chosen = select_by_cross_validation(found, X, y, spec)
    assert found.expression(chosen.row).variables() == ("a",)
    assert chosen.table["cv_loss"][chosen.row] > chosen.table["loss"][chosen.row]
    longest = chosen.table["cv_loss"].iloc[-1] - chosen.table["loss"].iloc[-1]
    assert longest > chosen.table["cv_loss"][chosen.row] - chosen.table["loss"][chosen.row]


def test_cross_validation_in_one_fold_each_is_leave_one_out():
    found, X, y, spec = planted("mse", n=30)
    chosen = select_by_cross_validation(found, X, y, spec, folds=30)
    row = int(np.flatnonzero(found.table["complexity"] == 5)[0])
    A = np.column_stack([X[:, 0], np.ones(30)])
    leverage = np.einsum("ij,jk,ik->i", A, np.linalg.inv(A.T @ A), A)
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    exact = (residual / (1 - leverage)) ** 2  # closed form of the linear model
    assert chosen.table["cv_loss"][row] == pytest.approx(exact.mean(), rel=1e-6)
    error = exact.std(ddof=1) / np.sqrt(30)
    assert chosen.table["cv_standard_error"][row] == pytest.approx(error, rel=1e-6)


def test_cross_validation_is_the_same_for_the_same_seed():
    found, X, y, spec = planted("logistic")
    first, again, other = (
        select_by_cross_validation(found, X, y, spec, seed=seed).table for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first["cv_loss"].equals(other["cv_loss"])


def test_rows_of_no_weight_have_no_say_in_cross_validation():
    found, X, y, spec = planted("mse")
    weight = np.ones(len(y))
    weight[::3] = 0.0
    spoilt = np.where(weight > 0, y, 1e6)
    chosen = select_by_cross_validation(found, X, spoilt, spec, weight)
    assert chosen.table["cv_loss"][chosen.row] < 1.0


def test_weights_count_in_every_fit_and_in_the_mean():
    found, X, y, spec = planted("mse")
    weight = np.where(np.arange(len(y)) % 3 == 0, 1e-9, 1.0)
    spoilt = np.where(weight == 1, y, 1e3)
    chosen = select_by_cross_validation(found, X, spoilt, spec, weight)
    assert chosen.table["cv_loss"][chosen.row] < 1.0


def test_rows_of_a_group_count_as_one_in_the_standard_error():
    table, losses = front((1, 1.0, 0.0)), np.random.default_rng(1).random(10)
    once = pick_by_losses(table, [losses]).table
    groups = np.repeat(np.arange(10), 7)
    often = pick_by_losses(table, [np.repeat(losses, 7)], groups=groups).table
    assert often["cv_standard_error"][0] == pytest.approx(once["cv_standard_error"][0])


def test_a_fit_never_sees_the_rows_that_judge_it():
    seen = []

    def losses(law, train, test):
        assert not set(train) & set(test)
        assert 6 not in train
        seen.append((law, tuple(test)))
        return test.astype(float)

    fold = np.array([0, 1, 2, 0, 1, 2, -1])
    found = cross_validate(["x", "y"], losses, fold)
    assert [rows.tolist() for rows in found] == [[0.0, 1, 2, 3, 4, 5, 0]] * 2
    assert seen == [(law, test) for law in "xy" for test in [(0, 3), (1, 4), (2, 5)]]


def test_a_law_that_is_undefined_on_a_held_out_row_is_not_picked():
    table = front((1, 1.0, 0.0), (3, 0.5, 0.1))
    good = np.array([0.9, 1.0, 1.1, 1.0])
    chosen = pick_by_losses(table, [np.array([np.nan, 0, 0, 0]), good])
    assert chosen.row == 1
    assert chosen.table["cv_loss"].tolist() == [np.inf, 1.0]


def test_folds_hold_every_class_alike():
    classes = np.repeat([1.0, -1.0], [70, 30])
    fold = deal_folds(classes, 100, 5, seed=0)
    for k in range(5):
        assert np.sum(classes[fold == k] > 0) == 14
        assert np.sum(fold == k) == 20


@pytest.mark.parametrize("classes", [None, np.tile([1.0, -1.0], 30)])
def test_groups_are_never_parted(classes):
    groups = np.repeat(np.arange(12), 5)
    fold = deal_folds(classes, 60, 4, seed=1, groups=groups)
    assert set(fold) == {0, 1, 2, 3}
    for group in range(12):
        assert len(set(fold[groups == group])) == 1


def test_fewer_folds_where_a_class_or_the_groups_do_not_suffice():
    assert deal_folds(np.repeat([1.0, -1.0], [50, 3]), 53, 5, 0).max() == 2
    assert deal_folds(None, 20, 5, 0, groups=np.repeat([0, 1], 10)).max() == 1
    assert deal_folds(None, 3, 5, 0).max() == 2
    assert deal_folds(np.array([1.0, 1.0, 1.0, -1.0]), 4, 2, 0).max() == 1


def test_rows_of_no_weight_are_in_no_fold():
    weight = np.array([1.0, 0.0, 2.0, 1.0, 1.0, 0.0])
    fold = deal_folds(None, 6, 2, 0, weight=weight)
    assert (fold[weight == 0] == -1).all()
    assert set(fold[weight > 0]) == {0, 1}


@pytest.mark.parametrize(
    ("rows", "folds", "groups", "message"),
    [(10, 1, None, "at least 2"), (1, 5, None, "one row"), (10, 5, np.zeros(10), "one group")],
)
def test_data_that_cannot_be_dealt_are_refused(rows, folds, groups, message):
    with pytest.raises(InputError, match=message):
        deal_folds(None, rows, folds, 0, groups)


def test_held_out_rows_can_choose_among_real_laws():
    found, X, y, spec = planted("hinge")
    _, held_X, held_y, _ = planted("hinge", seed=5)
    rows = add_validation(found.table, held_X, held_y, "hinge", NAMES)
    row = select(rows, "validation").row
    assert found.expression(row).variables() == ("a",)
    values = found.table["output_scale"][row] * found.expression(row).evaluate(held_X)
    assert rows["validation_loss"][row] == elementwise_loss(values, held_y, "hinge").mean()
