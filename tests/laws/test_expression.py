import json
import warnings

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.expression import Expression, parse

NAMES = tuple(f"z{i}" for i in range(32))
FEW = ("z3", "z17", "z29")
PAPER = "z29*(z17**2 + z21**2) - exp(exp(z3))"
CONSTANTS = st.sampled_from([-4.36, -1.0, 0.5, 2.0, 2.28, 1e-7]) | st.floats(-50, 50)


def trees(operators=tuple(tree.ARITY)):
    """Random trees over three variables, half of their inner nodes binary."""
    binary = [name for name in operators if tree.ARITY[name] == 2]
    unary = [name for name in operators if tree.ARITY[name] == 1 and name != tree.POWER]

    def grow(children):
        two = st.builds(tree.call, st.sampled_from(binary), children, children)
        one = st.builds(tree.call, st.sampled_from(unary), children)
        power = st.builds(tree.power, children, st.sampled_from([-9, -2, 4, 9]))
        return st.one_of(two, two, one, power) if tree.POWER in operators else two | one

    leaves = st.sampled_from(FEW).map(tree.variable) | CONSTANTS.map(tree.constant)
    return st.recursive(leaves, grow, max_leaves=10)


def laws(*arguments):
    return trees(*arguments).map(lambda root: Expression(root, FEW))


def well_behaved(law, X):
    """Rows in which no part of the law is undefined or so large that rounding grows."""
    good = np.ones(len(X), bool)
    for node in tree.walk(law.root):
        good &= np.abs(Expression(node, law.names).evaluate(X)) < 1e3
    return good


DATA = np.random.default_rng(0).normal(size=(20, 3))
quick = settings(derandomize=True, max_examples=150, deadline=None)


@quick
@given(laws())
def test_text_is_read_back_to_an_equal_tree(law):
    for functions in (False, True):
        text = law.to_text(functions=functions)
        again = parse(text, FEW)
        assert again == law
        assert again.to_text(functions=functions) == text


@pytest.mark.parametrize(
    "text",
    ["z3 - (z17 - z29)", "z3 - (z17 + z29)", "z3 + (z17 + z29)", "z3/(z17*z29)", "z3*(z17/z29)",
     "z3*(z17*z29)", "(z3 + z17)*z29", "-(z3*z17)", "-(z3 + z17)", "(z3*z17)**2", "(z3**2)**3",
     "(-2.0)**2", "-(2.0)", "-(-z3)", "z3 - (-2.0)", "exp(-z3)", "z3**-1", "(z3**-1)**-2"],
)  # fmt: skip
def test_brackets_stand_where_the_tree_needs_them(text):
    assert parse(text, FEW).to_text() == text


@quick
@given(laws())
def test_torch_computes_what_numpy_does(law):
    with np.errstate(all="ignore"):
        good = well_behaved(law, DATA)
    found = law.to_torch()(torch.from_numpy(DATA)).numpy()
    np.testing.assert_allclose(found[good], law.evaluate(DATA)[good], rtol=1e-9, atol=1e-9)


@settings(quick, max_examples=60)
@given(laws())
def test_sympy_computes_what_numpy_does(law):
    good = well_behaved(law, DATA)
    if not good.any():
        return
    function = sympy.lambdify([sympy.Symbol(n, real=True) for n in FEW], law.to_sympy(False))
    with np.errstate(all="ignore"):
        found = np.broadcast_to(function(*DATA[good].T), good.sum())
    np.testing.assert_allclose(found, law.evaluate(DATA[good]), rtol=1e-9, atol=1e-9)


@quick
@given(laws())
def test_python_source_computes_what_numpy_does(law):
    scope: dict = {}
    exec(law.python_source(), scope)
    good = well_behaved(law, DATA)
    np.testing.assert_allclose(
        scope["law"](DATA)[good], law.evaluate(DATA)[good], rtol=1e-9, atol=1e-9
    )


