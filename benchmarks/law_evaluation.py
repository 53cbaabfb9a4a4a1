"""The law engine's evaluation against pyoperon's, as ratios in one run on one core.

    python benchmarks/law_evaluation.py

Both score the same expressions on the same 10,000 rows in float32: predictions, then the mean
squared error. A node-row is one node (operator, constant or variable) for one row. Prints the
table and writes benchmarks/results/law_evaluation.{csv,md}.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyoperon
from numba import njit

from occamscope.laws.evolution.engine import warm_up
from occamscope.laws.evolution.evaluation import program_loss
from occamscope.laws.evolution.grammar import new_grammar
from occamscope.laws.evolution.mutation import random_program
from occamscope.laws.evolution.problem import pack_problem
from occamscope.laws.evolution.programs import to_expression, to_program
from occamscope.laws.evolution.rng import new_stream
from occamscope.laws.evolution.tokens import CODES, allowed_operators
from occamscope.laws.expression import Expression, parse
from occamscope.laws.tree import CONSTANT, VARIABLE, Node, walk

ROWS, FEATURES = 10_000, 32
RANDOM_LAWS = 200
REPEATS = 15
RESULTS = Path(__file__).with_name("results")
NAMES = [f"z{k}" for k in range(FEATURES)]
POLYNOMIAL = ("+", "-", "*", "square")
TYPES = {
    "+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "square": "Square", "exp": "Exp",
    "log": "Log", "sqrt": "Sqrt", "abs": "Abs", "tanh": "Tanh", "sin": "Sin", "cos": "Cos",
}  # fmt: skip
SETS = {
    "product law, 9 nodes": ["-1.3 - z29*(z19**2 + z20**2)"],
    "additive law, 13 nodes": ["2.28*(z19**2 + z20**2) - 5.49*z29 - 4.36"],
    "random, + - * square": POLYNOMIAL,
    "random, + - * square exp": (*POLYNOMIAL, "exp"),
    "random, + - * / square sqrt abs": (*POLYNOMIAL, "/", "sqrt", "abs"),
    "random, + - * / square exp log sqrt abs tanh sin cos": tuple(TYPES),
}


def is_tame(law: Expression, X: np.ndarray) -> bool:
    """True if float32 suffices for a law and every part of it.

    Our evaluation stops at the first block with an undefined value; that must not count here.
    """
    parts = (Expression(node, law.names) for node in walk(law.root))
    return all(np.abs(part.evaluate(X)).max() < 1e3 for part in parts)


def random_laws(operators: tuple[str, ...], X: np.ndarray) -> list[Expression]:
    """Return laws of 5 to 20 nodes as the search draws them."""
    codes = np.array([CODES[name] for name in operators], dtype=np.int16)
    grammar = Grammar(codes, allowed_operators(operators), np.ones(11), FEATURES, 20, 0)
    stream, laws = new_stream(0, 0), []
    while len(laws) < RANDOM_LAWS:
        tokens, constants = np.zeros(32, np.int16), np.zeros(32)
        n = random_program(stream, grammar, tokens, constants, 5 + len(laws) % 16)
        law = to_expression(tokens[:n], constants[:n], NAMES)
        if is_tame(law, X):
            laws.append(law)
    return laws


def operon_tree(law: Expression, hashes: list[int]) -> "pyoperon.Tree":
    """Build pyoperon's tree node by node (operands last to first, as it stores them)."""

    def nodes(node: Node) -> list["pyoperon.Node"]:
        if node.kind == CONSTANT:
            leaf = pyoperon.Node(pyoperon.NodeType.Constant)
            leaf.Value = node.value
            return [leaf]
        if node.kind == VARIABLE:
            leaf = pyoperon.Node(pyoperon.NodeType.Variable, hashes[NAMES.index(node.name)])
            leaf.Value = 1.0
            return [leaf]
        below = [part for operand in reversed(node.operands) for part in nodes(operand)]
        return [*below, pyoperon.Node(getattr(pyoperon.NodeType, TYPES[node.kind]))]

    return pyoperon.Tree(nodes(law.root)).UpdateNodes()


