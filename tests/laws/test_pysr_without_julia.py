"""The real PySR package above a stand-in for Julia (`stand_in_julia/`): its checks of arguments."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from occamscope.laws.control import SearchControl
from occamscope.laws.engines import EngineError
from occamscope.laws.pysr.engine import PySREngine
from occamscope.laws.spec import SearchSpec

pytestmark = pytest.mark.skipif(find_spec("pysr") is None, reason="PySR is not installed")

NAMES = ("S", "noise", "z17")
X = np.random.default_rng(0).normal(size=(120, 3))
Y = np.sign(X[:, 0] * X[:, 2])


@pytest.fixture
def engine(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "stand_in_julia"))
    return PySREngine(run_folder=tmp_path, poll_s=0.1)


def asked(engine):
    """What PySR would have handed to Julia."""
    document = json.loads((engine.run_folder / "julia.json").read_text())
    return document, document["options"], document["call"]


def test_pysr_takes_every_setting_and_hands_it_to_julia(engine):
    spec = SearchSpec(
        loss="squared_hinge", operators=("+", "-", "*", "/", "square", "log", "exp"), maxdepth=6,
        complexity_of_operators={"log": 3}, complexity_of_constants=2,
        complexity_of_variables=(1, 7, 2), constraints={"*": (2, 5), "+": (1, 4), "exp": 3},
        nested_constraints={"exp": {"exp": 0, "log": 1}}, excluded_variables=("noise",),
        evaluations=10**6, population=30, islands=4, parsimony=0.01, seed=7,
    )  # fmt: skip
    front = engine.fit(
        X, Y, spec, NAMES, sample_weight=np.ones(120), guesses=["log(S) - z17"],
        control=SearchControl(time_limit_s=300.0),
    )  # fmt: skip
    # PySR swapped the limits (2, 5) of *, so its x0 * x2 is our z17*S.
    assert front.table["expression"].tolist()[-1] == "z17*S"
    document, options, call = asked(engine)
    assert options["constraints"] == {
        "1": [-1, -1, 3],
        "2": [[4, 4], [-1, -1], [5, 2], [-1, -1]],
    }
    assert options["operators"] == [["square", "log", "exp"], ["+", "-", "*", "/"]]
    assert options["complexity_of_operators"] == "Dict((log) => 3, (safe_log) => 3, )"
    assert options["nested_constraints"] == "Dict((exp) => Dict((exp) => 0, (log) => 1, ), )"
    assert options["complexity_of_variables"] == [1, 2]
    assert options["complexity_of_constants"] == 2
    assert (options["maxdepth"], options["maxsize"], options["batching"]) == (6, 20, False)
    assert (options["npop"], options["npopulations"], options["parsimony"]) == (30, 4, 0.01)
    assert options["elementwise_loss"] == "L2HingeLoss()"
    assert options["deterministic"] is True and call["parallelism"] == "serial"
    assert 200 < options["timeout_in_seconds"] < 300.0
    assert call["variable_names"] == ["x0", "x2"]
    assert call["guesses"] == [["safe_log(x0) - x2"]]
    assert document["X"] == [2, 120] and len(call["weights"]) == 120


def test_pysr_takes_the_defaults(engine):
    front = engine.fit(X, X[:, 0], SearchSpec(loss="mae"), NAMES)
    assert front.stopped == "budget" and front.table["loss"].min() == 0.0
    _, options, call = asked(engine)
    assert options["complexity_of_operators"] is None
    assert options["nested_constraints"] is None and options["timeout_in_seconds"] is None
    assert call["weights"] is None and call["guesses"] is None


def test_what_pysr_refuses_is_shown(engine, monkeypatch):
    monkeypatch.setattr("occamscope.laws.pysr.arguments.LEAST_MAXSIZE", 3)
    with pytest.raises(EngineError, match="PySR requires a maxsize of at least 7"):
        engine.fit(X, Y, SearchSpec(maxsize=3), NAMES)
