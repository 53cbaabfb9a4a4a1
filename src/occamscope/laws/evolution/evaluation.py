"""Loss of a program, and its derivatives with respect to constants or to one node."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLAGS,
    FLOAT,
    INDICES,
    INT,
    MATRIX,
    MEMORY,
    PAIR,
    SINGLE,
    TOKENS,
    VALUES,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.fastmath import ZERO, load, store
from occamscope.laws.evolution.losses import (
    fit_scale,
    loss_derivatives,
    loss_sum,
    write_margins,
)
from occamscope.laws.evolution.operators import (
    BLOCK,
    apply_operator,
    fill_block,
    pass_down_binary,
    pass_down_unary,
)
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.tokens import (
    CONSTANT,
    FIRST_BINARY,
    FIRST_VARIABLE,
    is_operator,
    measure_sizes,
)

# Losses are sums of float32: a candidate this little above its budget is not turned away.
_ROUNDING = 1.0 + 1e-5


@kernel(VOID(TOKENS, VALUES, INT, PROBLEM, INDICES, INDICES))
def lay_out(tokens: Any, constants: Any, n: int, problem: Any, left: Any, slot: Any) -> None:
    """Find left operands, give every node a scratch block, fill those of the constants."""
    measure_sizes(tokens, n, left)
    for t in range(n - 1, -1, -1):
        # left[t] holds the size until here; the right operand is always t - 1.
        left[t] = t - 1 - left[t - 1] if t > 0 and tokens[t] >= FIRST_BINARY else t - 1
        slot[t] = problem.scratch + t * BLOCK
        if tokens[t] == CONSTANT:
            fill_block(problem.memory, slot[t], np.float32(constants[t]))


@kernel(INT(TOKENS, INT, PROBLEM, INDICES, INDICES, INT))
def run_block(tokens: Any, n: int, problem: Any, left: Any, slot: Any, row: int) -> int:
    """Compute every node for the block of rows from `row` on; return the root's block."""
    for t in range(n):
        token = tokens[t]
        if token >= FIRST_VARIABLE:
            slot[t] = (token - FIRST_VARIABLE) * problem.rows + row
        elif token != CONSTANT:
            apply_operator(token, problem.memory, slot[left[t]], slot[t - 1], slot[t])
    return slot[n - 1]


@kernel(FLOAT(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT, FLOAT))
def loss_at(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, scale: float, budget: float
) -> float:
    """Weighted loss of s f over the first rows; infinite once it exceeds the budget.

    Losses are never negative, so that a sum above the budget stays there: what is turned away
    early would have been turned away in the end.
    """
    left, slot = np.empty(n, np.int64), np.empty(n, np.int64)
    lay_out(tokens, constants, n, problem, left, slot)
    limit = budget * _ROUNDING
    total = 0.0
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        total += loss_sum(problem, root, row, np.float32(scale))
        if not total <= limit:
            return np.inf
    return total if total < np.inf else np.inf


@kernel(PAIR(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT))
def loss_at_best_scale(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, budget: float
) -> Any:
    """Smallest loss of s f over s > 0 on the first rows, and that s; infinite above the budget.

    The minimum over a part of the rows is a lower bound of that over all: it is compared with
    the budget after 1, 2, 4, ... blocks.
    """
    left, slot = np.empty(n, np.int64), np.empty(n, np.int64)
    lay_out(tokens, constants, n, problem, left, slot)
    limit = budget * _ROUNDING
    check = BLOCK
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        write_margins(problem, root, row)
        if row + BLOCK == check and check < rows:
            partial, _ = fit_scale(problem, check, limit, limit)
            if partial == np.inf:
                return np.inf, 1.0
            check *= 2
    return fit_scale(problem, rows, limit, -np.inf)


@kernel(PAIR(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT), entry=True)
def program_loss(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, budget: float
) -> Any:
    """Weighted loss of a program on the first rows, and its output scale.

    The loss is infinite if it is undefined in some row or exceeds the budget; evaluation stops
    as soon as that is certain.
    """
    if problem.free_scale:
        return loss_at_best_scale(tokens, constants, n, problem, rows, budget)
    return loss_at(tokens, constants, n, problem, rows, 1.0, budget), 1.0


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
    memory = problem.memory
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


