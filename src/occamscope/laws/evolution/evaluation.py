"""Loss of a program, and its derivatives with respect to constants or to one node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.affine_scaling import fit_affine
from occamscope.laws.evolution.compilation import (
    ADDRESS,
    FLAG,
    FLAGS,
    FLOAT,
    INDICES,
    INT,
    MATRIX,
    PAIR,
    SINGLE,
    TOKENS,
    TRIPLE,
    VALUES,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.fastmath import ONE, ZERO, load, store
from occamscope.laws.evolution.losses import loss_derivatives, loss_sum
from occamscope.laws.evolution.operators import (
    BLOCK,
    apply_operator,
    fill_block,
    multiply_blocks,
    pass_down_binary,
    pass_down_unary,
)
from occamscope.laws.evolution.problem import LOGISTIC, PROBLEM
from occamscope.laws.evolution.scaling import fit_scale, write_margins
from occamscope.laws.evolution.tokens import (
    CONSTANT,
    FIRST_BINARY,
    FIRST_VARIABLE,
    is_operator,
    measure_sizes,
)

# Losses are sums of float32: a candidate this little above its budget is not turned away.
_ROUNDING = 1.0 + 1e-5
# The best scale of a part of the rows is sought if without any scale they would be so far above
# the budget: a law must have a chance to be seen to fail there.
_WORTH = 1.25


@kernel(VOID(TOKENS, VALUES, INT, PROBLEM, INDICES, INDICES))
def lay_out(tokens: Any, constants: Any, n: int, problem: Any, left: Any, slot: Any) -> None:
    """Find left operands, give every node a scratch block, fill those of the constants."""
    measure_sizes(tokens, n, left)
    for t in range(n - 1, -1, -1):
        # left[t] holds the size until here; the right operand is always t - 1.
        left[t] = t - 1 - left[t - 1] if t > 0 and tokens[t] >= FIRST_BINARY else t - 1
        slot[t] = problem.scratch + t * BLOCK
        if tokens[t] == CONSTANT:
            fill_block(problem.address, slot[t], np.float32(constants[t]))


@kernel(INT(TOKENS, INT, PROBLEM, INDICES, INDICES, INT))
def run_block(tokens: Any, n: int, problem: Any, left: Any, slot: Any, row: int) -> int:
    """Compute every node for the block of rows from `row` on; return the root's block."""
    for t in range(n):
        token = tokens[t]
        if token >= FIRST_VARIABLE:
            slot[t] = (token - FIRST_VARIABLE) * problem.rows + row
        elif token != CONSTANT:
            apply_operator(token, problem.address, slot[left[t]], slot[t - 1], slot[t])
    return slot[n - 1]


@kernel(FLOAT(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT, FLOAT, FLOAT))
def loss_at(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, scale: float, offset: float,
    budget: float,
) -> float:  # fmt: skip
    """Weighted loss of s f + b over the first rows; infinite once it exceeds the budget.

    Losses are never negative, so that a sum above the budget stays there: what is turned away
    early would have been turned away in the end.
    """
    left, slot = problem.left, problem.slot
    lay_out(tokens, constants, n, problem, left, slot)
    limit = budget * _ROUNDING
    total = 0.0
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        total += loss_sum(problem, root, row, np.float32(scale), np.float32(offset))
        if not total <= limit:
            return np.inf
    return total if total < np.inf else np.inf


