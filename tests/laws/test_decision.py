import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.expressions import tree
from occamscope.laws.expressions.decision import decision_core, decision_law
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.rounding import value_and_error
from occamscope.laws.expressions.tree import call, constant, variable

NAMES = ("z0", "z1", "z2")
X = np.random.default_rng(0).normal(size=(60, 3))
OPERATORS = ("+", "-", "*", "/", "square", "cube", "exp", "log", "sqrt", "abs", "neg", "tanh",
             "sin", "inv")  # fmt: skip


def law(text):
    return parse(text, NAMES)


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("(z0**2 + 1)*tanh(z1 - 0.3)", "z1 - 0.3"),
        ("-2*(z0 - 1)**3", "-(z0 - 1)"),
        ("exp(z0)*z1/abs(z2)", "z1"),
        ("z0/z1", "z0*z1"),
        ("-3/(z0 - 0.5)", "-(z0 - 0.5)"),
        ("sqrt(z0 - 1)", "z0 - 1"),
        ("tanh(tanh(50*(z0 - z1)))", "z0 - z1"),
        ("-(-z0)*(z1 - 1)**4", "z0"),
        ("z0**-3", "z0"),
        ("-exp(z0)", "-1.0"),
        # These decide, too.
        ("sqrt(z0)*z1", "sqrt(z0)*z1"),
        ("log(z0)**2*z1", "log(z0)**2*z1"),
        ("(1/z0)**2*z1", "(1/z0)**2*z1"),
        ("(z0**2 - 1)*z1", "(z0**2 - 1)*z1"),
        ("tanh(z0) - 0.5", "tanh(z0) - 0.5"),
        ("0*z0", "0.0*z0"),
    ],
)
def test_what_does_not_decide_is_taken_away(text, core):
    assert decision_core(law(text)).to_text() == law(core).to_text()


def trees():
    leaf = st.sampled_from([variable(n) for n in NAMES]) | st.sampled_from(
        [constant(c) for c in (-2.0, 0.5, 1.0)]
    )
    one = st.sampled_from([o for o in OPERATORS if tree.SEARCH_OPERATORS[o] == 1])
    two = st.sampled_from([o for o in OPERATORS if tree.SEARCH_OPERATORS[o] == 2])
    return st.recursive(
        leaf,
        lambda inner: st.builds(call, two, inner, inner) | st.builds(call, one, inner),
        max_leaves=8,
    )


@given(trees())
@settings(max_examples=300, deadline=None)
def test_the_core_decides_like_the_law(root):
    whole = Expression(root, NAMES)
    core = decision_core(whole)
    f, error = value_and_error(root, {name: X[:, i] for i, name in enumerate(NAMES)})
    # Where rounding may decide, or a denominator is 0, nothing is promised.
    clear = np.isnan(f) | (np.abs(f) > np.maximum(error, 1e-200)) & np.isfinite(f)
    clear &= np.isfinite(error)
    for part in tree.walk(root):
        clear &= ~np.isinf(Expression(part, NAMES).evaluate(X))
    np.testing.assert_array_equal(core.evaluate(X)[clear] > 0, f[clear] > 0)
    assert core.complexity() <= max(whole.complexity(), 1)


def test_the_decision_law_includes_scale_and_offset():
    f = law("z1 - 0.5")
    moved = decision_law(f, scale=4.0, offset=1.0)
    np.testing.assert_allclose(4 * moved.evaluate(X), 4 * f.evaluate(X) + 1)
    assert decision_law(f, scale=4.0) == f
