"""Derivatives of a law's values with respect to its constants, by a sweep down the tree.

The plain version of what the search's kernels do on programs, and their reference: the tree is
laid out in one list, operands before their operator; one pass up the list gives the values,
one pass down it every node's share in the result (reverse accumulation: Griewank and Walther,
Evaluating Derivatives, 2008, chapter 3). Rows do not mix, so that one sweep gives the whole
Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.expression import Expression

Array = NDArray[np.float64]
# One number for each row, or one for all where no variable stands below.
Value = Array | np.float64

# Derivative of an operator's value v with respect to its only operand a.
_UNARY: Mapping[str, Callable[[Value, Value], Any]] = {
    "square": lambda a, v: 2.0 * a,
    "cube": lambda a, v: 3.0 * a * a,
    "exp": lambda a, v: v,
    "log": lambda a, v: 1.0 / a,
    "sqrt": lambda a, v: 0.5 / v,
    "abs": lambda a, v: np.where(a < 0, -1.0, 1.0),
    "neg": lambda a, v: -1.0,
    "tanh": lambda a, v: 1.0 - v * v,
    "sin": lambda a, v: np.cos(a),
    "cos": lambda a, v: -np.sin(a),
    "inv": lambda a, v: -v * v,
}
# The same for both operands a and b of the others.
_BINARY: Mapping[str, Callable[[Value, Value, Value], tuple[Any, Any]]] = {
    "+": lambda a, b, v: (1.0, 1.0),
    "-": lambda a, b, v: (1.0, -1.0),
    "*": lambda a, b, v: (b, a),
    "/": lambda a, b, v: (1.0 / b, -v / b),
}


class Tape:
    """A law laid out for repeated evaluation with other constants.

    Attributes
    ----------
    constants : (k,) the law's own constants, from left to right
    """

    def __init__(self, law: Expression, X: ArrayLike) -> None:
        """Lay out the law over the (n, d) data X, one column for each of its names."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(law.names):
            raise InputError(f"law: data of shape {X.shape} do not fit {len(law.names)} names")
        self.rows = len(X)
        self._columns = {name: X[:, law.names.index(name)] for name in law.variables()}
        self._nodes: list[tree.Node] = []
        self._operands: list[tuple[int, ...]] = []
        self._add(law.root)
        self._places = [i for i, n in enumerate(self._nodes) if n.kind == tree.CONSTANT]
        self.constants = np.array(law.constants(), dtype=np.float64)
        # Only through these nodes does a constant reach the result.
        self._varies = [False] * len(self._nodes)
        for i, node in enumerate(self._nodes):
            below = any(self._varies[k] for k in self._operands[i])
            self._varies[i] = node.kind == tree.CONSTANT or below

    def _add(self, node: tree.Node) -> int:
        """Append a node after its operands; return where it stands."""
        below = tuple(self._add(operand) for operand in node.operands)
        self._nodes.append(node)
        self._operands.append(below)
        return len(self._nodes) - 1

    def values(self, constants: ArrayLike) -> Array:
        """Return the (n,) values of the law with these (k,) constants, by IEEE rules."""
        return self._spread(self._sweep_up(constants)[-1])

    def values_and_jacobian(self, constants: ArrayLike) -> tuple[Array, Array]:
        """Return the (n,) values and their (n, k) derivatives with respect to the constants.

        |x| has the slope 1 at 0. Where a derivative is infinite or undefined it is given as
        0: such a row says nothing about where to go.
        """
        value = self._sweep_up(constants)
        jacobian = np.zeros((self.rows, len(self._places)))
        with np.errstate(all="ignore"):
            shares = self._sweep_down(value)
        for column, place in enumerate(self._places):
            jacobian[:, column] = shares[place]
        jacobian[~np.isfinite(jacobian)] = 0.0
        return self._spread(value[-1]), jacobian

    def _spread(self, value: Value) -> Array:
        return np.array(np.broadcast_to(value, self.rows))

    def _sweep_up(self, constants: ArrayLike) -> list[Value]:
        """Return every node's value."""
        given = iter(np.asarray(constants, dtype=np.float64))
        value: list[Value] = []
        with np.errstate(all="ignore"):
            for node, below in zip(self._nodes, self._operands, strict=True):
                if node.kind == tree.CONSTANT:
                    value.append(next(given))
                elif node.kind == tree.VARIABLE:
                    value.append(self._columns[node.name])
                else:
                    value.append(tree.apply(node, [value[k] for k in below]))
        return value

    def _sweep_down(self, value: Sequence[Value]) -> list[Value]:
        """Return the derivative of the result with respect to every node that varies."""
        shares: list[Value] = [np.float64(0.0)] * len(value)
        shares[-1] = np.float64(1.0)
        for i in range(len(value) - 1, -1, -1):
            below = self._operands[i]
            if not self._varies[i] or not below:
                continue
            slopes = _slopes(self._nodes[i], [value[k] for k in below], value[i])
            for k, slope in zip(below, slopes, strict=True):
                if self._varies[k]:
                    shares[k] = shares[i] * slope
        return shares


def _slopes(node: tree.Node, operands: Sequence[Value], value: Value) -> tuple[Any, ...]:
    """Derivatives of an operator's value with respect to its operands."""
    if node.kind == tree.POWER:
        return (node.value * np.power(operands[0], node.value - 1.0),)
    if len(operands) == 2:
        return _BINARY[node.kind](operands[0], operands[1], value)
    return (_UNARY[node.kind](operands[0], value),)


def values_and_jacobian(law: Expression, X: ArrayLike) -> tuple[Array, Array]:
    """Return a law's (n,) values on X (n, d) and their (n, k) derivatives in its k constants.

    See `Tape.values_and_jacobian`.
    """
    tape = Tape(law, X)
    return tape.values_and_jacobian(tape.constants)


def with_constants(law: Expression, constants: ArrayLike) -> Expression:
    """Return the law with other constants, from left to right as `Expression.constants`."""
    given = iter(np.asarray(constants, dtype=np.float64).tolist())

    def change(node: tree.Node) -> tree.Node:
        return tree.constant(next(given)) if node.kind == tree.CONSTANT else node

    return Expression(tree.replace(law.root, change), law.names)
