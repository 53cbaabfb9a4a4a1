"""Nodes of an expression and the operators that a node may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Operators that a search may use, under PySR's names, with their number of operands.
SEARCH_OPERATORS: Mapping[str, int] = {
    "+": 2, "-": 2, "*": 2, "/": 2,
    "square": 1, "cube": 1, "exp": 1, "log": 1, "sqrt": 1, "abs": 1, "neg": 1,
    "tanh": 1, "sin": 1, "cos": 1, "inv": 1,
}  # fmt: skip
# A whole power other than 2, 3 and -1 has no operator of its own; its exponent is no operand.
POWER = "pow"
ARITY: Mapping[str, int] = {**SEARCH_OPERATORS, POWER: 1}
CONSTANT, VARIABLE = "constant", "variable"

_NUMPY: Mapping[str, Callable[..., Array]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
    "square": lambda a: a * a, "cube": lambda a: a * a * a,
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "neg": np.negative,
    "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "inv": lambda a: 1.0 / a,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """One node: an operator with its operands, a constant or a variable.

    `kind` is an operator's name, "constant" or "variable"; `value` is the constant, or the
    whole exponent of "pow"; `name` is the variable's name.
    """

    kind: str
    value: float = 0.0
    name: str = ""
    operands: tuple[Node, ...] = ()


def constant(value: float) -> Node:
    """Return the node of a constant."""
    return Node(CONSTANT, value=float(value))


def variable(name: str) -> Node:
    """Return the node of a variable."""
    return Node(VARIABLE, name=name)


def call(operator: str, *operands: Node) -> Node:
    """Return the node that applies `operator` to as many operands as it takes."""
    if SEARCH_OPERATORS.get(operator) != len(operands):
        raise ValueError(f"'{operator}' does not take {len(operands)} operands")
    return Node(operator, operands=operands)


def power(base: Node, exponent: int) -> Node:
    """Return base**exponent: square, cube or inv where the exponent has an operator."""
    named = {2: "square", 3: "cube", -1: "inv"}.get(exponent)
    return call(named, base) if named else Node(POWER, value=float(exponent), operands=(base,))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, operands from left to right."""
    yield node
    for operand in node.operands:
        yield from walk(operand)


def complexity(node: Node) -> int:
    """Count nodes as PySR does: every operator, constant and variable 1.

    The exponent of "pow" is a constant of PySR's binary operator `^` and counts 1.
    """
    return sum(2 if part.kind == POWER else 1 for part in walk(node))


def depth(node: Node) -> int:
    """Length of the longest path from the node to a leaf; a leaf has 1."""
    return 1 + max((depth(operand) for operand in node.operands), default=0)


def replace(node: Node, change: Callable[[Node], Node]) -> Node:
    """Rebuild the tree from its leaves, every node passed through `change`."""
    operands = tuple(replace(operand, change) for operand in node.operands)
    return change(Node(node.kind, node.value, node.name, operands))


def with_summand(node: Node, summand: float) -> Node | None:
    """Return the tree plus `summand`, of the same form; None if no constant can take it up."""
    if node.kind == CONSTANT:
        return constant(node.value + summand)
    if node.kind not in ("+", "-"):
        return None
    left, right = node.operands
    part = with_summand(left, summand)
    if part:
        return call(node.kind, part, right)
    part = with_summand(right, summand if node.kind == "+" else -summand)
    return part and call(node.kind, left, part)


def evaluate(node: Node, columns: Mapping[str, Array]) -> Array | np.float64:
    """Value of the tree by IEEE rules; the caller silences numpy's warnings."""
    if node.kind == CONSTANT:
        return np.float64(node.value)
    if node.kind == VARIABLE:
        return columns[node.name]
    return apply(node, [evaluate(operand, columns) for operand in node.operands])


def apply(node: Node, operands: Sequence[Array | np.float64]) -> Array | np.float64:
    """Value of an operator's node, given those of its operands."""
    if node.kind == POWER:
        return np.power(operands[0], node.value)
    return _NUMPY[node.kind](*operands)


def tidy(node: Node) -> Node:
    """Rewrite for the reader, without a change of value or of size.

    a + -2 becomes a - 2, a - -2 becomes a + 2, 2 + a becomes a + 2, a*2 becomes 2*a. All of
    these are exact in IEEE arithmetic.
    """
    return replace(node, _tidy_one)


def _tidy_one(node: Node) -> Node:
    if len(node.operands) != 2:
        return node
    left, right = node.operands
    is_constant = left.kind == CONSTANT, right.kind == CONSTANT
    if node.kind == "+" and is_constant == (True, False):
        left, right = right, left
    if node.kind == "*" and is_constant == (False, True):
        left, right = right, left
    kind = node.kind
    if kind in "+-" and right.kind == CONSTANT and np.signbit(right.value):
        kind, right = ("-" if kind == "+" else "+"), constant(-right.value)
    return Node(kind, operands=(left, right))
