"""Random changes of programs: what the evolution tries next.

The kinds of change are those of SymbolicRegression.jl (M. Cranmer, arXiv 2305.01582).
"""
# ruff: noqa: SIM109 - plain comparisons and loops compile fastest

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INDICES,
    INT,
    STREAM,
    TOKENS,
    VALUES,
    VOID,
    inlined,
    kernel,
)
from occamscope.laws.evolution.grammar import GRAMMAR
from occamscope.laws.evolution.rng import below, draw, normal, uniform
from occamscope.laws.evolution.tokens import (
    ADD,
    CONSTANT,
    FIRST_VARIABLE,
    SQUARE,
    SUBTRACT,
    arity,
    copy_span,
    is_operator,
)

# Kinds of nodes to pick from.
_ANY_OPERATOR, _BINARY, _LEAF, _CONSTANTS, _VARIABLE, _NESTED = range(6)
# Kinds of change, the index into `Grammar.weights`.
(
    CHANGE_CONSTANT, CHANGE_OPERATOR, CHANGE_VARIABLE, SWAP, GROW_LEAF, GROW_ROOT, INSERT,
    DELETE, ROTATE, REPLACE_LEAF, RANDOMISE,
) = range(11)  # fmt: skip


@inlined
def _belongs(tokens: Any, i: int, size: Any, kind: int) -> bool:
    """True if the node at i is of that kind."""
    token = tokens[i]
    if kind == _CONSTANTS:
        return token == CONSTANT
    if kind == _VARIABLE:
        return token >= FIRST_VARIABLE
    if kind == _LEAF:
        return not is_operator(token)
    if kind == _ANY_OPERATOR:
        return is_operator(token)
    if kind == _BINARY:
        return arity(token) == 2
    # An operator with an operator below it.
    return is_operator(token) and size[i] > 1 + arity(token)


@kernel(INT(STREAM, TOKENS, INT, INDICES, INT))
def pick(state: Any, tokens: Any, n: int, size: Any, kind: int) -> int:
    """Index of a random node of that kind, -1 if there is none."""
    found = 0
    for i in range(n):
        found += _belongs(tokens, i, size, kind)
    if found == 0:
        return -1
    left = below(state, found)
    for i in range(n):
        if _belongs(tokens, i, size, kind):
            if left == 0:
                return i
            left -= 1
    return -1


@inlined
def _write(tokens: Any, constants: Any, n: int, token: int, value: float) -> int:
    tokens[n], constants[n] = token, value
    return n + 1


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT))
def append_leaf(state: Any, grammar: Any, tokens: Any, constants: Any, n: int) -> int:
    """Append a random constant or variable; return the new length."""
    if uniform(state) < 0.5:
        return _write(tokens, constants, n, CONSTANT, normal(state))
    return _write(tokens, constants, n, FIRST_VARIABLE + below(state, grammar.features), 0.0)


@inlined
def _random_operator(state: Any, grammar: Any) -> int:
    return np.int64(grammar.operators[below(state, len(grammar.operators))])


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT), allocates=True)
def random_program(state: Any, grammar: Any, tokens: Any, constants: Any, nodes: int) -> int:
    """Write a random program of about so many nodes; return its length."""
    n = append_leaf(state, grammar, tokens, constants, 0)
    spare, values = np.empty_like(tokens), np.empty_like(constants)
    no_size = np.empty(0, np.int64)  # leaves are found without
    for _ in range(4 * nodes):
        token = _random_operator(state, grammar)
        if n + arity(token) > nodes:
            continue
        leaf = pick(state, tokens, n, no_size, _LEAF)
        m = copy_span(tokens, constants, 0, leaf, spare, values, 0)
        for _ in range(arity(token)):
            m = append_leaf(state, grammar, spare, values, m)
        m = _write(spare, values, m, token, 0.0)
        m = copy_span(tokens, constants, leaf + 1, n, spare, values, m)
        n = copy_span(spare, values, 0, m, tokens, constants, 0)
    return n


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT))
def append_required(state: Any, grammar: Any, tokens: Any, constants: Any, n: int) -> int:
    """Join the required variables that a program lacks to it by random operators."""
    for column in grammar.required:
        found = False
        for i in range(n):
            found = found or tokens[i] == FIRST_VARIABLE + column
        if found:
            continue
        token = _random_operator(state, grammar)
        while arity(token) < 2:
            token = _random_operator(state, grammar)
        n = _write(tokens, constants, n, FIRST_VARIABLE + column, 0.0)
        n = _write(tokens, constants, n, token, 0.0)
    return n


