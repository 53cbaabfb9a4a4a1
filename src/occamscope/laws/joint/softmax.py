"""Decision values of several classes: probabilities, cross-entropy, calibration.

The probability of class k is softmax(d)_k = exp(d_k) / sum_l exp(d_l) (Bridle 1990). As a
function of one class's value alone, the others fixed, the cross-entropy of a row is a logistic
loss: with A_k = ln sum_{l != k} exp(d_l)

    ln(1 + exp(-(d_k - A_k)))                for rows of class k,
    ln(1 + exp(+(d_k - A_k))) + A_k - d_y    for rows of another class y,

so that a search for laws of two classes can serve one class of many (`rest_values`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# The temperature is sought in this range; it is at its end where held-out rows are separated
# without an error, or where the decision values say nothing.
TEMPERATURE_RANGE = (1e-2, 1e8)


def log_sum_exp(decision: Array) -> Array:
    """Return ln sum_k exp(d_k) of each row of (n, K) values, without overflow."""
    largest = decision.max(axis=1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        total: Array = np.log(np.exp(decision - largest).sum(axis=1)) + largest[:, 0]
    return total


def rest_values(decision: Array, k: int) -> Array:
    """Return A_k = ln sum_{l != k} exp(d_l) of each row; -infinity if there is no other class."""
    others = np.delete(decision, k, axis=1)
    return log_sum_exp(others) if others.shape[1] else np.full(len(decision), -np.inf)


def row_losses(decision: Array, y: Index) -> Array:
    """Cross-entropy -ln p_y of each row; not finite where a value is not."""
    with np.errstate(invalid="ignore"):
        losses: Array = log_sum_exp(decision) - decision[np.arange(len(y)), y]
    return losses


def cross_entropy(decision: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted mean of -ln p_y; infinite if a row of positive weight has no finite one.

    Parameters
    ----------
    decision : (n, K) decision values
    y : (n,) classes 0, ..., K - 1
    weight : (n,) non-negative weights, equal ones if None
    """
    d = np.asarray(decision, dtype=np.float64)
    rows = row_losses(d, np.asarray(y, dtype=np.intp))
    w = np.ones(len(d)) if weight is None else np.asarray(weight, dtype=np.float64)
    value = float(np.sum(np.where(w > 0, w * rows, 0.0)) / np.sum(w))
    return value if np.isfinite(value) else float("inf")


def softmax(decision: ArrayLike, temperature: float = 1.0) -> Array:
    """Probabilities (n, K) of decision values divided by a temperature.

    An undefined value (nan) speaks for no class: its probability is 0. Infinite values share
    the row among them. Where no class has any claim (all nan or -infinity) all are equally
    probable.
    """
    d = np.array(decision, dtype=np.float64)
    d[np.isnan(d)] = -np.inf
    largest = d.max(axis=1, keepdims=True)
    lost, won = np.isneginf(largest[:, 0]), np.isposinf(largest[:, 0])
    d[lost] = 0.0
    d[won] = np.where(np.isposinf(d[won]), 0.0, -np.inf)
    d = d / temperature
    raised = np.exp(d - d.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def log_priors(y: ArrayLike, classes: int, weight: ArrayLike | None = None) -> Array:
    """Return ln of each class's share of the weight; -infinity for a class without rows."""
    totals = np.bincount(np.asarray(y, dtype=np.intp), weight, minlength=classes)
    with np.errstate(divide="ignore"):
        logs: Array = np.log(totals / totals.sum())
    return logs


def fit_temperature(decision: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Temperature T that minimises the cross-entropy of d / T on held-out rows.

    Guo, Pleiss, Sun and Weinberger (ICML 2017). The cross-entropy is convex in 1 / T: bisection
    of its derivative, in `TEMPERATURE_RANGE`. Each row counts nearly as one, and a little as
    evenly spread over the classes, after Platt (1999): a share K / (n + K) of the total weight
    is spread, so that T stays finite and above 0 where the rows are separated. Rows with a
    value that is not finite are left out, as far as it is that of a class that occurs.

    Parameters
    ----------
    decision : (n, K) decision values of rows that the laws were not fitted to
    y : (n,) classes 0, ..., K - 1
    weight : (n,) non-negative weights, equal ones if None
    """
    d, labels = np.asarray(decision, dtype=np.float64), np.asarray(y, dtype=np.intp)
    w = np.ones(len(d)) if weight is None else np.asarray(weight, dtype=np.float64)
    known = np.asarray(
        np.isfinite(d).any(axis=0)
    )  # a class without rows in the search is at -infinity
    d = d[:, known]
    keep = np.isfinite(d).all(axis=1) & known[labels] & (w > 0)
    d, labels, w = d[keep], (np.cumsum(known) - 1)[labels[keep]], w[keep]
    if len(d) == 0:
        return 1.0
    classes = d.shape[1]
    spread = classes / (len(d) + classes)
    aim = (1 - spread) * d[np.arange(len(d)), labels] + spread * d.mean(axis=1)

    def slope(inverse: float) -> float:
        return float(np.sum(w * ((softmax(d * inverse) * d).sum(axis=1) - aim)))

    low, high = 1.0 / TEMPERATURE_RANGE[1], 1.0 / TEMPERATURE_RANGE[0]
    if slope(low) >= 0:
        return TEMPERATURE_RANGE[1]
    if slope(high) <= 0:
        return TEMPERATURE_RANGE[0]
    for _ in range(80):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1.0 / float(np.sqrt(low * high))
