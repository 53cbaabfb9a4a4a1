"""The best output scale and offset of a law under a margin loss."""

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
from occamscope.laws.evolution.problem import HINGE, LOGISTIC, PROBLEM, RAMP, SQUARED_HINGE
from occamscope.laws.evolution.ramp_scaling import (
    LARGEST_SCALE,
    SMALLEST_SCALE,
    fit_ramp_scale,
)

# Relative precision of the loss at the best scale.
SCALE_TOLERANCE = 1e-4
# Scale and offset together: so many times some Newton steps, then the best common factor.
_AFFINE_RAYS, _AFFINE_STEPS = 6, 6
# The kinks are blurred by so much at first, and less by this factor after each ray.
_AFFINE_SMOOTH, _AFFINE_SHARPEN = 0.5, 0.4
# The ramp's Newton steps begin as those of the hinge, a ramp whose cap is out of reach, on so
# many rays: its own would end in the nearest of many minima.
_RAMP_CAP, _NO_CAP, _UNCAPPED_RAYS = 2.0, 1e15, 2


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT, INT), VECTOR)
def write_margins(problem: Any, block: int, row: int) -> Any:
    """Keep the margins m = y f of a block of rows; return the sums of w, w m and w m^2."""
    memory = problem.address
    total, first, second = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w = load(memory, problem.weight + row + j)
        m = load(memory, problem.target + row + j) * load(memory, block + j)
        store(memory, problem.margin + row + j, m)
        total += w
        first += w * m
        second += w * m * m
    return total, first, second


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT), VECTOR)
def margin_moments(problem: Any, row: int) -> Any:
    """Sums of w, w m and w m^2 over a block; m are the margins."""
    memory = problem.address
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
            e = exp32(-abs(u))
            below = ONE / (ONE + e)
            total += w * (select(u > ZERO, ZERO, -u) + log32(ONE + e))
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
    """Sums of w, w m and w m^2 over the first rows; m are the margins."""
    total, first, second = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        w, wm, wmm = margin_moments(problem, row)
        total += w
        first += wm
        second += wmm
    return total, first, second


@kernel(TRIPLE(PROBLEM, INT, TRIPLE))
def loss_without_scale(problem: Any, rows: int, moments: Any) -> Any:
    """Loss and slope at s = 0, and the s of a first try.

    The first try is where a parabola with the squared hinge's slope and curvature ends.
    """
    total, first, second = moments
    start = min(max(first / second, SMALLEST_SCALE), LARGEST_SCALE)
    if problem.loss == LOGISTIC:
        loss, slope = loss_at_scale(problem, rows, 0.0)
        return loss, slope, 4.0 * start
    if problem.loss == SQUARED_HINGE:
        return total, -2.0 * first, start
    return total, -first, start


@kernel(PAIR(PROBLEM, INT, TRIPLE, FLOAT, FLOAT, FLOAT))
def fit_scale(
    problem: Any, rows: int, moments: Any, budget: float, enough: float, start: float
) -> Any:
    """Smallest loss over the scale s > 0 of the first rows' margins, and that s.

    All losses but the ramp are convex in s: the tangents at two points around the minimum meet below it, and
    where they meet is the next point (Kelley's cutting planes in one dimension).

    Parameters
    ----------
    moments : (3,) sums of w, w m and w m^2 over these rows, m the margins
    budget : stop with an infinite loss once the minimum is known to lie above
    enough : stop once the loss is as small as this
    start : a scale near which the best one is expected; 0 if none is known
    """
    if problem.loss == RAMP:
        return fit_ramp_scale(problem, rows, budget, enough, start)
    low = 0.0
    loss_low, slope_low, s = loss_without_scale(problem, rows, moments)
    best, best_scale = loss_low, SMALLEST_SCALE
    if not loss_low < np.inf or not abs(slope_low) < np.inf:
        return np.inf, 1.0
    if slope_low >= 0.0:
        return (best, best_scale) if best <= budget else (np.inf, 1.0)
    reach = 2.0
    if start > 0.0:
        s, reach = start, 1.25
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
            s = min(reach * s, LARGEST_SCALE)
            reach = min(reach * reach, 4.0)
            continue
        crossing = loss_high - loss_low + slope_low * low - slope_high * high
        meeting = crossing / (slope_low - slope_high)
        bound = loss_low + slope_low * (meeting - low)
        if bound > budget:
            return np.inf, 1.0
        if best - bound <= SCALE_TOLERANCE * best or not low < meeting < high:
            break
        if start > 0.0 and low == 0.0:  # the tangent at 0 says little: feel the way down
            s = max(high / reach, meeting)
            reach = min(reach * reach, 4.0)
        else:
            s = meeting
    return (best, best_scale) if best <= budget else (np.inf, 1.0)


