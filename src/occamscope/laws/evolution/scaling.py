"""The best output scale of a law under a margin loss that is convex in it.

The tangents at two scales around the best one meet below the smallest loss, which bounds it
(Kelley's cutting planes in one dimension). The ramp has `ramp_scaling`, an offset
`affine_scaling`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLOAT,
    INT,
    PAIR,
    SINGLE,
    TRIPLE,
    VECTOR,
    kernel,
)
from occamscope.laws.evolution.fastmath import (
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
from occamscope.laws.evolution.problem import HINGE, LOGISTIC, PROBLEM, RAMP, SQUARED_HINGE
from occamscope.laws.evolution.ramp_scaling import (
    LARGEST_SCALE,
    SMALLEST_SCALE,
    fit_ramp_scale,
)

# Relative precision of the loss at the best scale.
SCALE_TOLERANCE = 1e-4
# From so many blocks on a first search with little precision looks at one block alone.
_MANY_BLOCKS, _ROUGH = 2, 1e-2
# How far beyond the expected minimum the second point is put, relative to the step.
_BEYOND = 1.2
# Where no scale is known, tries grow at least by this factor.
_GROWTH = 1.5
# Near a known one the first step has at least this factor.
_NUDGE = 1.02


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT, INT), VECTOR)
def write_margins(problem: Any, block: int, row: int) -> Any:
    """Keep the margins m = y f of a block of rows; return the sums of w, w m and w |m|."""
    memory = problem.address
    total, first, size = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w = load(memory, problem.weight + row + j)
        m = load(memory, problem.target + row + j) * load(memory, block + j)
        store(memory, problem.margin + row + j, m)
        total += w
        first += w * m
        size += w * abs(m)
    return total, first, size


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT), VECTOR)
def margin_moments(problem: Any, row: int) -> Any:
    """Sums of w, w m and w |m| over a block; m are the margins."""
    memory = problem.address
    total, first, size = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w = load(memory, problem.weight + row + j)
        m = load(memory, problem.margin + row + j)
        total += w
        first += w * m
        size += w * abs(m)
    return total, first, size


@kernel(types.UniTuple(SINGLE, 2)(PROBLEM, INT, SINGLE), VECTOR)
def margin_loss(problem: Any, row: int, scale: np.float32) -> Any:
    """Loss at margins s m over a block, and its derivative with respect to s."""
    memory = problem.address
    weight, margins = problem.weight + row, problem.margin + row
    target, base = problem.target + row, problem.base + row
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
            u = scale * m + load(memory, target + j) * load(memory, base + j)
            e = exp_negative32(-abs(u))
            below = ONE / (ONE + e)
            total += w * (select(u > ZERO, ZERO, -u) + log1p_unit32(e))
            slope -= w * m * select(u > ZERO, e * below, below)
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


@kernel(TRIPLE(PROBLEM, INT))
def sum_moments(problem: Any, rows: int) -> Any:
    """Sums of w, w m and w |m| over the first rows; m are the margins."""
    total, first, size = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        w, wm, wa = margin_moments(problem, row)
        total += w
        first += wm
        size += wa
    return total, first, size


@kernel(TRIPLE(PROBLEM, INT, TRIPLE))
def loss_without_scale(problem: Any, rows: int, moments: Any) -> Any:
    """Loss and slope at s = 0, and the s of a first try.

    For normal margins of any mean the hinges' best scale is near 1 / mean |m|; the logistic
    loss's is twice the mean over the variance.
    """
    total, first, size = moments
    loss, slope, start = total, -first, total / size
    if problem.loss == LOGISTIC:
        if problem.has_base:
            loss, slope = loss_at_scale(problem, rows, 0.0)
        else:
            loss, slope = np.log(2.0) * total, -0.5 * first
        start *= 2.5 * first / size
    elif problem.loss == SQUARED_HINGE:
        slope *= 2.0
    return loss, slope, min(max(start, SMALLEST_SCALE), LARGEST_SCALE)


@kernel(FLOAT(FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT))
def _cubic_minimum(
    low: float, loss_low: float, slope_low: float, high: float, loss_high: float,
    slope_high: float,
) -> float:  # fmt: skip
    """Where the cubic through two points with their slopes (< 0, >= 0) is smallest."""
    width = high - low
    d = slope_low + slope_high - 3.0 * (loss_high - loss_low) / width
    root = np.sqrt(max(d * d - slope_low * slope_high, 0.0))
    return high - width * (slope_high + root - d) / (slope_high - slope_low + 2.0 * root)


@kernel(FLOAT(FLOAT, FLOAT, FLOAT, FLOAT))
def _other_side(s: float, slope: float, curve: float, reach: float) -> float:
    """Scale a little beyond where the slope should be 0, for a curvature (0: unknown).

    Beyond, because the tangents of two points bound the loss only if the minimum is between.
    At least a factor `reach` away.
    """
    wanted = s - _BEYOND * slope / curve if curve > 0.0 else 4.0 * s
    if slope < 0.0:
        return min(max(wanted, reach * s), 4.0 * s, LARGEST_SCALE)
    return min(max(wanted, 0.25 * s), s / reach)


@kernel(TRIPLE(PROBLEM, INT, TRIPLE, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT))
def _minimise(
    problem: Any, rows: int, moments: Any, budget: float, enough: float, tolerance: float,
    start: float, curve: float,
) -> Any:  # fmt: skip
    """Return the smallest loss, its scale and the curvature there (of the mean over the rows).

    Of two points around the minimum, the next one is the minimum of the cubic through them;
    where that closes in too slowly, it is where the tangents meet.

    Parameters as in `fit_scale`, and the relative precision of the loss.
    """
    low = 0.0
    loss_low, slope_low, s = loss_without_scale(problem, rows, moments)
    best, best_scale = loss_low, SMALLEST_SCALE
    if not loss_low < np.inf or not abs(slope_low) < np.inf:
        return np.inf, 1.0, 0.0
    if slope_low >= 0.0:
        return (best, best_scale, 0.0) if best <= budget else (np.inf, 1.0, 0.0)
    reach = _GROWTH
    if start > 0.0:
        s, reach = start, _NUDGE
    curve *= moments[0]
    high, loss_high, slope_high = np.inf, 0.0, 0.0
    gap = np.inf
    for _ in range(40):
        if best <= enough:
            break
        loss, slope = loss_at_scale(problem, rows, s)
        if loss < best:
            best, best_scale = loss, s
        if slope < 0.0:
            if high == np.inf and (low > 0.0 or curve == 0.0) and slope > slope_low:
                curve = (slope - slope_low) / (s - low)
            low, loss_low, slope_low = s, loss, slope
        else:
            high, loss_high, slope_high = s, loss, slope
        if high == np.inf:
            if s >= LARGEST_SCALE:
                break
            s = _other_side(s, slope, curve, reach)
            reach = min(reach * reach * reach, 4.0)
            continue
        crossing = loss_high - loss_low + slope_low * low - slope_high * high
        meeting = crossing / (slope_low - slope_high)
        bound = loss_low + slope_low * (meeting - low)
        if bound > budget:
            return np.inf, 1.0, 0.0
        if best - bound <= tolerance * best or not low < meeting < high:
            break
        s = meeting
        if low == 0.0 and curve > 0.0:  # the tangent at 0 says little
            s = max(s, _other_side(high, slope_high, curve, reach))
            reach = min(reach * reach * reach, 4.0)
        elif best - bound < 0.25 * gap:
            cubic = _cubic_minimum(low, loss_low, slope_low, high, loss_high, slope_high)
            if low < cubic < high:
                s = cubic
        gap = best - bound
    if best > budget:
        return np.inf, 1.0, 0.0
    if high < np.inf:
        curve = (slope_high - slope_low) / (high - low)
    return best, best_scale, curve / moments[0]


@kernel(TRIPLE(PROBLEM, INT, TRIPLE, FLOAT, FLOAT, FLOAT, FLOAT))
def fit_scale(
    problem: Any, rows: int, moments: Any, budget: float, enough: float, start: float,
    curve: float,
) -> Any:  # fmt: skip
    """Smallest loss over the scale s > 0 of the first rows' margins, that s, and a curvature.

    If no start is known, the first block of rows gives one.

    Parameters
    ----------
    moments : (3,) sums of w, w m and w |m| over these rows, m the margins
    budget : stop with an infinite loss once the minimum is known to lie above
    enough : stop once the loss is as small as this
    start : a scale near which the best one is expected; 0 if none is known
    curve : curvature in s that is expected there, of the weighted mean; 0 if none is known.
        What is returned can be handed on to a call with more rows.
    """
    if problem.loss == RAMP:
        loss, scale = fit_ramp_scale(problem, rows, budget, enough, start)
        return loss, scale, 0.0
    if start == 0.0 and rows >= _MANY_BLOCKS * BLOCK:
        _, start, curve = _minimise(
            problem, BLOCK, sum_moments(problem, BLOCK), np.inf, -np.inf, _ROUGH, 0.0, 0.0
        )
        if start == SMALLEST_SCALE:
            start = 0.0
    return _minimise(problem, rows, moments, budget, enough, SCALE_TOLERANCE, start, curve)
