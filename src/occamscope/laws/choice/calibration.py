"""Probabilities from decision scores (Platt scaling), and how reliable they are."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import expit

from occamscope.errors import InputError


@dataclass(frozen=True)
class Platt:
    """P(positive | score) = 1 / (1 + exp(-(a score + b)))."""

    a: float
    b: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities of the positive class, the shape of `scores`."""
        return expit(self.a * np.asarray(scores, np.float64) + self.b)

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers, fit for JSON; `Platt(**d)` rebuilds it."""
        return asdict(self)


def fit_platt(scores: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> Platt:
    """Fit the two numbers of Platt's sigmoid on the calibration part.

    Platt (1999) with his smoothed targets, (n+ + 1)/(n+ + 2) and 1/(n- + 2), so that perfectly
    separated scores keep a finite slope; solved as in Lin, Lin and Weng (2007). The slope is kept
    at 0 or above: a calibration may not turn a decision round.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Decision scores, positive class above 0.
    labels : ndarray of 0/1, shape (n,)
    weight : ndarray, shape (n,), optional
        How often each row counts, relative to the others. Platt's smoothing counts rows.

    Raises
    ------
    InputError
        If one of the classes is missing.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(labels) == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise InputError("the calibration part holds one class only; make it larger")
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    weight = np.ones_like(scores) if weight is None else np.asarray(weight, np.float64)
    share = weight / weight.sum()
    # Scores of any size: the fit runs on standardised ones.
    centre, scale = float(scores.mean()), max(float(scores.std()), 1e-12)
    start = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])
    slope, offset = _newton((scores - centre) / scale, target, share, start)
    if slope < 0:
        # The loss is convex: no sigmoid that rises is better than the flat one.
        mean = float(share @ target)
        slope, offset = 0.0, float(np.log(mean / (1 - mean)))
    return Platt(slope / scale, offset - slope * centre / scale)


def _newton(
    x: np.ndarray, target: np.ndarray, share: np.ndarray, theta: np.ndarray
) -> tuple[float, float]:
    """Minimise the mean logistic loss of theta[0] x + theta[1] by Newton's method, damped."""

    def loss(theta: np.ndarray) -> float:
        logit = theta[0] * x + theta[1]
        return float(share @ (np.logaddexp(0, logit) - target * logit))

    value = loss(theta)
    for _ in range(100):
        p = expit(theta[0] * x + theta[1])
        gradient = np.array([share @ ((p - target) * x), share @ (p - target)])
        if np.abs(gradient).max() < 1e-13:
            break
        curve = share * p * (1 - p)
        cross = curve @ x
        hessian = np.array([[curve @ (x * x) + 1e-12, cross], [cross, curve.sum() + 1e-12]])
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (lower := loss(theta - size * step)) > value - 1e-4 * size * (gradient @ step):
            size /= 2
            if size < 1e-10:
                return float(theta[0]), float(theta[1])
        theta, value = theta - size * step, lower
    return float(theta[0]), float(theta[1])


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, float]:
    """Compare predicted with observed shares of the positive class.

    Parameters
    ----------
    probabilities : ndarray, shape (n,)
    labels : ndarray of 0/1, shape (n,)
    bins : int
        Bins of equal width over 0..1.

    Returns
    -------
    table : ndarray, shape (bins, 3)
        Mean probability, observed share (nan for empty bins) and count of each bin.
    error : float
        Expected calibration error, the mean distance weighted by count.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, probabilities, bins) / count
        share = np.bincount(which, labels, bins) / count
    error = float(np.nansum(np.abs(mean - share) * count) / len(labels))
    return np.stack([mean, share, count], axis=1), error