@njit
def score_all(tokens, constants, lengths, problem, losses):  # type: ignore[no-untyped-def]
    """Loss of every program."""
    for k in range(len(lengths)):
        losses[k], _ = program_loss(
            tokens[k], constants[k], lengths[k], problem, problem.rows, np.inf
        )


def our_scorer(
    laws: list[Expression], X: np.ndarray, y: np.ndarray, loss: str, free: bool
) -> Callable[[], np.ndarray]:
    """Return a function that scores all laws by our kernels."""
    problem = pack_problem(X, y, np.ones(len(y)), loss, free, 32)
    tokens, constants = np.zeros((len(laws), 32), np.int16), np.zeros((len(laws), 32))
    lengths, losses = np.zeros(len(laws), np.int64), np.zeros(len(laws))
    for k, law in enumerate(laws):
        program = to_program(law, tuple(TYPES))
        lengths[k] = len(program[0])
        tokens[k, : lengths[k]], constants[k, : lengths[k]] = program

    def score() -> np.ndarray:
        score_all(tokens, constants, lengths, problem, losses)
        return losses

    return score


def seconds(functions: list[Callable[[], object]]) -> list[float]:
    """Best time of each function, measured in turns."""
    best = [np.inf] * len(functions)
    for _ in range(REPEATS):
        for k, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[k] = min(best[k], time.perf_counter() - start)
    return best


def compare(name: str, laws: list[Expression], X: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """Measure one set of laws; refuse to if the two do not agree."""
    values = np.asfortranarray(np.column_stack([X, y]), dtype=np.float32)
    data = pyoperon.Dataset(values)  # it borrows the array
    trees = [operon_tree(law, data.VariableHashes) for law in laws]
    rows, target = pyoperon.Range(0, len(y)), f"X{FEATURES + 1}"
    predictions = np.zeros(len(laws) * len(y), dtype=np.float32)
    labels = np.where(y > 0, 1.0, -1.0)
    ours = our_scorer(laws, X, y, "mse", free=False)

    def score_by_pyoperon() -> np.ndarray:
        # Tree by tree: in version 0.6.2 a list of trees raises ValueError.
        return np.array([pyoperon.CalculateFitness(t, data, rows, target, "mse") for t in trees])

    theirs = score_by_pyoperon()
    if not np.allclose(ours(), theirs, rtol=1e-2):
        raise SystemExit(f"{name}: the losses differ")
    times = seconds(
        [
            ours,
            our_scorer(laws, X, labels, "hinge", free=False),
            our_scorer(laws, X, labels, "hinge", free=True),
            score_by_pyoperon,
            lambda: pyoperon.EvaluateTrees(trees, data, rows, predictions, 1),
        ]
    )
    work = sum(law.complexity() for law in laws) * len(y) / 1e9
    mse, hinge, free_hinge, operon, operon_bare = (work / t for t in times)
    return {
        "laws": name, "mse": mse, "hinge": hinge, "hinge_free_scale": free_hinge,
        "pyoperon_mse": operon, "pyoperon_predictions": operon_bare, "ratio_mse": mse / operon,
        "ratio_mse_to_predictions": mse / operon_bare,
    }  # fmt: skip


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warm_up(print)
    random = np.random.default_rng(0)
    X, y = random.normal(size=(ROWS, FEATURES)), random.normal(size=ROWS)
    rows = []
    for name, what in SETS.items():
        laws = [parse(t, NAMES) for t in what] if isinstance(what, list) else random_laws(what, X)
        rows.append(compare(name, laws, X, y))
        print(name, f"{rows[-1]['ratio_mse']:.1f}", flush=True)
    table = pd.DataFrame(rows)
    header = [
        "laws", "ours, mse", "ours, hinge", "ours, hinge and best scale", "pyoperon, mse",
        "pyoperon, predictions alone", "ratio (mse)", "ratio (mse / predictions alone)",
    ]  # fmt: skip
    text = [
        f"G node-rows/s on one core, {ROWS:,} rows, float32",
        "",
        f"| {' | '.join(header)} |",
        "|" + " --- |" * len(header),
    ]
    for row in table.itertuples(index=False):
        text.append(f"| {row[0]} | " + " | ".join(f"{value:.1f}" for value in row[1:]) + " |")
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "law_evaluation.csv", index=False)
    (RESULTS / "law_evaluation.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
