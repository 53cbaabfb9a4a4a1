"""Fitted estimators as JSON: equal to the last bit, and nothing foreign is read."""

import json
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws import LawClassifier, LawRegressor

SMALL = {"evaluations": 2000, "islands": 2, "population": 15, "maxsize": 9}


def table(n=200, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, 3))
    return pd.DataFrame(values, columns=["mean radius", "größe", "a-b"])


def fitted(labels, **parameters):
    return LawClassifier(**SMALL, **parameters).fit(table(), labels)


X = table().to_numpy()
SIGN = X[:, 0] * X[:, 1] > 0
MODELS = {
    "bool": lambda: fitted(SIGN),
    "text": lambda: fitted(np.where(SIGN, "ja", "µ")),
    "object": lambda: fitted(np.where(SIGN, "ja", "µ").astype(object)),
    "integer": lambda: fitted(np.where(SIGN, 7, -3).astype(np.int32), output_offset=True),
    "float": lambda: fitted(np.where(SIGN, 1.0, 2.0), loss="logistic", validation_fraction=0),
    "weights": lambda: fitted(SIGN + 0, class_weight={0: 2.5, 1: 1}, constraints={"*": (-1, 3)}),
    "state": lambda: fitted(SIGN, random_state=np.random.RandomState(3), guesses=["`a-b`"]),
    "many": lambda: fitted(np.array(["a", "b", "c"])[SIGN + 0 + (X[:, 2] > 0)]),
    "matrix": lambda: LawClassifier(**SMALL).fit(X, SIGN),
    "number": lambda: LawRegressor(**SMALL, operators=["+", "*", "log"]).fit(table(), X[:, 0]),
    "constant": lambda: LawRegressor(**{**SMALL, "maxsize": 1}).fit(X, np.ones(200)),
}


@pytest.fixture(scope="module")
def model():
    return MODELS["text"]()


@pytest.mark.parametrize("name", MODELS)
def test_what_is_read_back_predicts_the_same_to_the_last_bit(name):
    model = MODELS[name]()
    again = type(model).from_json(model.to_json())
    new = table(100, seed=1) if hasattr(model, "feature_names_in_") else X[:50]
    for row in range(len(model.front_)):
        for ask in ("predict", "decision_function", "predict_proba"):
            if hasattr(model, ask):
                value, read = getattr(model, ask)(new, row), getattr(again, ask)(new, row)
                np.testing.assert_array_equal(value, read)
                assert value.dtype == read.dtype
        assert model.text(row, None) == again.text(row, None)
    pd.testing.assert_frame_equal(model.front_, again.front_)
    assert (model.best_index_, model.stopped_) == (again.best_index_, again.stopped_)
    assert model.names_ == again.names_ and model.expression_ == again.expression_
    assert again.to_json() == model.to_json()


def test_parameters_are_read_back():
    model = MODELS["weights"]()
    again = LawClassifier.from_json(model.to_json())
    assert again.class_weight == {0: 2.5, 1: 1} and again.evaluations == 2000
    assert again.fit(table(), SIGN + 0).to_json() == model.to_json()


def test_the_names_of_features_are_checked_after_reading(model):
    again = LawClassifier.from_json(model.to_json())
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table().rename(columns={"a-b": "c"}))


def test_the_text_is_json_that_any_reader_knows(model):
    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(MODELS["constant"]().to_json(), parse_constant=refuse)
    assert document["class"] == "LawRegressor"
    assert document["judged"]["validation_r2"][0] == "nan"
    assert "größe" in model.to_json()


def test_what_json_cannot_hold_is_named():
    model = MODELS["text"]().set_params(guesses=[object()])
    with pytest.raises(InputError, match="to_json.*object"):
        model.to_json()


def altered(model, change):
    document = json.loads(model.to_json())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(form="occamscope law estimator 99"), "form"),
        (lambda d: d.pop("features"), "'features' is missing"),
        (lambda d: d["parameters"].update(colour="red"), "colour"),
        (lambda d: d.update(chosen=99), "number 99"),
        (lambda d: d.update(chosen=True), "number True"),
        (lambda d: d.update(chosen=-1), "number -1"),
        (
            lambda d: d["laws"]["single"]["expression"].__setitem__(0, "__import__('os')"),
            "position",
        ),
        (lambda d: d["laws"]["single"]["expression"].__setitem__(0, "mass"), "mass"),
        (lambda d: d["laws"]["single"]["expression"].__setitem__(0, 3), "text"),
        (lambda d: d["laws"]["single"]["output_scale"].__setitem__(0, "inf"), "scale"),
        (lambda d: d["laws"]["single"]["output_scale"].__setitem__(0, -1), "scale"),
        (lambda d: d["laws"]["single"]["output_offset"].__setitem__(0, "nan"), "offset"),
        (lambda d: d["laws"]["single"]["complexity"].__setitem__(0, 1.5), "whole"),
        (lambda d: d["laws"]["single"]["loss"].pop(), "length"),
        (lambda d: d["laws"].update(stopped="bored"), "bored"),
        (lambda d: d["features"]["safe"].__setitem__(0, "np"), "meaning of its own"),
        (lambda d: d["features"]["own"].pop(), "names"),
        (lambda d: d["classes"].update(labels=["a"]), "classes"),
        (lambda d: d["classes"].update(labels=[{}, []]), "classes"),
        (lambda d: d["classes"].update(dtype="V8"), "classes"),
        (lambda d: d["platt"].pop(), "sigmoids"),
        (lambda d: d["platt"][0].__setitem__(0, "steep"), "steep"),
    ],
)
def test_an_altered_document_is_refused(model, change, message):
    with pytest.raises(InputError, match=message):
        LawClassifier.from_json(altered(model, change))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '"a"', "{", "[" * 10_000, '{"form": 1}'])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="from_json"):
        LawClassifier.from_json(text)


def test_another_class_is_refused(model):
    with pytest.raises(InputError, match="a LawClassifier, not a LawRegressor"):
        LawRegressor.from_json(model.to_json())


@cache
def model_text():
    return MODELS["text"]().to_json()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_document_with_any_part_replaced_is_refused_or_works(data):
    document = json.loads(model_text())
    part = document
    while True:
        keys = sorted(part) if isinstance(part, dict) else range(len(part))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
            part[key] = data.draw(
                st.sampled_from([None, -1, 1e400, "x", [], {}, [1], True, {"pairs": 3}, "0" * 99])
            )
            break
        part = part[key]
    try:
        model = LawClassifier.from_json(json.dumps(document))
    except InputError:
        return
    assert model._values(X, None).shape == (200,)


def test_users_may_pickle_an_estimator(model):
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict(table()), model.predict(table()))
