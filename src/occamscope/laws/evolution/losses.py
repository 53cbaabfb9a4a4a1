"""Losses on blocks of rows and their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import (
    INT,
    SINGLE,
    VECTOR,
    kernel,
)
from occamscope.laws.evolution.fastmath import (
    HALF,
    ONE,
    TWO,
    ZERO,
    exp_negative32,
    load,
    log1p_unit32,
    select,
    store,
)
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import (
    HINGE,
    LOGISTIC,
    MAE,
    MSE,
    PROBLEM,
    RAMP,
    SQUARED_HINGE,
)


@kernel(SINGLE(PROBLEM, INT, INT, SINGLE, SINGLE), VECTOR)
def loss_sum(
    problem: Any, block: int, row: int, scale: np.float32, offset: np.float32
) -> np.float32:
    """Weighted loss of s f + b over a block of rows; f stands in `block`."""
    memory = problem.address
    base = problem.base + row
    target, weight = problem.target + row, problem.weight + row
    total = ZERO
    if problem.loss == HINGE:
        for j in range(BLOCK):
            margin = load(memory, target + j) * (scale * load(memory, block + j) + offset)
            short = select(margin >= ONE, ZERO, ONE - margin)
            total += load(memory, weight + j) * short
    elif problem.loss == SQUARED_HINGE:
        for j in range(BLOCK):
            margin = load(memory, target + j) * (scale * load(memory, block + j) + offset)
            short = select(margin >= ONE, ZERO, ONE - margin)
            total += load(memory, weight + j) * short * short
    elif problem.loss == LOGISTIC:
        for j in range(BLOCK):
            f = scale * load(memory, block + j) + offset + load(memory, base + j)
            margin = load(memory, target + j) * f
            above = log1p_unit32(exp_negative32(-abs(margin)))
            total += load(memory, weight + j) * (select(margin > ZERO, ZERO, -margin) + above)
    elif problem.loss == RAMP:
        for j in range(BLOCK):
            margin = load(memory, target + j) * (scale * load(memory, block + j) + offset)
            short = select(margin >= ONE, ZERO, ONE - margin)
            total += load(memory, weight + j) * select(short >= TWO, TWO, short)
    elif problem.loss == MSE:
        for j in range(BLOCK):
            error = scale * load(memory, block + j) + offset - load(memory, target + j)
            total += load(memory, weight + j) * error * error
    else:
        for j in range(BLOCK):
            error = scale * load(memory, block + j) + offset - load(memory, target + j)
            total += load(memory, weight + j) * abs(error)
    return total


@kernel(SINGLE(PROBLEM, INT, INT, SINGLE, SINGLE, SINGLE, INT), VECTOR)
def loss_derivatives(
    problem: Any, block: int, row: int, scale: np.float32, offset: np.float32,
    width: np.float32, out: int,
) -> Any:  # fmt: skip
    """Write derivatives of the loss in s f + b to three blocks from `out` on; return the loss.

    They are w l', w l'', and w times the curvature of a parabola that touches the loss at
    s f + b and lies above it (a majoriser, Hunter and Lange 2004). Hinge, ramp and mae are
    smoothed: |x| is seen as sqrt(x^2 + width^2). The ramp is a difference of two hinges; where
    its curvature is negative it counts as 0, and its parabola is that of the first hinge and
    the tangent of the second.
    """
    memory = problem.address
    base = problem.base + row
    curvature, bound = out + BLOCK, out + 2 * BLOCK
    smooth = width * width
    target, weight = problem.target + row, problem.weight + row
    if problem.loss == HINGE:
        for j in range(BLOCK):
            y = load(memory, target + j)
            w = load(memory, weight + j)
            short = ONE - y * (scale * load(memory, block + j) + offset)
            root = ONE / np.sqrt(short * short + smooth)
            store(memory, out + j, -HALF * w * y * (short * root + ONE))
            store(memory, curvature + j, HALF * w * smooth * root * root * root)
            store(memory, bound + j, HALF * w * root)
    elif problem.loss == SQUARED_HINGE:
        for j in range(BLOCK):
            y = load(memory, target + j)
            short = ONE - y * (scale * load(memory, block + j) + offset)
            w = select(short <= ZERO, ZERO, TWO * load(memory, weight + j))
            store(memory, out + j, -w * y * short)
            store(memory, curvature + j, w)
            store(memory, bound + j, TWO * load(memory, weight + j))
    elif problem.loss == LOGISTIC:
        for j in range(BLOCK):
            y = load(memory, target + j)
            w = load(memory, weight + j)
            f = scale * load(memory, block + j) + offset + load(memory, base + j)
            margin = y * f
            e = exp_negative32(-abs(margin))
            below = ONE / (ONE + e)
            wrong = select(margin > ZERO, e * below, below)
            store(memory, out + j, -w * y * wrong)
            store(memory, curvature + j, w * e * below * below)
            store(memory, bound + j, HALF * HALF * w)
    elif problem.loss == RAMP:
        for j in range(BLOCK):
            y = load(memory, target + j)
            w = load(memory, weight + j)
            short = ONE - y * (scale * load(memory, block + j) + offset)
            beyond = short - TWO
            root = ONE / np.sqrt(short * short + smooth)
            second = ONE / np.sqrt(beyond * beyond + smooth)
            bend = smooth * (root * root * root - second * second * second)
            store(memory, out + j, -HALF * w * y * (short * root - beyond * second))
            store(memory, curvature + j, HALF * w * select(bend < ZERO, ZERO, bend))
            store(memory, bound + j, HALF * w * root)
    elif problem.loss == MSE:
        for j in range(BLOCK):
            w = TWO * load(memory, weight + j)
            error = scale * load(memory, block + j) + offset - load(memory, target + j)
            store(memory, out + j, w * error)
            store(memory, curvature + j, w)
            store(memory, bound + j, w)
    elif problem.loss == MAE:
        for j in range(BLOCK):
            w = load(memory, weight + j)
            error = scale * load(memory, block + j) + offset - load(memory, target + j)
            root = ONE / np.sqrt(error * error + smooth)
            store(memory, out + j, w * error * root)
            store(memory, curvature + j, w * smooth * root * root * root)
            store(memory, bound + j, w * root)
    return loss_sum(problem, block, row, scale, offset)
