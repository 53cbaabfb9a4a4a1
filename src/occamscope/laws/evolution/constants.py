"""Constants of a program by Levenberg and Marquardt's method, for any of the losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INT,
    MATRIX,
    TOKENS,
    VALUES,
    VOID,
    kernel,
)
from occamscope.laws.evolution.evaluation import loss_at, loss_gradient, program_loss
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.tokens import CONSTANT

# Damping relative to the curvature: at the start, after a step that failed, after a good one.
_DAMPING, _RAISE, _LOWER = 1e-3, 8.0, 0.2
# A step that gains less than this share of the loss is the last.
_SMALL_GAIN = 1e-5


@kernel(FLAG(MATRIX, VALUES, INT, FLOAT, MATRIX, VALUES))
def solve_damped(
    hessian: Any, gradient: Any, size: int, damping: float, factor: Any, step: Any
) -> bool:
    """Solve (H + damping diag H) step = -g by Cholesky's method; False if H is not definite."""
    for i in range(size):
        for j in range(i + 1):
            value = hessian[i, j]
            if i == j:
                value += damping * value + 1e-12 * (1.0 + value)
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


@kernel(FLAG(TOKENS, VALUES, INT, PROBLEM, INT, INT, FLOAT))
def fit_constants(
    tokens: Any, constants: Any, n: int, problem: Any, rows: int, steps: int, largest: float
) -> bool:
    """Lower the loss on the first rows by changing the constants in place.

    Output scale and offset, if free, are fitted along with them, but not returned:
    `program_loss` finds them again.

    Parameters
    ----------
    rows : rows to use, whole blocks
    steps : most Gauss-Newton steps
    largest : bound on the absolute value of a constant

    Returns
    -------
    True if the loss became smaller
    """
    count = _count_constants(tokens, n)
    if count == 0:
        return False
    loss, scale, offset = program_loss(tokens, constants, n, problem, rows, np.inf)
    size = count + problem.free_scale + problem.free_offset
    gradient, step = np.empty(size), np.empty(size)
    hessian, factor = np.empty((size, size)), np.empty((size, size))
    best = np.empty(n)
    copy_values(constants, n, best)
    damping, improved = _DAMPING, False
    for _ in range(steps):
        if not loss < np.inf:
            break
        loss_gradient(tokens, constants, n, problem, rows, scale, offset, gradient, hessian)
        before = loss
        for _ in range(4):
            if solve_damped(hessian, gradient, size, damping, factor, step):
                _apply_step(tokens, best, n, step, largest, constants)
                new_scale = scale + step[count] if problem.free_scale else 1.0
                new_offset = offset + step[count + 1] if problem.free_offset else 0.0
                if new_scale > 0.0:
                    loss = loss_at(
                        tokens, constants, n, problem, rows, new_scale, new_offset, before
                    )
                    if loss < before:
                        break
            damping = max(damping * _RAISE, _DAMPING)
        if not loss < before:
            break
        copy_values(constants, n, best)
        scale, offset, improved = new_scale, new_offset, True
        damping *= _LOWER
        if before - loss < _SMALL_GAIN * before:
            break
    copy_values(best, n, constants)
    return improved
