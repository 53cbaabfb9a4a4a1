"""Counting nodes of laws from several engines by one rule."""

import counting
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.tree import Node, call, constant, variable

NAMES = tuple(f"x{k}" for k in range(4))
BINARY, UNARY = ("+", "-", "*", "/"), ("square", "exp", "tanh", "sqrt", "log", "abs", "neg")


def trees() -> st.SearchStrategy[Node]:
    leaves = st.one_of(
        st.sampled_from(NAMES).map(variable),
        st.sampled_from([-3.0, -1.0, -0.5, 0.25, 1.0, 2.0, 7.0]).map(constant),
    )

    def grow(below: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        return st.one_of(
            st.builds(call, st.sampled_from(BINARY), below, below),
            st.builds(call, st.sampled_from(UNARY), below),
        )

    return st.recursive(leaves, grow, max_leaves=8)


def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, len(NAMES)))


@settings(max_examples=300, deadline=None)
@given(trees(), st.sampled_from([1.0, 0.3, -2.0]), st.sampled_from([0.0, 1.5]))
def test_a_law_written_out_keeps_its_values_and_is_no_longer(
    tree: Node, scale: float, offset: float
) -> None:
    law = Expression(tree, NAMES)
    values = scale * law.evaluate(rows()) + offset
    short = counting.written_out(law, scale, offset)
    known = np.isfinite(values) & (np.abs(values) < 1e6)
    np.testing.assert_allclose(short.evaluate(rows())[known], values[known], rtol=1e-6, atol=1e-6)
    added = 2 * (scale != 1.0) + 2 * (offset != 0.0)
    assert short.complexity() <= law.complexity() + added


@settings(max_examples=300, deadline=None)
@given(trees())
def test_the_law_of_the_same_sign_has_the_same_sign(tree: Node) -> None:
    law = Expression(tree, NAMES)
    values, signs = law.evaluate(rows()), counting.sign_law(law).evaluate(rows())
    clear = np.isfinite(values) & (np.abs(values) > 1e-6) & (np.abs(values) < 1e6)
    np.testing.assert_array_equal(values[clear] > 0, signs[clear] > 0)
    assert counting.sign_law(law).complexity() <= law.complexity()


@pytest.mark.parametrize(
    ("text", "pysr", "operon"),
    [
        ("x0", 1, 1),
        ("2*x0*3*x1", 5, 3),  # 6*(x0*x1); weights are free for Operon
        ("2*x0 - 3*x1 + 1", 9, 3),
        ("x0 - -2*x1", 5, 3),
        ("1.5*(x0*x1 + 0.8*x2 - 0.3)", 11, 5),
        ("tanh(2*x0 + 1)", 6, 4),
        ("-3*(x0 - 1)**2", 6, 4),  # the factor is the law's scale
        ("x1 - 3*(x0 - 1)**2", 8, 6),  # it goes into the square
        ("x1*x2 + 3*tanh(x0)", 8, 6),  # in units of 3
        ("x1*x2 + 3*tanh(x0) - tanh(x1)", 11, 11),  # whatever the unit, one factor is left
    ],
)
def test_counts_of_known_laws(text: str, pysr: int, operon: int) -> None:
    law = parse(text, NAMES)
    assert counting.written_out(law).complexity() == pysr
    assert counting.operon_length(law) == operon


def test_a_scale_is_counted_unless_a_constant_takes_it_up() -> None:
    plain, weighted = (parse(text, NAMES) for text in ("x0*x1 + x2", "3*x0*x1"))
    assert counting.written_out(plain, 2.0).complexity() == plain.complexity() + 2
    assert counting.written_out(weighted, 2.0).complexity() == weighted.complexity()
