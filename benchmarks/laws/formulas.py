"""How many textbook formulas does each engine find again?

    python benchmarks/laws/formulas.py --jobs 2

Ten formulas (`problems.FORMULAS`), 1,000 rows without noise, 30 processor seconds, one thread,
five seeds. A formula counts as solved if the engine's best law within 30 nodes (PySR's count,
scale and offset written out) leaves less than 1e-9 of the variance of 5,000 other rows (good
approximations of smooth formulas reach 1e-6 within 30 nodes), and as exact below 1e-12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from judging import best_within, judge
from peers import ENGINES, Options, fit
from problems import FORMULAS, formula
from study import Cell, arguments, cells, markdown, report, run, versions

SECONDS, SEEDS, LARGEST = 30.0, 5, 30
OPERATORS = ("+", "-", "*", "/", "square", "sqrt", "exp", "log", "sin", "cos")
SOLVED, EXACT = 1e-9, 1e-12
# So many of the seeds must solve a formula.
ENOUGH = 4


def work(cell: Cell) -> dict[str, Any]:
    """Search once; return the share of the variance that the best law leaves."""
    problem = formula(cell.task, cell.seed)
    outcome = fit(cell.engine, problem, cell.seconds, cell.seed, Options(OPERATORS, LARGEST))
    best = best_within(judge(problem, outcome.laws, "mse"), "pysr", LARGEST)
    row = {"cpu_seconds": round(outcome.seconds, 2)}
    if best is None:
        return {**row, "nodes": np.nan, "train": np.nan, "test": np.nan, "law": ""}
    unexplained = {
        "train": best.train / problem.y.var(), "test": best.test / problem.y_test.var()
    }  # fmt: skip
    return {**row, "nodes": best.pysr, **unexplained, "law": str(best.law)}


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    tasks = ("I.12.2", "I.27.6") if options.quick else tuple(FORMULAS)
    wanted = cells(options, tasks, ENGINES, SEEDS, SECONDS)
    rows = run(options.results / "laws_formulas.csv", wanted, work, options.jobs)
    rows["solved"], rows["exact"] = rows["test"] < SOLVED, rows["test"] < EXACT
    engines = [name for name in ENGINES if name in set(rows["engine"])]
    by_cell = rows.groupby(["task", "engine"])
    solved, exact, seeds = (by_cell[name].sum() for name in ("solved", "exact", "test"))
    seeds = by_cell["seed"].nunique()
    lines = []
    for task in dict.fromkeys(rows["task"]):
        line = {"formula": task, "law": FORMULAS[task].law}
        for engine in engines:
            key = (task, engine)
            line[engine] = (
                f"{solved[key]}/{seeds[key]} ({exact[key]})" if key in seeds.index else "-"
            )
        lines.append(line)
    total = {"formula": "all", "law": f"solved on at least {ENOUGH} seeds"}
    for engine in engines:
        enough = (solved.xs(engine, level="engine") >= ENOUGH).sum()
        complete = seeds.xs(engine, level="engine").min() >= ENOUGH
        total[engine] = str(int(enough)) if complete else "-"
    report(
        options.results / "laws_formulas.md",
        [
            f"Seeds that solve a formula within {LARGEST} nodes and {wanted[0].seconds:g} s of one "
            f"thread (in brackets: exactly); operators {' '.join(OPERATORS)}; {versions()}.",
            markdown(pd.DataFrame([*lines, total])),
        ],
    )


if __name__ == "__main__":
    main()
