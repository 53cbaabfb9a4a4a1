"""LawClassifier and LawRegressor: what they learn, choose, show and refuse."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from occamscope.errors import InputError
from occamscope.laws import (
    EngineError,
    LawClassifier,
    LawRegressor,
    SearchSpec,
    several,
)
from occamscope.laws.choice.selection import select
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


@pytest.fixture(scope="module")
def classifier():
    X, y = product_rule()
    return LawClassifier(**SMALL).fit(X, y)


@pytest.fixture(scope="module")
def shifted():
    """With a free offset, and names that no expression can use."""
    X = np.random.default_rng(0).normal(size=(300, 4))
    frame = pd.DataFrame(X, columns=ODD)
    model = LawClassifier(loss="logistic", output_offset=True, **SMALL)
    return model.fit(frame, np.where(X[:, 0] + X[:, 1] > 1, "yes", "no"))


@pytest.fixture(scope="module")
def many():
    X, y = three_classes()
    return LawClassifier(**SMALL).fit(pd.DataFrame(X, columns=["first one", "z"]), y)


@pytest.fixture(scope="module")
def regressor():
    X = np.random.default_rng(0).uniform(1, 3, size=(200, 2))
    frame = pd.DataFrame(X, columns=["mean radius", "z"])
    return LawRegressor(**SMALL).fit(frame, X[:, 0] / X[:, 1])


def table_for(model, n=40):
    X = np.random.default_rng(9).normal(size=(n, model.n_features_in_)) + 2
    return pd.DataFrame(X, columns=model.names_.own) if hasattr(model, "feature_names_in_") else X


# What is learned, and how it is used.


def test_the_classifier_finds_the_planted_law(classifier):
    X, y = product_rule(2000, seed=1)
    assert classifier.score(X, y) > 0.97
    assert classifier.expression_.variables() == ("x0", "x1")
    assert classifier.complexity_ == classifier.front_["complexity"][classifier.best_index_]


def test_the_label_is_the_sign_of_the_decision_value(classifier):
    X, _ = product_rule(50, seed=2)
    value = classifier.decision_function(X)
    assert list(classifier.classes_) == ["in", "out"]
    np.testing.assert_array_equal(classifier.predict(X), np.where(value > 0, "out", "in"))


def test_the_decision_value_is_scale_times_law_plus_offset(shifted):
    frame = table_for(shifted)
    for row, at in shifted.front_.iterrows():
        law = shifted.laws_.expression(row)
        value = at["output_scale"] * law.evaluate(frame.to_numpy()) + at["output_offset"]
        np.testing.assert_allclose(shifted.decision_function(frame, row), value, rtol=1e-13)
    assert (shifted.front_["output_offset"] != 0).any()


def test_every_row_of_the_front_can_be_asked(classifier):
    X, _ = product_rule(50)
    row = len(classifier.front_) - 1
    law = classifier.laws_.expression(row)
    scale = classifier.front_["output_scale"][row]
    np.testing.assert_array_equal(
        classifier.decision_function(X, index=row), scale * law.evaluate(X)
    )
    assert classifier.predict_proba(X, index=0).shape == (50, 2)
    assert classifier.text(0) == classifier.names_.shown(classifier.laws_.expression(0), 4)
    assert classifier.predict(X, np.int64(0)).shape == (50,)


@pytest.mark.parametrize("index", [-1, 999, "best", True, 1.0])
def test_a_row_that_is_not_there_is_refused(classifier, index):
    with pytest.raises(InputError, match="index"):
        classifier.predict(product_rule(5)[0], index)


def test_the_regressor_predicts_the_value_of_the_law(regressor):
    frame = table_for(regressor)
    expected = frame["mean radius"] / frame["z"]
    np.testing.assert_allclose(regressor.predict(frame), expected, rtol=1e-5)
    assert regressor.front_["validation_r2"][regressor.best_index_] > 0.999


def test_joint_laws_predict_the_class_of_the_largest_value(many):
    X, y = three_classes(1000, seed=1)
    frame = pd.DataFrame(X, columns=many.names_.own)
    value, probability = many.decision_function(frame), many.predict_proba(frame)
    assert value.shape == probability.shape == (1000, 3)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(many.predict(frame), many.classes_[value.argmax(axis=1)])
    np.testing.assert_array_equal(probability.argmax(axis=1), value.argmax(axis=1))
    assert many.score(frame, y) > 0.9
    assert set(many.expression_) == {"a", "b", "c"}


def test_probabilities_are_calibrated_on_held_out_rows():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(4000, 1))
    y = (rng.random(4000) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
    model = LawClassifier(**{**SMALL, "evaluations": 1000}, maxdepth=3).fit(X, y)
    at = np.array([[-1.0], [0.0], [1.0]])
    expected = 1 / (1 + np.exp(-2 * at[:, 0]))
    np.testing.assert_allclose(model.predict_proba(at)[:, 1], expected, atol=0.06)


def test_the_examples_of_the_docstrings_are_true():
    for name in ("classifier", "regressor"):
        module = importlib.import_module(f"occamscope.laws.estimators.{name}")
        failed, tried = doctest.testmod(module)
        assert tried > 4 and failed == 0


# Determinism, rows held out, weights.


def test_equal_fits_are_equal_and_another_seed_holds_out_other_rows(classifier):
    X, y = product_rule()
    again = LawClassifier(**SMALL).fit(X, y)
    pd.testing.assert_frame_equal(again.front_, classifier.front_)
    other = LawClassifier(**SMALL, random_state=1).fit(X, y)
    assert set(other.validation_rows_) != set(classifier.validation_rows_)
    assert other.front_["seed"][0] == 1


def test_a_random_state_is_drawn_from():
    X, y = product_rule(60)
    state = np.random.RandomState(5)
    one, two = (LawClassifier(**SMALL, random_state=state).fit(X, y) for _ in range(2))
    assert one.front_["seed"][0] != two.front_["seed"][0]
    again = LawClassifier(**SMALL, random_state=np.random.RandomState(5)).fit(X, y)
    assert again.front_["seed"][0] == one.front_["seed"][0]


def test_rows_without_weight_are_as_good_as_absent(classifier):
    X, y = product_rule()
    more = np.vstack([X, 100 * X[:50]]), np.append(y, y[:50][::-1])
    weight = np.append(np.ones(300), np.zeros(50))
    model = LawClassifier(**SMALL).fit(*more, sample_weight=weight)
    pd.testing.assert_frame_equal(model.front_, classifier.front_)
    assert model.platt_ == classifier.platt_


def test_a_class_without_weight_is_absent():
    X, y = product_rule()
    with pytest.raises(InputError, match="one class only"):
        LawClassifier(**SMALL).fit(X, y, sample_weight=(y == "in").astype(float))


def test_held_out_rows_do_not_reach_the_search(monkeypatch, classifier):
    seen = []

    class Spy:
        name = "spy"

        def available(self):
            return True, ""

        def fit(self, X, y, spec, names, **options):
            seen.append(X)
            return Front.from_expressions(["0.3 - x0*x1"], X, y, spec, names, engine="spy")

    monkeypatch.setattr(several, "get_engine", lambda name: Spy())
    X, y = product_rule()
    model = LawClassifier(**SMALL).fit(X, y)
    held = model.validation_rows_
    assert len(held) == round(0.2 * (y == "in").sum()) + round(0.2 * (y == "out").sum())
    np.testing.assert_array_equal(seen[0], np.delete(X, held, axis=0))


def test_groups_are_held_out_whole():
    X, y = product_rule(300)
    groups = np.repeat(np.arange(20), 15)
    model = LawClassifier(**SMALL).fit(X, y, groups=groups)
    held = np.isin(np.arange(300), model.validation_rows_)
    assert set(groups[held]).isdisjoint(groups[~held]) and 30 <= held.sum() <= 90


def test_a_balanced_weight_counts_the_rare_class_as_much_as_the_frequent_one():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, 900), rng.normal(1.5, 1, 100)])[:, None]
    y = np.repeat([0, 1], [900, 100])
    plain = LawClassifier(**SMALL).fit(X, y)
    balanced = LawClassifier(**SMALL, class_weight="balanced").fit(X, y)
    same = LawClassifier(**SMALL, class_weight={0: 1000 / 1800, 1: 5.0}).fit(X, y)
    assert balanced.predict(X)[y == 1].mean() > plain.predict(X)[y == 1].mean() + 0.2
    pd.testing.assert_frame_equal(same.front_, balanced.front_)


@pytest.mark.parametrize("rule", ["best", "accuracy", "score", "validation"])
def test_the_rule_chooses_the_row(classifier, rule):
    X, y = product_rule()
    model = LawClassifier(**SMALL, selection=rule).fit(X, y)
    assert model.best_index_ == select(classifier.front_, rule).row


def test_where_nothing_is_held_out_cross_validation_chooses():
    X, y = product_rule()
    model = LawClassifier(**SMALL, validation_fraction=0).fit(X, y)
    assert len(model.validation_rows_) == 0
    assert "cv_loss" in model.front_ and "validation_loss" not in model.front_
    assert model.expression_.variables() == ("x0", "x1")


def test_cross_validation_chooses_among_joint_laws_and_numbers():
    X, y = three_classes()
    rule = {"selection": "one_standard_error"}
    many = LawClassifier(**SMALL, **rule).fit(X, y)
    assert {"cv_loss", "validation_loss"} <= set(many.front_)
    assert many.front_["cv_loss"][many.best_index_] < many.front_["cv_loss"][0] / 2
    number = LawRegressor(**SMALL, **rule).fit(X, X[:, 0] * 3 + 1)
    assert number.front_["cv_loss"][number.best_index_] < 1e-9


# Names and exports.


def test_features_are_shown_under_their_own_names(shifted, regressor, many):
    assert shifted.names_.own == tuple(ODD)
    assert list(shifted.feature_names_in_) == ODD
    shown = " ".join(shifted.front_["expression"])
    assert "`mean radius`" in shown and "`a-b`" in shown
    assert "mean_radius" not in shown + shifted.text() + " ".join(shifted.front_["latex"])
    assert r"\mathrm{mean\ radius}" in regressor.latex()
    assert "`first one`" in many.text() and r"\mathrm{first\ one}" in many.latex()


def test_pandas_reads_what_is_shown(shifted):
    frame = table_for(shifted)
    for row in range(len(shifted.front_)):
        law = shifted.laws_.expression(row)
        if law.variables():
            value = frame.eval(shifted.front_["expression"][row], engine="python")
            np.testing.assert_allclose(value, law.evaluate(frame.to_numpy()), rtol=1e-12)


def test_a_fitted_estimator_prints_its_front_and_marks_the_chosen_law(regressor):
    assert str(LawRegressor(maxsize=3)) == "LawRegressor(maxsize=3)"
    assert "maxsize" in LawRegressor(maxsize=3)._repr_mimebundle_()["text/plain"]
    marked = [line for line in str(regressor).splitlines() if line.startswith(">>>>")]
    assert len(marked) == 1 and "`mean radius`/z" in marked[0]
    bundle = regressor._repr_mimebundle_()
    assert bundle["text/plain"] == str(regressor)
    assert r"\mathrm{mean\ radius}" in bundle["text/html"]


def run_source(source, X):
    space = {}
    exec(compile(source, "law", "exec"), space)
    return space["law"](X)


@pytest.mark.parametrize("name", ["classifier", "shifted", "many", "regressor"])
def test_torch_and_python_compute_the_decision_values(name, request):
    import torch

    model = request.getfixturevalue(name)
    table = table_for(model)
    X = np.asarray(table)
    for row in range(len(model.front_)):
        ask = model.predict if name == "regressor" else model.decision_function
        value = ask(table, row)
        np.testing.assert_array_equal(run_source(model.python_source(row), X), value)
        by_torch = model.torch(row)(torch.from_numpy(X)).numpy()
        np.testing.assert_allclose(by_torch, value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["classifier", "shifted", "regressor"])
def test_sympy_has_the_sign_of_the_decision_value(name, request):
    import sympy

    model = request.getfixturevalue(name)
    table = table_for(model, 5)
    for row in range(len(model.front_)):
        expression = model.sympy(row)
        symbols = [sympy.Symbol(own, real=True) for own in model.names_.own]
        assert expression.free_symbols <= set(symbols)
        ask = model.predict if name == "regressor" else model.decision_function
        scale = model.front_["output_scale"][row]
        for k, value in enumerate(ask(table, row)):
            at = dict(zip(symbols, np.asarray(table)[k], strict=True))
            assert float(expression.subs(at)) * scale == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_the_source_of_a_number_says_nothing_of_classes(regressor, many, classifier):
    assert "class" not in regressor.python_source()
    assert "positive means" not in many.python_source()
    assert "positive means the positive class" in classifier.python_source()


# The engine's side.


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


# scikit-learn's tools.


def test_pipelines_searches_and_clones_work():
    X, y = product_rule(200)
    pipeline = make_pipeline(StandardScaler(), LawClassifier(**SMALL))
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.8
    grid = GridSearchCV(LawClassifier(**SMALL), {"maxsize": [1, 7]}, cv=2).fit(X, y)
    assert grid.best_params_ == {"maxsize": 7}
    model = LawClassifier(**SMALL, class_weight="balanced", guesses=["x0"])
    assert clone(model).get_params() == model.get_params()


# Bad input.


def spoil(value):
    frame = pd.DataFrame(product_rule()[0], columns=["a", "mean radius", "c"])
    frame.loc[3, "mean radius"] = value
    return frame


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [LawClassifier, LawRegressor])
def test_undefined_values_are_refused_and_their_column_named(kind, value):
    y = np.arange(300) % 2
    with pytest.raises(InputError, match=r"(NaN|inf).*'mean radius'.*1 of 300 rows"):
        kind(**SMALL).fit(spoil(value), y)
    model = kind(**SMALL).fit(spoil(0.0), y)
    with pytest.raises(InputError, match="'mean radius'"):
        model.predict(spoil(value))


def test_text_is_refused_and_its_column_named():
    frame = spoil(0.0).assign(colour=["red", "blue"] * 150)
    with pytest.raises(InputError, match="'colour' holds text.*encode"):
        LawClassifier(**SMALL).fit(frame, np.arange(300) % 2)
    cells = np.array([[1, "a"], [2, "b"]], dtype=object)
    with pytest.raises(InputError, match="column 1 holds text"):
        LawClassifier(**SMALL).fit(cells, [0, 1])


def test_numbers_in_object_columns_work(classifier):
    X, y = product_rule()
    model = LawClassifier(**SMALL).fit(X.astype(object), y.astype(object))
    np.testing.assert_array_equal(model.predict(X), classifier.predict(X))
    mixed = pd.DataFrame({"a": X[:, 0], "b": pd.array((X[:, 1] > 0).tolist(), dtype="boolean")})
    assert LawClassifier(**SMALL).fit(mixed, y).score(mixed, y) > 0.6


X, Y = product_rule(40)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({}, {"y": np.ones(40)}, "one class only"),
        ({}, {"y": Y[:-1]}, "inconsistent numbers of samples"),
        ({}, {"sample_weight": -np.ones(40)}, "not negative"),
        ({}, {"sample_weight": np.zeros(40)}, "all weights are zero"),
        ({}, {"sample_weight": np.full(40, np.nan)}, "finite"),
        ({}, {"sample_weight": np.ones(3)}, "40 rows need weights"),
        ({}, {"groups": np.zeros(3)}, "groups"),
        ({}, {"groups": np.zeros(40)}, "one group"),
        ({}, {"groups": np.repeat([0, 1], 20), "y": np.repeat([0, 1], 20)}, "too few groups"),
        ({"loss": "mse"}, {}, "use LawRegressor"),
        ({"loss": "huber"}, {}, "huber"),
        ({"operators": ["+", "plus"]}, {}, "plus"),
        ({"operators": "all"}, {}, "all"),
        ({"maxsize": 0}, {}, "maxsize"),
        ({"complexity_of_variables": [1]}, {}, "3 features but 1 numbers"),
        ({"required_variables": ["x9"]}, {}, "x9"),
        ({"excluded_variables": ["mass"]}, {}, "mass"),
        ({"guesses": ["x0 + nonsense"]}, {}, "nonsense"),
        ({"guesses": ["`mean radius`"]}, {}, "mean radius"),
        ({"guesses": {"in": ["x0"]}}, {}, "more than two classes"),
        ({"class_weight": "even"}, {}, "even"),
        ({"class_weight": {"inside": 2}}, {}, "inside"),
        ({"class_weight": {"in": 0}}, {}, "above 0"),
        ({"engine": "julia"}, {}, "julia"),
        ({"engine": []}, {}, "engine"),
        ({"selection": "luck"}, {}, "luck"),
        ({"validation_fraction": 0.9}, {}, "validation_fraction"),
        ({"threads": 0}, {}, "threads"),
        ({"threads": 1.5}, {}, "threads"),
        ({"generations": 0}, {}, "generations"),
        ({"time_limit": -1}, {}, "time_limit"),
        ({"resume": True}, {}, "checkpoint"),
        ({"checkpoint_every": 0}, {}, "checkpoint_every"),
        ({"verbose": "loud"}, {}, "verbose"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_clear_message(parameters, arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        LawClassifier(**{**SMALL, **parameters}).fit(**{"X": X, "y": Y, **arguments})
    assert "\n" not in str(caught.value)


def test_a_regressor_refuses_losses_of_classes():
    with pytest.raises(InputError, match="use LawClassifier"):
        LawRegressor(loss="hinge").fit(X, X[:, 0])


def test_two_features_of_one_name_are_refused():
    frame = pd.DataFrame(X, columns=["a", "b", "a"])
    with pytest.raises(InputError, match="'a' comes twice"):
        LawClassifier(**SMALL).fit(frame, Y)


def test_a_damaged_checkpoint_is_said_to_be_damaged(tmp_path):
    (tmp_path / "a").write_bytes(b"half")
    with pytest.raises(RuntimeError, match="no whole checkpoint"):
        LawClassifier(**SMALL, checkpoint=tmp_path / "a", resume=True).fit(X, Y)


# Odd input that works.


def test_constant_and_repeated_columns_are_no_obstacle():
    X, y = product_rule()
    X = np.column_stack([X, X[:, 0], np.full(len(X), 7.0), np.zeros(len(X))])
    model = LawClassifier(**SMALL).fit(X, y)
    assert model.score(X, y) > 0.95


def test_five_hundred_features_are_searched():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 500))
    model = LawClassifier(**SMALL).fit(X, X[:, 321] > 0)
    assert model.expression_.variables() == ("x321",)
    assert model.predict(X).dtype == bool


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_handful_of_rows_is_enough(n):
    X = np.arange(n)[:, None] - 0.5
    y = (np.arange(n) > 0).astype(int)
    with pytest.warns(UserWarning, match="one row only"):
        model = LawClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)
    assert np.isfinite(model.predict_proba(X)).all()


def test_the_unit_of_weights_does_not_matter():
    X, y = product_rule()
    weight = 2.0 ** np.random.default_rng(0).integers(0, 3, 300)
    models = [LawClassifier(**SMALL).fit(X, y, weight * unit) for unit in (1, 1e-300, 2.0**1000)]
    for model in models[1:]:
        np.testing.assert_array_equal(model.predict(X), models[0].predict(X))


@pytest.mark.parametrize("kind", [LawClassifier, LawRegressor])
def test_numbers_beyond_single_precision_are_refused(kind):
    X, y = product_rule()
    frame = pd.DataFrame(X * [1, 1e30, 1], columns=["a", "b", "c"])
    with pytest.raises(InputError, match="'b' has values up to .*another unit"):
        kind(**SMALL).fit(frame, np.arange(300) % 2)
    with pytest.raises(InputError, match="y: .*another unit"):
        LawRegressor(**SMALL).fit(X, 1e30 * X[:, 0])


def test_labels_of_several_types_are_refused():
    X, _ = product_rule()
    for labels, kinds in (([None, "a"], "NoneType, str"), ([1, "a"], "int, str")):
        with pytest.raises(InputError, match=f"several types .{kinds}"):
            LawClassifier(**SMALL).fit(X, np.array(labels, dtype=object)[np.arange(300) % 2])


@pytest.mark.parametrize("kind", [LawClassifier, LawRegressor])
def test_one_row_is_too_few(kind):
    with pytest.raises(InputError, match="1 sample is too few"):
        kind(**SMALL).fit([[1.0, 2.0]], [3])


@pytest.mark.slow
def test_a_million_rows_are_no_obstacle():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10**6, 3)).astype(np.float32)
    model = LawClassifier(**SMALL).fit(X, X[:, 0] * X[:, 1] > 0)
    assert model.score(X, X[:, 0] * X[:, 1] > 0) > 0.99
