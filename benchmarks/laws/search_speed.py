"""How many candidates does a search judge a second, on one core, with constants optimised?

    python benchmarks/laws/search_speed.py

The planted rules at 2,000 rows, the engine's defaults, processor time, one thread. A candidate
is judged when it is scored on all rows or turned away before, as soon as it is certain that it
is too bad (`aborted`). The steps that fit constants are not counted, but their time is.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pandas as pd
from problems import planted
from study import Cell, arguments, cells, markdown, report, run, versions

ROWS, SEEDS, LARGEST = 2_000, 3, 20
OPERATORS = {
    "+ - * square": ("+", "-", "*", "square"),
    "+ - * square exp tanh": ("+", "-", "*", "square", "exp", "tanh"),
}
TASKS = {
    f"{rule}, {loss}, {name}": (rule, loss, operators)
    for rule, loss, name in [
        ("size_beats_shape", "hinge", "+ - * square"),
        ("product", "hinge", "+ - * square"),
        ("ring", "hinge", "+ - * square"),
        ("gate", "hinge", "+ - * square exp tanh"),
        ("size_beats_shape", "logistic", "+ - * square"),
        ("size_beats_shape", "mse", "+ - * square"),
    ]
    for operators in [OPERATORS[name]]
}
EVALUATIONS, QUICK_EVALUATIONS = 3_000_000, 100_000


def work(cell: Cell) -> dict[str, Any]:
    """Search with a fixed budget; return judged candidates and seconds."""
    from occamscope.laws.control import SearchControl, Snapshot
    from occamscope.laws.evolution.engine import EvolutionEngine, warm_up
    from occamscope.laws.spec import SearchSpec

    rule, loss, operators = TASKS[cell.task]
    problem = planted(rule, ROWS, cell.seed)
    spec = SearchSpec(
        loss=loss, operators=operators, maxsize=LARGEST, seed=cell.seed, evaluations=20_000
    )
    last: list[Snapshot] = []
    control = SearchControl(threads=1, watch=lambda snapshot: last.append(snapshot))
    warm_up()
    engine = EvolutionEngine()
    engine.fit(problem.X, problem.y, spec, problem.names)  # whatever the first call costs
    evaluations = QUICK_EVALUATIONS if cell.seconds == 0 else EVALUATIONS
    start = time.process_time()
    spec = replace(spec, evaluations=evaluations)
    engine.fit(problem.X, problem.y, spec, problem.names, control=control)
    seconds = time.process_time() - start
    judged, aborted = last[-1].evaluations, last[-1].aborted
    return {"cpu_seconds": seconds, "judged": judged, "aborted": aborted}


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    # A cell ends by its budget; 0 "seconds" mark a smoke run.
    wanted = cells(options, TASKS, ("occamscope",), SEEDS, seconds=1.0, quick_seconds=0.0)
    rows = run(options.results / "laws_search_speed.csv", wanted, work, options.jobs)
    sums = rows.groupby("task", sort=False)[["judged", "aborted", "cpu_seconds"]].sum()
    sums["in full"] = sums["judged"] - sums["aborted"]
    table = pd.DataFrame(
        {
            "task": sums.index,
            "judged/s": (sums["judged"] / sums["cpu_seconds"]).values,
            "scored in full/s": (sums["in full"] / sums["cpu_seconds"]).values,
            "turned away early/s": (sums["aborted"] / sums["cpu_seconds"]).values,
        }
    )
    report(
        options.results / "laws_search_speed.md",
        [
            f"Candidates a second of one core, {ROWS:,} rows, 32 features, laws of at most "
            f"{LARGEST} nodes, constants fitted, {rows['judged'].max():,} candidates a search; "
            f"{versions()}.",
            markdown(table, dict.fromkeys(table.columns[1:], "{:,.0f}")),
        ],
    )


if __name__ == "__main__":
    main()
