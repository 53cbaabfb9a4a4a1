"""How fast are laws evaluated: ours against pyoperon, and against what the core can do?

    python benchmarks/laws/evaluation_speed.py

One core, 10,000 rows, 32 features, float32, the same expressions for both. A node-row is one node
(operator, constant or variable) for one row, an operator-row one operator for one row. Compared
are predictions alone (both written out in full, pyoperon's by `EvaluateTrees`; 20 laws a call,
so that they stay in the second-level cache) and predictions with a loss, which is what a search
needs and never writes out. The ceiling is a multiplication of two blocks into a third that all stay in the
first-level cache, in blocks of the kernels' size, compiled as the kernels are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyoperon
from numba import njit
from numpy.typing import NDArray
from peers import OPERON
from study import arguments, markdown, report, versions

from occamscope.laws.evolution.engine import warm_up
from occamscope.laws.evolution.evaluation import lay_out, program_loss, run_block
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import pack_problem
from occamscope.laws.evolution.programs import to_program
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.tree import (
    CONSTANT,
    SEARCH_OPERATORS,
    VARIABLE,
    Node,
    call,
    constant,
    variable,
    walk,
)

ROWS, FEATURES = 10_000, 32
RANDOM_LAWS = 200
GROUP = 20
REPEATS = 15
CAPACITY = 32
NAMES = [f"z{k}" for k in range(FEATURES)]
POLYNOMIAL = ("+", "-", "*", "square")
SETS: dict[str, str | tuple[str, ...]] = {
    "product law, 9 nodes": "-1.3 - z29*(z19**2 + z20**2)",
    "additive law, 13 nodes": "2.28*(z19**2 + z20**2) - 5.49*z29 - 4.36",
    "random, + - * square": POLYNOMIAL,
    "random, + - * square exp": (*POLYNOMIAL, "exp"),
    "random, + - * / square sqrt abs": (*POLYNOMIAL, "/", "sqrt", "abs"),
    "random, + - * / square exp log sqrt abs tanh sin cos": tuple(OPERON),
}
Scorer = Callable[[], object]


def is_tame(law: Expression, X: NDArray[np.float64]) -> bool:
    """True if float32 suffices for a law and every part of it.

    Our evaluation stops at the first block with an undefined value; that must not count here.
    """
    parts = (Expression(node, law.names) for node in walk(law.root))
    return all(np.abs(part.evaluate(X)).max() < 1e3 for part in parts)


def random_tree(random: np.random.Generator, operators: tuple[str, ...], nodes: int) -> Node:
    """Draw a tree of so many nodes: of the leaves three in ten are constants."""
    if nodes == 1:
        if random.random() < 0.3:
            return constant(float(random.normal()))
        return variable(NAMES[random.integers(FEATURES)])
    fitting = [name for name in operators if SEARCH_OPERATORS[name] < nodes]
    operator = fitting[random.integers(len(fitting))]
    if SEARCH_OPERATORS[operator] == 1:
        return call(operator, random_tree(random, operators, nodes - 1))
    left = int(random.integers(1, nodes - 1))
    sizes = left, nodes - 1 - left
    return call(operator, *(random_tree(random, operators, size) for size in sizes))


def random_laws(operators: tuple[str, ...], X: NDArray[np.float64]) -> list[Expression]:
    """Return laws of 5 to 20 nodes."""
    random, laws = np.random.default_rng(1), []
    while len(laws) < RANDOM_LAWS:
        tree = random_tree(random, operators, 5 + len(laws) % 16)
        law = Expression(tree, tuple(NAMES))
        if is_tame(law, X):
            laws.append(law)
    return laws


def operon_tree(law: Expression, hashes: list[int]) -> pyoperon.Tree:
    """Build pyoperon's tree node by node (operands last to first, as it stores them)."""

    def nodes(node: Node) -> list[pyoperon.Node]:
        if node.kind == CONSTANT:
            leaf = pyoperon.Node(pyoperon.NodeType.Constant)
            leaf.Value = node.value
            return [leaf]
        if node.kind == VARIABLE:
            leaf = pyoperon.Node(pyoperon.NodeType.Variable, hashes[NAMES.index(node.name)])
            leaf.Value = 1.0
            return [leaf]
        below = [part for operand in reversed(node.operands) for part in nodes(operand)]
        kind = getattr(pyoperon.NodeType, OPERON[node.kind].capitalize())
        return [*below, pyoperon.Node(kind)]

    return pyoperon.Tree(nodes(law.root)).UpdateNodes()


