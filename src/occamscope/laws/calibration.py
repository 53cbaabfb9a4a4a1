"""Probabilities from decision scores (Platt scaling), and how reliable they are."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize
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


def fit_platt(scores: np.ndarray, labels: np.ndarray) -> Platt:
    """Fit the two numbers of Platt's sigmoid on the calibration part.

    Platt (1999) with his smoothed targets, (n+ + 1)/(n+ + 2) and 1/(n- + 2), so that perfectly
    separated scores keep a finite slope; solved as in Lin, Lin and Weng (2007). The slope is kept
    at 0 or above: a calibration may not turn a decision round.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Decision scores, positive class above 0.
    labels : ndarray of 0/1, shape (n,)

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
    # Scores of any size: the fit runs on standardised ones.
    scale = max(float(scores.std()), 1e-12)
    x = scores / scale

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        logit = theta[0] * x + theta[1]
        value = np.logaddexp(0, logit) - target * logit
        slope = expit(logit) - target
        return float(value.mean()), np.array([(slope * x).mean(), slope.mean()])

    start = np.array([1.0, np.log((n_positive + 1) / (n_negative + 1))])
    fitted = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-10, "maxiter": 500},
    )
    return Platt(float(fitted.x[0] / scale), float(fitted.x[1]))


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
