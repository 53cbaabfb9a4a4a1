"""Canonical forms: same values, never more nodes."""

import numpy as np
import pytest

from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.evolution.tokens import allowed_operators, constants_within, measure_sizes


def rewrite(kernels, text, operators=None, free_scale=0):
    """Text of the canonical form of a law."""
    token, constant = kernels.program(text)
    size = np.zeros(len(token), np.int64)
    allowed = allowed_operators(operators or kernels.all_operators)
    n = canonicalise(token, constant, len(token), size, allowed, free_scale)
    return to_expression(token[:n], constant[:n], kernels.names).to_text()


@pytest.mark.parametrize("operators", [None, ("+", "-", "*", "square")])
def test_random_programs_keep_their_values_and_do_not_grow(kernels, operators):
    X = np.random.default_rng(0).normal(size=(50, 3))
    allowed = allowed_operators(operators or kernels.all_operators)
    shorter = 0
    drawn = kernels.random_programs(1500, 1, operators=operators or kernels.all_operators)
    for law, token, constant, n in drawn:
        size = np.zeros(40, np.int64)
        m = canonicalise(token, constant, n, size, allowed, 0)
        rewritten = to_expression(token[:m], constant[:m], kernels.names)
        before, after = law.evaluate(X), rewritten.evaluate(X)
        # Rounding is magnified by poles and by the cosine of large numbers: leave those out.
        moved = law.evaluate(X * (1 + 1e-9))
        with np.errstate(all="ignore"):
            tame = (np.abs(moved - before) < 1e-7) & (np.abs(before) < 1e6)
        np.testing.assert_allclose(after[tame], before[tame], 1e-6, 1e-6, err_msg=str(law))
        assert m == rewritten.complexity() <= n == law.complexity()
        shorter += m < n
    assert shorter > 500


def test_sizes_are_right_after_rewriting(kernels):
    for _, token, constant, n in kernels.random_programs(500, 2):
        size, expected = np.zeros(40, np.int64), np.zeros(40, np.int64)
        m = canonicalise(token, constant, n, size, allowed_operators(kernels.all_operators), 0)
        measure_sizes(token, m, expected)
        np.testing.assert_array_equal(size[:m], expected[:m])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + z0", "z0 + 2.0"),
        ("z0 - 2", "z0 + (-2.0)"),
        ("z0/4", "z0*0.25"),
        ("(z0 + 1) + 2", "z0 + 3.0"),
        ("3*(2*z0)", "z0*6.0"),
        ("(1 - z0) + 2", "3.0 - z0"),
        ("z0*z0", "z0**2"),
        ("(z0 + z1)*(z0 + z1)", "(z0 + z1)**2"),
        ("z0 + 0", "z0"),
        ("z0*1", "z0"),
        ("-(z0 - z1*z2)", "z1*z2 - z0"),
        ("-(-z0)", "z0"),
        ("z0 - (-z1)", "z0 + z1"),
        ("z0 + (-z1)", "z0 - z1"),
        ("z0 + z1*(-2)", "z0 - z1*2.0"),
        ("z0 - z1*(-2)", "z0 + z1*2.0"),
        ("z1*z0*(-2) + z2", "z2 - z1*z0*2.0"),
        ("abs(z0**2)", "z0**2"),
        ("(-z0)**2", "z0**2"),
        ("exp(0)*z0 + sqrt(4)", "z0 + 2.0"),
        ("z0/0", "z0/0.0"),
        ("z0 - z1", "z0 - z1"),
    ],
)
def test_rules(kernels, text, expected):
    assert rewrite(kernels, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(z0*z1 - 2)*3", "z0*z1 + (-2.0)"),
        ("(z0 - z1)*(-3)", "z1 - z0"),
        ("(z0*z1 + 2)*(-3)", "-2.0 - z0*z1"),
        ("(z0*z1)*(-3)", "-(z0*z1)"),
        ("3*z0 + 2", "z0*3.0 + 2.0"),
    ],
)
def test_a_factor_of_the_whole_law_is_dropped_where_the_scale_is_free(kernels, text, expected):
    assert rewrite(kernels, text, free_scale=1) == expected


def test_no_operator_is_introduced_that_is_not_allowed(kernels):
    assert rewrite(kernels, "z0*z0", ("*",)) == "z0*z0"
    assert rewrite(kernels, "z0 - 2", ("-",)) == "z0 - 2.0"
    assert rewrite(kernels, "z0/4", ("/",)) == "z0/4.0"
    assert rewrite(kernels, "(z0*z1)*(-3)", ("*",), free_scale=1) == "z0*z1*(-3.0)"


@pytest.mark.parametrize(
    ("value", "within"), [(49.0, True), (-51.0, False), (np.inf, False), (np.nan, False)]
)
def test_constants_out_of_bounds_are_seen(kernels, value, within):
    token, constant = kernels.program("z0 + 1")
    constant[1] = value
    assert constants_within(token, constant, 3, 50.0) == within
