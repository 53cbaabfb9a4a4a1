"""Levenberg's and Marquardt's method for any loss with a Gauss-Newton matrix.

A step solves (H + damping D) step = -g for the gradient g, the Gauss-Newton matrix H and a
positive diagonal D (Marquardt, SIAM J. Appl. Math. 11, 1963). The damping rises until the loss
falls, and falls after a good step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Damping relative to D: at the start, after a step that failed, after a good one.
DAMPING, RAISE, LOWER = 1e-3, 8.0, 0.2
# What does not change the loss is held by this share of the largest damping.
HELD = 1e-9
# A step takes a parameter that must stay positive down to this share of its value at most.
SLOWEST = 0.2


@dataclass(frozen=True)
class Parameters:
    """Which parameters are free, and between which bounds.

    Attributes
    ----------
    free : (p,) bool
    low, high : (p,) bounds
    slow : (p,) bool, positive parameters that no step may bring near 0 at once
    """

    free: NDArray[np.bool_]
    low: Array
    high: Array
    slow: NDArray[np.bool_] | None = None

    def step(self, theta: Array, gradient: Array, hessian: Array, damping: Array) -> Array:
        """Return where a damped step ends; parameters held by their bounds stay.

        Parameters
        ----------
        theta, gradient : (p,)
        hessian : (p, p)
        damping : (p,) what is added to the diagonal
        """
        held = (theta <= self.low) & (gradient > 0) | (theta >= self.high) & (gradient < 0)
        moves = np.flatnonzero(self.free & ~held)
        if len(moves) == 0:
            return theta
        floor = HELD * max(float(damping[moves].max()), 1e-300)
        H = hessian[np.ix_(moves, moves)] + np.diag(damping[moves] + floor)
        try:
            move = np.linalg.solve(H, -gradient[moves])
        except np.linalg.LinAlgError:
            return theta
        low = self.low
        if self.slow is not None:
            low = np.where(self.slow, np.maximum(low, SLOWEST * theta), low)
        new = theta.copy()
        new[moves] = np.clip(theta[moves] + move, low[moves], self.high[moves])
        return new


def descend(
    theta: Array,
    loss: Callable[[Array], float],
    model: Callable[[Array], tuple[Array, Array, Array]],
    parameters: Parameters,
    *,
    steps: int,
    gain: float,
    failures: int,
    floor: float = 0.0,
) -> tuple[Array, float]:
    """Take damped steps until the loss falls no more; return where that is, and the loss.

    Parameters
    ----------
    theta : (p,) start, within the bounds
    loss : infinite where it is undefined
    model : gradient (p,), Gauss-Newton matrix (p, p) and the diagonal D (p,)
    steps : most steps that lower the loss
    gain : a step that gains no more than this share of the loss is the last
    failures : so many steps in a row that do not lower the loss are the end
    floor : a loss below this counts as 0
    """
    value, damping = loss(theta), DAMPING
    for _ in range(steps):
        if value < floor:
            break
        gradient, hessian, diagonal = model(theta)
        if not np.isfinite(gradient).all():
            break
        new, after = theta, value
        for _ in range(failures):
            new = parameters.step(theta, gradient, hessian, damping * diagonal)
            after = loss(new)
            if after < value:
                break
            damping = max(damping * RAISE, DAMPING)
        if not after < value:
            break
        gained, theta, value = value - after, new, after
        damping *= LOWER
        if gained <= gain * (value + gained):
            break
    return theta, value
