import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.tree import SEARCH_OPERATORS
from occamscope.laws.loss import LOSSES
from occamscope.laws.pysr.arguments import (
    JULIA_LOSSES,
    iterations_for,
    julia_text,
    kept_columns,
    pysr_arguments,
    takes_guess,
    turned_products,
)
from occamscope.laws.pysr.worker import read_arguments
from occamscope.laws.spec import SearchSpec

NAMES = ("a", "b", "c")
FULL = SearchSpec(
    operators=tuple(SEARCH_OPERATORS), maxdepth=5, complexity_of_operators={"exp": 2, "log": 3},
    complexity_of_constants=2, complexity_of_variables=(1, 2, 3),
    constraints={"exp": 4, "*": (-1, 3), "/": [5, 2], "+": (2, 6), "-": (-1, 3)},
    nested_constraints={"exp": {"exp": 0, "log": 1}}, excluded_variables=("b",),
)  # fmt: skip


def arguments(spec, names=NAMES):
    return pysr_arguments(spec, Path("run"), names)


def pysr_source(module):
    """Syntax tree of an installed PySR module; PySR itself is never imported (it starts Julia)."""
    spec = find_spec("pysr")
    if spec is None:
        pytest.skip("PySR is not installed")
    return ast.parse((Path(spec.submodule_search_locations[0]) / f"{module}.py").read_text())


def function(name, module="sr"):
    nodes = ast.walk(pysr_source(module))
    return next(n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == name)


def parameters(name):
    inputs = next(
        node.args
        for node in ast.walk(pysr_source("sr"))
        if isinstance(node, ast.FunctionDef)
        and node.name == name
        and any(a.arg in ("binary_operators", "variable_names") for a in node.args.kwonlyargs)
    )
    return {argument.arg for argument in [*inputs.args, *inputs.kwonlyargs]}


def test_every_argument_is_one_of_the_installed_pysr():
    sent = {*arguments(FULL), "timeout_in_seconds", "guesses"}
    assert sent <= parameters("__init__")
    assert {"X", "y", "weights", "variable_names"} <= parameters("fit")


def test_every_operator_is_known_to_pysr():
    mapping = next(
        node.value
        for node in ast.walk(pysr_source("export_sympy"))
        if isinstance(node, ast.Assign) and node.targets[0].id == "sympy_mappings"
    )
    known = {key.value for key in mapping.keys}
    assert {name for name in SEARCH_OPERATORS if name.isalpha()} <= known


def test_pysrs_own_code_takes_the_limits_on_operands():
    """The installed `_process_constraints`, run as it stands: it is plain Python."""
    source = function("_process_constraints")
    source.returns = None
    for argument in source.args.args:
        argument.annotation = None
    namespace = {"cast": lambda _, value: value, "Tuple": dict.fromkeys([(int, ...)])}
    exec(compile(ast.Module([source], []), "pysr", "exec"), namespace)
    process = namespace["_process_constraints"]
    operators = {1: list(FULL.unary_operators), 2: list(FULL.binary_operators)}
    limits = process(operators, arguments(FULL)["constraints"])
    assert set(limits) == set(SEARCH_OPERATORS)
    assert (limits["exp"], limits["*"], limits["/"]) == (4, (-1, 3), (5, 2))
    assert (limits["+"], limits["-"]) == ((6, 6), (-1, -1))
    with pytest.raises(NotImplementedError):
        process(operators, dict(FULL.constraints))
    swapped = SearchSpec(operators=FULL.operators, constraints={"*": (3, -1)})
    assert process(operators, arguments(swapped)["constraints"])["*"] == (-1, 3)


def test_every_loss_has_its_julia_name():
    assert set(JULIA_LOSSES) == set(LOSSES)
    assert arguments(SearchSpec())["elementwise_loss"] == "L1HingeLoss()"
    assert arguments(SearchSpec(loss="mae"))["elementwise_loss"] == "L1DistLoss()"


def test_operators_are_split_and_searches_repeatable():
    sent = arguments(SearchSpec(operators="paper", seed=5))
    assert sent["binary_operators"] == ["+", "-", "*"]
    assert sent["unary_operators"] == ["square", "exp"]
    assert (sent["deterministic"], sent["parallelism"]) == (True, "serial")
    assert (sent["random_state"], sent["batching"]) == (5, False)


