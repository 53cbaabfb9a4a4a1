"""Which term promises the largest gain: sums over the rows for many terms at once.

For a node with value v, gradient g and curvature h of the loss (row by row), adding c b to v
changes the loss by about c sum(g b) + c^2/2 sum(h b^2): at best by sum(g b)^2 / 2 sum(h b^2),
at c = -sum(g b) / sum(h b^2). The terms b are the variables, their squares and products of
two; where division is allowed, products of powers from -2 to 2 of up to three variables.
"""

from __future__ import annotations

from typing import Any, NamedTuple

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
    VALUES,
    VECTOR,
    VOID,
    inlined,
    kernel,
)
from occamscope.laws.evolution.evaluation import dot_four
from occamscope.laws.evolution.fastmath import ZERO, load, store
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below

# So many of the best terms are kept.
TOP = 4
# Of so few columns (powers of variables) products of three are tried, too.
_FEW = 16


class Terms(NamedTuple):
    """The most promising terms, the best first."""

    gain: Any  # (TOP,) 0 where there is none
    coefficient: Any  # (TOP,)
    shift: Any  # (TOP,) the constant beside the term
    factors: Any  # (3 TOP,) columns, -1 for none: x, 1/x, x^2, 1/x^2 of all variables


TERMS = types.NamedTuple([VALUES, VALUES, VALUES, INDICES], Terms)


def new_terms() -> Terms:
    """Return room for the best terms."""
    return Terms(np.zeros(TOP), np.zeros(TOP), np.zeros(TOP), np.zeros(3 * TOP, np.int64))


@inlined
def _column(problem: Any, c: int) -> int:
    """Where the column c lies: a variable or, after these, another power."""
    if c < problem.features:
        return c * problem.rows
    return problem.powers + (c - problem.features) * problem.rows


@kernel(VOID(ADDRESS, INT, INT, INT, INT, INT), VECTOR)
def _weigh(memory: int, g: int, h: int, k: int, x: int, out: int) -> None:
    """Write g x, h x^2 and k x of a block of rows to three blocks from `out` on."""
    for j in range(BLOCK):
        value = load(memory, x + j)
        store(memory, out + j, load(memory, g + j) * value)
        store(memory, out + BLOCK + j, load(memory, h + j) * value * value)
        store(memory, out + 2 * BLOCK + j, load(memory, k + j) * value)


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


@kernel(VOID(PROBLEM, INT, INT, INT, INT, INDICES, INT, FLAG, VALUES))
def _project(
    problem: Any, a: int, b: int, c: int, row: int, pool: Any, size: int, centred: bool, sums: Any
) -> None:
    """Add sum(a x), sum(b x^2) and, if `centred`, sum(c x) over a block to sums[3 q + ...].

    x is the column pool[q], q < size.
    """
    last = size - 1
    for q in range(0, size, 4):
        # The last group may be short: its last column then counts again, unused.
        x0 = _column(problem, pool[q]) + row
        x1 = _column(problem, pool[min(q + 1, last)]) + row
        x2 = _column(problem, pool[min(q + 2, last)]) + row
        x3 = _column(problem, pool[min(q + 3, last)]) + row
        a0, a1, a2, a3, b0, b1, b2, b3 = _project_four(problem.address, a, b, x0, x1, x2, x3)
        c0, c1, c2, c3 = ZERO, ZERO, ZERO, ZERO
        if centred:
            c0, c1, c2, c3 = dot_four(problem.address, c, x0, x1, x2, x3)
        k = 3 * q
        sums[k] += a0
        sums[k + 1] += b0
        sums[k + 2] += c0
        if q + 1 < size:
            sums[k + 3] += a1
            sums[k + 4] += b1
            sums[k + 5] += c1
        if q + 2 < size:
            sums[k + 6] += a2
            sums[k + 7] += b2
            sums[k + 8] += c2
        if q + 3 < size:
            sums[k + 9] += a3
            sums[k + 10] += b3
            sums[k + 11] += c3


@kernel(VOID(PROBLEM, INT, INT, INT, INDICES, INT, FLAG, VALUES))
def _sum_products(
    problem: Any, rows: int, i: int, k: int, pool: Any, size: int, centred: bool, sums: Any
) -> None:
    """Fill `sums` for the products of columns i and k (-1: none) with the first of the pool."""
    for q in range(3 * size):
        sums[q] = 0.0
    first = problem.scratch
    second = first + 3 * BLOCK
    for row in range(0, rows, BLOCK):
        a, b = problem.node_gradient + row, problem.node_curvature + row
        c = b
        if i >= 0:
            _weigh(problem.address, a, b, c, _column(problem, i) + row, first)
            a, b, c = first, first + BLOCK, first + 2 * BLOCK
        if k >= 0:
            _weigh(problem.address, a, b, c, _column(problem, k) + row, second)
            a, b, c = second, second + BLOCK, second + 2 * BLOCK
        _project(problem, a, b, c, row, pool, size, centred, sums)


