"""What only a real PySR with Julia can show: `pytest -m pysr tests/laws/test_pysr_real.py`."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from occamscope.laws.constraints import violation
from occamscope.laws.control import SearchControl
from occamscope.laws.engines import EngineError
from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.tree import SEARCH_OPERATORS
from occamscope.laws.pysr.engine import PySREngine
from occamscope.laws.pysr.hall_of_fame import hall_of_fame_path, read_hall_of_fame
from occamscope.laws.several import search_several
from occamscope.laws.spec import SearchSpec

pytestmark = pytest.mark.pysr

NAMES = ("S", "z17", "z29")  # S is a name that sympy, hence PySR, uses itself
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
Y = np.where(X[:, 0] * X[:, 1] - X[:, 2] > 0.3, 1.0, -1.0)
SMALL = SearchSpec(evaluations=30_000, islands=3, seed=1)
LONG = 10**12  # evaluations of a search that only a clock or a user ends


@pytest.fixture(scope="module", autouse=True)
def julia():
    """Skip, with the two commands that install what is missing."""
    ready, message = PySREngine().available()
    if not ready:
        pytest.skip(message)


def accuracy(front):
    return float(np.mean(np.sign(front.expression(-1).evaluate(X)) == Y))


def test_a_planted_law_is_found_twice_the_same(tmp_path):
    spec = SearchSpec(evaluations=300_000, islands=5, maxsize=9, seed=1)
    fronts = [PySREngine(run_folder=tmp_path / name).fit(X, Y, spec, NAMES) for name in "ab"]
    assert fronts[0].stopped == "budget"
    assert fronts[0].table.equals(fronts[1].table)
    assert set(fronts[0].expression(-1).variables()) == set(NAMES)
    assert accuracy(fronts[0]) > 0.98


def test_our_reading_of_every_equation_has_pysrs_complexity_and_loss(tmp_path):
    y = X[:, 0] * X[:, 1] ** 2 - np.exp(X[:, 2])
    spec = replace(SMALL, loss="mse", operators=tuple(SEARCH_OPERATORS), max_constant=1e30)
    PySREngine(run_folder=tmp_path).fit(X, y, spec, NAMES)
    rows = read_hall_of_fame(hall_of_fame_path(tmp_path))
    assert len(rows) > 3
    for row in rows:
        law = parse(row.equation, ("x0", "x1", "x2"))
        assert law.complexity() == row.complexity
        np.testing.assert_allclose(np.mean((law.evaluate(X) - y) ** 2), row.loss, rtol=1e-3)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "logistic", "ramp", "mse", "mae"])
def test_every_loss_is_the_one_we_mean_weights_included(tmp_path, loss):
    from occamscope.laws.loss import mean_loss

    y = X[:, 0] * X[:, 1] if loss in ("mse", "mae") else Y
    weight = RNG.uniform(0.1, 2.0, size=len(y))
    PySREngine(run_folder=tmp_path).fit(X, y, replace(SMALL, loss=loss), NAMES, weight)
    for row in read_hall_of_fame(hall_of_fame_path(tmp_path)):
        values = parse(row.equation, ("x0", "x1", "x2")).evaluate(X)
        expected = mean_loss(values, y, loss, weight)
        np.testing.assert_allclose(row.loss, expected, rtol=1e-3, atol=1e-6)


CONSTRAINED = SearchSpec(
    operators=("+", "-", "*", "/", "square", "log", "sqrt", "exp"), maxsize=15, maxdepth=5,
    complexity_of_operators={"log": 3, "exp": 2, "/": 2}, complexity_of_constants=2,
    complexity_of_variables=(1, 2, 3), constraints={"*": (3, 5), "/": (-1, 3), "exp": 4, "+": (5, 5)},
    nested_constraints={"exp": {"exp": 0, "log": 0}, "log": {"log": 0, "exp": 0}, "/": {"/": 0}},
    evaluations=100_000, islands=3, seed=2,
)  # fmt: skip


def test_pysr_keeps_to_the_constraints_by_itself(tmp_path):
    lines = []
    engine = PySREngine(run_folder=tmp_path)
    front = engine.fit(X, Y, CONSTRAINED, NAMES, progress=lines.append)
    assert len(front) > 2
    rows = read_hall_of_fame(hall_of_fame_path(tmp_path))
    relaxed = replace(CONSTRAINED, max_constant=1e30)
    from occamscope.laws.constraints import complexity_of
    from occamscope.laws.pysr.arguments import turned_products

    for row in rows:
        law = turned_products(parse(row.equation, ("x0", "x1", "x2")), CONSTRAINED)
        assert violation(law, relaxed) is None, row
        assert complexity_of(law, relaxed) == row.complexity


def test_what_pysr_cannot_express_holds_all_the_same(tmp_path):
    spec = replace(
        SMALL, excluded_variables=("z17",), required_variables=("S",), max_constant=3.0, maxsize=5,
        output_offset=True,
    )  # fmt: skip
    front = PySREngine(run_folder=tmp_path).fit(X, Y, spec, NAMES)
    assert len(front)
    assert all(violation(law, spec) is None for law in front.expressions())
    texts = " ".join(row.equation for row in read_hall_of_fame(hall_of_fame_path(tmp_path)))
    assert "x1" not in texts


def test_guesses_with_every_operator_are_taken(tmp_path):
    guess = "log(S**2 + 1.5) - sqrt(abs(z17))*z29**-1 + tanh(sin(cos(exp(-z17))))/z29**3"
    y = parse(guess, NAMES).evaluate(X)
    spec = replace(SMALL, loss="mse", operators=tuple(SEARCH_OPERATORS), maxsize=40, evaluations=1)
    front = PySREngine(run_folder=tmp_path).fit(X, y, spec, NAMES, guesses=[guess])
    assert front.table["loss"].iloc[-1] < 1e-6 * np.var(y)


def test_a_time_limit_is_kept_julias_start_included():
    start = time.monotonic()
    front = PySREngine().fit(
        X, Y, replace(SMALL, evaluations=LONG), NAMES, control=SearchControl(time_limit_s=120.0)
    )
    assert time.monotonic() - start < 125.0
    assert front.stopped == "time" and len(front)


def test_a_watcher_sees_iterations_and_the_front(tmp_path):
    seen = []
    control = SearchControl(time_limit_s=120.0, watch=seen.append)
    PySREngine().fit(X, Y, replace(SMALL, evaluations=LONG), NAMES, control=control)
    assert seen[-1].rows and seen[-1].generation > 0 and seen[-1].evaluations > 0


def test_ctrl_c_returns_the_front_and_it_is_resumed_by_guesses(tmp_path):
    def interrupt(line):
        if " laws, best loss" in line:
            raise KeyboardInterrupt

    y = X[:, 0] * X[:, 1] ** 2 - 1.5
    spec = replace(SMALL, loss="mse", evaluations=LONG)
    engine, states = PySREngine(run_folder=tmp_path), []
    first = engine.fit(
        X, y, spec, NAMES, guesses=["S*z17**2 - 1.5"], progress=interrupt,
        control=SearchControl(checkpoint=states.append),
    )  # fmt: skip
    assert first.stopped == "interrupt" and len(first)
    short = SearchControl(generations=2)
    again = engine.fit(X, y, spec, NAMES, resume_from=tmp_path, control=short)
    assert again.stopped == "generations"
    assert again.table["loss"].iloc[-1] < 1e-6
    assert json.loads((tmp_path / "arguments.json").read_text())["model"]["guesses"]
    control = replace(short, resume=states[-1])
    assert PySREngine().fit(X, y, spec, NAMES, control=control).table["loss"].iloc[-1] < 1e-6


def test_what_julia_refuses_is_shown():
    from occamscope.laws.pysr import arguments as pysr_arguments

    losses = dict(pysr_arguments.JULIA_LOSSES)
    pysr_arguments.JULIA_LOSSES["hinge"] = "NoSuchLoss()"
    try:
        with pytest.raises(EngineError, match="NoSuchLoss"):
            PySREngine().fit(X, Y, SMALL, NAMES)
    finally:
        pysr_arguments.JULIA_LOSSES.update(losses)


def test_both_engines_share_one_front():
    front = search_several(("evolution", "pysr"), X, Y, replace(SMALL, evaluations=100_000), NAMES)
    assert {name for names in front.table["engine"] for name in names.split(", ")} <= {
        "evolution", "pysr",
    }  # fmt: skip
    assert accuracy(front) > 0.95