def test_costs_and_nesting_are_sent_and_depth_too():
    sent = arguments(FULL)
    assert sent["maxdepth"] == 5
    assert sent["complexity_of_constants"] == 2
    assert sent["complexity_of_variables"] == [1, 3]
    assert sent["nested_constraints"] == {"exp": {"exp": 0, "log": 1}}
    assert sent["complexity_of_operators"] == {"exp": 2, "log": 3, "safe_log": 3}
    assert arguments(SearchSpec(complexity_of_variables=2))["complexity_of_variables"] == 2


def test_what_has_its_default_is_not_sent():
    plain = set(arguments(SearchSpec()))
    assert not {name for name in plain if "complexity" in name or "constraints" in name}


def test_every_setting_of_a_search_is_sent_or_seen_to_by_us():
    here = {
        "max_constant",
        "required_variables",
        "excluded_variables",
        "output_scale",
        "output_offset",
    }
    changed = {
        "loss": "mse", "operators": ("+",), "maxsize": 9, "maxdepth": 3,
        "complexity_of_operators": {"*": 2}, "complexity_of_constants": 2,
        "complexity_of_variables": 2, "constraints": {"square": 3},
        "nested_constraints": {"square": {"square": 0}}, "evaluations": 10**7, "islands": 4,
        "population": 50, "parsimony": 0.1, "seed": 1,
    }  # fmt: skip
    assert set(changed) | here == set(SearchSpec.__dataclass_fields__)
    for name, value in changed.items():
        assert arguments(SearchSpec(**{name: value})) != arguments(SearchSpec()), name


def test_arguments_survive_json_with_tuples_where_pysr_insists():
    sent = arguments(FULL)
    text = json.dumps({"model": sent, "fit": {}})
    assert read_arguments(text) == {"model": sent, "fit": {}}


def test_excluded_variables_are_columns_that_pysr_never_sees():
    assert kept_columns(FULL, NAMES) == [0, 2]
    with pytest.raises(InputError, match="every variable is excluded"):
        kept_columns(SearchSpec(excluded_variables=NAMES), NAMES)


@pytest.mark.parametrize("setting", ["required_variables", "excluded_variables"])
def test_a_variable_that_there_is_not_is_refused(setting):
    with pytest.raises(InputError, match="no variable 'z'"):
        kept_columns(SearchSpec(**{setting: ("z",)}), NAMES)


def test_one_cost_for_each_variable_is_needed():
    with pytest.raises(InputError, match="3 features but 2 numbers"):
        arguments(SearchSpec(complexity_of_variables=(1, 2)))


def test_iterations_follow_the_budget():
    spec = SearchSpec(evaluations=15 * 380 * 2 * 40)
    assert iterations_for(spec) == 40
    assert iterations_for(SearchSpec(evaluations=1)) == 1


def test_pysrs_own_limits_are_met():
    sent = arguments(SearchSpec(maxsize=3, population=8))
    assert sent["maxsize"] == 7
    assert sent["tournament_selection_n"] < sent["population_size"]


@pytest.mark.parametrize(
    ("text", "julia"),
    [
        ("-2.5*beta**2 + S", "-2.5*square(x1) + x0"),
        ("log(S) - sqrt(beta)", "safe_log(x0) - safe_sqrt(x1)"),
        ("-S*beta**-1", "neg(x0)*inv(x1)"),
        ("S - (beta - -1.0)", "x0 - (x1 - (-1.0))"),
        ("-(2.0)", "neg(2.0)"),
    ],
)
def test_guesses_are_written_as_pysr_reads_them(text, julia):
    assert julia_text(parse(text, ("S", "beta")), SearchSpec()) == julia


@pytest.mark.parametrize(
    ("text", "taken"),
    [("z1**2 - 1", True), ("z1/2", False), ("z1**4", False), ("z1 + 60", False)],
)
def test_only_guesses_that_pysr_would_take_are_sent(text, taken):
    assert takes_guess(parse(text, ["z1"]), SearchSpec()) is taken


@pytest.mark.parametrize(
    ("limits", "text"),
    [((3, -1), "c*(a*b)"), ((1, 3), "c*(a*b)"), ((-1, 3), "b*a*c"), ((3, 3), "b*a*c")],
)
def test_products_are_turned_if_pysr_swapped_their_limits(limits, text):
    law = parse("b*a*c", NAMES)
    spec = SearchSpec(constraints={"*": limits})
    assert turned_products(law, spec).to_text() == text
    assert turned_products(turned_products(law, spec), spec) == law
