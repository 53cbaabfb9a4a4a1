"""LawClassifier and LawRegressor: what reaches the engines, and what comes back."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from occamscope.errors import InputError
from occamscope.laws import (
    EngineError,
    LawClassifier,
    SearchSpec,
    several,
)
from occamscope.laws.estimators import search as estimator_search
from occamscope.laws.front import Front
from occamscope.store.search_states import read_search_state

SMALL = {"evaluations": 4000, "islands": 3, "population": 20, "maxsize": 9}
ODD = ["mean radius", "a-b", "1st", "exp"]


def product_rule(n=300, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0.3, "in", "out")


def three_classes(n=300, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 2))
    return X, np.array(["c", "a", "b"])[np.where(X[:, 0] > 0.5, 0, np.where(X[:, 1] > 0, 1, 2))]


class StandIn:
    """An engine that hands out given laws and remembers what it was asked."""

    def __init__(self, name, laws, stopped="budget"):
        self.name, self.laws, self.stopped, self.calls = name, laws, stopped, []
        self.ready = True

    def available(self):
        return self.ready, f"install {self.name}"

    def fit(self, X, y, spec, names, guesses, control, **options):
        self.calls.append((spec, tuple(names), tuple(guesses), control))
        return Front.from_expressions(
            self.laws, X, y, spec, names, engine=self.name, stopped=self.stopped
        )


@pytest.fixture
def engines(monkeypatch):
    known = {}
    monkeypatch.setattr(several, "get_engine", known.__getitem__)
    return known


def test_parameters_reach_the_engine_under_safe_names(engines):
    engines["evolution"] = StandIn("evolution", ["mean_radius"])
    X, y = product_rule()
    frame = pd.DataFrame(X, columns=ODD[:3])
    LawClassifier(
        operators=["+", "exp"], loss="logistic", maxsize=np.int64(7), maxdepth=4,
        complexity_of_operators={"exp": 3}, complexity_of_variables=[1, 2, 3],
        constraints={"exp": 2}, nested_constraints={"exp": {"exp": 0}}, max_constant=9.0,
        required_variables=["mean radius"], excluded_variables=["1st"], output_offset=True,
        guesses=["`mean radius` + `a-b`"], evaluations=99, islands=2, population=5,
        parsimony=0.1, generations=3, time_limit=7.0, threads=2, random_state=4,
    ).fit(frame, y)  # fmt: skip
    spec, names, guesses, control = engines["evolution"].calls[0]
    assert names == ("mean_radius", "a_b", "x_1st")
    assert guesses == ("mean_radius + a_b",)
    assert spec == SearchSpec(
        loss="logistic", operators=("+", "exp"), maxsize=7, maxdepth=4,
        complexity_of_operators={"exp": 3}, complexity_of_variables=(1, 2, 3),
        constraints={"exp": 2}, nested_constraints={"exp": {"exp": 0}}, max_constant=9.0,
        required_variables=("mean_radius",), excluded_variables=("x_1st",), output_offset=True,
        evaluations=99, islands=2, population=5, parsimony=0.1, seed=4,
    )  # fmt: skip
    assert (control.threads, control.generations) == (2, 3) and 6 < control.time_limit_s <= 7
    assert control.checkpoint is None and control.watch is None


def test_a_missing_engine_is_told_before_the_first_one_starts(engines):
    engines["evolution"] = StandIn("evolution", ["x0"])
    engines["pysr"] = StandIn("pysr", ["x0"])
    engines["pysr"].ready = False
    X, y = product_rule()
    with pytest.raises(EngineError, match="install pysr"):
        LawClassifier(engine=["evolution", "pysr"]).fit(X, y)
    assert engines["evolution"].calls == []


def test_several_engines_make_one_front_that_says_who_found_what(engines):
    engines["evolution"] = StandIn("evolution", ["x0", "0.3 - x0*x1"])
    engines["pysr"] = StandIn("pysr", ["x2", "0.3 - x0*x1", "0.2999 - x0*x1"])
    X, y = product_rule()
    model = LawClassifier(engine=["evolution", "pysr"], **SMALL).fit(X, y)
    found = dict(zip(model.front_["expression"], model.front_["engine"], strict=True))
    assert found["0.3 - x0*x1"] == "evolution, pysr"
    assert set(found) <= {"x0", "x2", "0.3 - x0*x1", "0.2999 - x0*x1"}
    assert model.front_["loss"].is_monotonic_decreasing


def test_an_interrupt_ends_the_other_engines_too_and_the_front_so_far_is_kept(engines):
    engines["evolution"] = StandIn("evolution", ["0.3 - x0*x1"], "interrupt")
    engines["pysr"] = StandIn("pysr", ["x2"])
    X, y = product_rule()
    with pytest.warns(ConvergenceWarning, match="the user ended the search"):
        model = LawClassifier(engine=["evolution", "pysr"], **SMALL).fit(X, y)
    assert model.stopped_ == "interrupt" and not engines["pysr"].calls
    assert model.score(X, y) == 1


def test_the_weightiest_reason_to_stop_is_told(engines):
    engines["evolution"] = StandIn("evolution", ["0.3 - x0*x1"], "time")
    engines["pysr"] = StandIn("pysr", ["x2"])
    with pytest.warns(ConvergenceWarning, match="the time limit"):
        model = LawClassifier(engine=["evolution", "pysr"], **SMALL).fit(*product_rule())
    assert model.stopped_ == "time"


def test_a_search_without_any_law_says_what_to_do(engines):
    engines["evolution"] = StandIn("evolution", [])
    with pytest.raises(InputError, match="loosen the constraints"):
        LawClassifier(**SMALL).fit(*product_rule())


@pytest.mark.parametrize("names", ["evolution", ["evolution", "pysr"]])
def test_a_checkpoint_is_written_and_gone_on_from(engines, tmp_path, names):
    first, last = StandIn("evolution", ["x0"]), StandIn("pysr", ["x2"])
    engines["evolution"], engines["pysr"] = first, last
    path = tmp_path / "search.state"
    X, y = product_rule()
    model = LawClassifier(
        engine=names, checkpoint=path, checkpoint_every=5, resume=True, **SMALL
    ).fit(X, y)
    assert first.calls[0][3].checkpoint_every_s == 5 and first.calls[0][3].resume is None
    finished = read_search_state(path).numbers["finished"]
    assert set(finished) == ({"evolution"} if names == "evolution" else {"evolution", "pysr"})
    again = clone(model).fit(X, y)
    pd.testing.assert_frame_equal(again.front_, model.front_)
    assert len(first.calls) == 1 and len(last.calls) <= 1  # what was found is not sought again
    clone(model).set_params(resume=False).fit(X, y)
    assert len(first.calls) == 2


def test_joint_laws_of_several_engines_need_no_checkpoint(engines):
    engines["evolution"], engines["pysr"] = StandIn("evolution", ["x0"]), StandIn("pysr", ["x1"])
    X, y = three_classes()
    model = LawClassifier(engine=["evolution", "pysr"], time_limit=9, **SMALL).fit(X, y)
    assert set(model.front_["engine"]) <= {"evolution", "pysr"} and model.score(X, y) > 0.5
    assert engines["evolution"].calls and engines["pysr"].calls
    with pytest.raises(InputError, match="single engine"):
        clone(model).set_params(checkpoint="a").fit(X, y)


def test_threads_are_counted_as_scikit_learn_counts_jobs():
    assert estimator_search.count_threads(None) == 1
    assert estimator_search.count_threads(3) == 3
    most = estimator_search.count_threads(-1)
    assert most >= 1 and estimator_search.count_threads(-2) == max(1, most - 1)
    assert estimator_search.count_threads(-10_000) == 1


def test_a_search_is_shown_where_it_is_asked_for(capsys):
    X, y = product_rule(60)
    frame = pd.DataFrame(X, columns=ODD[:3])
    LawClassifier(**SMALL).fit(frame, y)
    assert capsys.readouterr().err == ""  # no terminal
    LawClassifier(**SMALL, verbose=True).fit(frame, y)
    assert "`mean radius`" in capsys.readouterr().err
