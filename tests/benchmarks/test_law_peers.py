"""What the peers find is read as they mean it."""

from typing import Any

import numpy as np
import peers
import problems
import pytest
from counting import operon_length

from occamscope.laws.expressions.expression import Expression

OPERATORS = ("+", "-", "*", "/", "square", "exp", "tanh", "sqrt", "log", "sin", "cos", "abs")


def small(task: problems.Problem) -> problems.Problem:
    """The first 300 rows and five columns."""
    return problems.Problem(
        task.name, task.is_classification, task.X[:300, :5], task.y[:300], task.X_test[:300, :5],
        task.y_test[:300], task.names[:5],
    )  # fmt: skip


def test_operon_trees_have_the_same_values_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn = pytest.importorskip("pyoperon.sklearn")
    models: list[Any] = []
    fit = sklearn.SymbolicRegressor.fit

    def remember(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
        models.append(model)
        return fit(model, X, y)

    monkeypatch.setattr(sklearn.SymbolicRegressor, "fit", remember)
    problem = small(problems.planted("product", 300))
    outcome = peers.fit_operon(problem, 1.0, 0, peers.Options(OPERATORS, 25))
    assert outcome.seconds == pytest.approx(1.0, abs=1.0)
    front = models[0].pareto_front_
    assert len(front) > 3
    texts = {found.text: found.own_length for found in outcome.laws}
    variables = dict(zip(models[0].variables_, problem.names, strict=True))
    for row in front:
        law = Expression(peers.operon_node(row["tree"].Nodes, variables), problem.names)
        theirs = models[0].evaluate_model(row["tree"], problem.X)
        np.testing.assert_allclose(law.evaluate(problem.X), theirs, rtol=1e-3, atol=1e-3)
        assert operon_length(law) <= texts[law.to_text()] <= 25


def test_gplearn_programs_have_the_same_values_as_text() -> None:
    genetic = pytest.importorskip("gplearn.genetic")
    problem = small(problems.planted("ring", 300))
    functions = ("add", "sub", "mul", "sqrt", "abs", "sin", "cos")
    model = genetic.SymbolicRegressor(
        population_size=200, generations=2, function_set=functions, random_state=3
    )
    model.fit(problem.X, problem.y)
    compared = 0
    for program in model._programs[-1]:
        law = Expression(peers.gplearn_node(program.program, problem.names), problem.names)
        theirs = program.execute(problem.X)
        values = law.evaluate(problem.X)
        if np.isfinite(values).all() and np.abs(values).max() < 5:
            np.testing.assert_allclose(values, theirs, rtol=1e-9, atol=1e-9)
            compared += law.complexity() > 3
    assert compared > 20


def test_gplearn_stops_near_its_time_and_within_its_size() -> None:
    pytest.importorskip("gplearn")
    problem = small(problems.planted("ring", 300))
    options = peers.Options(("+", "-", "*", "square", "exp"), 12, balanced=True)
    outcome = peers.fit_gplearn(problem, 1.0, 0, options)
    assert 1.0 <= outcome.seconds < 3.0
    assert outcome.laws
    assert max(law.own_length for law in outcome.laws) <= 12


def test_balancing_weights_give_both_classes_the_same_sum() -> None:
    y = np.array([1.0, -1.0, -1.0, -1.0])
    weight = peers.balancing_weights(y)
    assert weight[y > 0].sum() == pytest.approx(weight[y < 0].sum())
    assert weight.sum() == pytest.approx(len(y))
