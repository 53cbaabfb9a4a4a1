"""One call for every engine: search for so many processor seconds in one thread.

Each peer runs as its own documentation advises, with the operators and the size limit that the
study gives to all. What comes back are laws in our syntax; who scores them is `judging`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from problems import Problem

from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import SEARCH_OPERATORS, Node, call, constant, variable


@dataclass(frozen=True)
class Options:
    """What all engines of a study may use."""

    operators: tuple[str, ...]
    # Largest law by the engine's own count.
    largest: int
    # Weigh the rows so that both classes count the same, where the engine can.
    balanced: bool = False
    # Further settings of our `SearchSpec` (constraints, another loss for labels); the others
    # have nothing of the kind.
    ours: Mapping[str, Any] = field(default_factory=dict)


class Found(NamedTuple):
    """A law as text in our syntax, and its length as its engine counts."""

    text: str
    own_length: int


class Outcome(NamedTuple):
    """What a search found, and the processor seconds that it took."""

    laws: list[Found]
    seconds: float


def fit(engine: str, problem: Problem, seconds: float, seed: int, options: Options) -> Outcome:
    """Search for laws of the problem's training rows.

    Parameters
    ----------
    engine : one of `ENGINES`
    seconds : processor time of this process, which must have one thread only
    """
    return ENGINES[engine](problem, seconds, seed, options)


def fit_occamscope(problem: Problem, seconds: float, seed: int, options: Options) -> Outcome:
    """Our engine: hinge with a free scale for labels, mean squared error for numbers.

    It is interrupted, as by Ctrl-C, after the round of its islands that is nearest to the time.
    """
    from occamscope.laws.control import SearchControl, Snapshot
    from occamscope.laws.evolution.engine import EvolutionEngine, warm_up
    from occamscope.laws.spec import SearchSpec

    settings: dict[str, Any] = {
        "loss": "hinge" if problem.is_classification else "mse",
        "operators": options.operators, "maxsize": options.largest, "seed": seed,
        "evaluations": 10**12, **options.ours,
    }  # fmt: skip
    spec = SearchSpec(**settings)
    weight = balancing_weights(problem.y) if options.balanced else None
    warm_up()
    start = time.process_time()
    rounds = [start]

    def interrupt_in_time(_: Snapshot) -> None:
        rounds.append(time.process_time())
        if rounds[-1] + (rounds[-1] - rounds[-2]) / 2 - start >= seconds and not over:
            over.append(True)  # the search shows itself once more when it has ended
            raise KeyboardInterrupt

    over: list[bool] = []
    control = SearchControl(threads=1, watch=interrupt_in_time, watch_every_s=0.0)
    front = EvolutionEngine().fit(
        problem.X, problem.y, spec, problem.names, weight, control=control
    )
    laws = [Found(law.to_text(), law.complexity()) for law in front.expressions()]
    return Outcome(laws, time.process_time() - start)


# pyoperon's names of the operators.
OPERON = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "square": "square", "exp": "exp",
    "log": "log", "sqrt": "sqrt", "abs": "abs", "tanh": "tanh", "sin": "sin", "cos": "cos",
}  # fmt: skip


def fit_operon(problem: Problem, seconds: float, seed: int, options: Options) -> Outcome:
    """Return pyoperon's Pareto front of R2 and length, from NSGA-II.

    Coefficients by five steps of Levenberg-Marquardt for every candidate, linear scaling:
    what its authors use. Labels are fitted as numbers -1/+1, for want of a loss for them.
    """
    import pyoperon
    from pyoperon.sklearn import SymbolicRegressor

    symbols = [OPERON[name] for name in options.operators]
    model = SymbolicRegressor(
        allowed_symbols=",".join([*symbols, "constant", "variable"]),
        objectives=["r2", "length"], optimizer_iterations=5, max_length=options.largest,
        generations=10**9, max_evaluations=10**12, epsilon=0.0, n_threads=1, warm_start=True,
        random_state=seed + 1,
    )  # fmt: skip
    variables = _operon_variables(pyoperon, problem)
    found: dict[Found, None] = {}
    start = time.process_time()
    used = 0.0
    # Its limit is in whole seconds of the clock: what others took of them is made up for.
    while used == 0.0 or seconds - used >= 0.5:
        model.set_params(max_time=max(round(seconds - used), 1))
        model.fit(problem.X, problem.y)
        used = time.process_time() - start
        for row in model.pareto_front_:
            root = operon_node(row["tree"].Nodes, variables)
            framed = 2 * sum(_is_frame(row["tree"].Nodes))
            found[Found(Expression(root, problem.names).to_text(), row["length"] - framed)] = None
    return Outcome(list(found), used)


def operon_node(nodes: Sequence[Any], variables: Mapping[int, str]) -> Node:
    """Return the tree of Operon's postfix nodes (the last operand comes first)."""
    names = {name.capitalize(): symbol for symbol, name in OPERON.items()}
    stack: list[Node] = []
    for node in nodes:
        if node.IsConstant:
            stack.append(constant(node.Value))
        elif node.IsVariable:
            leaf = variable(variables[node.HashValue])
            weight = float(node.Value)
            stack.append(leaf if weight == 1.0 else call("*", constant(weight), leaf))
        else:
            symbol = names[node.Type.name]
            operands = [stack.pop() for _ in range(node.Arity)]
            stack.append(_applied(symbol, operands))
    return stack.pop()


