import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from occamscope.laws.expression import parse
from occamscope.laws.loss import LOSSES
from occamscope.laws.pysr_arguments import (
    JULIA_LOSSES,
    iterations_for,
    julia_text,
    pysr_arguments,
    takes_guess,
)
from occamscope.laws.spec import SearchSpec
from occamscope.laws.tree import SEARCH_OPERATORS


def pysr_source(module):
    """Syntax tree of an installed PySR module; PySR itself is never imported (it starts Julia)."""
    spec = find_spec("pysr")
    if spec is None:
        pytest.skip("PySR is not installed")
    return ast.parse((Path(spec.submodule_search_locations[0]) / f"{module}.py").read_text())


def functions(module):
    return [n for n in ast.walk(pysr_source(module)) if isinstance(n, ast.FunctionDef)]


def test_every_argument_is_one_of_the_installed_pysr():
    known = {
        argument.arg
        for function in functions("sr")
        if function.name == "__init__"
        for argument in [*function.args.args, *function.args.kwonlyargs]
    }
    sent = {*pysr_arguments(SearchSpec(), Path("run")), "timeout_in_seconds", "guesses"}
    assert sent <= known


def test_the_worker_calls_fit_with_arguments_that_it_has():
    fits = [f for f in functions("sr") if f.name == "fit"]
    known = {a.arg for f in fits for a in [*f.args.args, *f.args.kwonlyargs]}
    assert {"X", "y", "weights"} <= known


def test_every_operator_is_known_to_pysr():
    mapping = next(
        node.value
        for node in ast.walk(pysr_source("export_sympy"))
        if isinstance(node, ast.Assign) and node.targets[0].id == "sympy_mappings"
    )
    known = {key.value for key in mapping.keys}
    assert {name for name in SEARCH_OPERATORS if name.isalpha()} <= known


def test_every_loss_has_its_julia_name():
    assert set(JULIA_LOSSES) == set(LOSSES)
    assert pysr_arguments(SearchSpec(), Path("run"))["elementwise_loss"] == "L1HingeLoss()"


def test_operators_are_split_and_searches_repeatable():
    arguments = pysr_arguments(SearchSpec(operators="paper", seed=5), Path("run"))
    assert arguments["binary_operators"] == ["+", "-", "*"]
    assert arguments["unary_operators"] == ["square", "exp"]
    assert (arguments["deterministic"], arguments["parallelism"]) == (True, "serial")
    assert arguments["random_state"] == 5


def test_arguments_are_json():
    arguments = pysr_arguments(SearchSpec(), Path("run"))
    assert json.loads(json.dumps(arguments)) == arguments


def test_iterations_follow_the_budget():
    spec = SearchSpec(evaluations=15 * 380 * 2 * 40)
    assert iterations_for(spec) == 40
    assert iterations_for(SearchSpec(evaluations=1)) == 1


def test_pysrs_own_limits_are_met():
    arguments = pysr_arguments(SearchSpec(maxsize=3, population=8), Path("run"))
    assert arguments["maxsize"] == 7
    assert arguments["tournament_selection_n"] < arguments["population_size"]


def test_guesses_are_written_with_function_names_and_numbered_variables():
    law = parse("-2.5*beta**2 + S", ("S", "beta"))
    assert julia_text(law) == "-2.5*square(x1) + x0"


@pytest.mark.parametrize(
    ("text", "taken"),
    [("z1**2 - 1", True), ("z1/2", False), ("z1**4", False), ("z1 + 60", False)],
)
def test_only_guesses_that_pysr_would_take_are_sent(text, taken):
    assert takes_guess(parse(text, ["z1"]), SearchSpec()) is taken
