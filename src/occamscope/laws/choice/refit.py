"""Fit the constants of a law by Levenberg and Marquardt's method, under any of the losses.

A step minimises the generalised Gauss-Newton model of the mean loss: with the slopes l' and
curvatures l'' of the loss at the predictions and their Jacobian J in the parameters,

    (H + damping D) step = -J^T w l',    H = J^T diag(w l'') J

(Marquardt, SIAM J. Appl. Math. 11, 1963; Schraudolph, Neural Computation 14, 2002, for losses
other than the squared error). The parameters are the constants and, where the spec gives the
law free ones, its output scale and offset.

D is the diagonal of the same matrix with b in place of l'', where b is the curvature of a
parabola that touches the loss at the prediction and lies above it everywhere (a majoriser:
Hunter and Lange, The American Statistician 58, 2004). Far from its kink a loss has hardly any
curvature, but it has such a parabola: the damping keeps its meaning.

Hinge and absolute error have no curvature at all. A smooth function a little above takes their
place, and comes closer from stage to stage; of the points on the way the one with the lowest
true loss counts. The ramp loss is a difference of two hinges, max(0, x) - max(0, x - 2) of the
shortfall x = 1 - y f: the second one's tangent lies above it, which leaves the first one's
parabola, and negative curvature counts as none.

This is the plain version of the search's compiled optimiser, in float64 and run to
convergence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.descent import Parameters, descend
from occamscope.laws.expressions.derivatives import Tape, with_constants
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.front import check_data, score_law
from occamscope.laws.loss import SCALE_RANGE, check_weights, elementwise_loss, mean_loss
from occamscope.laws.loss_derivatives import loss_derivatives
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]

# So many failed steps in a row are the end, and so is a gain below this share of the loss; on
# the way to the last smoothing a larger one will do.
FAILURES, SMALL_GAIN, STAGE_GAIN = 12, 1e-9, 1e-4
# Smoothing of hinge and mae, in units of the margin and of the mean absolute error.
SMOOTHING = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)
STEPS = 200
# Root mean square of s f at least, where a fit begins.
USEFUL = 0.3
# Rows with a larger derivative than this (or none) have no say in where to go.
LARGEST = 1e75


@dataclass(frozen=True)
class Refit:
    """A law with fitted constants, its output scale and offset, and the mean loss it has."""

    law: Expression
    output_scale: float
    output_offset: float
    loss: float


def refit(
    law: Expression,
    X: ArrayLike,
    y: ArrayLike,
    spec: SearchSpec,
    sample_weight: ArrayLike | None = None,
    base: ArrayLike | None = None,
    steps: int = STEPS,
) -> Refit:
    """Fit the constants of a law, its structure fixed, from the values they have.

    The result is a local minimum near the start and never worse than the start. A law
    without a finite loss at the start is returned as it is.

    Parameters
    ----------
    law : a law of the columns of X
    X, y : (n, d) data and (n,) targets
    spec : its loss, `max_constant` and whether output scale and offset are free
    sample_weight : (n,) weights of the rows
    base : (n,) values to which the law's are added before the loss
    steps : most Gauss-Newton steps (for hinge and mae: at each smoothing)

    Raises
    ------
    InputError
        If data, targets, weights and base do not fit together.
    """
    X, y = check_data(X, y, spec, law.names)
    weight = check_weights(sample_weight, len(y))
    if base is not None:
        base = np.asarray(base, dtype=np.float64)
        if base.shape != y.shape or not np.isfinite(base).all():
            raise InputError(f"base: expected {len(y)} finite values, one for each row")
    problem = _Problem(X, y, spec, weight, base)
    largest = spec.max_constant
    start = with_constants(law, np.clip(law.constants(), -largest, largest))
    before = problem.score(start, 1.0, 0.0)
    if not np.isfinite(before.loss):
        return before
    after = problem.descend(before, steps)
    return after if after.loss < before.loss else before


def smoothed_loss(prediction: Array, y: Array, loss: str, smooth: float) -> Array:
    """Loss of every row; hinge and mae in the smooth form that lies above them, ramp as the
    difference of two such hinges.
    """
    if loss == "mae":
        return np.sqrt((prediction - y) ** 2 + smooth * smooth)
    if loss in ("hinge", "ramp"):
        short = 1.0 - y * prediction
        value = 0.5 * (np.sqrt(short * short + smooth * smooth) + short)
        if loss == "ramp":
            beyond = short - 2.0
            value -= 0.5 * (np.sqrt(beyond * beyond + smooth * smooth) + beyond)
        return np.asarray(value)
    return elementwise_loss(prediction, y, loss)


class _Problem:
    """The loss of one law as a function of its parameters: constants, scale, offset."""

    def __init__(
        self, X: Array, y: Array, spec: SearchSpec, weight: Array | None, base: Array | None
    ) -> None:
        self.X, self.y, self.spec, self.weight, self.base = X, y, spec, weight, base
        self.added = 0.0 if base is None else base
        w = np.ones(len(y)) if weight is None else weight
        self.share = w / w.sum()

    def score(self, law: Expression, scale: float, offset: float) -> Refit:
        """Return the law's true loss: with the given scale and offset where there is a base,
        else with the best ones that the spec allows.
        """
        if self.base is None:
            loss, scale, offset = score_law(law, self.X, self.y, self.spec, self.weight)
        else:
            with np.errstate(all="ignore"):
                prediction = scale * law.evaluate(self.X) + offset + self.base
            loss = mean_loss(prediction, self.y, self.spec.loss, self.weight)
        return Refit(law.tidy(), scale, offset, loss)

    def descend(self, start: Refit, steps: int) -> Refit:
        """Fit all parameters; of the points on the way return the best by the true loss."""
        self.tape = Tape(start.law, self.X)
        constants = len(self.tape.constants)
        spec = self.spec
        parameters = Parameters(
            free=np.array([True] * constants + [spec.free_scale, spec.free_offset]),
            low=np.array([-spec.max_constant] * constants + [SCALE_RANGE[0], -np.inf]),
            high=np.array([spec.max_constant] * constants + [SCALE_RANGE[1], np.inf]),
        )
        scale = start.output_scale
        if spec.free_scale:
            # A law that is of no use yet has the scale 0, from where no constant matters.
            scale = max(scale, min(USEFUL / self.size(), SCALE_RANGE[1]))
        theta = np.array([*self.tape.constants, scale, start.output_offset])
        best, lowest = theta, self.loss(theta, 0.0)
        stages = self.smoothings()
        for smooth in stages:
            gain = SMALL_GAIN if smooth == stages[-1] else STAGE_GAIN
            theta, _ = descend(
                theta, partial(self.loss, smooth=smooth), partial(self.model, smooth=smooth),
                parameters, steps=steps, gain=gain, failures=FAILURES,
            )  # fmt: skip
            value = self.loss(theta, 0.0)
            if value < lowest:
                best, lowest = theta, value
        law = with_constants(start.law, best[:constants])
        return self.score(law, float(best[-2]), float(best[-1]))

    def size(self) -> float:
        """Root mean square of the law's values, as far as they are finite."""
        values = self.tape.values(self.tape.constants)
        values = values[(self.share > 0) & np.isfinite(values)]
        with np.errstate(over="ignore"):
            return max(float(np.sqrt(np.mean(values**2))) if len(values) else 0.0, 1e-300)

    def smoothings(self) -> tuple[float, ...]:
        """Return how far the smoothing reaches, stage by stage."""
        if self.spec.loss in ("hinge", "ramp"):
            return SMOOTHING
        if self.spec.loss == "mae":
            spread = float(np.sum(self.share * np.abs(self.y - np.median(self.y))))
            return tuple(max(s * spread, 1e-300) for s in SMOOTHING)
        return (0.0,)

    def loss(self, theta: Array, smooth: float) -> float:
        """Mean of the (smoothed) loss; infinite where it is undefined."""
        with np.errstate(all="ignore"):
            values = theta[-2] * self.tape.values(theta[:-2]) + theta[-1] + self.added
            rows = smoothed_loss(values, self.y, self.spec.loss, smooth)
            value = float(np.sum(np.where(self.share > 0, self.share * rows, 0.0)))
        return value if np.isfinite(value) else np.inf

    def model(self, theta: Array, smooth: float) -> tuple[Array, Array, Array]:
        """Gradient of the smoothed mean loss, its Gauss-Newton matrix, the majoriser's diagonal."""
        f, columns = self.tape.values_and_jacobian(theta[:-2])
        with np.errstate(all="ignore"):
            J = np.column_stack([theta[-2] * columns, f, np.ones_like(f)])
            prediction = theta[-2] * f + theta[-1] + self.added
            rows = loss_derivatives(prediction, self.y, self.spec.loss, smooth)
        usable = (self.share > 0) & (np.abs(J) < LARGEST).all(axis=1)
        usable &= np.isfinite(rows).all(axis=0)
        J = J[usable]
        slope, curvature, bound = np.asarray(rows)[:, usable] * self.share[usable]
        return J.T @ slope, (J * curvature[:, None]).T @ J, np.sum(J * J * bound[:, None], axis=0)
