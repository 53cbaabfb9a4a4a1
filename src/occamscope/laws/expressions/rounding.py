"""Value of a law together with a bound on how far rounding may have moved it.

A running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
3.3): every operation passes on the errors of its operands and adds its own rounding. Two ways to
write one law then differ by no more than the sum of their bounds, however much cancels, and a
larger difference is one of the laws, not of the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from occamscope.laws.expressions.tree import CONSTANT, POWER, VARIABLE, Array, Node, apply

# Rounding of one operation: a few units in the last place, for functions of any library.
UNIT = 4 * float(np.finfo(np.float64).eps)
# Below this a value has lost digits to underflow.
TINY = 1e-290

_PRODUCTS = frozenset({"*", "/", "square", "cube", "inv", "exp", POWER})
# Where these are not finite though their operands are, they have no value: no overflow.
_WITH_POLES = frozenset({"/", "inv", "log", "sqrt", POWER})


def value_and_error(
    node: Node, columns: Mapping[str, Array], constant_error: float = 0.0
) -> tuple[Array, Array]:
    """Value of a tree in every row and a bound on its error.

    Parameters
    ----------
    node : the tree
    columns : (n,) values of each variable (of one at least), taken as exact
    constant_error : relative uncertainty of each constant, >= 0

    Returns
    -------
    (n,) values and (n,) bounds. The bound is infinite where arithmetic cannot tell (an overflow,
    a denominator or the argument of a logarithm or root that may be 0 within its error), and 0
    where the value is nan or infinite by definition (0/0, 1/0, log(-1)).
    """
    with np.errstate(all="ignore"):
        return _visit(node, columns, constant_error)


def _visit(node: Node, columns: Mapping[str, Array], constant_error: float) -> tuple[Array, Array]:
    if node.kind == CONSTANT:
        rows = len(next(iter(columns.values())))
        value = np.full(rows, node.value)
        return value, constant_error * np.abs(value)
    if node.kind == VARIABLE:
        return columns[node.name], np.zeros_like(columns[node.name])
    parts = [_visit(operand, columns, constant_error) for operand in node.operands]
    values, errors = [part[0] for part in parts], [part[1] for part in parts]
    value = np.asarray(apply(node, values))
    passed_on = _passed_on(node, value, values, errors)
    error = passed_on + UNIT * np.abs(value) + _lost_to_underflow(node, value, values)
    return value, _settle(node, value, error, values, [*errors, passed_on])


def _passed_on(node: Node, value: Array, values: list[Array], errors: list[Array]) -> Array:
    """Bound on the change of an operation's value by the errors of its operands."""
    a, e = values[0], errors[0]
    if node.kind in ("+", "-"):
        return e + errors[1]
    if node.kind == "*":
        return np.abs(a) * errors[1] + np.abs(values[1]) * e + e * errors[1]
    if node.kind == "/":
        nearest = np.abs(values[1]) - errors[1]
        return _where_known(nearest, errors[1], (e + np.abs(value) * errors[1]) / nearest)
    if node.kind in ("square", "cube", "inv", POWER):
        exponent = {"square": 2.0, "cube": 3.0, "inv": -1.0}.get(node.kind, node.value)
        return _of_power(a, e, exponent)
    return _OF_FUNCTION[node.kind](a, e, value)


def _lost_to_underflow(node: Node, value: Array, values: list[Array]) -> Array:
    """What a product of factors other than 0 may have lost; a sum or difference is exact there."""
    factors = np.logical_and.reduce([v != 0 for v in values])
    if node.kind not in _PRODUCTS:
        return np.zeros_like(value)
    return np.where(factors & (np.abs(value) < TINY), TINY, 0.0)


def _of_power(a: Array, e: Array, k: float) -> Array:
    """|k| |a|^(k - 1) e with the |a| in reach that makes it largest."""
    if k > 0:
        return np.asarray(k * (np.abs(a) + e) ** (k - 1) * e)
    nearest = np.abs(a) - e
    return _where_known(nearest, e, -k * nearest ** (k - 1) * e)


def _where_known(distance: Array, error: Array, bound: Array) -> Array:
    """Return the bound; infinite where a pole may be in reach, 0 where nothing is uncertain."""
    return np.where(error == 0, np.where(np.isfinite(bound), bound, 0.0),
                    np.where(distance > 0, bound, np.inf))  # fmt: skip


def _of_log(a: Array, e: Array, value: Array) -> Array:
    return np.where(a < -e, 0.0, _where_known(a - e, e, e / (a - e)))


def _of_root(a: Array, e: Array, value: Array) -> Array:
    return np.where(a < -e, 0.0, _where_known(a - e, e, e / (2 * np.sqrt(a - e))))


_OF_FUNCTION: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "exp": lambda a, e, value: value * np.expm1(e),
    "log": _of_log,
    "sqrt": _of_root,
    # No slope is above 1.
    **dict.fromkeys(("abs", "neg", "tanh", "sin", "cos"), lambda a, e, value: e),
}


def _settle(
    node: Node, value: Array, error: Array, values: list[Array], bounds: list[Array]
) -> Array:
    """Decide what the bound is where a value or an operand is not finite."""
    finite = np.isfinite(value)
    operands_finite = np.logical_and.reduce([np.isfinite(v) for v in values])
    by_definition = ~operands_finite | (~finite & (node.kind in _WITH_POLES))
    error = np.where(by_definition, 0.0, np.where(finite, error, np.inf))
    # What passes through an infinite or undefined operand has no bound to pass on.
    unknown = np.logical_or.reduce([np.isinf(bound) for bound in bounds[:-1]])
    unknown |= operands_finite & np.isinf(bounds[-1])
    return np.where(unknown | np.isnan(error), np.inf, error)
