"""Operators on blocks of rows, and their derivatives.

A block is a run of `BLOCK` float32 in one array, `memory`; blocks are named by where they
start. Working block by block keeps intermediate values in the first-level cache and makes the
branch on the operator free, so that one compiled function serves all operators.
"""

from __future__ import annotations

import numpy as np

from occamscope.laws.evolution.compilation import ADDRESS, FLAG, INT, SINGLE, VECTOR, VOID, kernel
from occamscope.laws.evolution.fastmath import (
    HALF,
    ONE,
    THREE,
    TWO,
    ZERO,
    cos32,
    exp32,
    load,
    log32,
    select,
    sin32,
    store,
    tanh32,
)
from occamscope.laws.evolution.tokens import (
    ABS,
    ADD,
    COS,
    CUBE,
    DIVIDE,
    EXP,
    INV,
    LOG,
    MULTIPLY,
    NEG,
    SIN,
    SQRT,
    SQUARE,
    SUBTRACT,
    TANH,
)

# 512 rows: 2 KiB a block, so that the blocks of a short program fit a cache of 32 KiB. With 256
# a simple law took 25 % longer, 1024 gains nothing.
BLOCK = 512


@kernel(VOID(INT, ADDRESS, INT, INT, INT), VECTOR)
def apply_operator(token: int, memory: int, a: int, b: int, out: int) -> None:
    """Write the operator's value on blocks a (left) and b (right or only operand) to out."""
    if token == ADD:
        for j in range(BLOCK):
            store(memory, out + j, load(memory, a + j) + load(memory, b + j))
    elif token == SUBTRACT:
        for j in range(BLOCK):
            store(memory, out + j, load(memory, a + j) - load(memory, b + j))
    elif token == MULTIPLY:
        for j in range(BLOCK):
            store(memory, out + j, load(memory, a + j) * load(memory, b + j))
    elif token == DIVIDE:
        for j in range(BLOCK):
            store(memory, out + j, load(memory, a + j) / load(memory, b + j))
    elif token == SQUARE:
        for j in range(BLOCK):
            x = load(memory, b + j)
            store(memory, out + j, x * x)
    elif token == CUBE:
        for j in range(BLOCK):
            x = load(memory, b + j)
            store(memory, out + j, x * x * x)
    elif token == EXP:
        for j in range(BLOCK):
            store(memory, out + j, exp32(load(memory, b + j)))
    elif token == LOG:
        for j in range(BLOCK):
            store(memory, out + j, log32(load(memory, b + j)))
    elif token == SQRT:
        for j in range(BLOCK):
            store(memory, out + j, np.sqrt(load(memory, b + j)))
    elif token == ABS:
        for j in range(BLOCK):
            store(memory, out + j, abs(load(memory, b + j)))
    elif token == NEG:
        for j in range(BLOCK):
            store(memory, out + j, -load(memory, b + j))
    elif token == TANH:
        for j in range(BLOCK):
            store(memory, out + j, tanh32(load(memory, b + j)))
    elif token == SIN:
        for j in range(BLOCK):
            store(memory, out + j, sin32(load(memory, b + j)))
    elif token == COS:
        for j in range(BLOCK):
            store(memory, out + j, cos32(load(memory, b + j)))
    elif token == INV:
        for j in range(BLOCK):
            store(memory, out + j, ONE / load(memory, b + j))


@kernel(VOID(ADDRESS, INT, INT, INT, SINGLE), VECTOR)
def multiply_blocks(memory: int, a: int, b: int, out: int, factor: np.float32) -> None:
    """out = factor a b."""
    for j in range(BLOCK):
        store(memory, out + j, factor * load(memory, a + j) * load(memory, b + j))


@kernel(VOID(ADDRESS, INT, INT, SINGLE), VECTOR)
def scale_block(memory: int, a: int, out: int, factor: np.float32) -> None:
    """out = factor a."""
    for j in range(BLOCK):
        store(memory, out + j, factor * load(memory, a + j))


@kernel(VOID(ADDRESS, INT, SINGLE), VECTOR)
def fill_block(memory: int, out: int, value: np.float32) -> None:
    """Set every row of a block to one value."""
    for j in range(BLOCK):
        store(memory, out + j, value)


@kernel(VOID(INT, ADDRESS, INT, INT, INT, INT, INT, FLAG), VECTOR)
def pass_down_binary(
    token: int, memory: int, a: int, b: int, value: int, up: int, out: int, left: bool
) -> None:
    """Multiply the derivative `up` by that of a binary operator; write it to out.

    Parameters
    ----------
    a, b, value : blocks of the operands and of the operator's value
    left : the derivative with respect to a, else to b
    """
    if token == MULTIPLY:
        multiply_blocks(memory, up, b if left else a, out, ONE)
    elif token == DIVIDE:
        if left:
            for j in range(BLOCK):
                store(memory, out + j, load(memory, up + j) / load(memory, b + j))
        else:
            for j in range(BLOCK):
                change = load(memory, value + j) / load(memory, b + j)
                store(memory, out + j, -load(memory, up + j) * change)
    else:
        scale_block(memory, up, out, -ONE if token == SUBTRACT and not left else ONE)


@kernel(VOID(INT, ADDRESS, INT, INT, INT, INT), VECTOR)
def pass_down_unary(token: int, memory: int, a: int, value: int, up: int, out: int) -> None:
    """Multiply the derivative `up` by that of a unary operator on block a; write it to out."""
    if token == SQUARE:
        multiply_blocks(memory, up, a, out, TWO)
    elif token == CUBE:
        for j in range(BLOCK):
            x = load(memory, a + j)
            store(memory, out + j, THREE * x * x * load(memory, up + j))
    elif token == EXP:
        multiply_blocks(memory, up, value, out, ONE)
    elif token == LOG:
        for j in range(BLOCK):
            store(memory, out + j, load(memory, up + j) / load(memory, a + j))
    elif token == SQRT:
        for j in range(BLOCK):
            store(memory, out + j, HALF * load(memory, up + j) / load(memory, value + j))
    elif token == ABS:
        for j in range(BLOCK):
            sign = select(load(memory, a + j) < ZERO, -ONE, ONE)
            store(memory, out + j, sign * load(memory, up + j))
    elif token == NEG:
        scale_block(memory, up, out, -ONE)
    elif token == TANH:
        for j in range(BLOCK):
            r = load(memory, value + j)
            store(memory, out + j, (ONE - r * r) * load(memory, up + j))
    elif token == SIN:
        for j in range(BLOCK):
            store(memory, out + j, cos32(load(memory, a + j)) * load(memory, up + j))
    elif token == COS:
        for j in range(BLOCK):
            store(memory, out + j, -sin32(load(memory, a + j)) * load(memory, up + j))
    elif token == INV:
        for j in range(BLOCK):
            r = load(memory, value + j)
            store(memory, out + j, -r * r * load(memory, up + j))
