"""Canonical forms: the shortest of the ways to write a law that short rules find.

Every rule keeps the value (but for rounding, and infinities that cancel) and none adds nodes.
Constants are folded and stand right of + and *, so that equal laws look alike and constants
merge.
"""
# ruff: noqa: SIM102, SIM109 - plain comparisons and loops compile fastest

from __future__ import annotations

from typing import Any

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLAGS,
    INDICES,
    INT,
    TOKENS,
    VALUES,
    VOID,
    inlined,
    kernel,
)
from occamscope.laws.evolution.tokens import (
    ABS,
    ADD,
    CONSTANT,
    DIVIDE,
    FIRST_BINARY,
    MULTIPLY,
    NEG,
    SQUARE,
    SUBTRACT,
    fold_binary,
    fold_unary,
    is_operator,
)


@inlined
def _reverse(tokens: Any, constants: Any, size: Any, first: int, end: int) -> None:
    """Reverse a span."""
    end -= 1
    while first < end:
        tokens[first], tokens[end] = tokens[end], tokens[first]
        constants[first], constants[end] = constants[end], constants[first]
        size[first], size[end] = size[end], size[first]
        first += 1
        end -= 1


@kernel(VOID(TOKENS, VALUES, INDICES, INT, INT, INT))
def _swap_spans(tokens: Any, constants: Any, size: Any, first: int, middle: int, end: int) -> None:
    """Exchange the neighbouring spans [first, middle) and [middle, end)."""
    _reverse(tokens, constants, size, first, middle)
    _reverse(tokens, constants, size, middle, end)
    _reverse(tokens, constants, size, first, end)


@kernel(FLAG(TOKENS, VALUES, INT, INT, INT))
def _same_span(tokens: Any, constants: Any, a: int, b: int, length: int) -> bool:
    """True if two spans of that length hold the same program."""
    for k in range(length):
        if tokens[a + k] != tokens[b + k] or constants[a + k] != constants[b + k]:
            return False
    return True


@inlined
def _push(tokens: Any, constants: Any, m: int, size: Any, token: int) -> int:
    """Append an operator to a program of length m; return its length."""
    tokens[m], constants[m] = token, 0.0
    size[m] = 1 + size[m - 1]
    if token >= FIRST_BINARY:
        size[m] += size[m - 1 - size[m - 1]]
    return m + 1


@inlined
def _push_unary(tokens: Any, constants: Any, m: int, size: Any, token: int) -> int:
    """Apply a unary operator to the program that ends at m - 1."""
    inner = tokens[m - 1]
    if inner == CONSTANT:
        constants[m - 1] = fold_unary(token, constants[m - 1])
        return m
    if token == NEG and inner == NEG:
        return m - 1
    if token == NEG and inner == SUBTRACT:
        right = m - 1 - size[m - 2]
        _swap_spans(tokens, constants, size, m - size[m - 1], right, m - 1)
        return m
    if token == ABS and inner == SQUARE:
        return m
    if (token == SQUARE or token == ABS) and (inner == NEG or inner == ABS):
        return _push(tokens, constants, m - 1, size, token)
    return _push(tokens, constants, m, size, token)


@inlined
def _push_with_constant(
    tokens: Any, constants: Any, m: int, size: Any, token: int, allowed: Any
) -> int:
    """Apply a binary operator whose right operand is the constant at m - 1."""
    c = constants[m - 1]
    if token == SUBTRACT and allowed[ADD]:
        token, c = ADD, -c
    elif token == DIVIDE and allowed[MULTIPLY] and c != 0.0:
        token, c = MULTIPLY, 1.0 / c
    constants[m - 1] = c
    inner = tokens[m - 2]
    if token == inner and (token == ADD or token == MULTIPLY) and tokens[m - 3] == CONSTANT:
        constants[m - 3] = fold_binary(token, constants[m - 3], c)
        return m - 1
    if token == ADD and inner == SUBTRACT:
        first = m - 1 - size[m - 2]
        if tokens[first] == CONSTANT and size[m - 3] == size[m - 2] - 2:  # (c1 - x) + c
            constants[first] += c
            return m - 1
    if (token == ADD and c == 0.0) or (token == MULTIPLY and c == 1.0):
        return m - 1
    return _push(tokens, constants, m, size, token)