@kernel(VOID(STREAM, VALUES, INT, FLOAT))
def _change_constant(state: Any, values: Any, i: int, temperature: float) -> None:
    """Multiply by or add a random number; change the sign now and then."""
    if uniform(state) < 0.5:
        factor = (0.13 * temperature + 1.1) ** uniform(state)
        values[i] *= factor if uniform(state) < 0.5 else 1.0 / factor
    else:
        values[i] += 0.3 * normal(state) * (temperature + 0.1)
    if uniform(state) < 0.01:
        values[i] = -values[i]


@kernel(VOID(STREAM, GRAMMAR, TOKENS, INT))
def _change_operator(state: Any, grammar: Any, out: Any, i: int) -> None:
    """Replace an operator by an allowed one with as many operands."""
    for _ in range(20):
        token = _random_operator(state, grammar)
        if token != out[i] and arity(token) == arity(out[i]):
            out[i] = token
            return


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT, INT, INT, TOKENS, VALUES, INT))
def _apply_shifted(
    state: Any, grammar: Any, tokens: Any, constants: Any, first: int, i: int, function: int,
    out: Any, values: Any, m: int,
) -> int:  # fmt: skip
    """Append F(v) + c or c - F(d - v) for the node at i, whose span begins at `first`.

    exp(v) lies elsewhere than v and may fall where v should rise: without a summand and the
    other sign a function would be turned away before it could show what its form is worth.
    """
    mirrored = grammar.allowed[SUBTRACT] and uniform(state) < 0.5
    if mirrored:
        m = _write(out, values, m, CONSTANT, normal(state))
        m = _write(out, values, m, CONSTANT, normal(state))
    m = copy_span(tokens, constants, first, i + 1, out, values, m)
    if mirrored:
        m = _write(out, values, m, SUBTRACT, 0.0)
        m = _write(out, values, m, function, 0.0)
        return _write(out, values, m, SUBTRACT, 0.0)
    m = _write(out, values, m, function, 0.0)
    m = _write(out, values, m, CONSTANT, normal(state))
    return _write(out, values, m, ADD, 0.0)


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT, INT, INDICES, TOKENS, VALUES))
def _insert(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, i: int, size: Any,
    out: Any, values: Any,
) -> int:  # fmt: skip
    """Put a random operator above node i, with random leaves as its other operands."""
    token = _random_operator(state, grammar)
    first = i - size[i] + 1
    m = copy_span(tokens, constants, 0, first, out, values, 0)
    if arity(token) == 1 and token != SQUARE and grammar.allowed[ADD] and uniform(state) < 0.6:
        m = _apply_shifted(state, grammar, tokens, constants, first, i, token, out, values, m)
        return copy_span(tokens, constants, i + 1, n, out, values, m)
    place = below(state, arity(token))
    for k in range(arity(token)):
        if k == place:
            m = copy_span(tokens, constants, first, i + 1, out, values, m)
        else:
            m = append_leaf(state, grammar, out, values, m)
    m = _write(out, values, m, token, 0.0)
    return copy_span(tokens, constants, i + 1, n, out, values, m)


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT, INT, TOKENS, VALUES))
def _grow_leaf(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, i: int, out: Any, values: Any
) -> int:
    """Replace leaf i by a random operator on random leaves."""
    token = _random_operator(state, grammar)
    m = copy_span(tokens, constants, 0, i, out, values, 0)
    for _ in range(arity(token)):
        m = append_leaf(state, grammar, out, values, m)
    m = _write(out, values, m, token, 0.0)
    return copy_span(tokens, constants, i + 1, n, out, values, m)


@kernel(INT(TOKENS, VALUES, INT, INT, INDICES, FLAG, TOKENS, VALUES))
def cut(
    tokens: Any, constants: Any, n: int, i: int, size: Any, left: bool, out: Any, values: Any
) -> int:
    """Replace the operator i by its left operand, or by its right or only one."""
    end = i
    first = i - size[i - 1]
    if left:
        end = first
        first = i - size[i] + 1
    m = copy_span(tokens, constants, 0, i - size[i] + 1, out, values, 0)
    m = copy_span(tokens, constants, first, end, out, values, m)
    return copy_span(tokens, constants, i + 1, n, out, values, m)


@kernel(INT(TOKENS, VALUES, INT, INT, INDICES, TOKENS, VALUES))
def _swap(tokens: Any, constants: Any, n: int, i: int, size: Any, out: Any, values: Any) -> int:
    """Exchange the operands of the binary operator i."""
    first, right = i - size[i] + 1, i - size[i - 1]
    m = copy_span(tokens, constants, 0, first, out, values, 0)
    m = copy_span(tokens, constants, right, i, out, values, m)
    m = copy_span(tokens, constants, first, right, out, values, m)
    return copy_span(tokens, constants, i, n, out, values, m)


