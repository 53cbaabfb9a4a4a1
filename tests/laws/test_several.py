"""Several engines in one run: stand-ins, and the embedded one beside a stand-in for PySR."""

import json
from pathlib import Path

import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState
from occamscope.laws.engines import EngineError
from occamscope.laws.front import COLUMNS, Front, merge_fronts
from occamscope.laws.pysr.engine import INSTALL_COMMANDS, PySREngine
from occamscope.laws.several import joint_front, ready_engines, search_several
from occamscope.laws.spec import SearchSpec

NAMES = ("z3", "z17")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
Y = np.where(X[:, 0] - X[:, 1] ** 2 > -0.7, 1.0, -1.0)
SPEC = SearchSpec(evaluations=1000)


class Found:
    """An engine that knows its laws."""

    def __init__(self, name, laws, stopped="budget", ready=True, saves=()):
        self.name, self.laws, self.stopped, self.saves = name, laws, stopped, saves
        self.ready, self.calls = ready, []

    def available(self):
        return self.ready, f"install {self.name}"

    def fit(self, X, y, spec, feature_names, sample_weight=None, guesses=(), progress=None,
            target="labels", *, control=None):  # fmt: skip
        self.calls.append({"weight": sample_weight, "guesses": guesses, "control": control})
        for state in self.saves if control.checkpoint else ():
            control.checkpoint(state)
        return Front.from_expressions(
            self.laws, X, y, spec, feature_names, engine=self.name, target=target,
            sample_weight=sample_weight, stopped=self.stopped,
        )  # fmt: skip


def search(*engines, **arguments):
    return search_several(engines, X, Y, SPEC, NAMES, **arguments)


def test_the_front_says_who_found_what():
    a = Found("a", ["z3", "z3 - z17**2", "z17 + z3*z3"])
    b = Found("b", ["z17", "z3 - z17**2", "z3 + 0.7 - z17**2"])
    table = search(a, b).table
    found = dict(zip(table["expression"], table["engine"], strict=True))
    assert found == {"z3": "a", "z3 - z17**2": "a, b", "z3 + 0.7 - z17**2": "b"}
    assert list(table.columns) == list(COLUMNS)
    assert table["complexity"].is_monotonic_increasing and table["loss"].is_monotonic_decreasing


def test_it_is_the_front_of_the_merged_table():
    fronts = [
        Front.from_expressions(laws, X, Y, SPEC, NAMES, engine=name)
        for name, laws in {"a": ["z3", "z17 - z3"], "b": ["z17", "z3*z17", "z3 - z17**2"]}.items()
    ]
    merged = merge_fronts(fronts)
    table = joint_front(fronts).table
    assert set(table["expression"]) == set(
        merged.loc[merged["on_front"].astype(bool), "expression"]
    )
    assert list(joint_front(list(reversed(fronts))).table["expression"]) == list(
        table["expression"]
    )


def test_scores_are_those_of_the_common_front():
    table = search(Found("a", ["z3"]), Found("b", ["z3 - z17**2"])).table
    loss = np.log(np.maximum(table["loss"], 1e-12))
    np.testing.assert_allclose(table["score"][1], -(loss[1] - loss[0]) / 3)


def test_one_engine_alone_keeps_its_front():
    front = search(Found("a", ["z3", "z3 - z17**2"], "generations"))
    assert set(front.table["engine"]) == {"a"} and front.stopped == "generations"


def test_engines_that_found_nothing_leave_an_empty_front():
    front = search(Found("a", []), Found("b", [], "time"))
    assert (len(front), front.stopped) == (0, "time")
    assert list(front.table.columns) == list(COLUMNS)
    assert search(Found("a", []), Found("b", ["z3"])).table["engine"].tolist() == ["b"]


def test_each_gets_the_same_data_and_guesses():
    a, b = Found("a", ["z3"]), Found("b", ["z3"])
    weight = np.where(Y > 0, 1.0, 0.5)
    search(a, b, sample_weight=weight, guesses=["z3*z17"])
    assert a.calls[0]["guesses"] == b.calls[0]["guesses"] == ["z3*z17"]
    np.testing.assert_array_equal(b.calls[0]["weight"], weight)


def test_the_time_limit_is_one_for_all():
    a, b = Found("a", ["z3"]), Found("b", ["z3"])
    search(a, b, control=SearchControl(time_limit_s=100.0))
    first, second = (engine.calls[0]["control"].time_limit_s for engine in (a, b))
    assert 49 < first <= 50 and 98 < second <= 100


@pytest.mark.parametrize(
    ("stopped", "whole"),
    [(("budget", "time"), "time"), (("generations", "budget"), "generations")],
)
def test_the_weightiest_reason_to_stop_is_told(stopped, whole):
    assert (
        search(*(Found(n, ["z3"], s) for n, s in zip("ab", stopped, strict=True))).stopped == whole
    )


