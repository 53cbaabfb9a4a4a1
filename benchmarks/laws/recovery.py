"""How often is a planted law found again among 32 features, in its structure?

    python benchmarks/laws/recovery.py --jobs 2

2,000 rows, 2-3 % of the labels turned, 30 processor seconds, one thread, ten seeds, laws of at
most 20 nodes, operators + - * square (for gate tanh and exp too, but no function of a function
other than exp of a square: else tanh(z17**2) and tanh(z17)**2 pass for exp(-z17**2), and a tanh
around the whole law lowers every loss). Our engine searches under the ramp loss: under the
hinge the turned labels far from the threshold decide, and reward factors that squash the margin
there. `chosen`: the law that the workflow's rule takes (`choose_law`, on 2,000 more rows with the
same noise) has the planted structure: the same variables and, up to the constants' values, the
same form, where a rule "f > 0" stays the same rule when f is multiplied by exp(u) (see
`has_structure`). `on the front`: some law found has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from counting import sign_law
from peers import Options, fit
from problems import RULES, Problem, planted, scaled_paper_law
from study import Cell, arguments, cells, markdown, report, run, versions

from occamscope.laws.choice.choose import ChoiceSettings, choose_law, validation_columns
from occamscope.laws.expressions.equivalence import same_structure
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.tree import call, walk

SECONDS, SEEDS, ROWS, LARGEST = 30.0, 10, 2_000, 20
POLYNOMIAL = ("+", "-", "*", "square")
# (rule, unit of the features, operators) of each task, and on how many of 10 seeds it is due.
TASKS = {
    "product": ("product", 1.0, POLYNOMIAL, 8),
    "ring": ("ring", 1.0, POLYNOMIAL, 8),
    "size_beats_shape": ("size_beats_shape", 1.0, POLYNOMIAL, 6),
    "gate": ("gate", 1.0, (*POLYNOMIAL, "exp", "tanh"), 6),
    "paper, scale 0.3": ("paper", 0.3, POLYNOMIAL, 10),
    "paper, scale 1": ("paper", 1.0, POLYNOMIAL, 10),
    "paper, scale 3": ("paper", 3.0, POLYNOMIAL, 10),
}
NO_FUNCTION_OF_A_FUNCTION = {
    "constraints": {"tanh": 3, "exp": 4},
    "nested_constraints": {
        "tanh": {"tanh": 0, "exp": 0, "square": 0},
        "exp": {"tanh": 0, "exp": 0},
        "square": {"tanh": 0, "exp": 0, "square": 0},
    },
}
DEFAULT_ENGINES = ("occamscope",)


def validation_part(problem: Problem, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 2,000 rows that the search has not seen, with the same noise in their labels."""
    turned = np.random.default_rng(400 + seed).random(ROWS) < noise
    labels = problem.y_test[:ROWS]
    return problem.X_test[:ROWS], np.where(turned, -labels, labels)


def has_structure(law: Expression, truth: Expression) -> bool:
    """Say whether a law is the planted rule, up to the values of the constants.

    A factor exp(u) is positive everywhere, so "f > 0" and "f*exp(u) > 0" are one rule:
    exp(-u) + g > 0 is also found as 1 + g*exp(u) > 0. The law counts if it has the planted
    structure as it stands or multiplied by exp(-u) for one of its own terms exp(u).
    """
    forms = [law]
    for node in dict.fromkeys(walk(law.root)):
        if node.kind == "exp":
            factor = call("exp", call("neg", *node.operands))
            forms.append(Expression(call("*", law.root, factor), law.names))
    return any(same_structure(form, truth) for form in forms)


def candidates(texts: Iterable[str], problem: Problem) -> pd.DataFrame:
    """Return the laws within the limit, each in its shortest form of the same sign."""
    rows = []
    for text in texts:
        law = sign_law(parse(text, problem.names))
        if law.complexity() <= LARGEST and law.variables():
            rows.append((law.to_text(), law.complexity(), 1.0))
    return pd.DataFrame(rows, columns=["expression", "complexity", "output_scale"])


def work(cell: Cell) -> dict[str, Any]:
    """Search once; say whether the chosen law, and any law, has the planted structure."""
    rule, unit, operators, _ = TASKS[cell.task]
    problem = planted(rule, ROWS, cell.seed, unit)
    truth = parse(scaled_paper_law(unit) if rule == "paper" else problem.truth, problem.names)
    limits = NO_FUNCTION_OF_A_FUNCTION if rule == "gate" else {}
    options = Options(operators, LARGEST, ours={"loss": "ramp", **limits})
    outcome = fit(cell.engine, problem, cell.seconds, cell.seed, options)
    laws = candidates((law.text for law in outcome.laws), problem)
    X, labels = validation_part(problem, RULES[rule].noise, cell.seed)
    laws = validation_columns(laws, X, labels, problem.names)
    chosen = parse(laws["expression"][choose_law(laws, ChoiceSettings(LARGEST))], problem.names)
    found = [
        text for text in laws["expression"] if has_structure(parse(text, problem.names), truth)
    ]
    return {
        "cpu_seconds": round(outcome.seconds, 2), "chosen": has_structure(chosen, truth),
        "on_front": bool(found), "test_accuracy": _accuracy(chosen, problem),
        "law": chosen.to_text(6), "found": found[0] if found else "",
    }  # fmt: skip


def _accuracy(law: Expression, problem: Problem) -> float:
    """Balanced accuracy on the test rows, whose labels have no noise."""
    right = (law.evaluate(problem.X_test) > 0) == (problem.y_test > 0)
    return float(np.mean([right[problem.y_test > 0].mean(), right[problem.y_test < 0].mean()]))


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    options.engines = options.engines or list(DEFAULT_ENGINES)
    tasks = ("product", "paper, scale 3") if options.quick else tuple(TASKS)
    wanted = cells(options, tasks, options.engines, SEEDS, SECONDS, quick_seconds=4.0)
    rows = run(options.results / "laws_recovery.csv", wanted, work, options.jobs)
    table = rows.groupby(["task", "engine"], sort=False).agg(
        seeds=("seed", "nunique"), chosen=("chosen", "sum"), on_front=("on_front", "sum"),
        test_accuracy=("test_accuracy", "median"),
    )  # fmt: skip
    table = table.reset_index()
    table.insert(2, "due of 10", [TASKS[task][3] for task in table["task"]])
    table.insert(1, "planted law", [_planted(task) for task in table["task"]])
    table = table.rename(
        columns={"on_front": "on the front", "test_accuracy": "median balanced accuracy, test"}
    )
    report(
        options.results / "laws_recovery.md",
        [
            f"Planted laws recovered in structure: {ROWS:,} rows, 32 features, laws of at most "
            f"{LARGEST} nodes, {wanted[0].seconds:g} s of one thread; {versions()}.",
            markdown(table, {"median balanced accuracy, test": "{:.3f}"}),
        ],
    )


def _planted(task: str) -> str:
    rule, unit, _, _ = TASKS[task]
    return scaled_paper_law(unit) if rule == "paper" else RULES[rule].law


if __name__ == "__main__":
    main()
