"""How accurate is a law of at most 15 nodes on real tables?

    python benchmarks/laws/real_tables.py --jobs 2

Ten binary tables (`keel`), five stratified folds, 20 processor seconds a search, one thread,
operators + - * square. Of an engine's laws of at most 15 nodes (PySR's count; only the sign of a
law matters here, so its scale is free, its threshold is not) the one with the best balanced
accuracy on the training rows is taken, the smaller one of equals. Each law is tried as it came
and with the threshold that a class-balanced hinge asks for. Both classes weigh the same in
training where the engine has weights (pyoperon has none). Logistic regression (L2, C = 1,
balanced) is the reference: it uses all features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from counting import sign_law, written_out
from keel import FOLDS, TABLES, folds
from peers import ENGINES, Found, Options, balancing_weights, fit
from problems import Problem
from study import Cell, arguments, cells, markdown, report, run, versions

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.loss import fit_output_affine

SECONDS, LARGEST = 20.0, 15
OPERATORS = ("+", "-", "*", "square")
REFERENCE = "logistic regression"


def balanced_accuracy(values: np.ndarray, y: np.ndarray) -> float:
    """Mean of both classes' shares of right signs; an undefined value is wrong."""
    return float((np.mean(values[y > 0] > 0) + np.mean(values[y < 0] <= 0)) / 2)


def best_law(problem: Problem, found: list[Found]) -> Expression | None:
    """Return the law within the limit of the best balanced accuracy on the training rows."""
    weight = balancing_weights(problem.y)
    best: tuple[float, int] = (-1.0, 0)
    chosen = None
    for text in dict.fromkeys(law.text for law in found):
        try:
            law = parse(text, problem.names)
        except InputError:
            continue
        values = law.evaluate(problem.X)
        if not np.isfinite(values).all():
            continue
        scale, offset = fit_output_affine(values, problem.y, "hinge", weight)
        for form in (sign_law(law), sign_law(written_out(law, scale, offset))):
            accuracy = balanced_accuracy(form.evaluate(problem.X), problem.y)
            key = (accuracy, -form.complexity())
            if form.complexity() <= LARGEST and key > best:
                best, chosen = key, form
    return chosen


def work(cell: Cell) -> dict[str, Any]:
    """Fit one fold (the cell's seed); return the balanced accuracy of its test rows."""
    problem = list(folds(cell.task))[cell.seed]
    if cell.engine == REFERENCE:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(class_weight="balanced", max_iter=5_000)
        model.fit(problem.X, problem.y)
        test = balanced_accuracy(model.decision_function(problem.X_test), problem.y_test)
        train = balanced_accuracy(model.decision_function(problem.X), problem.y)
        return {
            "cpu_seconds": 0.0, "nodes": np.nan, "train": train, "test": test, "law": ""
        }  # fmt: skip
    options = Options(OPERATORS, LARGEST, balanced=True)
    outcome = fit(cell.engine, problem, cell.seconds, cell.seed, options)
    law = best_law(problem, outcome.laws)
    row = {"cpu_seconds": round(outcome.seconds, 2)}
    if law is None:  # no law at all: guessing
        return {**row, "nodes": np.nan, "train": 0.5, "test": 0.5, "law": ""}
    train, test = (
        balanced_accuracy(law.evaluate(X), y)
        for X, y in ((problem.X, problem.y), (problem.X_test, problem.y_test))
    )
    return {**row, "nodes": law.complexity(), "train": train, "test": test, "law": law.to_text(6)}


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    tasks = ("heart", "banana") if options.quick else TABLES
    engines = (*ENGINES, REFERENCE)
    wanted = cells(options, tasks, engines, FOLDS, SECONDS)
    rows = run(options.results / "laws_real_tables.csv", wanted, work, options.jobs)
    means = rows.pivot_table(index="task", columns="engine", values="test", sort=False)
    present = [name for name in engines if name in means]
    means = means.reindex(list(tasks))[present]
    searched = [name for name in present if name != REFERENCE]
    ranks = means[searched].rank(axis=1, ascending=False)
    table = means.rename_axis("table").reset_index()
    total = {"table": "mean", **means.mean()}
    table = pd.concat([table, pd.DataFrame([total, {"table": "mean rank", **ranks.mean()}])])
    report(
        options.results / "laws_real_tables.md",
        [
            f"Balanced accuracy on test rows, mean of {rows['seed'].nunique()} of {FOLDS} folds; "
            f"laws of at most {LARGEST} "
            f"nodes, {wanted[0].seconds:g} s of one thread; {versions()}.",
            markdown(table, dict.fromkeys(present, "{:.3f}")),
        ],
    )


if __name__ == "__main__":
    main()