@kernel(types.UniTuple(SINGLE, 4)(PROBLEM, INT), VECTOR)
def target_moments(problem: Any, row: int) -> Any:
    """Sums of w y, w f, w f^2 and w y f over a block; y f are the margins."""
    memory = problem.address
    wy, wf, wff, wyf = ZERO, ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w, y = load(memory, problem.weight + row + j), load(memory, problem.target + row + j)
        m = load(memory, problem.margin + row + j)
        wy += w * y
        wf += w * y * m
        wff += w * m * m
        wyf += w * m
    return wy, wf, wff, wyf


@kernel(types.UniTuple(SINGLE, 6)(PROBLEM, INT, SINGLE, SINGLE, SINGLE, SINGLE), VECTOR)
def affine_derivatives(
    problem: Any, row: int, scale: np.float32, offset: np.float32, smooth: np.float32,
    cap: np.float32,
) -> Any:  # fmt: skip
    """Loss of s f + b over a block, gradient in (s, b), curvatures (ss, sb, bb).

    The hinge's derivatives are those of its smooth majoriser, sqrt(x^2 + smooth^2) for |x|;
    the ramp's those of two such hinges, of which the second, from `cap` on, has its tangent for
    majoriser.
    """
    memory = problem.address
    total, gs, gb, hss, hsb, hbb = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w, y = load(memory, problem.weight + row + j), load(memory, problem.target + row + j)
        m = load(memory, problem.margin + row + j)
        u = scale * m + y * (offset + load(memory, problem.base + row + j))
        short = ONE - u
        if problem.loss == HINGE:
            root = ONE / np.sqrt(short * short + smooth * smooth)
            value = select(short <= ZERO, ZERO, short)
            slope = -HALF * (short * root + ONE)
            curve = HALF * root
        elif problem.loss == RAMP:
            beyond = short - cap
            root = ONE / np.sqrt(short * short + smooth * smooth)
            second = ONE / np.sqrt(beyond * beyond + smooth * smooth)
            value = select(short <= ZERO, ZERO, select(short >= TWO, TWO, short))
            slope = -HALF * (short * root - beyond * second)
            curve = HALF * root
        elif problem.loss == SQUARED_HINGE:
            inside = select(short <= ZERO, ZERO, ONE)
            value = inside * short * short
            slope = -TWO * inside * short
            curve = TWO * inside
        else:
            e = exp32(-abs(u))
            below = ONE / (ONE + e)
            value = select(u > ZERO, ZERO, -u) + log32(ONE + e)
            slope = -select(u > ZERO, e * below, below)
            curve = e * below * below
        total += w * value
        gs += w * slope * m
        gb += w * slope * y
        hss += w * curve * m * m
        hsb += w * curve * m * y
        hbb += w * curve
    return total, gs, gb, hss, hsb, hbb


@kernel(VOID(PROBLEM, INT, SINGLE), VECTOR)
def shift_margins(problem: Any, row: int, shift: np.float32) -> None:
    """Turn margins y f of a block of rows into y (f + shift)."""
    memory = problem.address
    for j in range(BLOCK):
        y, m = load(memory, problem.target + row + j), load(memory, problem.margin + row + j)
        store(memory, problem.margin + row + j, m + y * shift)