def _applied(symbol: str, operands: list[Node]) -> Node:
    """Apply an operator that may have more (or fewer) than two operands in Operon."""
    if SEARCH_OPERATORS[symbol] == 1:
        return call(symbol, *operands)
    if len(operands) == 1 and symbol in "-/":
        return call("neg", *operands) if symbol == "-" else call("/", constant(1.0), *operands)
    node = operands[0]
    for operand in operands[1:]:
        node = call(symbol, node, operand)
    return node


def _operon_variables(pyoperon: Any, problem: Problem) -> dict[int, str]:
    """Return our names by the hashes that Operon gives to the columns."""
    columns = np.asfortranarray(np.column_stack([problem.X, problem.y])[:2])
    data = pyoperon.Dataset(columns)
    ordered = sorted(data.Variables, key=lambda entry: entry.Index)
    return {entry.Hash: name for entry, name in zip(ordered, problem.names, strict=False)}


def _is_frame(nodes: Sequence[Any]) -> tuple[bool, bool]:
    """Say whether the fitted offset and scale stand at the end (constant, operator)."""
    kinds = [node.Type.name for node in nodes[-4:]]
    offset = kinds[-2:] == ["Constant", "Add"]
    before = kinds[:-2] if offset else kinds
    return offset, before[-2:] == ["Constant", "Mul"]


GPLEARN = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "sqrt": "sqrt", "log": "log", "abs": "abs",
    "sin": "sin", "cos": "cos",
}  # fmt: skip


def fit_gplearn(problem: Problem, seconds: float, seed: int, options: Options) -> Outcome:
    """gplearn's classifier (log loss of the sigmoid) or regressor (mean squared error).

    Its defaults; the best program of every length in all generations is kept, because it
    offers no front and no limit of the size. It goes on generation by generation until the
    time is used.
    """
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicClassifier, SymbolicRegressor

    def bounded_exp(x: Any) -> Any:
        return np.exp(np.minimum(x, 50.0))  # gplearn refuses functions that overflow

    more = {"square": np.square, "exp": bounded_exp, "tanh": np.tanh}
    functions = [
        GPLEARN.get(name) or make_function(function=more[name], name=name, arity=1)
        for name in options.operators
    ]
    settings: dict[str, Any] = {
        "function_set": functions, "random_state": seed, "warm_start": True, "n_jobs": 1,
        "low_memory": True,
    }  # fmt: skip
    if problem.is_classification:
        if options.balanced:
            settings["class_weight"] = "balanced"
        model = SymbolicClassifier(**settings)
    else:
        model = SymbolicRegressor(metric="mse", **settings)
    best: dict[int, tuple[float, Any]] = {}
    start = time.process_time()
    generations = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        while time.process_time() - start < seconds:
            generations += 1
            model.set_params(generations=generations)
            model.fit(problem.X, problem.y)
            for program in model._programs[-1]:
                length = len(program.program)
                known = best.get(length, (np.inf, None))[0]
                if length <= options.largest and program.raw_fitness_ < known:
                    best[length] = program.raw_fitness_, program.program
    used = time.process_time() - start
    laws = [
        Found(Expression(gplearn_node(program, problem.names), problem.names).to_text(), length)
        for length, (_, program) in sorted(best.items())
    ]
    return Outcome(laws, used)


def gplearn_node(program: Sequence[Any], names: Sequence[str]) -> Node:
    """Return the tree of a gplearn program (prefix order).

    Its protected sqrt and log are written with the absolute value that they contain; what its
    division and log do within .001 of zero has no counterpart.
    """
    position = 0

    def read() -> Node:
        nonlocal position
        part = program[position]
        position += 1
        if isinstance(part, (int, np.integer)):
            return variable(names[int(part)])
        if isinstance(part, (float, np.floating)):
            return constant(float(part))
        operands = [read() for _ in range(part.arity)]
        if part.name in ("sqrt", "log"):
            return call(part.name, call("abs", *operands))
        symbols = {name: symbol for symbol, name in GPLEARN.items()}
        return call(symbols.get(part.name, part.name), *operands)

    return read()


def balancing_weights(y: np.ndarray) -> np.ndarray:
    """Weights of rows under which both classes have the same sum."""
    positive = np.mean(y > 0)
    return np.where(y > 0, 0.5 / positive, 0.5 / (1 - positive))


ENGINES: Mapping[str, Callable[[Problem, float, int, Options], Outcome]] = {
    "occamscope": fit_occamscope,
    "pyoperon": fit_operon,
    "gplearn": fit_gplearn,
}