@kernel(SINGLE(MEMORY, INT, INT), VECTOR)
def dot(memory: Any, a: int, b: int) -> np.float32:
    """Sum of a b over a block."""
    total = ZERO
    for j in range(BLOCK):
        total += load(memory, a + j) * load(memory, b + j)
    return total


@kernel(SINGLE(MEMORY, INT, INT, INT), VECTOR)
def weighted_dot(memory: Any, a: int, b: int, weight: int) -> np.float32:
    """Sum of a b w over a block."""
    total = ZERO
    for j in range(BLOCK):
        total += load(memory, a + j) * load(memory, b + j) * load(memory, weight + j)
    return total


@kernel(FLOAT(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT, VALUES, MATRIX))
def loss_gradient(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, scale: float,
    gradient: Any, hessian: Any,
) -> float:  # fmt: skip
    """Loss of s f over the first rows with its gradient and generalised Gauss-Newton matrix.

    The parameters are the program's constants in their order, then s if it is free. The
    matrix is sum w l'' J J^T, J = d(s f)/d(parameters); see `loss_derivatives` for the hinge.
    """
    left, slot = np.empty(n, np.int64), np.empty(n, np.int64)
    needed = np.empty(n, np.bool_)
    column = np.empty(n + 1, np.int64)
    lay_out(tokens, constants, n, problem, left, slot)
    count = 0
    for t in range(n):
        needed[t] = tokens[t] == CONSTANT
        if needed[t]:
            column[count] = problem.scratch + (problem.capacity + t) * BLOCK
            count += 1
    mark_ancestors(tokens, n, left, needed)
    size = count + problem.free_scale
    for i in range(size):
        gradient[i] = 0.0
        for k in range(size):
            hessian[i, k] = 0.0
    slope = problem.scratch + 2 * problem.capacity * BLOCK
    total = 0.0
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        sweep_down(tokens, n, problem, left, slot, needed, scale, 0)
        total += loss_derivatives(problem, root, row, np.float32(scale), slope)
        if not total < np.inf:
            return np.inf
        column[count] = root
        for i in range(size):
            gradient[i] += dot(problem.memory, column[i], slope)
            for k in range(i + 1):
                hessian[i, k] += weighted_dot(problem.memory, column[i], column[k], slope + BLOCK)
    for i in range(size):
        for k in range(i):
            hessian[k, i] = hessian[i, k]
    return total


@kernel(SINGLE(PROBLEM, INT, INT, INT, INT), VECTOR)
def write_node_derivatives(problem: Any, adjoint: int, slope: int, value: int, row: int) -> float:
    """Keep gradient, curvature and value of a node for a block of rows.

    Returns a number that is finite only if all derivatives are.
    """
    memory = problem.memory
    check = ZERO
    for j in range(BLOCK):
        a = load(memory, adjoint + j)
        g, h = a * load(memory, slope + j), a * a * load(memory, slope + BLOCK + j)
        store(memory, problem.node_gradient + row + j, g)
        store(memory, problem.node_curvature + row + j, h)
        store(memory, problem.node_value + row + j, load(memory, value + j))
        check += abs(g) + h
    return check


@kernel(FLAG(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT, INT))
def node_derivatives(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, scale: float, node: int
) -> bool:
    """First and second derivative of the loss with respect to a node's value, row by row.

    They go to the problem's `node_gradient` and `node_curvature`, the value itself to
    `node_value`. False if they are not finite.
    """
    left, slot = np.empty(n, np.int64), np.empty(n, np.int64)
    needed = np.empty(n, np.bool_)
    lay_out(tokens, constants, n, problem, left, slot)
    for t in range(n):
        needed[t] = t == node
    mark_ancestors(tokens, n, left, needed)
    slope = problem.scratch + 2 * problem.capacity * BLOCK
    adjoint = problem.scratch + (problem.capacity + node) * BLOCK
    for row in range(0, rows, BLOCK):
        root = run_block(tokens, n, problem, left, slot, row)
        sweep_down(tokens, n, problem, left, slot, needed, scale, node)
        loss_derivatives(problem, root, row, np.float32(scale), slope)
        if not write_node_derivatives(problem, adjoint, slope, slot[node], row) < np.inf:
            return False
    return True
