"""Programs: expressions in postfix order, one whole number for every node.

A program of n nodes is `tokens[:n]` (int16) with `constants[:n]` (float64, used where the
token is CONSTANT). A token is CONSTANT, an operator's code or FIRST_VARIABLE + column. The
operands of an operator stand before it: z0 * 2 + z1 is z0 2 * z1 +. The complexity of a law
is the length of its program.
"""
# ruff: noqa: SIM110 - plain comparisons and loops compile fastest

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import (
    FLOAT,
    INT,
    inlined,
    kernel,
)

CONSTANT = 0
SQUARE, CUBE, EXP, LOG, SQRT, ABS, NEG, TANH, SIN, COS, INV = range(1, 12)
ADD, SUBTRACT, MULTIPLY, DIVIDE = range(12, 16)
FIRST_BINARY = ADD
FIRST_VARIABLE = 16

# Operator names of a SearchSpec to codes.
CODES = {
    "square": SQUARE, "cube": CUBE, "exp": EXP, "log": LOG, "sqrt": SQRT, "abs": ABS,
    "neg": NEG, "tanh": TANH, "sin": SIN, "cos": COS, "inv": INV,
    "+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE,
}  # fmt: skip
NAMES = {code: name for name, code in CODES.items()}


@inlined
def arity(token: int) -> int:
    """Number of operands of a token."""
    if token == CONSTANT or token >= FIRST_VARIABLE:
        return 0
    return 2 if token >= FIRST_BINARY else 1


@inlined
def is_operator(token: int) -> bool:
    """True for an operator."""
    return token != CONSTANT and token < FIRST_VARIABLE


@inlined
def measure_sizes(tokens: Any, n: int, size: Any) -> None:
    """Write into size[i] the number of nodes of the subtree that ends at token i."""
    for i in range(n):
        operands = arity(tokens[i])
        if operands == 0:
            size[i] = 1
        elif operands == 1:
            size[i] = 1 + size[i - 1]
        else:
            size[i] = 1 + size[i - 1] + size[i - 1 - size[i - 1]]


@inlined
def copy_span(tokens: Any, constants: Any, first: int, end: int, out: Any, values: Any, n: int):
    """Append tokens[first:end] to a program of length n; return its new length."""
    for i in range(first, end):
        out[n] = tokens[i]
        values[n] = constants[i]
        n += 1
    return n


@kernel(FLOAT(INT, FLOAT))
def fold_unary(token: int, a: float) -> float:
    """Value of an operator on one constant, in float64."""
    if token == SQUARE:
        return a * a
    if token == CUBE:
        return a * a * a
    if token == EXP:
        return np.exp(a)
    if token == LOG:
        return np.log(a)
    if token == SQRT:
        return np.sqrt(a)
    if token == ABS:
        return abs(a)
    if token == NEG:
        return -a
    if token == TANH:
        return np.tanh(a)
    if token == SIN:
        return np.sin(a)
    if token == COS:
        return np.cos(a)
    return 1.0 / a


@inlined
def fold_binary(token: int, a: float, b: float) -> float:
    """Value of an operator on two constants, in float64."""
    if token == ADD:
        return a + b
    if token == SUBTRACT:
        return a - b
    if token == MULTIPLY:
        return a * b
    return a / b


@inlined
def constants_within(tokens: Any, constants: Any, n: int, largest: float) -> bool:
    """True if every constant is a number of at most that absolute value."""
    for i in range(n):
        if tokens[i] == CONSTANT and not abs(constants[i]) <= largest:
            return False
    return True


def allowed_operators(operators: tuple[str, ...]) -> np.ndarray:
    """Boolean mask (FIRST_VARIABLE,) of the codes of the given operators."""
    mask = np.zeros(FIRST_VARIABLE, dtype=np.bool_)
    for name in operators:
        mask[CODES[name]] = True
    return mask