@njit
def score_all(tokens, constants, lengths, problem, losses):  # type: ignore[no-untyped-def]
    """Loss of every program."""
    for k in range(len(lengths)):
        found = program_loss(tokens[k], constants[k], lengths[k], problem, problem.rows, np.inf)
        losses[k] = found[0]


@njit
def copy_block(source, out):  # type: ignore[no-untyped-def]
    """Copy a block of predictions out of the scratch."""
    for j in range(BLOCK):
        out[j] = source[j]


@njit
def predict_all(tokens, constants, lengths, problem, predictions):  # type: ignore[no-untyped-def]
    """Predictions of every program (programs, rows)."""
    left, slot = np.empty(CAPACITY, np.int64), np.empty(CAPACITY, np.int64)
    for k in range(len(lengths)):
        n = lengths[k]
        lay_out(tokens[k], constants[k], n, problem, left[:n], slot[:n])
        for row in range(0, problem.rows, BLOCK):
            root = run_block(tokens[k], n, problem, left[:n], slot[:n], row)
            copy_block(problem.memory[root : root + BLOCK], predictions[k, row : row + BLOCK])


@njit
def multiply_blocks(a, b, c, times):  # type: ignore[no-untyped-def]
    """Multiply two of three blocks into the third, three times by turns, so many times."""
    for _ in range(times):
        for j in range(BLOCK):
            c[j] = a[j] * b[j]
        for j in range(BLOCK):
            a[j] = b[j] * c[j]
        for j in range(BLOCK):
            b[j] = c[j] * a[j]


class Ours:
    """Our kernels on a set of laws."""

    def __init__(self, laws: list[Expression], X: NDArray[np.float64]) -> None:
        self.X = X
        self.tokens = np.zeros((len(laws), CAPACITY), np.int16)
        self.constants = np.zeros((len(laws), CAPACITY))
        self.lengths = np.zeros(len(laws), np.int64)
        for k, law in enumerate(laws):
            program = to_program(law, tuple(OPERON))
            n = self.lengths[k] = len(program[0])
            self.tokens[k, :n], self.constants[k, :n] = program

    def losses(self, y: NDArray[np.float64], loss: str, free: bool = False) -> Scorer:
        """Return a function that scores all laws."""
        problem = pack_problem(self.X, y, np.ones(len(y)), loss, free, CAPACITY)
        losses = np.zeros(len(self.lengths))

        def score() -> NDArray[np.float64]:
            score_all(self.tokens, self.constants, self.lengths, problem, losses)
            return losses

        return score

    def predictions(self, y: NDArray[np.float64]) -> Scorer:
        """Return a function that writes all laws' predictions; it returns the last group's."""
        problem = pack_problem(self.X, y, np.ones(len(y)), "mse", False, CAPACITY)
        out = np.zeros((GROUP, problem.rows), np.float32)

        def predict() -> NDArray[np.float32]:
            for k in range(0, len(self.lengths), GROUP):
                group = slice(k, k + GROUP)
                predict_all(
                    self.tokens[group], self.constants[group], self.lengths[group], problem, out
                )
            return out[:, : len(y)]

        return predict


def best_seconds(functions: list[Scorer], repeats: int) -> list[float]:
    """Least processor time of each function, measured in turns."""
    best = [np.inf] * len(functions)
    for _ in range(repeats):
        for k, function in enumerate(functions):
            start = time.process_time()
            function()
            best[k] = min(best[k], time.process_time() - start)
    return best


def ceiling(repeats: int) -> float:
    """Multiplications a second, in thousands of millions."""
    blocks = [np.ones(BLOCK, np.float32) for _ in range(3)]
    times = 20_000
    multiply_blocks(*blocks, 1)
    seconds = best_seconds([lambda: multiply_blocks(*blocks, times)], repeats)[0]
    return 3 * times * BLOCK / seconds / 1e9