@inlined
def _is_negative_multiple(tokens: Any, constants: Any, end: int) -> bool:
    """True if the subtree that ends at `end` is x * c with c < 0."""
    return tokens[end] == MULTIPLY and tokens[end - 1] == CONSTANT and constants[end - 1] < 0.0


@inlined
def _push_sum(tokens: Any, constants: Any, m: int, size: Any, token: int, allowed: Any) -> int:
    """Add or subtract the last two subtrees; signs of the terms go into the operator."""
    right = m - size[m - 1]
    left = right - size[right - 1]
    opposite = SUBTRACT if token == ADD else ADD
    if not allowed[opposite]:
        return _push(tokens, constants, m, size, token)
    if token == ADD and _is_negative_multiple(tokens, constants, right - 1):
        _swap_spans(tokens, constants, size, left, right, m)
    if tokens[m - 1] == NEG:
        return _push(tokens, constants, m - 1, size, opposite)
    if _is_negative_multiple(tokens, constants, m - 1):
        constants[m - 2] = -constants[m - 2]
        return _push(tokens, constants, m, size, opposite)
    return _push(tokens, constants, m, size, token)


@inlined
def _push_binary(tokens: Any, constants: Any, m: int, size: Any, token: int, allowed: Any) -> int:
    """Apply a binary operator to the last two subtrees of a program of length m."""
    right = m - size[m - 1]
    left = right - size[right - 1]
    left_constant = tokens[left] == CONSTANT and right == left + 1
    right_constant = tokens[right] == CONSTANT and m == right + 1
    if left_constant and right_constant:
        constants[left] = fold_binary(token, constants[left], constants[right])
        return left + 1
    if left_constant and (token == ADD or token == MULTIPLY):
        _swap_spans(tokens, constants, size, left, right, m)
        right_constant = True
    if right_constant:
        return _push_with_constant(tokens, constants, m, size, token, allowed)
    if token == ADD or token == SUBTRACT:
        return _push_sum(tokens, constants, m, size, token, allowed)
    if token == MULTIPLY and allowed[SQUARE] and right - left == m - right:
        if _same_span(tokens, constants, left, right, m - right):
            return _push_unary(tokens, constants, right, size, SQUARE)
    return _push(tokens, constants, m, size, token)


@inlined
def _drop_factor(tokens: Any, constants: Any, m: int, size: Any, allowed: Any) -> int:
    """Drop a positive factor of the whole law; bring a negative one to fewer nodes."""
    if m < 3 or tokens[m - 1] != MULTIPLY or tokens[m - 2] != CONSTANT:
        return m
    c, inner = constants[m - 2], tokens[m - 3]
    if c > 0.0:
        return m - 2
    if c < 0.0 and inner == SUBTRACT:
        right = m - 3 - size[m - 4]
        _swap_spans(tokens, constants, size, m - 2 - size[m - 3], right, m - 3)
        return m - 2
    if c < 0.0 and inner == ADD and tokens[m - 4] == CONSTANT and allowed[SUBTRACT]:
        constants[m - 4] = -constants[m - 4]  # -(x + c1) is -c1 - x
        _swap_spans(tokens, constants, size, m - 2 - size[m - 3], m - 4, m - 3)
        tokens[m - 3] = SUBTRACT
        return m - 2
    if c < 0.0 and allowed[NEG]:
        return _push(tokens, constants, m - 2, size, NEG)
    return m


@kernel(INT(TOKENS, VALUES, INT, INDICES, FLAGS, INT))
def canonicalise(
    tokens: Any, constants: Any, n: int, size: Any, allowed: Any, free_scale: int
) -> int:
    """Rewrite a program in place; return its new length.

    Parameters
    ----------
    tokens, constants, n : the program
    size : (>= n,) filled with the sizes of the subtrees
    allowed : (FIRST_VARIABLE,) operators that a rule may introduce
    free_scale : if not 0, a positive factor of the whole law is dropped, too
    """
    m = 0
    for i in range(n):
        token = tokens[i]
        if not is_operator(token):
            tokens[m], constants[m], size[m] = token, constants[i], 1
            m += 1
        elif token < FIRST_BINARY:
            m = _push_unary(tokens, constants, m, size, token)
        else:
            m = _push_binary(tokens, constants, m, size, token, allowed)
    if free_scale:
        m = _drop_factor(tokens, constants, m, size, allowed)
    return m