@inlined
def _gain_of(first: float, second: float) -> float:
    return first * first / second if second > 1e-12 else 0.0


@inlined
def _same_variable(features: int, a: int, b: int) -> bool:
    return a >= 0 and b >= 0 and a % features == b % features


@kernel(VOID(TERMS, INT, INT, INT, INT, INT, VALUES, INT, FLOAT))
def _rank(
    terms: Any, features: int, columns: int, i: int, k: int, last: int, sums: Any, q: int,
    weight: float,
) -> None:  # fmt: skip
    """Put the product of the columns i, k (-1: none) and last into its place among the best.

    Products of powers of one variable are left out, but for squares where there is no column
    of them.

    Parameters
    ----------
    weight : sum(h) if a constant beside the term is free, else infinity
    """
    square = i == last and columns == features
    if not square and (
        _same_variable(features, i, k)
        or _same_variable(features, i, last)
        or _same_variable(features, k, last)
    ):
        return
    first, second, third = sums[3 * q], sums[3 * q + 1], sums[3 * q + 2]
    spread = second - third * third / weight
    if not spread > 1e-5 * second:
        return
    new = _gain_of(first, spread)
    gain = terms.gain
    if not new > gain[TOP - 1]:
        return
    r = TOP - 1
    while r > 0 and gain[r - 1] < new:
        gain[r], terms.coefficient[r] = gain[r - 1], terms.coefficient[r - 1]
        terms.shift[r] = terms.shift[r - 1]
        for s in range(3):
            terms.factors[3 * r + s] = terms.factors[3 * r - 3 + s]
        r -= 1
    gain[r], terms.coefficient[r] = new, -first / spread
    terms.shift[r] = first / spread * third / weight
    terms.factors[3 * r] = last + 2 * features if square else last
    terms.factors[3 * r + 1], terms.factors[3 * r + 2] = -1 if square else i, k


@kernel(INT(STREAM, INT, VALUES, INDICES), allocates=True)
def _choose_pool(state: Any, columns: int, sums: Any, pool: Any) -> int:
    """Choose the columns whose products are tried; return their number.

    All of them, if they are few. Else half of the pool are those that promise most by
    themselves, the others are random: a product may help where its factors do not.
    """
    n = len(pool)
    if columns <= n:
        for i in range(columns):
            pool[i] = i
        return columns
    taken = np.zeros(columns, np.bool_)
    for p in range(n):
        best, most = -1, -1.0
        if p < n // 2:
            for i in range(columns):
                gain = _gain_of(sums[3 * i], sums[3 * i + 1])
                if not taken[i] and gain > most:
                    best, most = i, gain
        if best < 0:
            best = below(state, columns)
            while taken[best]:
                best = best + 1 if best + 1 < columns else 0
        taken[best] = True
        pool[p] = best
    return n


@kernel(VOID(STREAM, PROBLEM, INT, INT, FLOAT, TERMS), allocates=True)
def find_terms(
    state: Any, problem: Any, rows: int, products: int, weight: float, terms: Any
) -> None:
    """Find the terms of the largest gain by the problem's node derivatives.

    Parameters
    ----------
    rows : rows to look at, whole blocks
    products : of so many columns are products tried
    weight : sum of the curvatures over these rows if a constant beside the term is free, whose
        value is the terms' `shift`; else infinity
    """
    for r in range(TOP):
        terms.gain[r] = 0.0
    columns, centred = problem.columns, weight < np.inf
    every, sums = np.arange(columns), np.empty(3 * columns)
    _sum_products(problem, rows, -1, -1, every, columns, centred, sums)
    for q in range(columns):
        _rank(terms, problem.features, columns, -1, -1, q, sums, q, weight)
    pool = np.empty(products, np.int64)
    size = _choose_pool(state, columns, sums, pool)
    for p in range(size):
        _sum_products(problem, rows, pool[p], -1, pool, p + 1, centred, sums)
        for q in range(p + 1):
            _rank(terms, problem.features, columns, pool[p], -1, pool[q], sums, q, weight)
    if not problem.features < columns <= _FEW:
        return
    for p in range(size):
        for r in range(p + 1):
            _sum_products(problem, rows, pool[p], pool[r], pool, r + 1, centred, sums)
            for q in range(r + 1):
                _rank(terms, problem.features, columns, pool[p], pool[r], pool[q], sums, q, weight)
