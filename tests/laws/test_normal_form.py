import contextlib
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.expressions import tree
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.monomials import (
    ONE,
    NormalFormError,
    difference,
    join,
    ordered,
    skeleton,
)
from occamscope.laws.expressions.normal_form import normal_form
from occamscope.laws.expressions.rounding import value_and_error
from occamscope.laws.expressions.tree import call, constant, variable

NAMES = ("x", "y", "z")
OPERATORS = ("+", "-", "*", "/", "square", "cube", "exp", "log", "sqrt", "abs", "neg", "tanh",
             "sin", "cos", "inv")  # fmt: skip
RANDOM = np.random.default_rng(0)
POINTS = {n: np.concatenate([RANDOM.normal(size=30), RANDOM.uniform(0.1, 2, 30)]) for n in NAMES}


def form(text):
    return normal_form(parse(text, NAMES).root)


def printed(text):
    return join(skeleton(ordered(form(text))))


def trees(leaves):
    leaf = st.sampled_from([variable(n) for n in NAMES]) | st.sampled_from(
        [constant(c) for c in (-2.0, -1.0, 0.5, 1.0, 3.0)]
    )
    one = st.sampled_from([o for o in OPERATORS if tree.SEARCH_OPERATORS[o] == 1])
    two = st.sampled_from([o for o in OPERATORS if tree.SEARCH_OPERATORS[o] == 2])
    return st.recursive(
        leaf,
        lambda inner: st.builds(call, two, inner, inner) | st.builds(call, one, inner),
        max_leaves=leaves,
    )


def value_of(terms):
    """Value of a normal form at `POINTS`, term by term."""
    total = np.zeros(60)
    for monomial, coefficient in terms:
        factor = np.full(60, coefficient)
        for atom, k in monomial.powers:
            if atom.kind == "variable":
                base = POINTS[atom.name]
            else:
                function = np.asarray if atom.kind == "sum" else getattr(np, atom.kind)
                base = function(value_of(atom.argument))
            factor = factor * base ** float(k)
        total = total + factor * np.exp(value_of(monomial.exponent) if monomial.exponent else 0.0)
    return total


@given(trees(8))
@settings(max_examples=300, deadline=None)
def test_the_normal_form_has_the_laws_values_wherever_both_are_defined(root):
    try:
        terms = ordered(normal_form(root))
    except NormalFormError:
        return
    with np.errstate(all="ignore"):
        mine = value_of(terms)
        value, error = value_and_error(root, POINTS, 1e-9)
        use = np.isfinite(mine) & np.isfinite(value) & (error < 1e-7 * (1 + np.abs(value)))
    sizes = sum(abs(c) for _, c in terms)
    np.testing.assert_allclose(mine[use], value[use], rtol=1e-5, atol=1e-7 * (1 + sizes))


@given(trees(40))
@settings(max_examples=100, deadline=None)
def test_the_effort_is_bounded(root):
    start = time.process_time()
    with contextlib.suppress(NormalFormError):
        normal_form(root)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text",
    ["(x + y + z + 1)**9*(x - y + 2)**9*(z - 2)**9", "((((x + y)**9 + z)**9 + x)**9 + y)**9",
     "exp(exp(exp(9*x + 9)*9 + 99)*9 + 999)", "1/((x + y + z)**9 + 1)/((x - y)**9 + 1)*(x + y)**9"],
)  # fmt: skip
def test_the_worst_laws_end_soon(text):
    start = time.process_time()
    with contextlib.suppress(NormalFormError):
        form(text)
    assert time.process_time() - start < 5


def test_a_polynomial_is_multiplied_out():
    values = [coefficient for _, coefficient in ordered(form("(x - 2*y)**2 + 1"))]
    assert printed("(x - 2*y)**2 + 1") == "x**2 - x*y + y**2 + c"
    assert sorted(values) == [-4.0, 1.0, 1.0, 4.0]


def test_coefficients_are_those_of_the_binomial_theorem():
    found = {sum(k for _, k in m.powers): v for m, (v, _) in form("(x + 1)**9").items()}
    assert found == {k: math.comb(9, k) for k in range(10)}


def test_rounding_leaves_no_term():
    assert form("0.1*x + 0.2*x - 0.3*x") == {}
    assert printed("(x + 0.1)**2 - x**2 - 0.2*x - 0.01") == "0"


def test_a_small_coefficient_is_no_rounding():
    assert printed("1000*x + 1e-9*y") == "x + y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x/(x*y + x)", "(y + c)**-1"),
        ("1/(1/x + z/y)", "(x*z + y)**-1*x*y"),
        ("x**2/(x + 1)", "(x + c)**-1 + x + c"),
        ("1/(1/(x + 1) + 1)", "-(x + c)**-1 + c"),
        ("abs(x + 1)**3/abs(x + 1)", "x + x**2 + c"),
        ("log(x**2*exp(y))", "log(abs(x)) + y"),
        ("sqrt(x)*sqrt(x)", "x"),
        ("sqrt(4*x**2*y)", "abs(x)*sqrt(y)"),
        ("exp(x + 2)*exp(-x)", "c"),
        ("tanh(y - x)", "-tanh(x - y)"),
        ("cos(y - x)", "cos(x - y)"),
        ("sin(x)**3", "-cos(x)**2*sin(x) + sin(x)"),
    ],
)
def test_identities(text, expected):
    assert printed(text) == expected


def test_the_constant_is_no_part_of_an_exponential():
    ((monomial, (value, _)),) = form("exp(x + 2)").items()
    assert value == pytest.approx(math.e**2)
    assert all(inner != ONE for inner, _ in monomial.exponent)


@pytest.mark.parametrize(
    "text", ["1/(x - x)", "log(-1.0)*x", "sqrt(-2.0)", "exp(1000.0)*x", "log(-exp(x))"]
)
def test_constant_parts_without_a_value_have_no_form(text):
    with pytest.raises(NormalFormError):
        form(text)


def test_the_difference_of_equal_forms_is_empty():
    assert difference(form("2*x*(y + 0.3)"), form("0.5*(y*x + 0.3*x)"), factor=4.0) == {}
    assert difference(form("x"), form("y")) != {}


def test_a_long_sum_is_no_deep_one():
    text = " + ".join(["x*y"] * 90)
    assert form(text) == {next(iter(form("x*y"))): (90.0, 90.0)}


def test_expressions_give_their_form():
    law = Expression(call("+", variable("x"), constant(0.0)), NAMES)
    assert normal_form(law.root) == form("x")