def test_what_the_user_interrupts_ends_the_others_too():
    later = Found("b", ["z17"])
    front = search(Found("a", ["z3"], "interrupt"), later)
    assert front.stopped == "interrupt" and front.table["expression"].tolist() == ["z3"]
    assert later.calls == []


def test_a_missing_engine_is_told_before_the_first_one_starts():
    first = Found("a", ["z3"])
    with pytest.raises(EngineError, match="install b"):
        search(first, Found("b", [], ready=False))
    assert first.calls == []


@pytest.mark.parametrize(
    ("engines", "message"),
    [
        ((), "list is empty"),
        (("evolution", "evolution"), "named twice"),
        (("operon",), "not one of"),
    ],
)
def test_wrong_lists_are_refused(engines, message):
    with pytest.raises(InputError, match=message):
        ready_engines(engines)


# ---------------------------------------------------------------- checkpoints


def states_of(*engines):
    states = []
    search(*engines, control=SearchControl(checkpoint=states.append))
    return [SearchState(s.digest, s.arrays, json.loads(json.dumps(s.numbers))) for s in states]


STATE = SearchState("inner", {"population": np.arange(3)}, {"generation": 4})


def test_a_resumed_run_does_not_search_again_what_has_finished():
    laws = {"a": ["z3"], "b": ["z3 - z17**2"]}
    whole = search(Found("a", laws["a"]), Found("b", laws["b"]))
    states = states_of(Found("a", laws["a"]), Found("b", laws["b"], saves=[STATE]))
    after_a = next(s for s in states if s.numbers["inner"] is not None)
    a, b = Found("a", ["z17"]), Found("b", laws["b"])
    front = search(a, b, control=SearchControl(resume=after_a))
    assert front.table.equals(whole.table)
    assert a.calls == []
    inner = b.calls[0]["control"].resume
    assert (inner.digest, inner.numbers) == ("inner", {"generation": 4})
    np.testing.assert_array_equal(inner.arrays["population"], [0, 1, 2])


def test_the_state_of_the_first_engine_reaches_no_other_one():
    states = states_of(Found("a", ["z3"], saves=[STATE]), Found("b", ["z3"]))
    a, b = Found("a", ["z3"]), Found("b", ["z3"])
    search(a, b, control=SearchControl(resume=states[0]))
    assert a.calls[0]["control"].resume.digest == "inner"
    assert b.calls[0]["control"].resume is None


def test_a_resumed_run_keeps_the_time_limits_of_the_whole():
    states = states_of(Found("a", ["z3"]), Found("b", ["z3"], saves=[STATE]))
    numbers = {**states[-2].numbers, "seconds": 60.0, "inner_begin": 20.0}
    state = SearchState(states[-2].digest, STATE.arrays, numbers)
    b, c = Found("b", ["z3"]), Found("a", ["z3"])
    search(c, b, control=SearchControl(resume=state, time_limit_s=100.0))
    assert b.calls[0]["control"].time_limit_s == 80.0  # the engine's clock starts at its begin


def test_a_checkpoint_of_other_engines_is_refused():
    (state, *_) = states_of(Found("a", ["z3"]))
    with pytest.raises(InputError, match="other data, settings or engines"):
        search(Found("b", ["z3"]), control=SearchControl(resume=state))


# ---------------------------------------------------------------- the real ones


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "stand_in"))
    return monkeypatch.setenv


def test_the_embedded_engine_and_pysr_share_one_front(stand_in):
    stand_in("STAND_IN_LAWS", "x0;x0 - square(x1);(x0 + 0.7) - square(x1)")
    front = search_several(("evolution", PySREngine(poll_s=0.1)), X, Y, SPEC, NAMES)
    finders = set(", ".join(front.table["engine"]).split(", "))
    assert finders == {"evolution", "pysr"}
    assert front.table["loss"].iloc[-1] < 1e-9
    assert "pysr" in front.table["engine"].iloc[-1]


def test_a_run_interrupted_in_pysr_goes_on_to_the_same_front(stand_in):
    engines, states = ("evolution", PySREngine(poll_s=0.05)), []
    whole = search_several(engines, X, Y, SPEC, NAMES)
    stand_in("STAND_IN", "hang")

    def interrupt(line):
        if "5 laws" in line:
            raise KeyboardInterrupt

    control = SearchControl(checkpoint=states.append)
    part = search_several(engines, X, Y, SPEC, NAMES, progress=interrupt, control=control)
    assert part.stopped == "interrupt"
    state = states[-1]
    assert list(state.numbers["finished"]) == ["evolution"]
    assert state.numbers["inner"]["laws"]
    stand_in("STAND_IN", "")
    again = search_several(engines, X, Y, SPEC, NAMES, control=SearchControl(resume=state))
    assert again.table.equals(whole.table) and again.stopped == "budget"


def test_where_julia_is_absent_the_two_commands_are_named_at_once(stand_in):
    stand_in("STAND_IN", "no julia")
    with pytest.raises(EngineError) as caught:
        search("evolution", "pysr")
    assert all(command in str(caught.value) for command in INSTALL_COMMANDS)
