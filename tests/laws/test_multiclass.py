import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.refit import refit
from occamscope.laws.control import SearchControl, SearchState, Snapshot
from occamscope.laws.expressions.expression import parse
from occamscope.laws.front import Front
from occamscope.laws.joint.beam import Beam
from occamscope.laws.joint.multiclass import fit_multiclass
from occamscope.laws.joint.softmax import cross_entropy, log_priors, softmax
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1", "z2", "z3")
CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(11)
X = RNG.normal(size=(500, 4))
TRUE = np.column_stack([2.5 * X[:, 0] * X[:, 1], 2 * X[:, 2] - 0.5, np.zeros(500)])
LABELS = (softmax(TRUE).cumsum(axis=1) < RNG.random((500, 1))).sum(axis=1)
SPEC = SearchSpec(loss="logistic", evaluations=600, maxsize=9)
CANDIDATES = ("z0*z1", "z2", "z2 - 0.1", "-z2", "z0", "z3", "-(z0*z1) - z2", "z0*z1 - 0.2*z2")


class ListEngine:
    """An engine that fits a list of laws, and notes how it was called."""

    name = "list"

    def __init__(self, candidates=CANDIDATES, stop_at=None, stopped="interrupt", snapshots=1):
        self.candidates, self.stop_at, self.stopped = candidates, stop_at, stopped
        self.snapshots, self.calls = snapshots, []

    def __repr__(self):
        return "ListEngine()"

    def available(self):
        return True, "for tests"

    def fit(
        self, X, y, spec, feature_names, sample_weight=None, guesses=(), resume_from=None,
        progress=None, target="labels", *, control=None, base=None,
    ):  # fmt: skip
        self.calls.append(
            SimpleNamespace(y=y, spec=spec, base=base, guesses=list(guesses), control=control)
        )
        ended = len(self.calls) == self.stop_at
        if ended and self.stopped == "raise":
            raise KeyboardInterrupt
        if progress:
            progress("half way")
        for step in range(self.snapshots):
            if control.checkpoint:
                arrays = {"population": np.arange(3) + step}
                control.checkpoint(SearchState("inner", arrays, {"step": step}))
            if control.watch:
                control.watch(Snapshot(step, 5, 0, spec.evaluations, 0.1, ((1, 0.5, "z0"),)))
        texts = []
        for text in self.candidates[:: 4 if ended else 1]:
            law = parse(text, feature_names)
            texts.append(refit(law, X, y, spec, sample_weight, base, steps=3).law.to_text())
        table = pd.DataFrame({"expression": texts})
        return Front(table, tuple(feature_names), self.stopped if ended else "budget")


def fit(X=X, y=LABELS, classes=CLASSES, spec=SPEC, engine=None, **more):
    return fit_multiclass(X, y, classes, spec, NAMES, engine=engine or ListEngine(), **more)


@pytest.fixture(scope="module")
def found():
    return fit()


def test_the_first_row_states_the_priors_and_none_is_worse(found):
    priors = log_priors(LABELS, 3)
    assert found.table["complexity"][0] == 0
    assert found.table["loss"][0] == pytest.approx(-np.sum(np.exp(priors) * priors))
    assert (found.table["loss"] <= found.table["loss"][0]).all()
    assert (np.diff(found.table["loss"]) < 0).all()
    assert (np.diff(found.table["complexity"]) > 0).all()
    assert found.offsets == pytest.approx(np.tile(priors, (len(found), 1)))


def test_planted_laws_are_found_with_one_class_as_reference(found):
    best = fit(spec=replace(SPEC, output_offset=True))
    row = best.table["complexity"].tolist().index(4)
    assert best.table["expression"][row] == "a: z0*z1; b: z2"
    assert best.scales[row, :2] == pytest.approx([2.5, 2.0], rel=0.25)
    truth = cross_entropy(TRUE, LABELS)
    assert best.table["loss"][row] < truth + 0.002


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2)])
def test_classes_in_another_order_have_the_same_laws(found, order):
    position = np.argsort(order)
    other = fit(y=position[LABELS], classes=[CLASSES[k] for k in order])
    assert other.table["loss"].to_numpy() == pytest.approx(
        found.table["loss"].to_numpy(), rel=1e-12
    )
    assert other.joints == tuple(joint.rearranged(order) for joint in found.joints)
    assert other.classes == tuple(CLASSES[k] for k in order)