@kernel(INT(STREAM, TOKENS, VALUES, INT, INT, INDICES, TOKENS, VALUES))
def _rotate(
    state: Any, tokens: Any, constants: Any, n: int, i: int, size: Any, out: Any, values: Any
) -> int:
    """Rotate the tree at operator i: one of its operands, an operator, moves above it.

    Below, p is the operator at i, q the operand that rises, x an operand of q that p takes
    over. The other operands keep their places.
    """
    child = i - 1
    if arity(tokens[i]) == 2:
        other = i - 1 - size[i - 1]
        if not is_operator(tokens[child]) or (is_operator(tokens[other]) and uniform(state) < 0.5):
            child = other
    first, child_first = i - size[i] + 1, child - size[child] + 1
    # The operand of q that p takes over: [x, x_end).
    x, x_end = child - size[child - 1], child
    if arity(tokens[child]) == 2 and uniform(state) < 0.5:
        x, x_end = child_first, x
    m = copy_span(tokens, constants, 0, first, out, values, 0)
    m = copy_span(tokens, constants, child_first, x, out, values, m)  # q's left operand
    m = copy_span(tokens, constants, first, child_first, out, values, m)  # p's left operand
    m = copy_span(tokens, constants, x, x_end, out, values, m)
    m = copy_span(tokens, constants, child + 1, i + 1, out, values, m)  # p's right operand, p
    m = copy_span(tokens, constants, x_end, child + 1, out, values, m)  # q's right operand, q
    return copy_span(tokens, constants, i + 1, n, out, values, m)


@inlined
def _target_of(kind: int) -> int:
    """Kind of node that a change needs, -1 if any will do."""
    if kind == CHANGE_CONSTANT:
        return _CONSTANTS
    if kind == CHANGE_OPERATOR or kind == DELETE:
        return _ANY_OPERATOR
    if kind == CHANGE_VARIABLE:
        return _VARIABLE
    if kind == SWAP:
        return _BINARY
    if kind == ROTATE:
        return _NESTED
    if kind == GROW_LEAF or kind == REPLACE_LEAF:
        return _LEAF
    return -1


@kernel(INT(STREAM, GRAMMAR, TOKENS, VALUES, INT, INDICES, TOKENS, VALUES, FLOAT))
def mutate(
    state: Any, grammar: Any, tokens: Any, constants: Any, n: int, size: Any,
    out: Any, values: Any, temperature: float,
) -> int:  # fmt: skip
    """Write a randomly changed copy of a program; return its length, 0 if nothing fits."""
    kind = draw(state, grammar.weights)
    if n >= grammar.max_nodes and (kind == GROW_LEAF or kind == GROW_ROOT or kind == INSERT):
        return 0
    target = _target_of(kind)
    i = below(state, n) if target < 0 else pick(state, tokens, n, size, target)
    if i < 0:
        return 0
    if kind == SWAP:
        return _swap(tokens, constants, n, i, size, out, values)
    if kind == ROTATE:
        return _rotate(state, tokens, constants, n, i, size, out, values)
    if kind == DELETE:
        left = arity(tokens[i]) == 2 and uniform(state) < 0.5
        return cut(tokens, constants, n, i, size, left, out, values)
    if kind == GROW_LEAF:
        return _grow_leaf(state, grammar, tokens, constants, n, i, out, values)
    if kind == GROW_ROOT:
        return _insert(state, grammar, tokens, constants, n, n - 1, size, out, values)
    if kind == INSERT:
        return _insert(state, grammar, tokens, constants, n, i, size, out, values)
    if kind == RANDOMISE:
        nodes = 1 + below(state, grammar.max_nodes)
        return random_program(state, grammar, out, values, nodes)
    copy_span(tokens, constants, 0, n, out, values, 0)
    if kind == CHANGE_CONSTANT:
        _change_constant(state, values, i, temperature)
    elif kind == CHANGE_OPERATOR:
        _change_operator(state, grammar, out, i)
    elif kind == CHANGE_VARIABLE:
        out[i] = FIRST_VARIABLE + below(state, grammar.features)
    else:
        append_leaf(state, grammar, out, values, i)
    return n


@kernel(INT(TOKENS, VALUES, INT, INT, INT, TOKENS, VALUES, INT, INT, TOKENS, VALUES))
def cross(
    tokens: Any, constants: Any, n: int, i: int, size_i: int,
    other: Any, other_constants: Any, j: int, size_j: int, out: Any, values: Any,
) -> int:  # fmt: skip
    """Write a program with the subtree at i replaced by the other program's subtree at j."""
    m = copy_span(tokens, constants, 0, i - size_i + 1, out, values, 0)
    m = copy_span(other, other_constants, j - size_j + 1, j + 1, out, values, m)
    return copy_span(tokens, constants, i + 1, n, out, values, m)
