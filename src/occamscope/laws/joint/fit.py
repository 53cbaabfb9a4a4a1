"""Fit the constants of several classes' laws together, under softmax cross-entropy.

Parameters are the constants of all laws and, where the spec gives them, a scale and an offset
for each class. A step of Levenberg's and Marquardt's method minimises the generalised
Gauss-Newton model (Schraudolph, Neural Computation 14, 2002), which for the softmax is Fisher's
scoring: with the decision values' Jacobian J_k and the probabilities p of a row,

    gradient_k = sum_i w_i (p_ik - [y_i = k]) J_ik,
    H_kl       = sum_i w_i p_ik ([k = l] - p_il) J_ik J_il^T.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.laws.descent import Parameters, descend
from occamscope.laws.expressions.derivatives import Tape, with_constants
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.joint.softmax import Array, Index, cross_entropy, log_sum_exp
from occamscope.laws.loss import SCALE_RANGE
from occamscope.laws.spec import SearchSpec

# So many failed steps in a row are the end, and so is a gain below this share of the loss.
FAILURES, SMALL_GAIN = 8, 1e-10
# Where rows can be separated the loss has no minimum; below this it counts as 0.
LOSS_FLOOR = 1e-12


@dataclass(frozen=True)
class JointLaw:
    """One law a class: class k has the decision value scales[k] f_k + offsets[k].

    Attributes
    ----------
    laws : the classes' f_k; None for a class without a law, whose f is 0
    scales : positive factors, 1 where they are not free
    offsets : summands, the ln of the classes' priors where they are not free
    """

    laws: tuple[Expression | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    def decision(self, X: ArrayLike) -> Array:
        """Return the (n, K) decision values of the rows of X (n, d)."""
        X = np.asarray(X, dtype=np.float64)
        values = np.repeat(np.asarray(self.offsets)[:, None], len(X), axis=1)
        for k, law in enumerate(self.laws):
            if law is not None:
                with np.errstate(all="ignore"):
                    values[k] += self.scales[k] * law.evaluate(X)
        return values.T

    def with_class(self, k: int, law: Expression | None, scale: float, offset: float) -> JointLaw:
        """Return the same laws with another one for class k."""
        laws, scales, offsets = list(self.laws), list(self.scales), list(self.offsets)
        laws[k], scales[k], offsets[k] = law, scale, offset
        return JointLaw(tuple(laws), tuple(scales), tuple(offsets))

    def rearranged(self, places: Sequence[int | None]) -> JointLaw:
        """Return the laws for other classes: the new class k is the old class places[k].

        Where that is None, class k has no law and the value -infinity: the probability 0.
        """
        return JointLaw(
            tuple(None if k is None else self.laws[k] for k in places),
            tuple(1.0 if k is None else self.scales[k] for k in places),
            tuple(-math.inf if k is None else self.offsets[k] for k in places),
        )


def without_laws(log_prior: Sequence[float]) -> JointLaw:
    """Return the joint law that knows the classes' priors and nothing of the features."""
    K = len(log_prior)
    return JointLaw((None,) * K, (1.0,) * K, tuple(float(b) for b in log_prior))


class JointProblem:
    """Rows to which joint laws are fitted: data, classes, weights, and what is free."""

    def __init__(self, X: Array, y: Index, weight: Array, classes: int, spec: SearchSpec) -> None:
        self.X = np.asfortranarray(X)
        self.y, self.classes, self.spec = y, classes, spec
        self.share = weight / weight.sum()
        self.hit = np.zeros((len(y), classes), order="F")
        self.hit[np.arange(len(y)), y] = 1.0

    def loss(self, joint: JointLaw) -> float:
        """Return the weighted mean cross-entropy."""
        return cross_entropy(joint.decision(self.X), self.y, self.share)

    def fit(self, start: JointLaw, steps: int, only: int | None = None) -> tuple[JointLaw, float]:
        """Take at most so many steps from a start; return the laws and their loss.

        They are no worse than the start with its constants brought within their bounds.

        Parameters
        ----------
        only : class whose constants and scale alone are fitted; None: all classes'
        """
        descent = _Descent(self, start, only)
        theta, value = descent.run(steps)
        return descent.joint(theta), value

    def model(self, joint: JointLaw) -> tuple[Array, Array]:
        """Gradient and Gauss-Newton matrix in all parameters: for each class with a law its
        constants and its scale, then all offsets.
        """
        descent = _Descent(self, joint)
        return descent.model(descent.start)


