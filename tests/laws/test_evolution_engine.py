"""The whole search: what it finds, that it repeats, that it keeps to its budget."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl
from occamscope.laws.engines import Engine, get_engine
from occamscope.laws.evolution.compilation import CACHE_FOLDER
from occamscope.laws.evolution.engine import EvolutionEngine, constant_loss
from occamscope.laws.loss import MARGIN_LOSSES
from occamscope.laws.spec import SearchSpec

NAMES = ("x0", "x1", "x2")


def data(n=600, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def labels(margin):
    return np.where(margin > 0, 1.0, -1.0)


def search(X, y, *, engine=None, guesses=(), weight=None, progress=None, control=None, **settings):
    """Front of a short search."""
    settings = {"evaluations": 30_000, "islands": 5} | settings
    return (engine or EvolutionEngine()).fit(
        X, y, SearchSpec(**settings), NAMES, weight, guesses, progress=progress, control=control
    )


def smallest_with(front, loss):
    """Expression of the smallest law with at most that loss."""
    return front.table[front.table["loss"] <= loss].iloc[0]


def test_it_is_the_engine_called_evolution():
    engine = get_engine("evolution")
    assert isinstance(engine, EvolutionEngine)
    assert isinstance(engine, Engine)
    assert engine.available() == (True, "built in")


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_a_planted_product_and_threshold_are_found(loss):
    X = data()
    front = search(X, labels(X[:, 0] * X[:, 1] - 1), loss=loss)
    law = front.table[front.table["complexity"] == 5].iloc[0]
    expression = front.expression(list(front.table["complexity"]).index(5))
    assert expression.variables() == ("x0", "x1")
    accuracy = np.mean(labels(expression.evaluate(X)) == labels(X[:, 0] * X[:, 1] - 1))
    assert accuracy > 0.97
    assert law["loss"] < 0.2


def test_a_bare_product_is_found_at_three_nodes_where_the_scale_is_free():
    X = data()
    front = search(X, labels(X[:, 0] * X[:, 2]), loss="hinge", evaluations=5000)
    law = front.table[front.table["complexity"] == 3].iloc[0]
    assert law["expression"] in ("x0*x2", "x2*x0")
    assert law["loss"] < 0.05
    fixed = search(X, labels(X[:, 0] * X[:, 2]), loss="hinge", output_scale=False, evaluations=5000)
    unscaled = fixed.table[fixed.table["complexity"] == 3].iloc[0]
    assert unscaled["loss"] > 5 * law["loss"]


def test_the_law_of_the_paper_is_found_at_nine_nodes():
    X = data(2000)
    margin = -(1.3 + X[:, 0] * (X[:, 1] ** 2 + X[:, 2] ** 2))
    front = search(X, labels(margin), loss="hinge", evaluations=100_000, islands=15)
    row = list(front.table["complexity"]).index(9)
    law = front.expression(row)
    assert np.mean(labels(law.evaluate(X)) == labels(margin)) > 0.99
    assert front.table["loss"].iloc[row] < 0.1 * front.table["loss"].iloc[row - 1]


def test_a_regression_target_is_met_in_its_own_unit():
    X = data()
    front = search(X, 3 * X[:, 0] ** 2 - 2 * X[:, 1] + 0.5, loss="mse")
    best = smallest_with(front, 1e-6)
    assert best["complexity"] <= 10
    assert best["output_scale"] == 1.0


def test_the_same_seed_gives_the_same_front():
    X = data()
    y = labels(X[:, 0] ** 2 - X[:, 1] + 0.3 * np.sin(9 * X[:, 2]))
    first, second = (search(X, y, seed=4, evaluations=20_000).table for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    other = search(X, y, seed=5, evaluations=20_000).table
    assert not first["expression"].equals(other["expression"])


def front_in_a_process(threads):
    """Text of a front found in a process with that many numba threads."""
    code = (
        "import numpy as np\n"
        "from occamscope.laws.engines import get_engine\n"
        "from occamscope.laws.spec import SearchSpec\n"
        "X = np.random.default_rng(0).normal(size=(700, 3))\n"
        "y = np.where(X[:, 0] * X[:, 1] + np.sin(5 * X[:, 2]) > 0, 1.0, -1.0)\n"
        "spec = SearchSpec(evaluations=20000, islands=4, seed=1)\n"
        "print(get_engine('evolution').fit(X, y, spec, ['a', 'b', 'c']).table.to_csv())"
    )
    environment = os.environ | {
        "NUMBA_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "NUMBA_CACHE_DIR": str(CACHE_FOLDER.parent),
    }
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout


def test_the_number_of_threads_does_not_matter():
    assert front_in_a_process(1) == front_in_a_process(2)


@pytest.mark.parametrize("budget", [1, 100, 137, 1000, 5001])
def test_the_budget_is_used_and_not_exceeded(budget):
    seen = []
    X = data(300)
    control = SearchControl(watch=seen.append)
    search(X, labels(X[:, 0]), evaluations=budget, islands=3, population=20, control=control)
    assert seen[-1].evaluations == budget
    assert 0 <= seen[-1].aborted <= budget


def test_guesses_join_the_search():
    X = data()
    guess = "cos(3*x0) - 0.4"
    settings = {"operators": ("+", "-", "*", "cos"), "evaluations": 200, "islands": 3}
    y = labels(np.cos(3 * X[:, 0]) - 0.4)
    with_guess = search(X, y, guesses=[guess], **settings).table
    assert with_guess["loss"].min() < 0.1
    assert search(X, y, **settings).table["loss"].min() > 0.3


def test_an_earlier_front_can_be_resumed_from():
    X = data()
    y = labels(X[:, 0] * X[:, 1] - X[:, 2])
    earlier = search(X, y, evaluations=20_000)
    spec = SearchSpec(evaluations=300, islands=3)
    later = EvolutionEngine().fit(X, y, spec, NAMES, resume_from=earlier)
    assert later.table["loss"].min() <= earlier.table["loss"].min() * 1.001


def test_a_guess_with_a_foreign_operator_is_refused():
    X = data(100)
    with pytest.raises(InputError, match="exp"):
        search(X, labels(X[:, 0]), guesses=["exp(x0) - 1"])


def test_laws_keep_to_the_limits():
    X = data()
    y = labels(40 * X[:, 0] - 90 + 100 * X[:, 1] ** 2)
    front = search(X, y, maxsize=9, max_constant=3.0, output_scale=False)
    assert front.table["complexity"].max() <= 9
    for law in front.expressions():
        assert all(abs(c) <= 3.0 for c in law.constants())
        assert law.operators() <= {"+", "-", "*", "square"}


def test_weights_decide_between_contradicting_rows():
    X = np.vstack([data(), data()])
    y = np.r_[labels(X[:600, 0]), -labels(X[600:, 0])]
    weight = np.r_[np.full(600, 0.01), np.ones(600)]
    law = search(X, y, weight=weight, evaluations=3000).expression(-1)
    assert np.mean(labels(law.evaluate(X[600:])) == y[600:]) > 0.98


def test_rows_of_weight_zero_do_not_exist():
    X = data()
    y = labels(X[:, 0] * X[:, 1])
    weight = (np.arange(600) < 400).astype(float)
    with_zeros = search(X, y, weight=weight, evaluations=3000).table
    without = search(X[:400], y[:400], evaluations=3000).table
    assert list(with_zeros["expression"]) == list(without["expression"])


def test_losses_in_the_table_are_those_of_the_expressions():
    X = data()
    y = X[:, 0] * np.exp(0.3 * X[:, 1])
    front = search(X, y, loss="mse", evaluations=10_000)
    for law, loss in zip(front.expressions(), front.table["loss"], strict=True):
        assert loss == np.mean((law.evaluate(X) - y) ** 2)


def test_progress_is_one_line_at_a_time():
    X, lines = data(), []
    search(X, labels(X[:, 0]), evaluations=60_000, progress=lines.append)
    assert 10 <= len(lines) <= 21
    assert "60,000 of 60,000 evaluations" in lines[-1]
    assert "best losses" in lines[-1]
    assert not any("\n" in line for line in lines)


def test_unit_of_the_losses_is_the_best_constants_loss():
    y = np.array([1.0, 1.0, 1.0, -1.0])
    assert constant_loss(y, np.ones(4), SearchSpec(loss="hinge")) == pytest.approx(0.5)
    assert constant_loss(y, np.ones(4), SearchSpec(loss="mse")) == pytest.approx(0.75)


def test_any_number_of_rows_and_one_feature_will_do():
    x = np.array([[-1.0], [2.0], [3.0]])
    front = EvolutionEngine().fit(
        x, [-1, 1, 1], SearchSpec(evaluations=500, islands=2, population=5), ["x"]
    )
    assert front.table["loss"].min() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_planted_laws_of_all_operators_are_recovered():
    X = data(1000)
    targets = {
        "exp": np.exp(0.5 * X[:, 0]) - X[:, 1],
        "tanh": np.tanh(2 * X[:, 0]) * X[:, 1],
        "sin": np.sin(2 * X[:, 0]) + X[:, 1] ** 2,
        "/": X[:, 0] / (X[:, 1] ** 2 + 1),
        "sqrt": np.sqrt(X[:, 0] ** 2 + X[:, 1] ** 2),
        "abs": np.abs(X[:, 0] - X[:, 1]),
    }
    for operator, y in targets.items():
        operators = ("+", "-", "*", "square", operator)
        front = search(X, y, loss="mse", operators=operators, evaluations=300_000)
        assert front.table["loss"].min() < 1e-6 * y.var(), operator
