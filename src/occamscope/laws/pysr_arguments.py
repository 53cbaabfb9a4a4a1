"""Say a `SearchSpec` in PySR's words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from occamscope.laws.constraints import violation
from occamscope.laws.expression import Expression
from occamscope.laws.spec import SearchSpec

# Names of LossFunctions.jl; the margin losses take labels -1/+1.
JULIA_LOSSES = {
    "hinge": "L1HingeLoss()",
    "squared_hinge": "L2HingeLoss()",
    "logistic": "LogitMarginLoss()",
    "mse": "L2DistLoss()",
    "mae": "L1DistLoss()",
}
CYCLES_PER_ITERATION = 380  # PySR's default
TOURNAMENT = 15  # PySR's default


def iterations_for(spec: SearchSpec) -> int:
    """Iterations that score about as many candidates as the spec's budget.

    In one iteration every population runs `CYCLES_PER_ITERATION` cycles, each with
    population / tournament tournaments of one candidate (PySR's constant optimisation comes
    on top).
    """
    per_cycle = math.ceil(spec.population / tournament_size(spec))
    return max(1, round(spec.evaluations / (spec.islands * CYCLES_PER_ITERATION * per_cycle)))


def pysr_arguments(spec: SearchSpec, folder: Path) -> dict[str, Any]:
    """Return PySRRegressor's arguments (JSON-able) for a spec; results go to folder/run."""
    return {
        "binary_operators": list(spec.binary_operators),
        "unary_operators": list(spec.unary_operators),
        "elementwise_loss": JULIA_LOSSES[spec.loss],
        "maxsize": max(spec.maxsize, 7),  # PySR's least; longer laws are dropped later
        "niterations": iterations_for(spec),
        "ncycles_per_iteration": CYCLES_PER_ITERATION,
        "populations": spec.islands,
        "population_size": spec.population,
        "tournament_selection_n": tournament_size(spec),
        "parsimony": spec.parsimony,
        "random_state": spec.seed,
        "deterministic": True,
        "parallelism": "serial",
        "batching": False,
        "model_selection": "accuracy",
        "output_directory": str(folder),
        "run_id": "run",
        "temp_equation_file": False,
        "input_stream": "devnull",
        "progress": False,
        "verbosity": 0,
    }


def julia_text(law: Expression) -> str:
    """Write a law for PySR: functions by name, the variables x0, x1, ... by position."""
    return law.renamed(numbered_names(len(law.names))).to_text(functions=True)


def numbered_names(columns: int) -> list[str]:
    """Return x0, x1, ...: PySR refuses names that sympy uses (S, beta), so it sees none of ours."""
    return [f"x{column}" for column in range(columns)]


def takes_guess(law: Expression, spec: SearchSpec) -> bool:
    """True if PySR would take the law as a guess."""
    return violation(law, spec) is None and law.operators() <= set(spec.operators)


def tournament_size(spec: SearchSpec) -> int:
    """Members of a tournament: PySR's default, or fewer in a small population."""
    return min(TOURNAMENT, spec.population - 1)
