import numpy as np
import pytest
from scipy.optimize import linprog

from occamscope.errors import InputError
from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.expressions.expression import parse
from occamscope.laws.loss import fit_output_affine, mean_loss
from occamscope.laws.spec import SearchSpec

NAMES = ["a", "b", "c"]
ALL = ("+", "-", "*", "/", "exp", "sin", "cos", "square")


def check(text, **settings):
    return violation(parse(text, NAMES), SearchSpec(operators=ALL, **settings))


def test_costs_are_added_node_by_node():
    spec = SearchSpec(
        operators=ALL, complexity_of_operators={"exp": 4}, complexity_of_constants=2,
        complexity_of_variables=(1, 3, 5),
    )  # fmt: skip
    # exp 4, * 1, 2.0 2, b 3, + 1, c 5
    assert complexity_of(parse("exp(2.0*b) + c", NAMES), spec) == 16


def test_without_costs_complexity_is_the_number_of_nodes():
    law = parse("exp(2.0*b) + c**2", NAMES)
    assert complexity_of(law, SearchSpec(operators=ALL)) == law.complexity()


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("a + b", {"maxsize": 2}, "maxsize"),
        ("a + (b + c)", {"maxdepth": 2}, "maxdepth"),
        ("60.0*a", {}, "max_constant"),
        ("a + b", {"excluded_variables": ["b"]}, "excluded variable 'b'"),
        ("a + b", {"required_variables": ["c"]}, "required variable 'c'"),
        ("exp(a + b)", {"constraints": {"exp": 2}}, "operand of 'exp'"),
        ("(a + b)/c", {"constraints": {"/": (1, -1)}}, "operand of '/'"),
        ("(a + b)*(c + a)", {"constraints": {"*": (1, -1)}}, "operand of '*'"),
        ("sin(a + sin(b))", {"nested_constraints": {"sin": {"sin": 0}}}, "'sin' is nested in 'sin'"),
        ("sin(cos(b) + cos(cos(a)))", {"nested_constraints": {"sin": {"cos": 1}}}, "'cos'"),
    ],
)  # fmt: skip
def test_a_broken_limit_is_named(text, settings, message):
    assert message in check(text, **settings)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a + b", {"maxsize": 3, "maxdepth": 2}),
        ("a + b", {"excluded_variables": ["c"], "required_variables": ["a"]}),
        ("exp(a + b)", {"constraints": {"exp": 3}}),
        ("c*(a + b)", {"constraints": {"*": (1, -1)}}),
        ("(a + b)*c", {"constraints": {"*": (1, -1)}}),
        # beside each other, not inside each other
        ("sin(a) + sin(b)", {"nested_constraints": {"sin": {"sin": 0}}}),
        ("sin(cos(b) + cos(a))", {"nested_constraints": {"sin": {"cos": 1}}}),
    ],
)
def test_a_law_within_all_limits_breaks_none(text, settings):
    assert check(text, **settings) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"complexity_of_operators": {"tanh": 2}}, "'tanh' is not one of the search's operators"),
        ({"complexity_of_operators": {"+": 0}}, "complexity_of_operators"),
        ({"constraints": {"*": 3}}, "give 2 number"),
        ({"nested_constraints": {"sin": {"sin": -1}}}, "nested_constraints"),
        ({"required_variables": ["a"], "excluded_variables": ["a"]}, "both required and excluded"),
        ({"output_offset": True, "output_scale": False}, "output_scale"),
        ({"maxdepth": 0}, "maxdepth"),
        ({"required_variables": ["a", "b"], "maxsize": 2}, "complexity of at least 3"),
        ({"required_variables": ["a", "b", "c"], "maxdepth": 2}, "depth of 3"),
    ],
)
def test_impossible_limits_are_refused(settings, message):
    with pytest.raises(InputError, match=message.replace("'", ".")):
        SearchSpec(operators=ALL, **settings)


def test_required_variables_need_an_operator_that_joins_them():
    with pytest.raises(InputError, match="operator of two operands"):
        SearchSpec(operators=("square",), required_variables=["a", "b"])


def hinge_optimum(f, y, w):
    """Smallest hinge of s f + b over s >= 0 and b, as a linear program."""
    n = len(f)
    cost = np.concatenate([[0.0, 0.0], w / w.sum()])
    short = np.column_stack([-y * f, -y, -np.eye(n)])
    bounds = [(0, None), (None, None)] + [(0, None)] * n
    return linprog(cost, short, -np.ones(n), bounds=bounds).fun


@pytest.mark.parametrize("seed", range(6))
def test_the_affine_output_reaches_the_optimum_of_the_hinge(seed):
    random = np.random.default_rng(seed)
    f = random.normal(3.0, 10.0 ** random.integers(-3, 3), size=200)
    y = np.where(f + random.normal(0, f.std(), 200) > np.quantile(f, 0.7), 1.0, -1.0)
    w = random.uniform(0.1, 2.0, 200)
    scale, offset = fit_output_affine(f, y, "hinge", w)
    assert scale > 0
    assert mean_loss(scale * f + offset, y, "hinge", w) == pytest.approx(
        hinge_optimum(f, y, w), rel=2e-4
    )


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_the_affine_output_is_stationary_for_smooth_losses(loss):
    random = np.random.default_rng(0)
    f = random.normal(2.0, 3.0, size=300)
    y = np.where(f + random.normal(0, 2, 300) > 3.0, 1.0, -1.0)
    scale, offset = fit_output_affine(f, y, loss)
    best = mean_loss(scale * f + offset, y, loss)
    for ds, db in [(1e-4, 0), (-1e-4, 0), (0, 1e-4), (0, -1e-4)]:
        assert mean_loss((scale + ds) * f + offset + db, y, loss) >= best - 1e-9
