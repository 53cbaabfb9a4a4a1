"""LawClassifier and LawRegressor: what they learn, choose and show."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from occamscope.errors import InputError
from occamscope.laws import (
    LawClassifier,
    LawRegressor,
    several,
)
from occamscope.laws.choice.selection import select
from occamscope.laws.front import Front

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


# scikit-learn's tools.


def test_pipelines_searches_and_clones_work():
    X, y = product_rule(200)
    pipeline = make_pipeline(StandardScaler(), LawClassifier(**SMALL))
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.8
    grid = GridSearchCV(LawClassifier(**SMALL), {"maxsize": [1, 7]}, cv=2).fit(X, y)
    assert grid.best_params_ == {"maxsize": 7}
    model = LawClassifier(**SMALL, class_weight="balanced", guesses=["x0"])
    assert clone(model).get_params() == model.get_params()
