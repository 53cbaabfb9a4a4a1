"""LawClassifier and LawRegressor: bad input is refused in one message, odd input works."""

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws import (
    LawClassifier,
    LawRegressor,
)

SMALL = {"evaluations": 4000, "islands": 3, "population": 20, "maxsize": 9}


def product_rule(n=300, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0.3, "in", "out")


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


def test_numbers_in_object_columns_work():
    X, y = product_rule()
    plain = LawClassifier(**SMALL).fit(X, y)
    model = LawClassifier(**SMALL).fit(X.astype(object), y.astype(object))
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
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