@kernel(PAIR(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT))
def loss_at_best_scale(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, budget: float
) -> Any:
    """Smallest loss of s f over s > 0 on the first rows, and that s; infinite above the budget.

    The minimum over a part of the rows is a lower bound of that over all: it is compared with
    the budget now and then.
    """
    left, slot = problem.left, problem.slot
    lay_out(tokens, constants, n, problem, left, slot)
    limit = budget * _ROUNDING
    check, scale, curve = BLOCK, 0.0, 0.0
    at_zero = np.log(2.0) if problem.loss == LOGISTIC else 1.0
    total, first, size = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        w, wm, wa = write_margins(problem, root, row)
        total += w
        first += wm
        size += wa
        if not size < np.inf:
            return np.inf, 1.0
        seen = row + BLOCK
        if check <= seen < rows and at_zero * total > _WORTH * limit:
            moments = (total, first, size)
            partial, scale, curve = fit_scale(problem, seen, moments, limit, limit, scale, curve)
            if partial == np.inf:
                return np.inf, 1.0
            check = seen + max(seen // 2, BLOCK)
    moments = (total, first, size)
    loss, scale, _ = fit_scale(problem, rows, moments, limit, -np.inf, scale, curve)
    return loss, scale


@kernel(TRIPLE(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT))
def loss_at_best_affine(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, budget: float
) -> Any:
    """Smallest loss of s f + b over s > 0 and b on the first rows, and these two numbers.

    All rows are always seen: a part of them gives no bound that would be cheap to know.
    """
    left, slot = problem.left, problem.slot
    lay_out(tokens, constants, n, problem, left, slot)
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        write_margins(problem, root, row)
    return fit_affine(problem, rows, budget * _ROUNDING)


@kernel(TRIPLE(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT))
def program_loss(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, budget: float
) -> Any:
    """Weighted loss of a program on the first rows, its output scale and its output offset.

    The loss is infinite if it is undefined in some row or exceeds the budget; evaluation stops
    as soon as that is certain.
    """
    if problem.free_offset:
        return loss_at_best_affine(tokens, constants, n, problem, rows, budget)
    if problem.free_scale:
        loss, scale = loss_at_best_scale(tokens, constants, n, problem, rows, budget)
        return loss, scale, 0.0
    return loss_at(tokens, constants, n, problem, rows, 1.0, 0.0, budget), 1.0, 0.0


@kernel(VOID(TOKENS, INT, INDICES, FLAGS))
def mark_ancestors(tokens: Any, n: int, left: Any, needed: Any) -> None:
    """Mark every node above a marked one."""
    for t in range(n):
        if is_operator(tokens[t]):
            needed[t] = needed[t] or needed[t - 1] or needed[left[t]]


@kernel(VOID(TOKENS, INT, PROBLEM, INDICES, INDICES, FLAGS, FLOAT, INT))
def sweep_down(
    tokens: Any, n: int, problem: Any, left: Any, slot: Any, needed: Any, scale: float, stop: int
) -> None:
    """Derivatives of s f with respect to the marked nodes after `stop`, for one block of rows.

    That of node t goes to the scratch block capacity + t.
    """
    memory = problem.address
    first = problem.scratch + problem.capacity * BLOCK
    fill_block(memory, first + (n - 1) * BLOCK, np.float32(scale))
    for t in range(n - 1, stop, -1):
        token = tokens[t]
        if not needed[t] or not is_operator(token):
            continue
        up, a, b = first + t * BLOCK, slot[left[t]], slot[t - 1]
        down, down_left = first + (t - 1) * BLOCK, first + left[t] * BLOCK
        if token < FIRST_BINARY:
            pass_down_unary(token, memory, b, slot[t], up, down)
            continue
        if needed[left[t]]:
            pass_down_binary(token, memory, a, b, slot[t], up, down_left, True)
        if needed[t - 1]:
            pass_down_binary(token, memory, a, b, slot[t], up, down, False)


@kernel(types.UniTuple(SINGLE, 4)(ADDRESS, INT, INT, INT, INT, INT), VECTOR)
def dot_four(memory: int, a: int, b0: int, b1: int, b2: int, b3: int) -> Any:
    """Sums of a b over a block, for four blocks b that share the loads of a."""
    s0, s1, s2, s3 = ZERO, ZERO, ZERO, ZERO
    for j in range(BLOCK):
        x = load(memory, a + j)
        s0 += x * load(memory, b0 + j)
        s1 += x * load(memory, b1 + j)
        s2 += x * load(memory, b2 + j)
        s3 += x * load(memory, b3 + j)
    return s0, s1, s2, s3


@kernel(VOID(PROBLEM, INT, INDICES, INT, VALUES))
def add_dots(problem: Any, a: int, column: Any, size: int, sums: Any) -> None:
    """sums[k] += sum of block a times block column[k], for k < size."""
    last = size - 1
    for k in range(0, size, 4):
        # The last group may be short: its last column then counts again, unused.
        s0, s1, s2, s3 = dot_four(
            problem.address, a, column[k], column[min(k + 1, last)], column[min(k + 2, last)],
            column[min(k + 3, last)],
        )  # fmt: skip
        sums[k] += s0
        if k + 1 < size:
            sums[k + 1] += s1
        if k + 2 < size:
            sums[k + 2] += s2
        if k + 3 < size:
            sums[k + 3] += s3


@kernel(SINGLE(ADDRESS, INT, INT), VECTOR)
def weighted_square(memory: int, a: int, weight: int) -> np.float32:
    """Sum of a^2 w over a block."""
    total = ZERO
    for j in range(BLOCK):
        x = load(memory, a + j)
        total += x * x * load(memory, weight + j)
    return total


@kernel(FLOAT(TOKENS, VALUES, INT, PROBLEM, INT, VALUES, FLOAT, VALUES, MATRIX, VALUES))
def loss_gradient(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, output: Any, width: float,
    gradient: Any, hessian: Any, bound: Any,
) -> float:  # fmt: skip
    """Loss of s f + b over the first rows with its gradient and Gauss-Newton matrix.

    The parameters are the program's constants in their order, then s if it is free, then b
    if it is. The matrix is the generalised one, sum w l'' J J^T with
    J = d(s f + b)/d(parameters).

    Parameters
    ----------
    output : (2,) s and b
    width : how far from their kink hinge and mae are smoothed, see `loss_derivatives`
    bound : filled with the diagonal of the matrix with the majoriser's curvature for l''
    """
    scale, offset = output[0], output[1]
    left, slot = problem.left, problem.slot
    needed, column = problem.needed, problem.column
    lay_out(tokens, constants, n, problem, left, slot)
    count = 0
    for t in range(n):
        needed[t] = tokens[t] == CONSTANT
        if needed[t]:
            column[count] = problem.scratch + (problem.capacity + t) * BLOCK
            count += 1
    mark_ancestors(tokens, n, left, needed)
    size = count + problem.free_scale + problem.free_offset
    slope = problem.scratch + 2 * problem.capacity * BLOCK
    column[count + 1] = slope + 3 * BLOCK  # ones: d(s f + b)/db
    weighted = slope + 4 * BLOCK
    for i in range(size):
        gradient[i], bound[i] = 0.0, 0.0
        for k in range(size):
            hessian[i, k] = 0.0
    total = 0.0
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        sweep_down(tokens, n, problem, left, slot, needed, scale, 0)
        total += loss_derivatives(
            problem, root, row, np.float32(scale), np.float32(offset), np.float32(width), slope
        )
        if not total < np.inf:
            return np.inf
        column[count] = root
        add_dots(problem, slope, column, size, gradient)
        for i in range(size):
            multiply_blocks(problem.address, column[i], slope + BLOCK, weighted, ONE)
            add_dots(problem, weighted, column, i + 1, hessian[i])
            bound[i] += weighted_square(problem.address, column[i], slope + 2 * BLOCK)
    for i in range(size):
        for k in range(i):
            hessian[k, i] = hessian[i, k]
    return total


@kernel(SINGLE(PROBLEM, INT, INT, INT, INT), VECTOR)
def write_node_derivatives(problem: Any, adjoint: int, slope: int, value: int, row: int) -> float:
    """Keep gradient, curvature and value of a node for a block of rows.

    Returns a number that is finite only if all derivatives are.
    """
    memory = problem.address
    check = ZERO
    for j in range(BLOCK):
        a = load(memory, adjoint + j)
        g, h = a * load(memory, slope + j), a * a * load(memory, slope + 2 * BLOCK + j)
        store(memory, problem.node_gradient + row + j, g)
        store(memory, problem.node_curvature + row + j, h)
        store(memory, problem.node_value + row + j, load(memory, value + j))
        check += abs(g) + h
    return check


@kernel(FLAG(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT, FLOAT, INT))
def node_derivatives(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, scale: float, offset: float,
    node: int,
) -> bool:  # fmt: skip
    """First derivative and majoriser's curvature of the loss in a node's value, row by row.

    They go to the problem's `node_gradient` and `node_curvature`, the value itself to
    `node_value`. False if they are not finite.
    """
    left, slot = problem.left, problem.slot
    needed = problem.needed
    lay_out(tokens, constants, n, problem, left, slot)
    for t in range(n):
        needed[t] = t == node
    mark_ancestors(tokens, n, left, needed)
    slope = problem.scratch + 2 * problem.capacity * BLOCK
    adjoint = problem.scratch + (problem.capacity + node) * BLOCK
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        sweep_down(tokens, n, problem, left, slot, needed, scale, node)
        loss_derivatives(
            problem, root, row, np.float32(scale), np.float32(offset), np.float32(problem.smooth),
            slope,
        )  # fmt: skip
        if not write_node_derivatives(problem, adjoint, slope, slot[node], row) < np.inf:
            return False
    return True
