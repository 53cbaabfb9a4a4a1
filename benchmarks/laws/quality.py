"""How good are the laws that each engine finds in the same processor time?

    python benchmarks/laws/quality.py --jobs 2

Six planted classification tasks (mean hinge) and the imitation of a small network (R2), 60
seconds, one thread, five seeds. Each engine's law is its best on the training rows within 30
nodes, once by PySR's count and once by Operon's (`counting`). Operators: + - * square, for with
tanh every hinge ends at twice the label noise, whatever the law. `occamscope, long` imitates the
network with up to 60 nodes: by Operon's count, where weights are free, such laws can have 30.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from judging import best_within, judge
from peers import Options, fit
from problems import CLASSIFICATION, DISTILLATION
from study import Cell, arguments, cells, count_seeds, markdown, report, run, versions

SECONDS, SEEDS, LARGEST = 60.0, 5, 30
OPERATORS = ("+", "-", "*", "square")


@dataclass(frozen=True)
class Variant:
    """An engine, the size up to which it searches, by its own count, and the tasks it is for."""

    engine: str
    largest: int
    tasks: tuple[str, ...] = (*CLASSIFICATION, *DISTILLATION)


VARIANTS = {
    "occamscope": Variant("occamscope", LARGEST),
    "occamscope, long": Variant("occamscope", 2 * LARGEST, tuple(DISTILLATION)),
    "pyoperon": Variant("pyoperon", LARGEST),
    # Trees of 15 nodes are those that PySR's count of 30 can hold.
    "pyoperon, short": Variant("pyoperon", LARGEST // 2),
    "gplearn": Variant("gplearn", LARGEST),
}
QUICK = ("size_beats_shape_2000", "network_2000")


def work(cell: Cell) -> dict[str, Any]:
    """Search once; return the best law within the limit by each count."""
    problem = {**CLASSIFICATION, **DISTILLATION}[cell.task](cell.seed)
    loss = "hinge" if problem.is_classification else "mse"
    variant = VARIANTS[cell.engine]
    options = Options(OPERATORS, variant.largest)
    outcome = fit(variant.engine, problem, cell.seconds, cell.seed, options)
    judged = judge(problem, outcome.laws, loss)
    row: dict[str, Any] = {"cpu_seconds": round(outcome.seconds, 2)}
    for count in ("pysr", "operon"):
        best = best_within(judged, count, LARGEST)
        values = ("", np.nan, np.nan, np.nan)
        if best:
            values = (str(best.law), getattr(best, count), best.train, best.test)
            if loss == "mse":  # as R2
                values = (*values[:2], *_r2(problem, best))
        names = ("law", "nodes", "train", "test")
        row |= {f"{count}_{name}": value for name, value in zip(names, values, strict=True)}
    return row


def _r2(problem: Any, law: Any) -> tuple[float, float]:
    return 1 - law.train / problem.y.var(), 1 - law.test / problem.y_test.var()


def summary(rows: pd.DataFrame, tasks: list[str]) -> str:
    """Write a table of medians over seeds: a row an engine and count, a column a task."""
    rows = rows[rows["task"].isin(tasks)]
    lines = []
    for count, title in (("pysr", "PySR's"), ("operon", "Operon's")):
        for engine in [name for name in VARIANTS if name in set(rows["engine"])]:
            own = rows[rows["engine"] == engine]
            line: dict[str, Any] = {
                "count": title,
                "engine": engine,
                "seeds": count_seeds(own),
            }
            for part in ("train", "test"):
                medians = own.groupby("task")[f"{count}_{part}"].median().reindex(tasks)
                if part == "train":
                    line |= dict(medians)
                line[f"mean, {part}"] = medians.mean(skipna=False)
            lines.append(line)
    table = pd.DataFrame(lines)
    numbers = [name for name in table.columns if name not in ("count", "engine", "seeds")]
    return markdown(table, dict.fromkeys(numbers, "{:.3f}"))


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    tasks = QUICK if options.quick else (*CLASSIFICATION, *DISTILLATION)
    wanted = cells(options, tasks, VARIANTS, SEEDS, SECONDS)
    wanted = [cell for cell in wanted if cell.task in VARIANTS[cell.engine].tasks]
    rows = run(options.results / "laws_quality.csv", wanted, work, options.jobs)
    seconds = wanted[0].seconds
    report(
        options.results / "laws_quality.md",
        [
            f"Laws of at most {LARGEST} nodes after {seconds:g} s of one thread; medians over "
            f"seeds; {versions()}.",
            "Mean hinge, columns by task on the training rows (labels with noise: the planted "
            "law itself has .209 on average), test rows without noise (planted law: .094):",
            summary(rows, [task for task in CLASSIFICATION if task in set(rows["task"])]),
            "R2 of the imitation of a network:",
            summary(rows, [task for task in DISTILLATION if task in set(rows["task"])]),
        ],
    )


if __name__ == "__main__":
    main()