def test_the_same_call_gives_the_same_bytes(found):
    assert json.dumps(fit().to_dict()) == json.dumps(found.to_dict())


def test_rows_without_weight_count_as_absent(found):
    more = np.vstack([X, 5 * X[:50]])
    y = np.append(LABELS, np.zeros(50, int))
    weight = np.append(np.ones(500), np.zeros(50))
    assert fit(more, y, sample_weight=weight).joints == found.joints


def test_weights_make_a_class_matter_more():
    weight = np.where(LABELS == 1, 5.0, 1.0)
    made = fit(sample_weight=weight)
    assert made.offsets[0] == pytest.approx(log_priors(LABELS, 3, weight))
    last = len(made) - 1
    loss = cross_entropy(made.decision(last, X), LABELS, weight)
    assert made.table["loss"][last] == pytest.approx(loss, rel=1e-13)
    share = [(f.predict(len(f) - 1, X) == 1).mean() for f in (made, fit())]
    assert share[0] > share[1]


def test_a_class_without_rows_has_no_law_and_the_others_are_as_without_it(found):
    made = fit(classes=("a", "b", "c", "absent"))
    assert made.table["expression"].tolist() == found.table["expression"].tolist()
    assert (made.offsets[:, 3] == -np.inf).all()
    assert (made.probabilities(len(made) - 1, X)[:, 3] == 0).all()


@pytest.mark.parametrize("evaluations", [1, 7, 100, 1234])
def test_the_budget_is_spent_to_the_last_evaluation(evaluations):
    engine = ListEngine()
    fit(spec=replace(SPEC, evaluations=evaluations), engine=engine)
    assert sum(call.spec.evaluations for call in engine.calls) == evaluations
    assert all(call.spec.evaluations > 0 for call in engine.calls)


def test_a_search_sees_one_class_with_the_others_as_its_base():
    engine = ListEngine()
    fit(engine=engine)
    order = np.argsort(-np.bincount(LABELS), kind="stable")
    assert len(engine.calls) == 9
    priors = log_priors(LABELS, 3)
    for call, k in zip(engine.calls[:3], order, strict=False):
        assert call.spec.loss == "logistic"
        assert (call.y == np.where(k == LABELS, 1, -1)).all()
        share = np.mean(k == LABELS)
        np.testing.assert_allclose(call.base, np.log(share / (1 - share)))
    last, k = engine.calls[-1], order[-1]
    # With the others at their planted laws what is missing is the class's own value, here 0.
    others = np.delete(TRUE + priors * 0, k, axis=1)
    expected = -np.log(np.exp(others).sum(axis=1))
    assert np.corrcoef(last.base, expected)[0, 1] > 0.97
    assert set(last.guesses)


def test_an_engine_without_a_base_searches_each_class_against_the_rest():
    class PlainEngine(ListEngine):
        def fit(self, X, y, spec, feature_names, sample_weight=None, guesses=()):
            control = SearchControl()
            return super().fit(X, y, spec, feature_names, sample_weight, guesses, control=control)

    engine = PlainEngine()
    made = fit(engine=engine)
    assert len(engine.calls) == 3
    assert sum(call.spec.evaluations for call in engine.calls) == 600
    assert "z0*z1" in made.table["expression"].iloc[-1]