@kernel(PAIR(PROBLEM, INT))
def _least_squares(problem: Any, rows: int) -> Any:
    """Scale and offset of the regression of y on f; the scale is 0 if f does not vary."""
    wy, wf, wff, wyf, w = 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        a, b, c, d = target_moments(problem, row)
        wy += a
        wf += b
        wff += c
        wyf += d
        w += margin_moments(problem, row)[0]
    variance = wff / w - (wf / w) ** 2
    if not variance > 1e-12 * wff / w:
        return 0.0, wy / w
    scale = (wyf / w - wy / w * wf / w) / variance
    return scale, wy / w - scale * wf / w


@kernel(VOID(PROBLEM, INT, SINGLE))
def _shift_all(problem: Any, rows: int, shift: np.float32) -> None:
    """Turn margins y f of the first rows into y (f + shift)."""
    for row in range(0, rows, BLOCK):
        shift_margins(problem, row, shift)


@kernel(types.UniTuple(FLOAT, 6)(PROBLEM, INT, FLOAT, FLOAT, FLOAT, FLOAT))
def _sum_affine(problem: Any, rows: int, s: float, b: float, smooth: float, cap: float) -> Any:
    """Sum of `affine_derivatives` over the first rows."""
    loss, gs, gb, hss, hsb, hbb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = affine_derivatives(
            problem, row, np.float32(s), np.float32(b), np.float32(smooth), np.float32(cap)
        )
        loss += part[0]
        gs += part[1]
        gb += part[2]
        hss += part[3]
        hsb += part[4]
        hbb += part[5]
    return loss, gs, gb, hss, hsb, hbb


@kernel(TRIPLE(PROBLEM, INT, FLOAT))
def fit_affine(problem: Any, rows: int, budget: float) -> Any:
    """Smallest loss of s f + b over s > 0 and b on the first rows, with that s and b.

    Newton's method on both, for hinge and ramp on majorisers that become sharper, with the exact
    best factor on both in between. Infinite if the loss is undefined or above the budget. The plain
    version is `occamscope.laws.loss.fit_output_affine`.
    """
    s, b = _least_squares(problem, rows)
    best, best_s, best_b = np.inf, SMALLEST_SCALE, 0.0
    smooth, cap = _AFFINE_SMOOTH, _RAMP_CAP
    for ray in range(_AFFINE_RAYS):
        if problem.loss == RAMP:
            cap = _NO_CAP if ray < _UNCAPPED_RAYS else _RAMP_CAP
            if ray == _UNCAPPED_RAYS:
                smooth = _AFFINE_SMOOTH
        for _ in range(_AFFINE_STEPS):
            s = min(max(s, SMALLEST_SCALE), LARGEST_SCALE)
            loss, gs, gb, hss, hsb, hbb = _sum_affine(problem, rows, s, b, smooth, cap)
            if loss < best:
                best, best_s, best_b = loss, s, b
            determinant = hss * hbb - hsb * hsb
            if not hbb > 0.0 or not abs(gs) < np.inf or not determinant < np.inf:
                break
            if (s <= SMALLEST_SCALE and gs >= 0.0) or not determinant > 1e-9 * hss * hbb:
                b -= gb / hbb
            else:
                s -= (hbb * gs - hsb * gb) / determinant
                b -= (hss * gb - hsb * gs) / determinant
        if not best < np.inf:
            return np.inf, 1.0, 0.0
        if s <= SMALLEST_SCALE:  # f is of no use: the best constant
            sign = 1.0 if b > 0.0 else -1.0
            loss = _sum_affine(problem, rows, SMALLEST_SCALE, sign, smooth, cap)[0]
            if loss < best:
                best, best_s, best_b = loss, SMALLEST_SCALE, sign
            break
        # Along the ray Newton's steps on a majoriser are short: here the best point is exact.
        shift = np.float32(b / s)
        _shift_all(problem, rows, shift)
        loss, s = fit_scale(problem, rows, sum_moments(problem, rows), np.inf, -np.inf, s)
        _shift_all(problem, rows, -shift)
        b = s * shift
        if loss < best:
            best, best_s, best_b = loss, s, b
        smooth *= _AFFINE_SHARPEN
    if best > budget:
        return np.inf, 1.0, 0.0
    return best, best_s, best_b
