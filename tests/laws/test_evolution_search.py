"""Threads, limits, checkpoints: none of them changes what a search finds."""

import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl
from occamscope.laws.evolution.columns import restrict, useful_columns
from occamscope.laws.evolution.engine import EvolutionEngine
from occamscope.laws.expressions.expression import parse
from occamscope.laws.loss import fit_output_affine, mean_loss
from occamscope.laws.spec import SearchSpec

NAMES = ["a", "b", "c", "d"]


def problem(n=600, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 4))
    y = np.where(X[:, 0] * X[:, 1] + 0.7 * X[:, 2] - 0.2 > random.normal(0, 0.2, n), 1.0, -1.0)
    return X, y


def fit(spec=None, engine=None, **control):
    X, y = problem()
    spec = spec or SearchSpec(evaluations=30_000, islands=5, seed=3)
    engine = engine or EvolutionEngine(cycles=100)
    return engine.fit(X, y, spec, NAMES, control=SearchControl(**control))


def test_the_result_is_the_same_for_any_number_of_threads():
    one = fit(threads=1).table.to_csv()
    assert fit(threads=2).table.to_csv() == one
    assert fit(threads=8).table.to_csv() == one


def test_a_search_continued_from_any_checkpoint_ends_like_one_without():
    states = []
    whole = fit(checkpoint=states.append, checkpoint_every_s=0.0)
    assert len(states) > 5
    for state in (states[0], states[len(states) // 2], states[-1]):
        assert fit(resume=state, threads=2).table.to_csv() == whole.table.to_csv()


def test_a_checkpoint_is_a_copy_that_the_search_does_not_change():
    states = []
    fit(checkpoint=states.append, checkpoint_every_s=0.0)
    used = [int(state.arrays["used"][0]) for state in states]
    assert used == sorted(set(used))


@pytest.mark.parametrize(
    "spec",
    [
        SearchSpec(evaluations=30_000, islands=5, seed=4),
        SearchSpec(evaluations=30_000, islands=6, seed=3),
        SearchSpec(evaluations=30_000, islands=5, seed=3, maxsize=12),
    ],
)
def test_a_checkpoint_of_another_search_is_refused(spec):
    states = []
    fit(checkpoint=states.append, checkpoint_every_s=0.0, generations=3)
    with pytest.raises(InputError, match="other settings"):
        fit(spec=spec, resume=states[0])


def test_a_damaged_checkpoint_is_refused():
    states = []
    fit(checkpoint=states.append, checkpoint_every_s=0.0, generations=3)
    arrays = dict(states[0].arrays)
    del arrays["hall.loss"]
    with pytest.raises(InputError, match="damaged"):
        fit(resume=type(states[0])(states[0].digest, arrays, states[0].numbers))


def test_a_checkpoint_whose_rows_are_in_no_order_is_refused():
    states = []
    fit(checkpoint=states.append, checkpoint_every_s=0.0, generations=3)
    order = np.zeros_like(states[0].arrays["order"])
    arrays = {**states[0].arrays, "order": order}
    with pytest.raises(InputError, match="the order of the rows"):
        fit(resume=type(states[0])(states[0].digest, arrays, states[0].numbers))


def test_the_rows_are_sorted_by_the_best_law_at_powers_of_two():
    states = []
    fit(checkpoint=states.append, checkpoint_every_s=0.0, generations=6)
    orders = {int(s.numbers["generation"]): s.arrays["order"] for s in states}
    assert not np.array_equal(orders[1], np.arange(len(orders[1])))
    for before, after in [(2, 3), (4, 5), (5, 6)]:
        np.testing.assert_array_equal(orders[before], orders[after])


def test_generations_limit_the_rounds():
    seen = []
    front = fit(generations=4, watch=seen.append)
    assert front.stopped == "generations"
    assert front.complete
    assert seen[-1].generation == 4


def test_a_search_goes_on_from_where_a_limit_of_rounds_ended_it():
    states = []
    fit(generations=4, checkpoint=states.append, checkpoint_every_s=1e9)
    assert len(states) == 1
    assert fit(resume=states[0]).table.to_csv() == fit().table.to_csv()


def test_a_time_limit_ends_the_search_and_the_front_says_so():
    spec = SearchSpec(evaluations=10**9, islands=4)
    start = time.monotonic()
    front = fit(spec, time_limit_s=0.5)
    assert time.monotonic() - start < 5
    assert front.stopped == "time"
    assert not front.complete
    assert len(front) > 2


def test_ctrl_c_returns_the_front_found_so_far():
    spec = SearchSpec(evaluations=10**9, islands=4)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        front = fit(spec)
    finally:
        timer.cancel()
    assert front.stopped == "interrupt"
    assert len(front) > 2


def test_snapshots_tell_the_front_and_what_was_spent():
    seen = []
    front = fit(watch=seen.append, watch_every_s=0.0)
    assert [s.generation for s in seen] == sorted(s.generation for s in seen)
    last = seen[-1]
    assert last.evaluations == last.budget == 30_000
    assert 0 < last.aborted < last.evaluations
    complexities = [row[0] for row in last.rows]
    assert complexities == sorted(set(complexities))
    assert min(row[1] for row in last.rows) == pytest.approx(front.table["loss"].min(), rel=1e-3)


def test_the_smallest_searches_end():
    front = fit(SearchSpec(evaluations=50_000, maxsize=1, islands=2, operators=("+",)))
    assert len(front) == 1


def test_limits_hold_for_every_law_found():
    spec = SearchSpec(
        evaluations=30_000, islands=4, operators=("+", "-", "*", "square"), maxdepth=4,
        complexity_of_operators={"square": 3}, constraints={"square": 1},
        required_variables=["d"], excluded_variables=["c"],
    )  # fmt: skip
    front = fit(spec)
    assert len(front) > 2
    for law in front.expressions():
        assert "d" in law.variables()
        assert "c" not in law.variables()
        assert law.depth() <= 4


def test_limits_that_leave_no_law_are_named():
    spec = SearchSpec(
        evaluations=3000, islands=2, maxsize=7, required_variables=["a", "b", "c", "d"],
        constraints={"+": (1, 1), "-": (1, 1), "*": (1, 1)},
    )  # fmt: skip
    with pytest.raises(InputError, match="no law within the limits"):
        fit(spec)


def test_an_offset_finds_the_shorter_law():
    X, y = problem(2000)
    spec = {"evaluations": 60_000, "islands": 5, "maxsize": 5}
    plain = EvolutionEngine().fit(X, y, SearchSpec(**spec), NAMES).table
    shifted = EvolutionEngine().fit(X, y, SearchSpec(output_offset=True, **spec), NAMES).table
    assert shifted["loss"].min() < plain["loss"].min()


def test_columns_that_do_not_vary_or_repeat_are_left_out():
    X = np.column_stack([np.ones(5), np.arange(5), np.arange(5), -np.arange(5), np.zeros(5)])
    names = ["one", "x", "copy", "minus", "zero"]
    assert useful_columns(X, names, SearchSpec()) == [1, 3]
    assert useful_columns(X, names, SearchSpec(excluded_variables=["x"])) == [2, 3]
    assert useful_columns(X, names, SearchSpec(required_variables=["copy"])) == [2, 3]
    with pytest.raises(InputError, match="none of the 2 features varies"):
        useful_columns(X[:, [0, 4]], ["one", "zero"], SearchSpec())
    with pytest.raises(InputError, match="'q' is required"):
        useful_columns(X, names, SearchSpec(required_variables=["q"]))


def test_laws_are_restricted_to_the_columns_searched():
    law = parse("x + minus", ["one", "x", "minus"])
    assert restrict(law, ["x", "minus"]).names == ("x", "minus")
    assert restrict(law, ["x"]) is None


def test_constant_and_repeated_columns_do_not_change_the_laws():
    X, y = problem()
    more = np.column_stack([X[:, 0], np.ones(len(X)), X])
    names = ["copy", "one", *NAMES]
    spec = SearchSpec(evaluations=20_000, islands=4)
    found = EvolutionEngine().fit(more, y, spec, names).table["expression"]
    plain = EvolutionEngine().fit(X, y, spec, ["copy", "b", "c", "d"]).table["expression"]
    assert list(found) == list(plain)


def test_the_best_product_of_two_unscaled_features_is_found():
    random = np.random.default_rng(0)
    X = 50 + random.normal(size=(400, 12)) * np.arange(1, 13)  # unscaled, of several spreads
    y = np.where(X[:, 3] * X[:, 7] + 5 * random.normal(size=400) > 2500, 1.0, -1.0)
    names = [f"x{k}" for k in range(12)]
    spec = SearchSpec(
        loss="hinge", operators=("+", "-", "*"), maxsize=5, evaluations=20_000, max_constant=1e6
    )
    table = EvolutionEngine().fit(X, y, spec, names).table
    best = table.loc[table["complexity"] == 5, "loss"].item()
    others = []
    for i, j in itertools.combinations(range(12), 2):
        value = X[:, i] * X[:, j]
        for sign in (1.0, -1.0):
            scale, offset = fit_output_affine(sign * value, y, "hinge")
            others.append(mean_loss(scale * sign * value + offset, y, "hinge"))
    assert best <= min(others) * 1.01


def test_many_features_are_searched_in_reasonable_time():
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 500))
    y = np.where(X[:, 123] - X[:, 321] ** 2 > -0.5, 1.0, -1.0)
    names = [f"x{k}" for k in range(500)]
    start = time.monotonic()
    front = EvolutionEngine().fit(X, y, SearchSpec(evaluations=40_000), names)
    assert time.monotonic() - start < 60
    best = front.expression(len(front) - 1)
    assert {"x123", "x321"} <= set(best.variables())
