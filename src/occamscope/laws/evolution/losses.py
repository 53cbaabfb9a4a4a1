"""Losses on blocks of rows, their derivatives, and the best output scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLOAT,
    INT,
    PAIR,
    SINGLE,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.fastmath import (
    HALF,
    ONE,
    TWO,
    ZERO,
    exp32,
    load,
    log32,
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
    SQUARED_HINGE,
)

# The same range as occamscope.laws.loss: outside, a law has no use for its scale.
SMALLEST_SCALE, LARGEST_SCALE = 1e-6, 1e6
# Relative precision of the loss at the best scale.
SCALE_TOLERANCE = 3e-5
_LN2 = 0.6931471805599453


@kernel(SINGLE(PROBLEM, INT, INT, SINGLE), VECTOR)
def loss_sum(problem: Any, block: int, row: int, scale: np.float32) -> np.float32:
    """Weighted loss of s f over a block of rows; f stands in `block`."""
    memory = problem.memory
    target, weight = problem.target + row, problem.weight + row
    total = ZERO
    if problem.loss == HINGE:
        for j in range(BLOCK):
            margin = scale * load(memory, target + j) * load(memory, block + j)
            short = select(margin >= ONE, ZERO, ONE - margin)
            total += load(memory, weight + j) * short
    elif problem.loss == SQUARED_HINGE:
        for j in range(BLOCK):
            margin = scale * load(memory, target + j) * load(memory, block + j)
            short = select(margin >= ONE, ZERO, ONE - margin)
            total += load(memory, weight + j) * short * short
    elif problem.loss == LOGISTIC:
        for j in range(BLOCK):
            margin = scale * load(memory, target + j) * load(memory, block + j)
            above = log32(ONE + exp32(-abs(margin)))
            total += load(memory, weight + j) * (select(margin > ZERO, ZERO, -margin) + above)
    elif problem.loss == MSE:
        for j in range(BLOCK):
            error = scale * load(memory, block + j) - load(memory, target + j)
            total += load(memory, weight + j) * error * error
    else:
        for j in range(BLOCK):
            error = scale * load(memory, block + j) - load(memory, target + j)
            total += load(memory, weight + j) * abs(error)
    return total


@kernel(SINGLE(PROBLEM, INT, INT, SINGLE, INT), VECTOR)
def loss_derivatives(problem: Any, block: int, row: int, scale: np.float32, out: int) -> Any:
    """Write w l'(s f) to block `out` and w l''(s f) to the next one; return the loss.

    Hinge and mae are smoothed in the derivatives (`problem.smooth`), and their curvature is
    that of a quadratic that touches the smoothed loss and lies above it (majorisation).
    """
    memory = problem.memory
    smooth = np.float32(problem.smooth * problem.smooth)
    target, weight = problem.target + row, problem.weight + row
    if problem.loss == HINGE:
        for j in range(BLOCK):
            y = load(memory, target + j)
            w = load(memory, weight + j)
            short = ONE - scale * y * load(memory, block + j)
            root = ONE / np.sqrt(short * short + smooth)
            store(memory, out + j, -HALF * w * y * (short * root + ONE))
            store(memory, out + BLOCK + j, HALF * w * root)
    elif problem.loss == SQUARED_HINGE:
        for j in range(BLOCK):
            y = load(memory, target + j)
            short = ONE - scale * y * load(memory, block + j)
            w = select(short <= ZERO, ZERO, TWO * load(memory, weight + j))
            store(memory, out + j, -w * y * short)
            store(memory, out + BLOCK + j, w)
    elif problem.loss == LOGISTIC:
        for j in range(BLOCK):
            y = load(memory, target + j)
            w = load(memory, weight + j)
            margin = scale * y * load(memory, block + j)
            e = exp32(-abs(margin))
            below = ONE / (ONE + e)
            wrong = select(margin > ZERO, e * below, below)
            store(memory, out + j, -w * y * wrong)
            store(memory, out + BLOCK + j, w * e * below * below)
    elif problem.loss == MSE:
        for j in range(BLOCK):
            w = TWO * load(memory, weight + j)
            error = scale * load(memory, block + j) - load(memory, target + j)
            store(memory, out + j, w * error)
            store(memory, out + BLOCK + j, w)
    elif problem.loss == MAE:
        for j in range(BLOCK):
            w = load(memory, weight + j)
            error = scale * load(memory, block + j) - load(memory, target + j)
            root = ONE / np.sqrt(error * error + smooth)
            store(memory, out + j, w * error * root)
            store(memory, out + BLOCK + j, w * root)
    return loss_sum(problem, block, row, scale)


@kernel(VOID(PROBLEM, INT, INT), VECTOR)
def write_margins(problem: Any, block: int, row: int) -> None:
    """Keep y f of a block of rows for the search of the scale."""
    memory = problem.memory
    for j in range(BLOCK):
        margin = load(memory, problem.target + row + j) * load(memory, block + j)
        store(memory, problem.margin + row + j, margin)


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT), VECTOR)
def margin_moments(problem: Any, row: int) -> Any:
    """Sums of w, w m and w m^2 over a block; m are the margins."""
    memory = problem.memory
    total, first, second = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w = load(memory, problem.weight + row + j)
        m = load(memory, problem.margin + row + j)
        total += w
        first += w * m
        second += w * m * m
    return total, first, second


@kernel(types.UniTuple(SINGLE, 2)(PROBLEM, INT, SINGLE), VECTOR)
def margin_loss(problem: Any, row: int, scale: np.float32) -> Any:
    """Loss at margins s m over a block, and its derivative with respect to s."""
    memory = problem.memory
    weight, margins = problem.weight + row, problem.margin + row
    total, slope = ZERO, ZERO
    if problem.loss == HINGE:
        for j in range(BLOCK):
            w, m = load(memory, weight + j), load(memory, margins + j)
            short = ONE - scale * m
            w = select(short <= ZERO, ZERO, w)
            total += w * short
            slope -= w * m
    elif problem.loss == SQUARED_HINGE:
        for j in range(BLOCK):
            w, m = load(memory, weight + j), load(memory, margins + j)
            short = ONE - scale * m
            w = select(short <= ZERO, ZERO, w)
            total += w * short * short
            slope -= TWO * w * short * m
    else:
        for j in range(BLOCK):
            w, m = load(memory, weight + j), load(memory, margins + j)
            e = exp32(-abs(scale * m))
            below = ONE / (ONE + e)
            total += w * (select(m > ZERO, ZERO, -scale * m) + log32(ONE + e))
            slope -= w * m * select(m > ZERO, e * below, below)
    return total, slope


@kernel(PAIR(PROBLEM, INT, FLOAT))
def loss_at_scale(problem: Any, rows: int, scale: float) -> Any:
    """Loss at margins s m over the first rows, and its derivative with respect to s."""
    total, slope = 0.0, 0.0
    for row in range(0, rows, BLOCK):
        block_total, block_slope = margin_loss(problem, row, np.float32(scale))
        total += block_total
        slope += block_slope
    return total, slope


@kernel(types.UniTuple(FLOAT, 3)(PROBLEM, INT))
def loss_without_scale(problem: Any, rows: int) -> Any:
    """Loss and slope at s = 0, and the s of a first try.

    The first try is where a parabola with the squared hinge's slope and curvature ends.
    """
    total, first, second = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        w, wm, wmm = margin_moments(problem, row)
        total += w
        first += wm
        second += wmm
    start = min(max(first / second, SMALLEST_SCALE), LARGEST_SCALE)
    if problem.loss == LOGISTIC:
        return _LN2 * total, -0.5 * first, 4.0 * start
    if problem.loss == SQUARED_HINGE:
        return total, -2.0 * first, start
    return total, -first, start


@kernel(PAIR(PROBLEM, INT, FLOAT, FLOAT))
def fit_scale(problem: Any, rows: int, budget: float, enough: float) -> Any:
    """Smallest loss over the scale s > 0 of the first rows' margins, and that s.

    The loss is convex in s: the tangents at two points around the minimum meet below it, and
    where they meet is the next point (Kelley's cutting planes in one dimension).

    Parameters
    ----------
    budget : stop with an infinite loss once the minimum is known to lie above
    enough : stop once the loss is as small as this
    """
    low = 0.0
    loss_low, slope_low, s = loss_without_scale(problem, rows)
    best, best_scale = loss_low, SMALLEST_SCALE
    if not loss_low < np.inf or not abs(slope_low) < np.inf:
        return np.inf, 1.0
    if slope_low >= 0.0:
        return (best, best_scale) if best <= budget else (np.inf, 1.0)
    high, loss_high, slope_high = np.inf, 0.0, 0.0
    for _ in range(40):
        if best <= enough:
            break
        loss, slope = loss_at_scale(problem, rows, s)
        if loss < best:
            best, best_scale = loss, s
        if slope < 0.0:
            low, loss_low, slope_low = s, loss, slope
        else:
            high, loss_high, slope_high = s, loss, slope
        if high == np.inf:
            if s >= LARGEST_SCALE:
                break
            s = min(2.0 * s, LARGEST_SCALE)
            continue
        crossing = loss_high - loss_low + slope_low * low - slope_high * high
        s = crossing / (slope_low - slope_high)
        bound = loss_low + slope_low * (s - low)
        if bound > budget:
            return np.inf, 1.0
        if best - bound <= SCALE_TOLERANCE * best or not low < s < high:
            break
    return (best, best_scale) if best <= budget else (np.inf, 1.0)
