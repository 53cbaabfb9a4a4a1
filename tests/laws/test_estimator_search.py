"""The real search behind the estimators: threads, limits, interrupts, checkpoints."""

import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from occamscope.errors import InputError
from occamscope.laws import LawClassifier, LawRegressor
from occamscope.laws.estimators import search as estimator_search
from occamscope.laws.progress import SearchProgress
from occamscope.store import search_states

SMALL = {"evaluations": 6000, "islands": 4, "population": 15, "maxsize": 9}
X = np.random.default_rng(0).normal(size=(200, 3))
TWO, THREE = X[:, 0] * X[:, 1] > 0.3, (X[:, 0] > 0) + (X[:, 1] > 0.5) + 0


@pytest.fixture(params=["two", "three", "number"])
def problem(request):
    kinds = {
        "two": (LawClassifier, TWO),
        "three": (LawClassifier, THREE),
        "number": (LawRegressor, X[:, 0] * X[:, 1]),
    }
    return kinds[request.param]


def same(one, two):
    pd.testing.assert_frame_equal(one.front_, two.front_)
    assert one.best_index_ == two.best_index_


def test_the_result_is_the_same_for_any_number_of_threads(problem):
    kind, y = problem
    one, two = (kind(**SMALL, threads=threads).fit(X, y) for threads in (1, 2))
    same(one, two)


def test_a_search_goes_on_from_its_checkpoint_to_the_same_result(problem, tmp_path, monkeypatch):
    kind, y = problem
    whole = kind(**SMALL).fit(X, y)
    write, written = search_states.write_search_state, []

    def write_and_break(path, state):
        write(path, state)
        written.append(state)
        if len(written) == 2:
            raise RuntimeError("the machine goes down")

    monkeypatch.setattr(search_states, "write_search_state", write_and_break)
    path = tmp_path / "a.state"
    model = kind(**SMALL, checkpoint=path, checkpoint_every=1e-9, resume=True)
    with pytest.raises(RuntimeError, match="goes down"):
        model.fit(X, y)
    again = model.fit(X, y)  # written has 2 by now: no more break
    same(again, whole)
    assert len(written) > 2 and path.exists()


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    path = tmp_path / "a.state"
    model = LawClassifier(**SMALL, checkpoint=path, checkpoint_every=1e-9, resume=True).fit(X, TWO)
    with pytest.raises(InputError, match="other"):
        model.fit(X + 1, TWO)


def test_a_search_that_a_limit_ended_goes_on_with_a_larger_one(tmp_path):
    more = {"checkpoint": tmp_path / "a.state", "resume": True}
    part = LawClassifier(**SMALL, **more, generations=1).fit(X, TWO)
    assert part.stopped_ == "generations"
    same(LawClassifier(**SMALL, **more).fit(X, TWO), LawClassifier(**SMALL).fit(X, TWO))


def test_generations_end_a_search_without_a_warning(recwarn):
    model = LawClassifier(**{**SMALL, "evaluations": 10**9}, generations=1).fit(X, TWO)
    assert model.stopped_ == "generations" and not len(recwarn)


def test_a_time_limit_ends_a_search_and_says_so():
    with pytest.warns(ConvergenceWarning, match="time limit"):
        model = LawClassifier(**{**SMALL, "evaluations": 10**9}, time_limit=0.3).fit(X, TWO)
    assert model.stopped_ == "time" and model.score(X, TWO) > 0.8


def test_an_interrupt_keeps_the_front_found_so_far(monkeypatch):
    class Showing(SearchProgress):
        seen = 0

        def __call__(self, snapshot):
            self.seen += 1
            if self.seen == 2:
                signal.raise_signal(signal.SIGINT)  # Ctrl-C

    monkeypatch.setattr(estimator_search, "watcher", lambda *given, **named: Showing())
    with pytest.warns(ConvergenceWarning, match="the user"):
        model = LawClassifier(**{**SMALL, "evaluations": 10**9}).fit(X, TWO)
    assert model.stopped_ == "interrupt" and model.score(X, TWO) > 0.7


def test_guesses_are_in_the_front():
    law = "x0*x1*x2 + 0.123*x2 - x0"
    model = LawRegressor(**{**SMALL, "evaluations": 300, "maxsize": 15}, guesses=[law])
    y = X[:, 0] * X[:, 1] * X[:, 2] + 0.123 * X[:, 2] - X[:, 0]
    model.fit(X, y)
    assert model.front_["loss"].iloc[-1] < 1e-12


def test_limits_on_the_form_of_laws_are_kept():
    model = LawClassifier(
        **SMALL, required_variables=["x2"], excluded_variables=["x0"], maxdepth=3,
        operators=["+", "*"],
    ).fit(X, TWO)  # fmt: skip
    for law in model.laws_.expressions():
        assert "x2" in law.variables() and "x0" not in law.variables()
        assert law.depth() <= 3 and law.operators() <= {"+", "*", "-"}  # a + -1 is written a - 1
