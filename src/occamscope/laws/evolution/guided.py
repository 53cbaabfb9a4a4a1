"""Guided insertion: put into a program the term that promises the largest gain.

For a node with value v, gradient g and curvature h of the loss (row by row), adding c b to v
changes the loss by about c sum(g b) + c^2/2 sum(h b^2): at best by sum(g b)^2 / 2 sum(h b^2),
at c = -sum(g b) / sum(h b^2). The candidates b are all x_i and, of a part of the
variables, x_i^2 and x_i x_j. One pass over the rows ranks them all; this is what copes with many features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    ADDRESS,
    FLAG,
    FLOAT,
    INDICES,
    INT,
    SINGLE,
    STREAM,
    TOKENS,
    VALUES,
    VECTOR,
    VOID,
    inlined,
    kernel,
)
from occamscope.laws.evolution.evaluation import node_derivatives
from occamscope.laws.evolution.fastmath import ZERO, load, store
from occamscope.laws.evolution.grammar import GRAMMAR
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


@kernel(VOID(PROBLEM, INT, INT), VECTOR)
def _weigh_variable(problem: Any, i: int, row: int) -> None:
    """Write g x_i and h x_i^2 of a block of rows to the first two scratch blocks."""
    memory = problem.address
    a, b = problem.scratch, problem.scratch + BLOCK
    for j in range(BLOCK):
        x = load(memory, i * problem.rows + row + j)
        store(memory, a + j, load(memory, problem.node_gradient + row + j) * x)
        store(memory, b + j, load(memory, problem.node_curvature + row + j) * x * x)


@kernel(types.UniTuple(SINGLE, 8)(ADDRESS, INT, INT, INT, INT, INT, INT), VECTOR)
def _project_four(memory: int, a: int, b: int, x0: int, x1: int, x2: int, x3: int) -> Any:
    """sum(a x) and sum(b x^2) over a block, for four columns x at once.

    Four share the loads of a and b; their sums stay in registers.
    """
    a0, a1, a2, a3 = ZERO, ZERO, ZERO, ZERO
    b0, b1, b2, b3 = ZERO, ZERO, ZERO, ZERO
    for j in range(BLOCK):
        g, h = load(memory, a + j), load(memory, b + j)
        p, q = load(memory, x0 + j), load(memory, x1 + j)
        r, s = load(memory, x2 + j), load(memory, x3 + j)
        a0 += g * p
        a1 += g * q
        a2 += g * r
        a3 += g * s
        b0 += h * (p * p)
        b1 += h * (q * q)
        b2 += h * (r * r)
        b3 += h * (s * s)
    return a0, a1, a2, a3, b0, b1, b2, b3


@kernel(VOID(PROBLEM, INT, INT, INT, INDICES, INT, VALUES, VALUES))
def _project(
    problem: Any, a: int, b: int, row: int, pool: Any, size: int, first: Any, second: Any
) -> None:
    """first += sum(a x_k), second += sum(b x_k^2) over a block, k the first of the pool."""
    n, last = problem.rows, size - 1
    for q in range(0, size, 4):
        # The last group may be short: its last column then counts again, unused.
        a0, a1, a2, a3, b0, b1, b2, b3 = _project_four(
            problem.address, a, b, pool[q] * n + row, pool[min(q + 1, last)] * n + row,
            pool[min(q + 2, last)] * n + row, pool[min(q + 3, last)] * n + row,
        )  # fmt: skip
        first[q] += a0
        second[q] += b0
        if q + 1 < size:
            first[q + 1] += a1
            second[q + 1] += b1
        if q + 2 < size:
            first[q + 2] += a2
            second[q + 2] += b2
        if q + 3 < size:
            first[q + 3] += a3
            second[q + 3] += b3


@kernel(VOID(PROBLEM, INT, VALUES, VALUES), allocates=True)
def _project_variables(problem: Any, rows: int, first: Any, second: Any) -> None:
    """sum(g x_i) and sum(h x_i^2) over the first rows, for all i."""
    every = np.arange(problem.features)
    first[:], second[:] = 0.0, 0.0
    for row in range(0, rows, BLOCK):
        _project(
            problem, problem.node_gradient + row, problem.node_curvature + row, row, every,
            problem.features, first, second,
        )  # fmt: skip


@kernel(VOID(PROBLEM, INT, INDICES, INT, VALUES, VALUES))
def _project_products(problem: Any, rows: int, pool: Any, p: int, first: Any, second: Any) -> None:
    """sum(g x_i x_k) and sum(h (x_i x_k)^2) for i = pool[p] and all k of pool[:p + 1]."""
    for q in range(p + 1):
        first[q], second[q] = 0.0, 0.0
    for row in range(0, rows, BLOCK):
        _weigh_variable(problem, pool[p], row)
        _project(problem, problem.scratch, problem.scratch + BLOCK, row, pool, p + 1, first, second)


@inlined
def _gain_of(first: float, second: float) -> float:
    return first * first / second if second > 1e-12 else 0.0


@kernel(VOID(VALUES, types.int64[:, ::1], VALUES, INT, INT, FLOAT, FLOAT))
def _rank_term(
    gain: Any, term: Any, coefficient: Any, i: int, k: int, first: float, second: float
) -> None:
    """Put the term x_i (k < 0) or x_i x_k into its place among the best ones."""
    new = _gain_of(first, second)
    if not new > gain[-1]:
        return
    q = len(gain) - 1
    while q > 0 and gain[q - 1] < new:
        gain[q], coefficient[q] = gain[q - 1], coefficient[q - 1]
        term[q, 0], term[q, 1] = term[q - 1, 0], term[q - 1, 1]
        q -= 1
    gain[q], coefficient[q] = new, -first / second
    term[q, 0], term[q, 1] = i, k


@kernel(INT(STREAM, VALUES, VALUES, INDICES), allocates=True)
def _choose_pool(state: Any, first: Any, second: Any, pool: Any) -> int:
    """Choose the variables whose products are tried; return their number.

    All of them, if they are few. Else half of the pool are those that promise most by
    themselves, the others are random: a product may help where its factors do not.
    """
    features, n = len(first), len(pool)
    if features <= n:
        for i in range(features):
            pool[i] = i
        return features
    taken = np.zeros(features, np.bool_)
    for p in range(n):
        best = -1
        if p < n // 2:
            for i in range(features):
                if not taken[i] and (
                    best < 0 or _gain_of(first[i], second[i]) > _gain_of(first[best], second[best])
                ):
                    best = i
        else:
            best = below(state, features)
            while taken[best]:
                best = best + 1 if best + 1 < features else 0
        taken[best] = True
        pool[p] = best
    return n


@kernel(VOID(STREAM, PROBLEM, INT, INT, VALUES, types.int64[:, ::1], VALUES), allocates=True)
def _best_terms(
    state: Any, problem: Any, rows: int, products: int, gain: Any, term: Any, coefficient: Any
) -> None:
    """Fill the arrays with the terms of the largest gain, the best first."""
    for q in range(len(gain)):
        gain[q] = 0.0
    first, second = np.empty(problem.features), np.empty(problem.features)
    _project_variables(problem, rows, first, second)
    for i in range(problem.features):
        _rank_term(gain, term, coefficient, i, -1, first[i], second[i])
    pool = np.empty(products, np.int64)
    size = _choose_pool(state, first, second, pool)
    for p in range(size):
        _project_products(problem, rows, pool, p, first, second)
        for q in range(p + 1):
            _rank_term(gain, term, coefficient, pool[p], pool[q], first[q], second[q])


@kernel(VOID(PROBLEM, INT))
def _times_node(problem: Any, rows: int) -> None:
    """Turn derivatives with respect to v + c b into those with respect to v + c b v."""
    memory, value = problem.address, problem.node_value
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


@kernel(
    INT(
        STREAM,
        GRAMMAR,
        TOKENS,
        VALUES,
        INT,
        INDICES,
        PROBLEM,
        INT,
        INT,
        FLOAT,
        FLOAT,
        TOKENS,
        VALUES,
    ),
    allocates=True,
)
def insert_guided(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, size: Any,
    problem: Any, rows: int, products: int, scale: float, offset: float, out: Any,
    values: Any,
) -> int:  # fmt: skip
    """Write a copy of a program with a promising term in it; return its length, 0 if none.

    At the root or at a random node v: v + c b, v (1 + c b), or v + b and v - b without a
    constant.

    Parameters
    ----------
    rows : rows to judge the terms by, whole blocks
    products : of so many variables are products tried
    scale, offset : the program's output scale and offset
    """
    if not (grammar.allowed[ADD] and grammar.allowed[MULTIPLY]):
        return 0
    node = n - 1 if uniform(state) < 0.5 else below(state, n)
    if not node_derivatives(tokens, constants, n, problem, rows, scale, offset, node):
        return 0
    form = uniform(state)
    multiply = form < 0.25
    plain = form > 0.75
    if multiply:
        _times_node(problem, rows)
    gain, coefficient = np.empty(_TOP), np.empty(_TOP)
    term = np.empty((_TOP, 2), np.int64)
    _best_terms(state, problem, rows, products, gain, term, coefficient)
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
