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
    exp_negative32,
    load,
    log1p_unit32,
    select,
    store,
)
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import HINGE, PROBLEM, RAMP, SQUARED_HINGE
from occamscope.laws.evolution.ramp_scaling import LARGEST_SCALE, SMALLEST_SCALE
from occamscope.laws.evolution.scaling import fit_scale, margin_moments, sum_moments

# Scale and offset together: so many times some Newton steps, then the best common factor.
_RAYS, _STEPS = 6, 6
# The kinks are blurred by so much at first, and less by this factor after each ray.
_SMOOTH, _SHARPEN = 0.5, 0.4
# The ramp's Newton steps begin as those of the hinge, a ramp whose cap is out of reach, on so
# many rays: its own would end in the nearest of many minima.
_RAMP_CAP, _NO_CAP, _UNCAPPED_RAYS = 2.0, 1e15, 2


@kernel(types.UniTuple(SINGLE, 4)(PROBLEM, INT), VECTOR)
def _target_moments(problem: Any, row: int) -> Any:
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
def _affine_derivatives(
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
            e = exp_negative32(-abs(u))
            below = ONE / (ONE + e)
            value = select(u > ZERO, ZERO, -u) + log1p_unit32(e)
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
def _shift_margins(problem: Any, row: int, shift: np.float32) -> None:
    """Turn margins y f of a block of rows into y (f + shift)."""
    memory = problem.address
    for j in range(BLOCK):
        y, m = load(memory, problem.target + row + j), load(memory, problem.margin + row + j)
        store(memory, problem.margin + row + j, m + y * shift)


@kernel(PAIR(PROBLEM, INT))
def least_squares(problem: Any, rows: int) -> Any:
    """Scale and offset of the regression of y on f; the scale is 0 if f does not vary."""
    wy, wf, wff, wyf, w = 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        a, b, c, d = _target_moments(problem, row)
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
        _shift_margins(problem, row, shift)


@kernel(types.UniTuple(FLOAT, 6)(PROBLEM, INT, FLOAT, FLOAT, FLOAT, FLOAT))
def _sum_affine(problem: Any, rows: int, s: float, b: float, smooth: float, cap: float) -> Any:
    """Sum of `_affine_derivatives` over the first rows."""
    loss, gs, gb, hss, hsb, hbb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = _affine_derivatives(
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
    s, b = least_squares(problem, rows)
    best, best_s, best_b = np.inf, SMALLEST_SCALE, 0.0
    smooth, cap = _SMOOTH, _RAMP_CAP
    for ray in range(_RAYS):
        if problem.loss == RAMP:
            cap = _NO_CAP if ray < _UNCAPPED_RAYS else _RAMP_CAP
            if ray == _UNCAPPED_RAYS:
                smooth = _SMOOTH
        for _ in range(_STEPS):
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
        loss, s, _ = fit_scale(problem, rows, sum_moments(problem, rows), np.inf, -np.inf, s, 0.0)
        _shift_all(problem, rows, -shift)
        b = s * shift
        if loss < best:
            best, best_s, best_b = loss, s, b
        smooth *= _SHARPEN
    if best > budget:
        return np.inf, 1.0, 0.0
    return best, best_s, best_b
