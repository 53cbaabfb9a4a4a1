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
    FIRST_VARIABLE,
    MULTIPLY,
    SQUARE,
    SUBTRACT,
    copy_span,
)

# What becomes of the node's value v: v + c b, v (1 + c b), v + b or v - b, a + c b, c b.
ADDED, MULTIPLIED, PLAIN, SHIFTED, REPLACED = range(5)
# Of the changes so many are of each of these forms.
_SHARES = (0.4, 0.2, 0.2, 0.1, 0.1)
# A term that takes a node's place has no coefficient if it would be that near to 1.
_NEAR_ONE = 0.1
# Nodes that a change may add: three squares, and c b + 1 as a factor.
LARGEST_INSERTION = 18


@kernel(VOID(PROBLEM, INT))
def _times_node(problem: Any, rows: int) -> None:
    """Turn derivatives with respect to v + c b into those with respect to v + c b v."""
    memory, value = problem.address, problem.node_value
    for row in range(0, rows, BLOCK):
        g, h, v = problem.node_gradient + row, problem.node_curvature + row, value + row
        multiply_blocks(memory, g, v, g, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))
        multiply_blocks(memory, h, v, h, np.float32(1.0))


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


@kernel(INT(STREAM))
def _draw_form(state: Any) -> int:
    u = uniform(state)
    for form in range(len(_SHARES) - 1):
        u -= _SHARES[form]
        if u < 0.0:
            return form
    return REPLACED


@kernel(
    types.UniTuple(INT, 2)(
        STREAM, GRAMMAR, TOKENS, VALUES, INT, PROBLEM, INT, INT, FLOAT, FLOAT, TERMS
    )
)
def plan_insertion(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, problem: Any, rows: int,
    products: int, scale: float, offset: float, terms: Any,
) -> Any:  # fmt: skip
    """Choose a node and a form, find the best terms; return node and form, -1 if there is none.

    Parameters
    ----------
    rows : rows to judge the terms by, whole blocks
    products : of so many columns are products tried
    scale, offset : the program's output scale and offset
    """
    if not (grammar.allowed[ADD] and grammar.allowed[MULTIPLY]):
        return -1, 0
    form = _draw_form(state)
    node = below(state, n)
    if form >= SHIFTED and node == n - 1:  # a term in the place of the whole law
        form = ADDED
    elif form < SHIFTED and uniform(state) < 0.5:
        node = n - 1
    if not node_derivatives(tokens, constants, n, problem, rows, scale, offset, node):
        return -1, 0
    weight, constant = np.inf, 0.0
    if form == MULTIPLIED:
        _times_node(problem, rows)
    elif form >= SHIFTED:
        weight, constant = _instead_of_node(problem, rows, form == SHIFTED)
    find_terms(state, problem, rows, products, weight, terms)
    for q in range(len(terms.shift)):
        terms.shift[q] += constant
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
    kept = node + 1 if form < SHIFTED else node + 1 - size[node]
    m = copy_span(tokens, constants, 0, kept, out, values, 0)
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
    elif form == SHIFTED:
        out[m], values[m], out[m + 1] = CONSTANT, terms.shift[q], ADD
        m += 2
    return copy_span(tokens, constants, node + 1, n, out, values, m)