@quick
@given(laws())
def test_tidying_changes_neither_value_nor_size(law):
    tidy = law.tidy()
    np.testing.assert_array_equal(tidy.evaluate(DATA), law.evaluate(DATA))
    assert tidy.complexity() == law.complexity()
    assert tidy.tidy() == tidy


@quick
@given(laws())
def test_terms_add_up_to_the_law(law):
    good = well_behaved(law, DATA)
    total = sum(term.evaluate(DATA) for _, term in law.terms())
    np.testing.assert_allclose(total[good], law.evaluate(DATA)[good], rtol=1e-9, atol=1e-8)


@quick
@given(laws())
def test_json_holds_the_whole_law(law):
    assert Expression.from_dict(json.loads(json.dumps(law.to_dict()))) == law


@quick
@given(laws())
def test_evaluation_never_warns(law):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert law.evaluate(DATA).shape == (20,)


@settings(quick, max_examples=60)
@given(laws(("+", "-", "*", "square", "neg")))
def test_sympys_simplified_text_is_read_back_to_an_equal_function(law):
    try:
        again = parse(str(law.to_sympy()), FEW)
    except InputError as error:  # sympy may build exponents beyond 9
        assert "exponent" in str(error)
        return
    scale = 1 + np.abs(law.evaluate(DATA))
    assert np.median(np.abs(again.evaluate(DATA) - law.evaluate(DATA)) / scale) < 1e-6


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        (PAPER, 11),
        ("2.28*(z19**2 + z20**2) - 5.49*z29 - 4.36", 13),
        ("-1.28 - z29*(z19**2 + z20**2)", 9),
        ("square(z1)", 2),
        ("z1**2", 2),
        ("z1**4", 3),
        ("-z1", 2),
        ("-2.5", 1),
        ("1/z1", 3),
        ("z1**-1", 2),
    ],
)
def test_complexity_counts_as_pysr_does(text, nodes):
    assert parse(text, NAMES).complexity() == nodes


def test_the_papers_law_is_negative_at_the_origin():
    assert parse(PAPER, NAMES).evaluate(np.zeros((1, 32)))[0] == pytest.approx(-np.e)


def test_columns_follow_the_names():
    X = np.arange(64.0).reshape(2, 32)
    np.testing.assert_array_equal(parse("z17 - z3", NAMES).evaluate(X), [14.0, 14.0])


def test_a_constant_law_has_a_value_for_every_row():
    assert parse("2.5", NAMES).evaluate(np.zeros((3, 32))).tolist() == [2.5, 2.5, 2.5]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("log(z1 - 1)", np.nan),
        ("sqrt(z1 - 1)", np.nan),
        ("z1/z1", np.nan),
        ("exp(exp(z1 + 9)) - exp(exp(z1 + 9))", np.nan),
        ("1/z1", np.inf),
        ("-1/z1", -np.inf),
        ("log(z1)", -np.inf),
        ("-exp(exp(z1 + 9))", -np.inf),
        ("z1**-3", np.inf),
    ],
)
def test_undefined_is_nan_and_overflow_is_infinite(text, value):
    law, X = parse(text, NAMES), np.zeros((1, 32))
    np.testing.assert_equal(law.evaluate(X)[0], value)
    np.testing.assert_equal(law.to_torch()(torch.from_numpy(X)).item(), value)


def test_a_matrix_of_the_wrong_width_is_refused():
    with pytest.raises(InputError, match="32 columns"):
        parse("z1", NAMES).evaluate(np.zeros((4, 5)))


def test_torch_function_is_batched_and_differentiable():
    law = parse(PAPER, NAMES).to_torch()
    z = torch.zeros(2, 5, 32, dtype=torch.float64, requires_grad=True)
    values = law(z)
    assert values.shape == (2, 5)
    gradient = torch.autograd.grad(values.sum(), z)[0]
    assert gradient[..., 3].tolist() == pytest.approx(np.full((2, 5), -np.e))
    assert gradient[..., 17].abs().max() == 0  # round nuclei: no gradient in the shape


