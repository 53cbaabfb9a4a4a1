"""The best output scale of a law under the ramp loss, which is not convex in the scale.

With margins m the loss at scale s is W - P(s) + N(s), where W is the sum of the weights and P
and N are the sums of w min(s |m|, 1) over the rows with m > 0 and those with m < 0. Both rise
and are concave. So between two scales whose sums are known, P lies below its tangents there
and N above its chord: that bounds the loss from below. The next scale to try is where the
lowest of these bounds is reached, until none of them lies much below the best loss seen (branch
and bound on a difference of convex functions: Horst and Thoai, Journal of Optimization Theory
and Applications 103, 1999).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLOAT,
    INT,
    MATRIX,
    PAIR,
    SINGLE,
    VECTOR,
    VOID,
    kernel,
)
from occamscope.laws.evolution.fastmath import ONE, ZERO, load, select
from occamscope.laws.evolution.operators import BLOCK
from occamscope.laws.evolution.problem import PROBLEM

# The same range as occamscope.laws.loss: outside, a law has no use for its scale.
SMALLEST_SCALE, LARGEST_SCALE = 1e-6, 1e6
# The loss at the best scale found is at most this share above the smallest one, unless so many
# scales were tried.
RAMP_TOLERANCE, _MOST_SCALES = 1e-3, 40
# Columns of the scales tried: the scale, P, its slope, N.
_SCALE, _RIGHT, _SLOPE, _WRONG = range(4)


@kernel(types.UniTuple(SINGLE, 4)(PROBLEM, INT), VECTOR)
def _weigh_margins(problem: Any, row: int) -> Any:
    """Sums of w, w [m > 0], w |m| [m > 0] and w |m| [m < 0] over a block; m are the margins."""
    memory = problem.address
    weight, margins = problem.weight + row, problem.margin + row
    total, right, above, below = ZERO, ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w, m = load(memory, weight + j), load(memory, margins + j)
        total += w
        right += select(m > ZERO, w, ZERO)
        above += select(m > ZERO, w * m, ZERO)
        below += select(m > ZERO, ZERO, -w * m)  # nan stays nan
    return total, right, above, below


@kernel(types.UniTuple(SINGLE, 3)(PROBLEM, INT, SINGLE), VECTOR)
def _clip_margins(problem: Any, row: int, scale: np.float32) -> Any:
    """Sums P, dP/ds and N over a block."""
    memory = problem.address
    weight, margins = problem.weight + row, problem.margin + row
    right, slope, wrong = ZERO, ZERO, ZERO
    for j in range(BLOCK):
        w, m = load(memory, weight + j), load(memory, margins + j)
        u = scale * abs(m)
        clipped = w * select(u < ONE, u, ONE)
        right += select(m > ZERO, clipped, ZERO)
        wrong += select(m > ZERO, ZERO, clipped)
        slope += select(m > ZERO, select(u < ONE, w * m, ZERO), ZERO)
    return right, slope, wrong


@kernel(VOID(PROBLEM, INT, FLOAT, MATRIX, INT))
def _try_scale(problem: Any, rows: int, scale: float, tried: Any, count: int) -> None:
    """Put a scale and its sums over the first rows among the `count` scales tried, in order."""
    right, slope, wrong = 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = _clip_margins(problem, row, np.float32(scale))
        right += part[0]
        slope += part[1]
        wrong += part[2]
    i = count
    while tried[i - 1, _SCALE] > scale:
        for k in range(4):
            tried[i, k] = tried[i - 1, k]
        i -= 1
    tried[i, _SCALE], tried[i, _RIGHT] = scale, right
    tried[i, _SLOPE], tried[i, _WRONG] = slope, wrong


@kernel(PAIR(MATRIX, INT, FLOAT, FLOAT, FLOAT))
def _lowest_bound(tried: Any, count: int, total: float, most: float, best: float) -> Any:
    """Lower bound of the loss over all scales, and the scale at which it is reached.

    Parameters
    ----------
    tried : (at least count, 4) scales from 0 on, in rising order
    total, most : W, and the sum of the weights of the rows with m > 0
    best : loss of the best scale tried
    """
    lowest, where = best, 0.0
    for i in range(count):
        low, right = tried[i, _SCALE], tried[i, _RIGHT]
        slope, wrong = tried[i, _SLOPE], tried[i, _WRONG]
        if i + 1 == count:  # P never exceeds `most`, N never falls
            if slope > 0.0 and low < LARGEST_SCALE and total - most + wrong < lowest:
                lowest = total - most + wrong
                where = min(max(low + (most - right) / slope, 1.5 * low), LARGEST_SCALE)
            continue
        high = tried[i + 1, _SCALE]
        bend = slope - tried[i + 1, _SLOPE]
        if not bend > 1e-6 * tried[0, _SLOPE]:  # a straight P: the loss is concave in between
            continue
        gap = tried[i + 1, _RIGHT] - right - tried[i + 1, _SLOPE] * (high - low)
        meeting = min(max(gap / bend, 0.0), high - low)
        rise = (tried[i + 1, _WRONG] - wrong) / (high - low)
        bound = total - (right + slope * meeting) + wrong + rise * meeting
        # Scales that rounding could not tell apart are not tried again.
        if bound < lowest and 1e-6 * high < meeting < high - low - 1e-6 * high:
            lowest, where = bound, low + meeting
    return lowest, where


@kernel(PAIR(PROBLEM, INT, FLOAT, FLOAT, FLOAT), allocates=True)
def fit_ramp_scale(problem: Any, rows: int, budget: float, enough: float, start: float) -> Any:
    """Smallest ramp loss over the scale s > 0 of the first rows' margins, and that s.

    Parameters and result as in `scaling.fit_scale`.
    """
    total, most, above, below = 0.0, 0.0, 0.0, 0.0
    for row in range(0, rows, BLOCK):
        part = _weigh_margins(problem, row)
        total += part[0]
        most += part[1]
        above += part[2]
        below += part[3]
    if not above + below < np.inf:
        return np.inf, 1.0
    best, best_scale = total, SMALLEST_SCALE
    tried = np.zeros((_MOST_SCALES + 1, 4))
    tried[0, _SLOPE] = above
    s = start if start > SMALLEST_SCALE else total / max(above + below, 1e-300)
    s = min(max(s, SMALLEST_SCALE), LARGEST_SCALE)
    for count in range(1, _MOST_SCALES + 1):
        if best <= enough:
            break
        _try_scale(problem, rows, s, tried, count)
        for i in range(1, count + 1):
            loss = total - tried[i, _RIGHT] + tried[i, _WRONG]
            if loss < best:
                best, best_scale = loss, tried[i, _SCALE]
        bound, s = _lowest_bound(tried, count + 1, total, most, best)
        if bound > budget:
            return np.inf, 1.0
        if best - bound <= RAMP_TOLERANCE * best:
            break
    return (best, best_scale) if best <= budget else (np.inf, 1.0)
