import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import parse
from occamscope.laws.front import (
    COLUMNS,
    LOSS_FLOOR,
    Front,
    merge_fronts,
    pareto_front,
    scores,
)
from occamscope.laws.loss import mean_loss
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1")
RNG = np.random.default_rng(1)
X = RNG.normal(size=(300, 2))
Y = np.where(X[:, 0] + 0.3 * RNG.normal(size=300) > 0.2, 1.0, -1.0)
CANDIDATES = ["1.0", "z0", "z0 - 0.2", "z0 + z1", "-z0", "z1**2", "0.1*z0 - 0.02", "log(z0)"]


def front(candidates=CANDIDATES, y=Y, **settings):
    spec = SearchSpec(**settings)
    return Front.from_expressions(candidates, X, y, spec, NAMES, engine="test")


def rows(*pairs):
    return pd.DataFrame(pairs, columns=["complexity", "loss"])


def test_columns_say_what_was_found_and_who_found_it():
    table = front(seed=7).table
    assert tuple(table.columns) == COLUMNS
    assert set(table["engine"]) == {"test"}
    assert set(table["loss_name"]) == {"hinge"}
    assert set(table["seed"]) == {7}


def test_losses_grow_smaller_with_size_and_the_dominated_are_gone():
    found = front()
    assert found.table["expression"].tolist() == ["z0", "z0 - 0.2"]
    assert found.table["loss"].is_monotonic_decreasing


def test_every_loss_is_that_of_the_exported_text():
    for _, row in front(maxsize=20).table.iterrows():
        values = parse(row["expression"], NAMES).evaluate(X)
        assert row["loss"] == mean_loss(row["output_scale"] * values, Y, "hinge")


def test_a_free_scale_makes_the_unit_of_a_law_meaningless():
    small, large = front(["0.01*z0"]).table, front(["10.0*z0"]).table
    assert small["loss"][0] == pytest.approx(large["loss"][0], rel=1e-12)
    assert small["output_scale"][0] == pytest.approx(1000 * large["output_scale"][0])


def test_without_a_free_scale_the_law_stands_as_it_is():
    table = front(["0.01*z0"], output_scale=False).table
    assert table["output_scale"][0] == 1.0
    assert table["loss"][0] == mean_loss(0.01 * X[:, 0], Y, "hinge")


def test_regression_has_no_free_scale():
    table = front(["z0"], y=3 * X[:, 0], loss="mse").table
    assert table["output_scale"][0] == 1.0
    assert table["loss"][0] == pytest.approx(np.mean(4 * X[:, 0] ** 2))


def test_laws_beyond_the_limits_are_left_out():
    assert len(front(["z0 - 0.2"], maxsize=2)) == 0
    assert len(front(["z0 - 51.0"])) == 0
    assert len(front(["z0 - 51.0"], max_constant=60.0)) == 1


def test_an_empty_front_keeps_its_columns():
    empty = front(["log(z0)"])
    assert len(empty) == 0
    assert tuple(empty.table.columns) == COLUMNS


def test_laws_can_be_used_again_by_row():
    np.testing.assert_array_equal(front().expression(1).evaluate(X), X[:, 0] - 0.2)
    assert [law.complexity() for law in front().expressions()] == [1, 3]


@pytest.mark.parametrize(
    ("stopped", "complete"),
    [("budget", True), ("generations", True), ("time", False), ("interrupt", False)],
)
def test_a_search_that_a_clock_or_the_user_ended_is_not_complete(stopped, complete):
    found = Front.from_expressions(
        CANDIDATES, X, Y, SearchSpec(), NAMES, engine="test", stopped=stopped
    )
    assert (found.stopped, found.complete) == (stopped, complete)


def test_an_unknown_reason_to_stop_is_refused():
    with pytest.raises(ValueError, match="boredom"):
        Front(front().table, NAMES, "boredom")


def test_weights_change_what_is_best():
    weight = np.where(Y > 0, 1.0, 0.0)
    spec = SearchSpec()
    found = Front.from_expressions(
        CANDIDATES, X, Y, spec, NAMES, engine="test", sample_weight=weight
    )
    assert found.table["expression"].tolist() == ["1.0"]
    assert found.table["loss"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("data", "target", "message"),
    [
        (X[:, :1], Y, "feature names"),
        (X, Y[:10], "300 rows of data but 10"),
        (np.where(np.arange(600).reshape(300, 2) == 3, np.nan, X), Y, "feature 'z1'"),
        (X, (Y + 1) / 2, "-1 and \\+1"),
    ],
)
def test_bad_data_are_refused(data, target, message):
    with pytest.raises(InputError, match=message):
        Front.from_expressions(["z0"], data, target, SearchSpec(), NAMES, engine="test")


def test_score_is_the_drop_of_log_loss_per_node():
    np.testing.assert_allclose(scores([1, 3, 8], [1.0, np.exp(-4), np.exp(-5)]), [0, 2, 0.2])


def test_a_law_without_loss_has_a_finite_score():
    assert scores([1, 2], [1.0, 0.0])[1] == pytest.approx(-np.log(LOSS_FLOOR))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=25))
def test_front_is_what_no_other_row_dominates(pairs):
    table = rows(*pairs)
    kept = set(pareto_front(table)[["complexity", "loss"]].itertuples(index=False, name=None))
    expected = {
        (c, v)
        for c, v in pairs
        if not any((a <= c and b < v) or (a < c and b <= v) for a, b in pairs)
    }
    assert kept == expected


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_merging_marks_the_same_front(pairs):
    table = rows(*pairs).assign(engine="a", seed=0, target="labels", loss_name="hinge")
    merged = merge_fronts([table])
    marked = set(merged.loc[merged["on_front"], "complexity"])
    assert marked == set(pareto_front(table)["complexity"])
    assert len(merged) == len(pairs)


def test_merging_marks_everyone_who_found_a_law():
    merged = merge_fronts([front(seed=1), front(seed=2), front(["z1"], seed=3)])
    assert merged["on_front"].tolist() == [True, True, False, True, True]
    assert merged["seed"].tolist() == [1, 2, 3, 1, 2]


def test_losses_of_different_kinds_are_not_compared():
    merged = merge_fronts([front(), front(["z1"], loss="logistic")])
    assert merged["on_front"].all()


def test_a_common_measure_gives_one_front():
    tables = [
        front().table.assign(error=[0.3, 0.1]),
        front(["z1"], loss="logistic").table.assign(error=0.4),
    ]
    merged = merge_fronts(tables, measure="error", within=())
    assert merged.sort_values("error")["on_front"].tolist() == [True, True, False]


def test_merging_nothing_gives_an_empty_table():
    assert list(merge_fronts([]).columns) == [*COLUMNS, "on_front"]
    assert len(merge_fronts([front(["log(z0)"])])) == 0


def test_order_of_the_searches_does_not_change_the_merged_table():
    a, b = front(seed=1), front(seed=2)
    pd.testing.assert_frame_equal(merge_fronts([a, b]), merge_fronts([b, a]))
