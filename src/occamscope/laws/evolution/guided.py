"""Guided insertion: put into a program the term that promises the largest gain.

For a node with value v, gradient g and curvature h of the loss (row by row), adding c b to v
changes the loss by about c sum(g b) + c^2/2 sum(h b^2): at best by sum(g b)^2 / 2 sum(h b^2),
at c = -sum(g b) / sum(h b^2). The candidates b are all x_i, x_i^2 and x_i x_j. One pass over
the rows ranks them all; this is what copes with many features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INDICES,
    INT,
    PAIR,
    SINGLE,
    STREAM,
    TOKENS,
    VALUES,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.evaluation import node_derivatives
from occamscope.laws.evolution.fastmath import ZERO, load
from occamscope.laws.evolution.mutation import GRAMMAR
from occamscope.laws.evolution.operators import BLOCK, multiply_blocks
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, draw, uniform
from occamscope.laws.evolution.tokens import (
    ADD,
    CONSTANT,
    FIRST_VARIABLE,
    MULTIPLY,
    SQUARE,
    SUBTRACT,
    copy_span,
)

# One of the best so many terms is inserted.
_TOP = 4
# Nodes that an insertion may add.
LARGEST_INSERTION = 8


@kernel(types.UniTuple(SINGLE, 2)(PROBLEM, INT, INT), VECTOR)
def _project_variable(problem: Any, i: int, row: int) -> Any:
    """sum(g x_i) and sum(h x_i^2) over a block of rows."""
    memory = problem.memory
    first, second = ZERO, ZERO
    for j in range(BLOCK):
        b = load(memory, i * problem.rows + row + j)
        first += load(memory, problem.node_gradient + row + j) * b
        second += load(memory, problem.node_curvature + row + j) * b * b
    return first, second


@kernel(types.UniTuple(SINGLE, 2)(PROBLEM, INT, INT, INT), VECTOR)
def _project_product(problem: Any, i: int, k: int, row: int) -> Any:
    """sum(g x_i x_k) and sum(h (x_i x_k)^2) over a block of rows."""
    memory = problem.memory
    first, second = ZERO, ZERO
    for j in range(BLOCK):
        b = load(memory, i * problem.rows + row + j) * load(memory, k * problem.rows + row + j)
        first += load(memory, problem.node_gradient + row + j) * b
        second += load(memory, problem.node_curvature + row + j) * b * b
    return first, second


@kernel(PAIR(PROBLEM, INT, INT, INT))
def _project(problem: Any, i: int, k: int, rows: int) -> Any:
    """Gain and coefficient of the term x_i (k < 0) or x_i x_k."""
    first, second = 0.0, 0.0
    for row in range(0, rows, BLOCK):
        if k < 0:
            a, b = _project_variable(problem, i, row)
        else:
            a, b = _project_product(problem, i, k, row)
        first += a
        second += b
    if not second > 1e-12:
        return 0.0, 0.0
    return first * first / second, -first / second


@kernel(VOID(PROBLEM, INT, VALUES, types.int64[:, ::1], VALUES))
def _best_terms(problem: Any, rows: int, gain: Any, term: Any, coefficient: Any) -> None:
    """Fill the arrays with the terms of the largest gain, the best first."""
    for q in range(len(gain)):
        gain[q] = 0.0
    for i in range(problem.features):
        for k in range(-1, i + 1):
            new_gain, new_coefficient = _project(problem, i, k, rows)
            if not new_gain > gain[-1]:
                continue
            q = len(gain) - 1
            while q > 0 and gain[q - 1] < new_gain:
                gain[q], coefficient[q] = gain[q - 1], coefficient[q - 1]
                term[q, 0], term[q, 1] = term[q - 1, 0], term[q - 1, 1]
                q -= 1
            gain[q], coefficient[q] = new_gain, new_coefficient
            term[q, 0], term[q, 1] = i, k


@kernel(VOID(PROBLEM, INT))
def _times_node(problem: Any, rows: int) -> None:
    """Turn derivatives with respect to v + c b into those with respect to v + c b v."""
    memory, value = problem.memory, problem.node_value
    for row in range(0, rows, BLOCK):
        g, h, v = problem.node_gradient + row, problem.node_curvature + row, value + row
        multiply_blocks(memory, g, v, g, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))


@kernel(INT(TOKENS, INT, INT, INT, FLAG))
def _write_term(tokens: Any, n: int, i: int, k: int, square: bool) -> int:
    """Append x_i or x_i x_k to a program; return its length."""
    tokens[n] = FIRST_VARIABLE + i
    n += 1
    if k < 0:
        return n
    if k == i and square:
        tokens[n] = SQUARE
        return n + 1
    tokens[n], tokens[n + 1] = FIRST_VARIABLE + k, MULTIPLY
    return n + 2


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT, INDICES, PROBLEM, INT, FLOAT, TOKENS, VALUES))
def insert_guided(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, size: Any,
    problem: Any, rows: int, scale: float, out: Any, values: Any,
) -> int:  # fmt: skip
    """Write a copy of a program with a promising term in it; return its length, 0 if none.

    At the root or at a random node v: v + c b, v (1 + c b), or v + b and v - b without a
    constant.

    Parameters
    ----------
    rows : rows to judge the terms by, whole blocks
    scale : the program's output scale
    """
    if not (grammar.allowed[ADD] and grammar.allowed[MULTIPLY]):
        return 0
    node = n - 1 if uniform(state) < 0.5 else below(state, n)
    if not node_derivatives(tokens, constants, n, problem, rows, scale, node):
        return 0
    form = uniform(state)
    multiply = form < 0.25
    plain = form > 0.75
    if multiply:
        _times_node(problem, rows)
    gain, coefficient = np.empty(_TOP), np.empty(_TOP)
    term = np.empty((_TOP, 2), np.int64)
    _best_terms(problem, rows, gain, term, coefficient)
    q = draw(state, gain)
    if q < 0:
        return 0
    c = coefficient[q]
    m = copy_span(tokens, constants, 0, node + 1, out, values, 0)
    m = _write_term(out, m, term[q, 0], term[q, 1], grammar.allowed[SQUARE])
    if plain:
        out[m] = ADD if c > 0.0 or not grammar.allowed[SUBTRACT] else SUBTRACT
        m += 1
        return copy_span(tokens, constants, node + 1, n, out, values, m)
    out[m], values[m], out[m + 1] = CONSTANT, c, MULTIPLY
    m += 2
    if multiply:
        out[m], values[m], out[m + 1], out[m + 2] = CONSTANT, 1.0, ADD, MULTIPLY
        m += 3
    else:
        out[m] = ADD
        m += 1
    return copy_span(tokens, constants, node + 1, n, out, values, m)
