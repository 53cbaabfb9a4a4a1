"""Say a `SearchSpec` in the words of PySR 2 (tested against 2.7.2).

PySR has no word for these settings, which `pysr_engine` sees to: excluded variables are never
shown to PySR; required variables, `max_constant` and what is larger than the limits decide
which of its laws stay; output scale and offset are fitted to what it found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occamscope.errors import InputError
from occamscope.laws.constraints import violation
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import Node, call, replace
from occamscope.laws.spec import SearchSpec

# Names of LossFunctions.jl, or a function of prediction, target and, where there are weights,
# the row's weight; the margin losses take labels -1/+1.
JULIA_LOSSES = {
    "hinge": "L1HingeLoss()",
    "squared_hinge": "L2HingeLoss()",
    "logistic": "LogitMarginLoss()",
    "ramp": "ramp(f, y, w=one(f)) = w * clamp(one(f) - y * f, zero(f), one(f) + one(f))",
    "mse": "L2DistLoss()",
    "mae": "L1DistLoss()",
}
CYCLES_PER_ITERATION = 380  # PySR's default
TOURNAMENT = 15  # PySR's default
LEAST_MAXSIZE = 7  # PySR's least; longer laws than the spec allows are dropped later

# PySR searches with versions of these that know where they are undefined, under these names.
_SAFE = {"log": "safe_log", "sqrt": "safe_sqrt"}


def pysr_arguments(spec: SearchSpec, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return PySRRegressor's arguments for a spec; results go to folder/run.

    Parameters
    ----------
    spec : what to search for
    folder : of the run
    names : of all features; the excluded ones are left out
    """
    arguments: dict[str, Any] = {
        "binary_operators": list(spec.binary_operators),
        "unary_operators": list(spec.unary_operators),
        "elementwise_loss": JULIA_LOSSES[spec.loss],
        "maxsize": max(spec.maxsize, LEAST_MAXSIZE),
        "maxdepth": spec.maxdepth,
        "niterations": iterations_for(spec),
        "ncycles_per_iteration": CYCLES_PER_ITERATION,
        "populations": spec.islands,
        "population_size": spec.population,
        "tournament_selection_n": tournament_size(spec),
        "parsimony": spec.parsimony,
        "random_state": spec.seed,
        "deterministic": True,
        "parallelism": "serial",
        "batching": False,  # PySR's "auto" would score on a part of the rows
        "model_selection": "accuracy",
        "output_directory": str(folder),
        "run_id": "run",
        "temp_equation_file": False,
        "input_stream": "devnull",
        "progress": False,
        "verbosity": 0,
    }
    return arguments | complexity_arguments(spec, names) | constraint_arguments(spec)


def complexity_arguments(spec: SearchSpec, names: Sequence[str]) -> dict[str, Any]:
    """Return what nodes cost, where that is not 1.

    Raises
    ------
    InputError
        If there is not one cost for each variable.
    """
    arguments: dict[str, Any] = {}
    if spec.complexity_of_operators:
        costs = dict(spec.complexity_of_operators)
        # PySR looks costs up after it has put the safe versions in place.
        safe = {_SAFE[name]: cost for name, cost in costs.items() if name in _SAFE}
        arguments["complexity_of_operators"] = costs | safe
    if spec.complexity_of_constants != 1:
        arguments["complexity_of_constants"] = spec.complexity_of_constants
    variables = spec.complexity_of_variables
    if isinstance(variables, tuple):
        if len(variables) != len(names):
            raise InputError(
                f"laws.complexity_of_variables: {len(names)} features but {len(variables)} numbers"
            )
        arguments["complexity_of_variables"] = [variables[i] for i in kept_columns(spec, names)]
    elif variables != 1:
        arguments["complexity_of_variables"] = variables
    return arguments


def constraint_arguments(spec: SearchSpec) -> dict[str, Any]:
    """Return limits on operands and nesting; of two numbers a tuple, as PySR insists.

    For + and - PySR takes one limit for both sides: the looser one is sent, the other decides
    later what stays.
    """
    arguments: dict[str, Any] = {}
    if spec.constraints:
        limits = dict(spec.constraints)
        for name in {"+", "-"} & set(limits):
            sides = limits[name]
            assert isinstance(sides, tuple)
            limits[name] = (-1, -1) if -1 in sides else (max(sides), max(sides))
        arguments["constraints"] = limits
    if spec.nested_constraints:
        nested = {outer: dict(inner) for outer, inner in spec.nested_constraints.items()}
        arguments["nested_constraints"] = nested
    return arguments


def kept_columns(spec: SearchSpec, names: Sequence[str]) -> list[int]:
    """Columns that PySR gets to see: all but those of excluded variables.

    Raises
    ------
    InputError
        If the spec names a variable that there is not, or excludes all.
    """
    for name in (*spec.required_variables, *spec.excluded_variables):
        if name not in names:
            raise InputError(f"laws: there is no variable '{name}' to require or exclude")
    kept = [i for i, name in enumerate(names) if name not in spec.excluded_variables]
    if not kept:
        raise InputError("laws.excluded_variables: every variable is excluded")
    return kept


def iterations_for(spec: SearchSpec) -> int:
    """Iterations that score about as many candidates as the spec's budget.

    In one iteration every population runs `CYCLES_PER_ITERATION` cycles, each with
    population / tournament tournaments of one candidate (PySR's constant optimisation comes
    on top).
    """
    per_cycle = math.ceil(spec.population / tournament_size(spec))
    return max(1, round(spec.evaluations / (spec.islands * CYCLES_PER_ITERATION * per_cycle)))


def tournament_size(spec: SearchSpec) -> int:
    """Members of a tournament: PySR's default, or fewer in a small population."""
    return min(TOURNAMENT, spec.population - 1)


def numbered_names(columns: int) -> list[str]:
    """Return x0, x1, ...: PySR refuses names that sympy uses (S, beta), so it sees none of ours."""
    return [f"x{column}" for column in range(columns)]


def julia_text(law: Expression, spec: SearchSpec) -> str:
    """Write a law for PySR: functions by name, the variables x0, x1, ... by position.

    PySR reads a guess with log and sqrt only under the names of its own versions of them
    (SymbolicRegression.jl, pull request 500).
    """
    law = turned_products(law.renamed(numbered_names(len(law.names))), spec)
    return re.sub(r"\b(log|sqrt)\(", r"safe_\1(", law.to_text(functions=True))


def takes_guess(law: Expression, spec: SearchSpec) -> bool:
    """True if PySR would take the law as a guess."""
    return violation(law, spec) is None and law.operators() <= set(spec.operators)


def turned_products(law: Expression, spec: SearchSpec) -> Expression:
    """Swap the factors of every product if PySR has swapped their limits.

    It wants the larger factor on the left, and exchanges the two limits of * where the left
    one is the smaller.
    """
    left, right = _product_limits(spec)
    if left == -1 or (right != -1 and left >= right):
        return law

    def change(node: Node) -> Node:
        return call("*", *reversed(node.operands)) if node.kind == "*" else node

    return Expression(replace(law.root, change), law.names)


def _product_limits(spec: SearchSpec) -> tuple[int, int]:
    limits = spec.constraints.get("*", (-1, -1))
    assert isinstance(limits, tuple)
    return limits