class _Descent:
    """The cross-entropy as a function of the parameters of one tuple of laws."""

    def __init__(self, problem: JointProblem, joint: JointLaw, only: int | None = None) -> None:
        spec, self.problem, self.origin = problem.spec, problem, joint
        largest, K = spec.max_constant, problem.classes
        self.tapes: list[Tape | None] = [None] * K
        # What stays adds to the values; offsets come on top of it.
        self.fixed = np.zeros((K, len(problem.y)))
        for k, law in enumerate(joint.laws):
            if law is not None and only in (None, k):
                self.tapes[k] = Tape(law, problem.X)
            elif law is not None:
                self.fixed[k] = joint.scales[k] * law.evaluate(problem.X)
        self.places: list[slice] = []
        start: list[float] = []
        low: list[float] = []
        high: list[float] = []
        free: list[bool] = []
        for k, tape in enumerate(self.tapes):
            constants = [] if tape is None else tape.constants.tolist()
            self.places.append(slice(len(start), len(start) + len(constants)))
            if tape is not None:
                m = len(constants)
                start += [*constants, joint.scales[k]]
                low += [-largest] * m + [SCALE_RANGE[0]]
                high += [largest] * m + [SCALE_RANGE[1]]
                free += [True] * m + [spec.free_scale]
        # A summand common to all classes changes nothing: the first offset stays.
        start += joint.offsets
        low, high = low + [-np.inf] * K, high + [np.inf] * K
        free += [False] + [spec.free_offset] * (K - 1)
        self.start = np.array(start)
        # A scale that falls to 0 at once takes the slopes of the law's constants with it.
        slow = np.array(low) == SCALE_RANGE[0]
        self.parameters = Parameters(np.array(free), np.array(low), np.array(high), slow)
        self.owner = np.concatenate(
            [np.repeat(np.arange(K), [self._width(k) for k in range(K)]), np.arange(K)]
        ).astype(np.intp)

    def _width(self, k: int) -> int:
        """Number of a class's parameters before the offsets."""
        place = self.places[k]
        return 0 if self.tapes[k] is None else place.stop - place.start + 1

    def decision(self, theta: Array) -> Array:
        """Return the (n, K) decision values."""
        K = self.problem.classes
        values = self.fixed + theta[len(theta) - K :, None]
        for k, (tape, place) in enumerate(zip(self.tapes, self.places, strict=True)):
            if tape is not None:
                with np.errstate(all="ignore"):
                    values[k] += theta[place.stop] * tape.values(theta[place])
        return values.T

    def loss(self, theta: Array) -> float:
        """Return the mean cross-entropy, infinite where it is undefined."""
        return cross_entropy(self.decision(theta), self.problem.y, self.problem.share)

    def model(self, theta: Array) -> tuple[Array, Array]:
        """Gradient and Gauss-Newton matrix of the mean cross-entropy."""
        problem, K = self.problem, self.problem.classes
        n, first = len(problem.y), len(theta) - K
        # One row a parameter, one column a row of the data: sums run along memory.
        J = np.ones((len(theta), n))
        values = self.fixed + theta[first:, None]
        for k, (tape, place) in enumerate(zip(self.tapes, self.places, strict=True)):
            if tape is None:
                continue
            f, slopes = tape.values_and_jacobian(theta[place])
            with np.errstate(all="ignore"):
                J[place] = theta[place.stop] * slopes.T
                J[place.stop] = f
                values[k] += theta[place.stop] * f
        p = np.exp(values - log_sum_exp(values.T))
        residual = problem.share * (p - problem.hit.T)
        gradient = np.einsum("ji,ji->j", J, residual[self.owner])
        root = np.sqrt(problem.share)
        Q = J * (root * p)[self.owner]
        H = -(Q @ Q.T)
        for k in range(K):
            own = np.flatnonzero(self.owner == k)
            part = J[own] * (root * np.sqrt(p[k]))
            H[np.ix_(own, own)] += part @ part.T
        return gradient, H

    def run(self, steps: int) -> tuple[Array, float]:
        """Take damped steps until the loss falls no more."""
        start = np.clip(self.start, self.parameters.low, self.parameters.high)

        def model(theta: Array) -> tuple[Array, Array, Array]:
            with np.errstate(all="ignore"):  # where the loss is undefined it ends
                gradient, H = self.model(theta)
            return gradient, H, np.maximum(np.diagonal(H), 0.0)

        return descend(
            start, self.loss, model, self.parameters, steps=steps, gain=SMALL_GAIN,
            failures=FAILURES, floor=LOSS_FLOOR,
        )  # fmt: skip

    def joint(self, theta: Array) -> JointLaw:
        """Return the laws with these parameters."""
        K = self.problem.classes
        laws: list[Expression | None] = []
        scales = []
        for k, (law, place) in enumerate(zip(self.origin.laws, self.places, strict=True)):
            moved = law is not None and self.tapes[k] is not None
            laws.append(with_constants(law, theta[place]) if law and moved else law)
            scales.append(float(theta[place.stop]) if moved else self.origin.scales[k])
        offsets = tuple(float(b) for b in theta[len(theta) - K :])
        return replace(self.origin, laws=tuple(laws), scales=tuple(scales), offsets=offsets)


def stratified_rows(
    y: NDArray[np.intp], weight: Array, most: int, seed: int
) -> tuple[Index, Array]:
    """Choose about `most` rows, as many of each class as of any other if there are enough.

    Returns the rows in rising order and weights that give each class its share again.
    """
    if len(y) <= most:
        return np.arange(len(y)), weight
    random = np.random.default_rng(seed)
    present = np.unique(y)
    quota = -(-most // len(present))
    rows, weights = [], []
    for k in present:
        own = np.flatnonzero(y == k)
        taken = own if len(own) <= quota else np.sort(random.choice(own, quota, replace=False))
        rows.append(taken)
        weights.append(weight[taken] * (weight[own].sum() / weight[taken].sum()))
    chosen = np.concatenate(rows)
    order = np.argsort(chosen)
    return chosen[order], np.concatenate(weights)[order]
