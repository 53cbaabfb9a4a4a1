import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.derivatives import Tape, values_and_jacobian, with_constants
from occamscope.laws.expressions.expression import Expression, parse

NAMES = ("z0", "z1", "z2")
X = np.random.default_rng(0).normal(size=(50, 3))
TEXTS = [
    "0.7*z0 - 0.3*z1*z2 + 0.2",
    "exp(0.3*z0)*(z1 - 0.4) / (z2**2 + 1.5)",
    "tanh(0.8*z0 + 0.1) - cos(0.5*z1)*sin(0.9*z2)",
    "sqrt(z0**2 + 0.5) + log(z1**2 + 1.2) - abs(z2 - 0.3)",
    "inv(z0**2 + 1.1) - (0.6 + z1)**3 * 0.2 - (-(z2*0.5))",
    "(z0 + 0.4)**5 - (z1 - 3.7)**-2 + exp(0.2*0.3)",
]


def differences(law, h=1e-6):
    """d f / d constants by central differences."""
    start = np.array(law.constants())
    columns = []
    for i in range(len(start)):
        step = h * np.eye(len(start))[i]
        up, down = (with_constants(law, start + s).evaluate(X) for s in (step, -step))
        columns.append((up - down) / (2 * h))
    return np.column_stack(columns)


@st.composite
def trees(draw, depth=4):
    """Expressions of all operators, with constants of moderate size."""
    if depth == 0 or draw(st.booleans()) and depth < 4:
        if draw(st.booleans()):
            return tree.constant(draw(st.floats(0.3, 2.0)))
        return tree.variable(draw(st.sampled_from(NAMES)))
    name = draw(st.sampled_from([*tree.SEARCH_OPERATORS, "pow"]))
    if name == "pow":
        return tree.power(draw(trees(depth - 1)), draw(st.sampled_from([-2, 4, 5])))
    operands = [draw(trees(depth - 1)) for _ in range(tree.SEARCH_OPERATORS[name])]
    return tree.call(name, *operands)


@pytest.mark.parametrize("text", TEXTS)
def test_the_jacobian_is_that_of_finite_differences(text):
    law = parse(text, NAMES)
    values, jacobian = values_and_jacobian(law, X)
    np.testing.assert_array_equal(values, law.evaluate(X))
    np.testing.assert_allclose(jacobian, differences(law), rtol=1e-6, atol=1e-7)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(trees())
def test_any_law_has_the_derivatives_of_finite_differences_where_it_is_smooth(root):
    law = Expression(root, NAMES)
    values, jacobian = values_and_jacobian(law, X)
    np.testing.assert_array_equal(values, law.evaluate(X))
    if not law.constants():
        assert jacobian.shape == (50, 0)
        return
    with np.errstate(all="ignore"):
        coarse, fine = differences(law, 2e-5), differences(law, 1e-5)
        # Differences that do not depend on their step are those of a smooth place.
        smooth = np.abs(coarse - fine) <= 1e-6 * (1e-2 + np.abs(fine))
        smooth &= np.abs(fine) * 1e9 > np.abs(values)[:, None]
        smooth &= np.abs(values)[:, None] < 1e4
        np.testing.assert_allclose(jacobian[smooth], fine[smooth], rtol=1e-4, atol=1e-4)


def test_a_derivative_that_is_not_finite_is_zero():
    law = parse("sqrt(0.0*z0) + log(z1 + 0.5)", NAMES)
    data = np.array([[1.0, -0.5, 0.0], [1.0, 0.5, 0.0]])
    _, jacobian = values_and_jacobian(law, data)
    np.testing.assert_allclose(jacobian, [[0.0, 0.0], [0.0, 1.0]])


def test_the_absolute_value_rises_at_zero():
    _, jacobian = values_and_jacobian(parse("abs(z0 + 0.0)", NAMES), np.zeros((1, 3)))
    assert jacobian.tolist() == [[1.0]]


def test_constants_are_counted_from_left_to_right():
    law = parse("2.0*(z0 + 3.0) - exp(4.0*z1)/5.0", NAMES)
    changed = with_constants(law, [1.0, 2.0, 6.0, 7.0])
    assert changed == parse("1.0*(z0 + 2.0) - exp(6.0*z1)/7.0", NAMES)
    assert Tape(law, X).constants.tolist() == [2.0, 3.0, 4.0, 5.0]


def test_a_tape_can_be_used_with_other_constants():
    law = parse("2.0*(z0 + 3.0)", NAMES)
    values = Tape(law, X).values([0.5, 1.0])
    np.testing.assert_array_equal(values, 0.5 * (X[:, 0] + 1.0))


def test_a_law_without_variables_has_one_value_for_all_rows():
    values, jacobian = values_and_jacobian(parse("2.0*3.0", NAMES), X)
    assert values.tolist() == [6.0] * 50
    assert jacobian.tolist() == [[3.0, 2.0]] * 50


def test_data_of_other_columns_are_refused():
    with pytest.raises(InputError, match="3 names"):
        values_and_jacobian(parse("z0", NAMES), X[:, :2])
