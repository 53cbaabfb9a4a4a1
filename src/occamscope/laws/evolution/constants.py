"""Constants of a program by Levenberg and Marquardt's method, for any of the losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.affine_scaling import least_squares
from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INT,
    MATRIX,
    PAIR,
    SINGLE,
    TOKENS,
    VALUES,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.evaluation import loss_at, loss_gradient, program_loss
from occamscope.laws.evolution.fastmath import ZERO, load
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.tokens import ADD, CONSTANT, SUBTRACT, arity

# Damping relative to the majoriser's curvature: at the start, after a step that failed, after a
# good one. So many steps may fail in a row.
_DAMPING, _RAISE, _LOWER, _FAILURES = 3e-2, 6.0, 0.3, 4
# Hinge and mae are smoothed less with every step, down to a share of the problem's width.
_SHARPEN, _SHARPEST = 0.8, 0.1
# A law that is of no use yet would have an output scale of 0, from where no constant matters:
# its values start at least this large (mean absolute value).
_USEFUL = 0.25
# Of such a law, and of one whose mean is this share of its mean absolute value, the constant that
# is added to all the rest is first brought where least squares wants it: it may be far away.
_ONE_SIDED = 0.95
# A step that gains less than this share of the loss is the last.
_SMALL_GAIN = 1e-5


@kernel(FLAG(MATRIX, VALUES, VALUES, INT, FLOAT, MATRIX, VALUES))
def solve_damped(
    hessian: Any, gradient: Any, bound: Any, size: int, damping: float, factor: Any, step: Any
) -> bool:
    """Solve (H + damping diag B) step = -g by Cholesky's method; False if it is not definite."""
    for i in range(size):
        for j in range(i + 1):
            value = hessian[i, j]
            if i == j:
                value += damping * bound[i] + 1e-9 * bound[i] + 1e-12
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i != j:
                factor[i, j] = value / factor[j, j]
            elif value > 0.0:
                factor[i, i] = np.sqrt(value)
            else:
                return False
    for i in range(size):
        value = -gradient[i]
        for k in range(i):
            value -= factor[i, k] * step[k]
        step[i] = value / factor[i, i]
    for i in range(size - 1, -1, -1):
        value = step[i]
        for k in range(i + 1, size):
            value -= factor[k, i] * step[k]
        step[i] = value / factor[i, i]
    return True


@kernel(INT(TOKENS, VALUES, INT, VALUES, FLOAT, VALUES))
def _apply_step(tokens: Any, start: Any, n: int, step: Any, largest: float, constants: Any) -> int:
    """constants = start + step, kept within +-largest; return the number of constants."""
    count = 0
    for i in range(n):
        if tokens[i] == CONSTANT:
            constants[i] = min(max(start[i] + step[count], -largest), largest)
            count += 1
    return count


@kernel(VOID(VALUES, INT, VALUES))
def copy_values(source: Any, n: int, target: Any) -> None:
    """target[:n] = source[:n]."""
    for i in range(n):
        target[i] = source[i]


@kernel(INT(TOKENS, INT))
def _count_constants(tokens: Any, n: int) -> int:
    count = 0
    for i in range(n):
        if tokens[i] == CONSTANT:
            count += 1
    return count


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT), VECTOR)
def _value_moments(problem: Any, row: int) -> Any:
    """Sums of w, w f and w |f| over a block; the margins are y f with y = +-1."""
    memory = problem.address
    total, mean, size = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w, y = load(memory, problem.weight + row + j), load(memory, problem.target + row + j)
        m = load(memory, problem.margin + row + j)
        total += w
        mean += w * y * m
        size += w * abs(m)
    return total, mean, size


@kernel(PAIR(PROBLEM, INT))
def _size_and_side(problem: Any, rows: int) -> Any:
    """Mean absolute value of a law, and how one-sided it is: 1 if its sign never changes.

    `program_loss` has left the law's values as margins.
    """
    total, mean, size = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = _value_moments(problem, row)
        total += part[0]
        mean += part[1]
        size += part[2]
    size = max(size, 1e-30)
    return size / total, abs(mean) / size


@kernel(INT(TOKENS, INT))
def find_summand(tokens: Any, n: int) -> int:
    """Index of a constant that is added to all the rest of a program, -1 if there is none."""
    if n < 3 or (tokens[n - 1] != ADD and tokens[n - 1] != SUBTRACT):
        return -1
    if tokens[n - 2] == CONSTANT:
        return n - 2
    i, missing = n - 1, 1  # back to where the right operand begins
    while missing > 0:
        i -= 1
        missing += arity(tokens[i]) - 1
    return 0 if i == 1 and tokens[0] == CONSTANT else -1


