from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.rounding import value_and_error

NAMES = ("x", "y")


def bound(text, x, y=0.0, constant_error=0.0):
    columns = {"x": np.array([x]), "y": np.array([y])}
    value, error = value_and_error(parse(text, NAMES).root, columns, constant_error)
    return float(value[0]), float(error[0])


def test_the_value_is_that_of_the_expression():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 2))
    law = parse(
        "exp(x)*tanh(y) - log(abs(x)) + sqrt(square(y))/(x**3 - 1/x) + cos(sin(x))**-4", NAMES
    )
    value, error = value_and_error(law.root, {"x": X[:, 0], "y": X[:, 1]})
    np.testing.assert_array_equal(value, law.evaluate(X))
    assert (error > 0).all()


FRACTIONS = {
    "(x + y)**9 - x**9": lambda x, y: (x + y) ** 9 - x**9,
    "(x - y)*(x + y) - x*x": lambda x, y: (x - y) * (x + y) - x * x,
    "x/(x - y) - y/(x + y)": lambda x, y: x / (x - y) - y / (x + y),
    "cube(x - 1/y) + inv(square(x) + 3)": lambda x, y: (x - 1 / y) ** 3 + 1 / (x * x + 3),
    "x**-4*y**5 - abs(-x)": lambda x, y: y**5 / x**4 - abs(x),
}


@pytest.mark.parametrize("text", FRACTIONS)
@given(x=st.floats(-1e3, 1e3), y=st.floats(-1e3, 1e3))
@settings(max_examples=100, deadline=None)
def test_the_exact_value_lies_within_the_bound(text, x, y):
    a, b = Fraction(x), Fraction(y)
    value, error = bound(text, x, y)
    if np.isfinite(error) and np.isfinite(value):
        assert abs(Fraction(value) - FRACTIONS[text](a, b)) <= Fraction(error)


@pytest.mark.parametrize("function", ["exp", "log", "sqrt", "tanh", "sin", "cos", "abs"])
@given(x=st.floats(0.01, 20), shift=st.floats(-1, 1))
@settings(max_examples=50, deadline=None)
def test_an_uncertain_constant_moves_a_function_by_no_more_than_the_bound(function, x, shift):
    value, error = bound(f"{function}(1.5*x)", x, constant_error=1e-6)
    moved, _ = bound(f"{function}({1.5 * (1 + 1e-6 * shift)!r}*x)", x)
    assert abs(moved - value) <= error


@pytest.mark.parametrize(
    ("text", "x"),
    [("exp(x)", 1000.0), ("1/(x*0.1 - 0.1*x)", 3.0), ("exp(x)*exp(-x)", 800.0),
     ("log(0.1*x - x/10)", 3.0), ("sqrt(0.1*x + 0.2*x - 0.3*x)", 1.0)],
)  # fmt: skip
def test_where_arithmetic_cannot_tell_the_bound_is_infinite(text, x):
    assert bound(text, x, constant_error=1e-9)[1] == np.inf


@pytest.mark.parametrize(
    ("text", "x"),
    [("1/x", 0.0), ("x/x", 0.0), ("log(x)", -1.0), ("sqrt(x - 2)", 1.0), ("1/(1/x)", 0.0),
     ("1/(x - x)", 2.0), ("tanh(1/x)", 0.0), ("1/x - 1/x", 0.0), ("x**-4", 0.0), ("1/x**2", 0.0)],
)  # fmt: skip
def test_what_is_undefined_or_infinite_by_definition_has_no_error(text, x):
    value, error = bound(text, x)
    assert error == 0.0
    np.testing.assert_array_equal(value, parse(text, NAMES).evaluate([[x, 0.0]])[0])