def compare(
    name: str, laws: list[Expression], X: NDArray[np.float64], y: NDArray[np.float64], repeats: int
) -> dict[str, object]:
    """Measure one set of laws; refuse to if the two do not agree."""
    values = np.asfortranarray(np.column_stack([X, y]), dtype=np.float32)
    data = pyoperon.Dataset(values)  # it borrows the array
    trees = [operon_tree(law, data.VariableHashes) for law in laws]
    rows, target = pyoperon.Range(0, len(y)), f"X{FEATURES + 1}"
    theirs = np.zeros(GROUP * len(y), dtype=np.float32)
    labels = np.where(y > 0, 1.0, -1.0)
    ours = Ours(laws, X)
    predict = ours.predictions(y)

    def score_by_pyoperon() -> NDArray[np.float64]:
        # Tree by tree: in version 0.6.2 a list of trees raises ValueError.
        return np.array([pyoperon.CalculateFitness(t, data, rows, target, "mse") for t in trees])

    def predict_by_pyoperon() -> None:
        for k in range(0, len(trees), GROUP):
            pyoperon.EvaluateTrees(trees[k : k + GROUP], data, rows, theirs, 1)

    predict_by_pyoperon()
    if not np.allclose(predict(), theirs.reshape(GROUP, -1), rtol=1e-2, atol=1e-3):
        raise SystemExit(f"{name}: the predictions differ")
    times = best_seconds(
        [
            predict, ours.losses(y, "mse"), ours.losses(labels, "hinge"),
            ours.losses(labels, "hinge", free=True), predict_by_pyoperon, score_by_pyoperon,
        ],
        repeats,
    )  # fmt: skip
    nodes = sum(law.complexity() for law in laws)
    operators = sum(
        part.kind not in (CONSTANT, VARIABLE) for law in laws for part in walk(law.root)
    )
    speeds = [nodes * len(y) / 1e9 / seconds for seconds in times]
    names = ("predictions", "mse", "hinge", "hinge_free_scale", "operon_predictions", "operon_mse")
    row: dict[str, object] = {"laws": name, **dict(zip(names, speeds, strict=True))}
    row["ratio_predictions"] = speeds[0] / speeds[4]
    row["ratio_mse_to_predictions"] = speeds[1] / speeds[4]
    row["ratio_mse"] = speeds[1] / speeds[5]
    row["operator_share"] = operators / nodes
    return row


def main() -> None:
    options = arguments(str(__doc__).splitlines()[0])
    repeats = 3 if options.quick else REPEATS
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warm_up(print)
    random = np.random.default_rng(0)
    X, y = random.normal(size=(ROWS, FEATURES)), random.normal(size=ROWS)
    top = ceiling(repeats)
    rows = []
    for name, what in SETS.items():
        # A law alone is repeated: what a call costs must not count.
        laws = [parse(what, NAMES)] * RANDOM_LAWS if isinstance(what, str) else random_laws(what, X)
        rows.append(compare(name, laws, X, y, repeats))
        print(name, f"{rows[-1]['ratio_predictions']:.1f}", flush=True)
    table = pd.DataFrame(rows)
    table["ceiling"] = top = max(top, ceiling(repeats))
    table["nodes_of_ceiling"] = table["mse"] / top
    table["operators_of_ceiling"] = table["mse"] * table.pop("operator_share") / top
    table.to_csv(options.results / "laws_evaluation_speed.csv", index=False)
    shown = table.drop(columns="ceiling").rename(
        columns={
            "predictions": "ours, predictions", "mse": "ours, mse", "hinge": "ours, hinge",
            "hinge_free_scale": "ours, hinge and best scale",
            "operon_predictions": "pyoperon, predictions", "operon_mse": "pyoperon, mse",
            "ratio_predictions": "ratio, predictions", "ratio_mse": "ratio, mse",
            "ratio_mse_to_predictions": "ratio, mse / predictions",
            "nodes_of_ceiling": "node-rows / ceiling",
            "operators_of_ceiling": "operator-rows / ceiling",
        }
    )  # fmt: skip
    formats = dict.fromkeys(shown.columns[1:], "{:.1f}")
    formats |= dict.fromkeys(shown.columns[-2:], "{:.0%}")
    report(
        options.results / "laws_evaluation_speed.md",
        [
            f"G node-rows/s on one core, {ROWS:,} rows, float32; {versions()}. Ceiling: {top:.1f} "
            f"G multiplications/s on blocks of {BLOCK} rows in the first-level cache.",
            markdown(shown, formats),
        ],
    )


if __name__ == "__main__":
    main()