def test_torch_gradient_agrees_with_finite_differences():
    law = parse("z3*tanh(z17) + sqrt(abs(z29) + 1)/z3 - cos(z17)**4", FEW).to_torch()
    z = torch.tensor(DATA[:4], requires_grad=True)
    assert torch.autograd.gradcheck(law, z)


def test_torch_keeps_the_precision_of_its_input():
    law = parse("2.5", FEW).to_torch()
    assert law(torch.zeros(4, 3)).dtype == torch.float32
    assert law(torch.zeros(4, 3)).shape == (4,)


def test_terms_carry_their_signs():
    law = parse("2.28*(z19**2 + z20**2) - 5.49*z29 - (4.36 - z1)", NAMES)
    assert [text for text, _ in law.terms()] == [
        "2.28*(z19**2 + z20**2)",
        "-5.49*z29",
        "-4.36",
        "z1",
    ]
    assert [text for text, _ in parse("-(z1 - z2*z3)", NAMES).terms()] == ["-z1", "z2*z3"]


def test_variables_come_in_the_order_of_the_data():
    assert parse(PAPER, NAMES).variables() == ("z3", "z17", "z21", "z29")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (PAPER, r"z_{29} \, \left(z_{17}^{2} + z_{21}^{2}\right)"
                r" - \exp\left(\exp\left(z_{3}\right)\right)"),
        ("-4.3612*z1 - 1e-05", r"-4.36 \, z_{1} - 10^{-5}"),
        ("2*3", r"2 \cdot 3"),
        ("z1/(z2 + 1)", r"\frac{z_{1}}{z_{2} + 1}"),
        ("(-z1)**2", r"\left(-z_{1}\right)^{2}"),
        ("z1 - (z2 - z3)", r"z_{1} - \left(z_{2} - z_{3}\right)"),
        ("1.5e9*sqrt(z1)", r"1.5 \times 10^{9} \, \sqrt{z_{1}}"),
        ("abs(z1)**-1", r"\frac{1}{\left|z_{1}\right|}"),
        ("exp(z1)**2", r"\left(\exp\left(z_{1}\right)\right)^{2}"),
    ],
)  # fmt: skip
def test_latex_reads_like_the_law(text, latex):
    assert parse(text, NAMES).latex() == latex


def test_latex_shows_the_given_names():
    law = parse("z29*z17", NAMES)
    names = {"z29": "size", "z17": r"e\cos 2\theta"}
    assert law.latex(names) == r"\mathrm{size} \, e\cos 2\theta"
    assert parse("area_px", ["area_px"]).latex() == r"\mathrm{area\_px}"


@settings(quick, max_examples=25)
@given(laws())
def test_matplotlib_can_typeset_the_latex(law):
    from matplotlib.mathtext import MathTextParser

    MathTextParser("path").parse(f"${law.latex()}$")


def test_rounding_keeps_the_form():
    law = parse("2.28391*z1 - 0.000123456", NAMES)
    assert law.rounded(3).to_text() == "2.28*z1 - 0.000123"
    assert law.to_text(digits=3) == "2.28*z1 - 0.000123"


def test_tidying_puts_constants_where_readers_expect_them():
    assert parse("1 + z1*2 + -3", NAMES).tidy().to_text() == "2.0*z1 + 1.0 - 3.0"


def test_renaming_swaps_names_at_once():
    law = parse("z1 - z2", ("z1", "z2")).renamed(("z2", "z1"))
    assert law.to_text() == "z2 - z1"
    assert law.evaluate([[5.0, 3.0]])[0] == 2.0


def test_a_law_without_its_names_is_refused():
    with pytest.raises(InputError, match="'names' is missing"):
        Expression.from_dict({"expression": "z1"})


def test_source_is_a_function_to_copy():
    source = parse("2*z3 - z17**2", NAMES).python_source("state")
    assert "def state(X):" in source
    assert "z17 = X[:, 17]" in source