@pytest.mark.parametrize(("stop_at", "calls"), [(1, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("stopped", ["interrupt", "raise"])
def test_an_interrupt_returns_what_is_there(stop_at, calls, stopped):
    engine = ListEngine(stop_at=stop_at, stopped=stopped)
    made = fit(engine=engine)
    assert len(engine.calls) == calls
    assert (made.stopped, made.complete) == ("interrupt", False)
    assert made.table["expression"][0] == "0"
    if stopped == "interrupt" or stop_at > 1:
        assert len(made) > 1


def test_an_interrupt_while_classes_are_put_together_keeps_what_was_fitted(monkeypatch):
    counted = []
    plain = Beam._expand

    def interrupted(self, state):
        counted.append(state)
        if len(counted) == 4:
            raise KeyboardInterrupt
        plain(self, state)

    monkeypatch.setattr(Beam, "_expand", interrupted)
    made = fit()
    assert made.stopped == "interrupt"
    assert len(made) >= 4


def test_a_time_limit_ends_the_search_and_says_so():
    engine = ListEngine()
    made = fit(engine=engine, control=SearchControl(time_limit_s=1e-9))
    assert not engine.calls
    assert made.stopped == "time"
    assert made.table["expression"].tolist() == ["0"]


def test_searches_share_the_time_that_is_left():
    engine = ListEngine()
    fit(engine=engine, control=SearchControl(time_limit_s=900.0))
    limits = [call.control.time_limit_s for call in engine.calls]
    assert limits[0] == pytest.approx(897 / 9, rel=0.05)
    assert limits[-1] == pytest.approx(897, rel=0.05)
    assert fit(control=SearchControl(time_limit_s=900.0)).stopped == "budget"


def test_a_large_budget_begins_with_short_rounds_and_spares_no_time_slices_for_late_ones():
    engine = ListEngine()
    control = SearchControl(time_limit_s=900.0)
    fit(spec=replace(SPEC, evaluations=3_000_000), engine=engine, control=control)
    budgets = [call.spec.evaluations for call in engine.calls]
    assert budgets[:6] == [30_000] * 3 + [60_000] * 3
    assert sum(budgets) == 3_000_000
    limits = [call.control.time_limit_s for call in engine.calls]
    assert limits[0] == pytest.approx(897 / 12, rel=0.01)
    assert limits[-1] == pytest.approx(897, rel=0.05)


def test_a_search_that_time_ends_makes_the_whole_incomplete():
    assert fit(engine=ListEngine(stop_at=2, stopped="time")).stopped == "time"
    assert fit(engine=ListEngine(stop_at=2, stopped="generations")).complete


def states_of_a_search(**more):
    kept = []
    engine = ListEngine(snapshots=2)
    fit(engine=engine, control=SearchControl(checkpoint=kept.append), **more)
    return kept, engine


def test_a_search_goes_on_from_any_checkpoint_to_the_same_result(found):
    kept, whole = states_of_a_search()
    assert len(kept) == 9 * 3  # two within each search, one after it
    for number in (0, 1, 2, 4, 13, 25, 26):
        numbers = json.loads(json.dumps(dict(kept[number].numbers)))
        state = replace(kept[number], numbers=numbers)
        engine = ListEngine()
        made = fit(engine=engine, control=SearchControl(resume=state))
        assert made.to_dict() == found.to_dict()
        done = (number + 1) // 3
        assert len(engine.calls) == 9 - done
        inner = [call.control.resume for call in engine.calls]
        assert all(later is None for later in inner[1:])
        if number % 3 < 2:
            assert inner[0].digest == "inner"
            assert inner[0].numbers == {"step": number % 3}
            assert inner[0].arrays["population"].tolist() == [number % 3 + i for i in range(3)]
            assert (engine.calls[0].base == whole.calls[done].base).all()


def test_a_resumed_search_writes_checkpoints_that_hold_all_that_was_found(found):
    kept, _ = states_of_a_search()
    later = []
    control = SearchControl(resume=kept[14], checkpoint=later.append)
    fit(engine=ListEngine(), control=control)
    made = fit(engine=ListEngine(), control=SearchControl(resume=later[0]))
    assert made.to_dict() == found.to_dict()


def test_a_checkpoint_of_other_data_is_refused():
    kept, _ = states_of_a_search()
    for more in ({"X": X + 1e-9}, {"y": LABELS[::-1]}, {"spec": replace(SPEC, seed=1)}):
        with pytest.raises(InputError, match="checkpoint"):
            fit(control=SearchControl(resume=kept[3]), **more)


def test_what_is_watched_counts_all_searches_and_names_the_class():
    seen, lines = [], []
    fit(control=SearchControl(watch=seen.append), progress=lines.append)
    counts = [snapshot.evaluations for snapshot in seen]
    assert counts == sorted(counts)
    assert counts[-1] > 500
    assert {snapshot.budget for snapshot in seen} == {600}
    assert seen[0].rows[0][2] in ("a: z0", "b: z0", "c: z0")
    assert lines[0].endswith("half way")
    assert lines[0].startswith("class ")


def test_guesses_go_to_every_class_or_to_the_one_named():
    engine = ListEngine(candidates=())
    made = fit(engine=engine, guesses={"a": ["z0*z1"]})
    assert [bool(call.guesses) for call in engine.calls].count(True) == 3
    assert "a: z0*z1" in made.table["expression"].tolist()
    made = fit(engine=ListEngine(candidates=()), guesses=["z0*z1", "z2"])
    assert "a: z0*z1; b: z2" in made.table["expression"].tolist()


def test_required_variables_are_in_every_law():
    made = fit(spec=replace(SPEC, required_variables=("z2",)))
    assert len(made) > 0
    for laws in made.laws:
        own = [law for law in laws if law.variables()]
        assert own
        assert all("z2" in law.variables() for law in own)


def test_rows_that_laws_separate_end_the_front_at_no_loss():
    X_apart = X.copy()
    y = np.where(X[:, 0] < -0.5, 0, np.where(X[:, 0] > 0.5, 2, 1))
    apart = np.abs(np.abs(X[:, 0]) - 0.5) > 0.05
    engine = ListEngine(("z0", "-z0", "0.3 - z0**2", "z0 - z3", "z0 + z1 + z2", "z0*z3 - z0**2"))
    made = fit(X_apart[apart], y[apart], engine=engine)
    assert made.table["loss"].iloc[-1] < 1e-11
    assert (made.table["loss"].iloc[:-1] > 1e-3).all()
    assert (made.predict(len(made) - 1, X_apart[apart]) == y[apart]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(500)}, "one class"),
        ({"y": LABELS + 1}, "from 0 to 2"),
        ({"y": LABELS + 0.5}, "whole numbers"),
        ({"y": LABELS[:-1]}, "499"),
        ({"X": np.where(X > 2, np.nan, X)}, "nan"),
        ({"sample_weight": -np.ones(500)}, "weights"),
        ({"sample_weight": (LABELS == 1).astype(float)}, "one class"),
        ({"spec": SearchSpec(loss="mse")}, "margin"),
        ({"guesses": {"d": ["z0"]}}, "no class 'd'"),
        ({"guesses": ["z9"]}, "z9"),
    ],
)
def test_bad_input_ends_in_one_message(change, message):
    with pytest.raises(InputError, match=message):
        fit(**change)


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_few_rows_are_enough(rows):
    made = fit(X[:rows], np.arange(rows) % 3)
    assert made.table["expression"][0] == "0"
    assert np.isfinite(made.probabilities(len(made) - 1, X)).all()


def test_many_classes_and_rows_are_no_matter():
    random = np.random.default_rng(0)
    rows = random.normal(size=(12_000, 4))
    y = np.digitize(rows[:, 0], np.quantile(rows[:, 0], np.linspace(0, 1, 9)[1:-1]))
    engine = ListEngine(("z0", "z0**2", "-z0", "z1"))
    made = fit(rows, y, list("abcdefgh"), engine=engine)
    assert made.table["loss"].iloc[-1] < 0.8 * np.log(8)
    best = len(made) - 1
    loss = cross_entropy(made.decision(best, rows), y)
    assert made.table["loss"][best] == pytest.approx(loss, rel=1e-13)
