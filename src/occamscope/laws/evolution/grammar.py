"""What programs may consist of: operators, costs and the limits of a `SearchSpec`.

The plain version on trees, which the tests compare with this one, is
`occamscope.laws.constraints`.
"""
# ruff: noqa: SIM109, SIM110 - plain comparisons and loops compile fastest

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLAGS,
    INDICES,
    INT,
    TOKENS,
    VALUES,
    inlined,
    kernel,
)
from occamscope.laws.evolution.tokens import (
    ADD,
    CODES,
    FIRST_BINARY,
    FIRST_VARIABLE,
    MULTIPLY,
    allowed_operators,
    arity,
    is_operator,
    measure_sizes,
)
from occamscope.laws.spec import SearchSpec


class Grammar(NamedTuple):
    """What programs may consist of, and how often each kind of change is tried."""

    operators: Any  # (k,) int16 codes of the allowed operators
    allowed: Any  # (FIRST_VARIABLE,) bool, the same as a mask
    weights: Any  # (11,) float64 frequencies of the kinds of change
    features: int
    max_nodes: int  # no program has more; every node costs at least 1
    free_scale: int
    polynomial: int  # not 0 if there are only sums, products and powers
    plain: int  # not 0 if complexity is the number of nodes and only it is limited
    max_complexity: int
    max_depth: int
    cost: Any  # (FIRST_VARIABLE + features,) int64 complexity of each token
    operand_limit: Any  # (2 FIRST_VARIABLE,) int64 by operator: left, right; -1: no limit
    nesting: Any  # (3 k,) int64 outer operator, inner one, most occurrences on one path
    required: Any  # (r,) int64 columns that every program must use


GRAMMAR = types.NamedTuple(
    [TOKENS, FLAGS, VALUES, *[INT] * 7, INDICES, INDICES, INDICES, INDICES], Grammar
)


def new_grammar(
    spec: SearchSpec, names: Sequence[str], weights: Sequence[float], columns: Sequence[int] = ()
) -> Grammar:
    """Return the grammar of a search.

    Parameters
    ----------
    spec : the search's settings
    names : the variables that programs may use, by column
    weights : relative frequency of each kind of mutation
    columns : where these variables stand in the data as given, for the costs of each; the
        first ones if empty
    """
    d = len(names)
    cost = np.ones(FIRST_VARIABLE + d, dtype=np.int64)
    cost[0] = spec.complexity_of_constants
    for name, value in spec.complexity_of_operators.items():
        cost[CODES[name]] = value
    variables = spec.complexity_of_variables
    each = np.asarray(variables, dtype=np.int64)
    cost[FIRST_VARIABLE:] = each if each.ndim == 0 else each[list(columns) or range(d)]
    limits = np.full(2 * FIRST_VARIABLE, -1, dtype=np.int64)
    for name, sides in spec.constraints.items():
        left, right = (sides, sides) if isinstance(sides, int) else sides
        limits[2 * CODES[name] : 2 * CODES[name] + 2] = left, right
    nesting = [
        (CODES[outer], CODES[inner], most)
        for outer, inners in spec.nested_constraints.items()
        for inner, most in inners.items()
    ]
    required = np.array([list(names).index(name) for name in spec.required_variables], np.int64)
    depth = spec.maxsize if spec.maxdepth is None else spec.maxdepth
    plain = (cost == 1).all() and (limits < 0).all() and depth >= spec.maxsize
    return Grammar(
        np.array([CODES[name] for name in spec.operators], dtype=np.int16),
        allowed_operators(tuple(spec.operators)),
        np.array(weights, dtype=np.float64),
        d,
        spec.maxsize,
        int(spec.free_scale),
        int(set(spec.operators) <= {"+", "-", "*", "square", "cube"}),
        int(plain and not nesting and len(required) == 0),
        spec.maxsize,
        depth,
        cost,
        limits,
        np.array(nesting, dtype=np.int64).ravel(),
        required,
    )


@kernel(FLAG(TOKENS, INT, INDICES, INT, INT, INT), allocates=True)
def _nested_too_often(tokens: Any, n: int, size: Any, outer: int, inner: int, most: int) -> bool:
    """True if more than `most` inner operators lie on one path below an outer one."""
    count = np.empty(n, np.int64)  # on the path with most of them, the node included
    for i in range(n):
        below = 0
        if is_operator(tokens[i]):
            below = count[i - 1]
            if tokens[i] >= FIRST_BINARY:
                below = max(below, count[i - 1 - size[i - 1]])
        if tokens[i] == outer and below > most:
            return True
        count[i] = below + (1 if tokens[i] == inner else 0)
    return False


@kernel(FLAG(TOKENS, INT, INT))
def _uses(tokens: Any, n: int, column: int) -> bool:
    for i in range(n):
        if tokens[i] == FIRST_VARIABLE + column:
            return True
    return False


@inlined
def _operands_fit(grammar: Any, token: int, left: int, right: int) -> bool:
    """True if operands of these complexities keep to an operator's limits."""
    a, b = grammar.operand_limit[2 * token], grammar.operand_limit[2 * token + 1]
    return (a < 0 or left <= a) and (b < 0 or right <= b)


@kernel(INT(TOKENS, INT, GRAMMAR), allocates=True)
def _limited_complexity(tokens: Any, n: int, grammar: Any) -> int:
    """Complexity of a program by costs of its tokens; 0 if it breaks one of the limits."""
    size = np.empty(n, np.int64)
    measure_sizes(tokens, n, size)
    complexity, depth = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        token = tokens[i]
        complexity[i], depth[i] = grammar.cost[token], 1
        operands = arity(token)
        if operands == 0:
            continue
        right, left = i - 1, i - 1
        if operands == 2:
            left = i - 1 - size[i - 1]
            complexity[i] += complexity[left]
        complexity[i] += complexity[right]
        depth[i] = 1 + max(depth[left], depth[right])
        a, b = complexity[left], complexity[right]
        fits = _operands_fit(grammar, token, a, b)
        if not fits and (token == ADD or token == MULTIPLY):
            fits = _operands_fit(grammar, token, b, a)
        if not fits:
            return 0
    if complexity[n - 1] > grammar.max_complexity or depth[n - 1] > grammar.max_depth:
        return 0
    for k in range(0, len(grammar.nesting), 3):
        outer, inner, most = grammar.nesting[k], grammar.nesting[k + 1], grammar.nesting[k + 2]
        if _nested_too_often(tokens, n, size, outer, inner, most):
            return 0
    for column in grammar.required:
        if not _uses(tokens, n, column):
            return 0
    return complexity[n - 1]


@kernel(INT(TOKENS, INT, GRAMMAR))
def check_program(tokens: Any, n: int, grammar: Any) -> int:
    """Complexity of a program of n nodes; 0 if it is not allowed."""
    if n == 0 or n > grammar.max_nodes:
        return 0
    if grammar.plain:
        return n
    return _limited_complexity(tokens, n, grammar)