@kernel(FLAG(TOKENS, VALUES, INT, PROBLEM, INT, FLOAT))
def _centre(tokens: Any, constants: Any, n: int, problem: Any, rows: int, largest: float) -> bool:
    """Set a constant that is added to the whole law to what least squares of y asks for.

    False if there is no such constant. `program_loss` has left the law's values as margins.
    """
    k = find_summand(tokens, n)
    if k < 0:
        return False
    scale, offset = least_squares(problem, rows)
    if not scale > 0.0:
        return False
    shift = offset / scale
    if k > 0 and tokens[n - 1] == SUBTRACT:
        shift = -shift
    if not abs(constants[k] + shift) <= largest:
        return False
    constants[k] += shift
    return True


@kernel(FLAG(TOKENS, VALUES, INT, PROBLEM, INT, INT, FLOAT, FLOAT, FLOAT), allocates=True)
def fit_constants(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, steps: int, largest: float,
    budget: float, aim: float,
) -> bool:  # fmt: skip
    """Lower the loss on the first rows by changing the constants in place.

    Output scale and offset, if free, are fitted along with them, but not returned:
    `program_loss` finds them again.

    Parameters
    ----------
    rows : rows to use, whole blocks
    steps : most Gauss-Newton steps
    largest : bound on the absolute value of a constant
    budget : largest loss to start from
    aim : give up when a step like the last one would not bring the loss down to this

    Returns
    -------
    True if the loss became smaller
    """
    count = _count_constants(tokens, n)
    if count == 0:
        return False
    loss, scale, offset = program_loss(tokens, constants, n, problem, rows, budget)
    if not loss < np.inf:
        return False
    output, new_output = np.empty(2), np.empty(2)
    output[0], output[1] = scale, offset
    size = count + problem.free_scale + problem.free_offset
    gradient, bound, step = np.empty(size), np.empty(size), np.empty(size)
    hessian, factor = np.empty((size, size)), np.empty((size, size))
    given, best = np.empty(n), np.empty(n)
    copy_values(constants, n, given)
    copy_values(constants, n, best)
    start, moved, improved, centred = loss, False, False, False
    if problem.free_scale and not problem.free_offset:
        extent, side = _size_and_side(problem, rows)
        least = _USEFUL / extent
        if (scale < least or side > _ONE_SIDED) and _centre(
            tokens, constants, n, problem, rows, largest
        ):
            new_loss, new_scale, _ = program_loss(tokens, constants, n, problem, rows, loss)
            if new_loss < loss:
                loss, scale, centred = new_loss, new_scale, True
                output[0] = scale
                least = _USEFUL / _size_and_side(problem, rows)[0]
                copy_values(constants, n, given)
                copy_values(constants, n, best)
            else:
                copy_values(given, n, constants)
        start = loss
        if scale < least:
            output[0], moved = least, True
            loss = loss_at(tokens, constants, n, problem, rows, least, 0.0, np.inf)
    damping, width = _DAMPING, problem.smooth
    for _ in range(steps):
        loss_gradient(tokens, constants, n, problem, rows, output, width, gradient, hessian, bound)
        before = loss
        for _ in range(_FAILURES):
            if solve_damped(hessian, gradient, bound, size, damping, factor, step):
                _apply_step(tokens, best, n, step, largest, constants)
                new_output[0] = output[0] + step[count] if problem.free_scale else 1.0
                new_output[1] = output[1] + step[count + 1] if problem.free_offset else 0.0
                if new_output[0] > 0.0:
                    loss = loss_at(
                        tokens, constants, n, problem, rows, new_output[0], new_output[1], before
                    )
                    if loss < before:
                        break
            damping = max(damping * _RAISE, _DAMPING)
        if not loss < before:
            loss = before
            break
        copy_values(constants, n, best)
        output[0], output[1] = new_output[0], new_output[1]
        improved = True
        damping *= _LOWER
        width = max(width * _SHARPEN, _SHARPEST * problem.smooth)
        gain = before - loss
        if gain < _SMALL_GAIN * before or loss - gain > aim:
            break
    if improved and moved and not loss < start:  # was the other scale worth it?
        improved = program_loss(tokens, best, n, problem, rows, start)[0] < start
    copy_values(best if improved else given, n, constants)
    return improved or centred
