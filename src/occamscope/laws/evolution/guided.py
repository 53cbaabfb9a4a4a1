"""Guided change: put into a program the term that promises the largest gain (`terms`).

One pass over the rows ranks all terms for a node; this is what copes with many features. A
term is added to the node's value, or to 1 as a factor of it, or takes the node's place: then
it is fitted to the value v - g / h that a Newton step asks for in every row, which finds a
part of a formula deep below functions whose inverse nobody needs to know.
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
from occamscope.laws.evolution.rng import below, uniform
from occamscope.laws.evolution.terms import TERMS, find_terms
from occamscope.laws.evolution.tokens import (
    ADD,
    CONSTANT,
    DIVIDE,
    EXP,
    FIRST_VARIABLE,
    LOG,
    MULTIPLY,
    SQRT,
    SQUARE,
    SUBTRACT,
    copy_span,
)

# What becomes of the node's value v: v + c b, v (1 + c b), v + b or v - b, c b, F(a + c b). For
# F, SHIFTED + 2 k stands for the function k (the first for the identity), SHIFTED + 2 k + 1 for
# its reciprocal; from TIMES on v is multiplied by that.
ADDED, MULTIPLIED, PLAIN, REPLACED, SHIFTED = range(5)
FUNCTIONS = (CONSTANT, SQRT, EXP, LOG, SQUARE)
TIMES = SHIFTED + 2 * len(FUNCTIONS)
# Of the changes so many are of each of these forms.
_FORMS = (ADDED, MULTIPLIED, PLAIN, SHIFTED, REPLACED)
_SHARES = (0.4, 0.2, 0.2, 0.1, 0.1)
# So many of the rows may ask for values that a function does not have.
_WITHOUT = 0.1
# The largest logarithm that is inverted.
_LARGEST_LOG = 30.0
# A term that takes a node's place has no coefficient if it would be that near to 1.
_NEAR_ONE = 0.1
# Nodes that a change may add: three squares and all that may stand around them.
LARGEST_INSERTION = 20


@kernel(VOID(PROBLEM, INT))
def _times_node(problem: Any, rows: int) -> None:
    """Turn derivatives with respect to v + c b into those with respect to v + c b v."""
    memory, value = problem.address, problem.node_value
    for row in range(0, rows, BLOCK):
        g, h, v = problem.node_gradient + row, problem.node_curvature + row, value + row
        multiply_blocks(memory, g, v, g, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))


@inlined
def _invert(function: int, inverse: bool, wanted: float) -> Any:
    """Solve F(z) = wanted, or 1 / F(z) = wanted; return z and the derivative there, 0 if none."""
    d, slope = wanted, 1.0
    if inverse:
        d, slope = 1.0 / wanted, wanted * wanted
    if function == CONSTANT:
        return d, slope
    if function == LOG:
        z = np.exp(d)
        return (z, slope / z) if abs(d) < _LARGEST_LOG else (0.0, 0.0)
    if not d > 0.0:
        return 0.0, 0.0
    if function == SQRT:
        return d * d, slope * 0.5 / d
    if function == EXP:
        return np.log(d), slope * d
    z = np.sqrt(d)
    return z, slope * 2.0 * z


@kernel(FLAG(PROBLEM, INT, INT))
def _want_of_function(problem: Any, rows: int, form: int) -> bool:
    """Turn derivatives in the node's value v into those in z, where v becomes F(z) or v F(z).

    z is put where the new value is the v - g / h that a Newton step asks for: there the gradient
    is 0, the curvature h F'(z)^2 or h (v F'(z))^2. False if too many rows ask for what F cannot
    give.
    """
    memory, times = problem.address, form >= TIMES
    k = form - (TIMES if times else SHIFTED)
    function, lost = FUNCTIONS[k // 2], 0
    for j in range(rows):
        g = np.float64(load(memory, problem.node_gradient + j))
        h = np.float64(load(memory, problem.node_curvature + j))
        z, slope = 0.0, 0.0
        if h > 0.0:
            v = np.float64(load(memory, problem.node_value + j))
            if times:
                z, slope = _invert(function, k % 2 == 1, 1.0 - g / (h * v))
                slope *= v
            else:
                z, slope = _invert(function, k % 2 == 1, v - g / h)
        weight = h * slope * slope
        if not 0.0 < weight < np.inf or not abs(z) < np.inf:
            z, weight = 0.0, 0.0
            lost += h > 0.0
        store(memory, problem.node_gradient + j, ZERO)
        store(memory, problem.node_curvature + j, np.float32(weight))
        store(memory, problem.node_value + j, np.float32(z))
    return lost <= _WITHOUT * rows


@kernel(types.UniTuple(SINGLE, 2)(PROBLEM, INT), VECTOR)
def _wanted_moments(problem: Any, row: int) -> Any:
    """Sums of h and of h v - g over a block: v - g / h is the value wanted."""
    memory = problem.address
    total, wanted = ZERO, ZERO
    for j in range(BLOCK):
        h = load(memory, problem.node_curvature + row + j)
        total += h
        wanted += h * load(memory, problem.node_value + row + j)
        wanted -= load(memory, problem.node_gradient + row + j)
    return total, wanted


@kernel(VOID(PROBLEM, INT, SINGLE), VECTOR)
def _shift_gradient(problem: Any, row: int, value: np.float32) -> None:
    """Turn g at v into g at a constant in its place, for a block of rows: g - h (v - value)."""
    memory = problem.address
    for j in range(BLOCK):
        g, v = (
            load(memory, problem.node_gradient + row + j),
            load(memory, problem.node_value + row + j),
        )
        h = load(memory, problem.node_curvature + row + j)
        store(memory, problem.node_gradient + row + j, g - h * (v - value))


@kernel(types.UniTuple(types.float64, 2)(PROBLEM, INT, FLAG))
def _instead_of_node(problem: Any, rows: int, shifted: bool) -> Any:
    """Turn derivatives with respect to v + c b into those with respect to a + c b.

    Returns sum(h) and the a that is best without b; infinity and 0 if there is to be none.
    """
    total, wanted = 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = _wanted_moments(problem, row)
        total += part[0]
        wanted += part[1]
    constant = wanted / total if shifted and total > 0.0 else 0.0
    for row in range(0, rows, BLOCK):
        _shift_gradient(problem, row, np.float32(constant))
    return (total, constant) if shifted else (np.inf, 0.0)


@inlined
def _write_power(tokens: Any, n: int, c: int, grammar: Any) -> int:
    """Append the variable of a column, squared if the column is; return the new length."""
    variable = FIRST_VARIABLE + c % grammar.features
    tokens[n] = variable
    if c < 2 * grammar.features:
        return n + 1
    if grammar.allowed[SQUARE]:
        tokens[n + 1] = SQUARE
        return n + 2
    tokens[n + 1], tokens[n + 2] = variable, MULTIPLY
    return n + 3


@kernel(INT(TOKENS, VALUES, INT, INDICES, INT, GRAMMAR, FLOAT, FLAG))
def _write_term(
    tokens: Any, constants: Any, n: int, factors: Any, first: int, grammar: Any,
    coefficient: float, weighted: bool,
) -> int:  # fmt: skip
    """Append the product of the columns factors[first:first + 3]; return the new length.

    Times the coefficient, if `weighted`.
    """
    features, above = grammar.features, 0
    for s in range(first, first + 3):
        c = factors[s]
        if c >= 0 and (c // features) % 2 == 0:
            n = _write_power(tokens, n, c, grammar)
            above += 1
            if above > 1:
                tokens[n] = MULTIPLY
                n += 1
    if above == 0 or weighted:
        tokens[n], constants[n] = CONSTANT, coefficient if weighted else 1.0
        n += 1
        if above > 0:
            tokens[n] = MULTIPLY
            n += 1
    for s in range(first, first + 3):
        c = factors[s]
        if c >= 0 and (c // features) % 2 == 1:
            n = _write_power(tokens, n, c, grammar)
            tokens[n] = DIVIDE
            n += 1
    return n


@kernel(INT(STREAM, GRAMMAR))
def _draw_form(state: Any, grammar: Any) -> int:
    u = uniform(state)
    k = 0
    while k < len(_FORMS) - 1 and u >= _SHARES[k]:
        u -= _SHARES[k]
        k += 1
    form = _FORMS[k]
    if form < SHIFTED or not grammar.allowed[DIVIDE]:
        return form
    k = below(state, len(FUNCTIONS))
    if k > 0 and not grammar.allowed[FUNCTIONS[k]]:
        k = 0
    return (SHIFTED if uniform(state) < 0.5 else TIMES) + 2 * k + below(state, 2)


@kernel(
    FLAG(STREAM, TOKENS, VALUES, INT, PROBLEM, INT, INT, FLOAT, FLOAT, INT, INT, TERMS)
)  # fmt: skip
def find_insertion(
    state: Any, tokens: Any, constants: Any, n: int, problem: Any, rows: int, products: int,
    scale: float, offset: float, node: int, form: int, terms: Any,
) -> bool:  # fmt: skip
    """Find the best terms for a node and a form; False if there can be none.

    Parameters
    ----------
    rows : rows to judge the terms by, whole blocks
    products : of so many columns are products tried
    scale, offset : the program's output scale and offset
    """
    if not node_derivatives(tokens, constants, n, problem, rows, scale, offset, node):
        return False
    weight, constant = np.inf, 0.0
    if form == MULTIPLIED:
        _times_node(problem, rows)
    elif form >= REPLACED:
        if form > SHIFTED and not _want_of_function(problem, rows, form):
            return False
        weight, constant = _instead_of_node(problem, rows, form >= SHIFTED)
    find_terms(state, problem, rows, products, weight, terms)
    for q in range(len(terms.shift)):
        terms.shift[q] += constant
    return True


@kernel(types.UniTuple(INT, 2)(STREAM, GRAMMAR, INT))
def choose_insertion(state: Any, grammar: Any, n: int) -> Any:
    """Draw a node of a program of n nodes and a form; -1 if the grammar has no sums of products."""
    if not (grammar.allowed[ADD] and grammar.allowed[MULTIPLY]):
        return -1, 0
    form = _draw_form(state, grammar)
    node = below(state, n)
    if REPLACED <= form < TIMES:
        if node == n - 1:  # a term in the place of the whole law
            form = ADDED
    elif uniform(state) < 0.5:
        node = n - 1
    return node, form


@kernel(INT(TOKENS, VALUES, INT, INDICES, INT, INT, TERMS, INT, GRAMMAR, TOKENS, VALUES))
def write_insertion(
    tokens: Any, constants: Any, n: int, size: Any, node: int, form: int, terms: Any, q: int,
    grammar: Any, out: Any, values: Any,
) -> int:  # fmt: skip
    """Write a copy of a program with the term q at a node; return its length.

    Parameters
    ----------
    size : (n,) sizes of the subtrees
    """
    c = terms.coefficient[q]
    replaced, times = REPLACED <= form < TIMES, form >= TIMES
    kept = node + 1 - size[node] if replaced else node + 1
    m = copy_span(tokens, constants, 0, kept, out, values, 0)
    inverse = form > SHIFTED and (form - SHIFTED) % 2 == 1
    if inverse and not times:
        out[m], values[m] = CONSTANT, 1.0
        m += 1
    weighted = form != PLAIN and (form != REPLACED or not abs(c - 1.0) < _NEAR_ONE)
    m = _write_term(out, values, m, terms.factors, 3 * q, grammar, c, weighted)
    if form == PLAIN:
        out[m] = ADD if c > 0.0 or not grammar.allowed[SUBTRACT] else SUBTRACT
        m += 1
    elif form == ADDED:
        out[m] = ADD
        m += 1
    elif form == MULTIPLIED:
        out[m], values[m], out[m + 1], out[m + 2] = CONSTANT, 1.0, ADD, MULTIPLY
        m += 3
    elif form >= SHIFTED:
        out[m], values[m], out[m + 1] = CONSTANT, terms.shift[q], ADD
        m += 2
        function = FUNCTIONS[(form - SHIFTED) // 2 % len(FUNCTIONS)]
        if function != CONSTANT:
            out[m] = function
            m += 1
        if inverse or times:
            out[m] = DIVIDE if inverse else MULTIPLY
            m += 1
    return copy_span(tokens, constants, node + 1, n, out, values, m)
