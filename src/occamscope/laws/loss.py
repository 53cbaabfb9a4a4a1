"""Losses of a law in float64, and the output scale that a margin loss lacks.

Margin losses (labels -1 and +1) depend on the margin m = y f alone. The unit of f carries no
meaning there: the sign decides. But the hinge asks for margins of 1, so the same law in
another unit has another loss. `fit_output_scale` takes this accident out of the comparison.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.loss_derivatives import loss_derivatives

Array = NDArray[np.float64]

MARGIN_LOSSES: tuple[str, ...] = ("hinge", "squared_hinge", "logistic", "ramp")
LOSSES: tuple[str, ...] = (*MARGIN_LOSSES, "mse", "mae")

# The scale is sought in this range: a useless f wants 0, a separating f in the logistic loss
# infinity.
SCALE_RANGE = (1e-6, 1e6)


def elementwise_loss(prediction: ArrayLike, target: ArrayLike, loss: str) -> Array:
    """Loss of every row.

    Parameters
    ----------
    prediction : (n,) values of the law f
    target : (n,) labels -1/+1 for the margin losses, real numbers for "mse" and "mae"
    loss : one of `LOSSES`
        hinge max(0, 1 - y f), squared_hinge max(0, 1 - y f)^2, logistic ln(1 + exp(-y f)),
        ramp min(2, max(0, 1 - y f)), mse (f - y)^2, mae |f - y|. The ramp loss (Collobert,
        Sinz, Weston and Bottou, ICML 2006) is the hinge with a cap: a row far on the wrong
        side, whose label may be false, costs as much as one just beyond the margin there.

    Raises
    ------
    InputError
        If the loss is unknown.
    """
    f = np.asarray(prediction, dtype=np.float64)
    y = np.asarray(target, dtype=np.float64)
    with np.errstate(all="ignore"):
        if loss == "mse":
            return (f - y) ** 2
        if loss == "mae":
            return np.abs(f - y)
        if loss not in MARGIN_LOSSES:
            raise InputError(f"loss: '{loss}' is not one of {', '.join(LOSSES)}")
        margin = y * f
        if loss == "logistic":
            return np.logaddexp(0.0, -margin)
        # np.where keeps nan: an undefined value must not count as a perfect one.
        shortfall = np.where(margin >= 1.0, 0.0, 1.0 - margin)
        if loss == "ramp":
            return np.where(shortfall >= 2.0, 2.0, shortfall)
        return shortfall if loss == "hinge" else shortfall**2


def mean_loss(
    prediction: ArrayLike, target: ArrayLike, loss: str, weight: ArrayLike | None = None
) -> float:
    """Weighted mean loss; infinite if any row of positive weight has no finite loss."""
    rows = elementwise_loss(prediction, target, loss)
    if weight is None:
        value = float(np.mean(rows))
    else:
        w = np.asarray(weight, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = float(np.sum(np.where(w > 0, w * rows, 0.0)) / np.sum(w))
    return value if np.isfinite(value) else float("inf")


def check_targets(target: ArrayLike, loss: str) -> Array:
    """Return the targets as float64, after a check that the loss can use them.

    Raises
    ------
    InputError
        If a target is not finite, or a margin loss is given anything but -1 and +1.
    """
    y = np.asarray(target, dtype=np.float64)
    if y.ndim != 1 or y.size == 0:
        raise InputError(f"targets: expected a non-empty vector, got shape {y.shape}")
    if not np.isfinite(y).all():
        raise InputError("targets: they contain nan or infinite values")
    if loss in MARGIN_LOSSES and not np.isin(y, (-1.0, 1.0)).all():
        raise InputError(f"targets: the {loss} loss needs labels -1 and +1")
    return y


def check_weights(weight: ArrayLike | None, rows: int) -> Array | None:
    """Return the rows' weights as float64 (None stays None) after a check of their values.

    Raises
    ------
    InputError
        If there is not one finite, non-negative weight for each row, or all are 0.
    """
    if weight is None:
        return None
    w = np.asarray(weight, dtype=np.float64)
    if w.shape != (rows,):
        raise InputError(f"weights: {rows} rows of data but weights of shape {w.shape}")
    if not (np.isfinite(w).all() and (w >= 0).all() and w.any()):
        raise InputError("weights: they must be finite, not negative, and not all 0")
    return w


def fit_output_scale(
    prediction: ArrayLike,
    target: ArrayLike,
    loss: str,
    weight: ArrayLike | None = None,
    base: ArrayLike | None = None,
) -> float:
    """Positive factor s that minimises the mean loss of s f, within `SCALE_RANGE`.

    Exact for hinge and squared hinge (the loss is convex and piecewise polynomial in s: walk
    its kinks), ramp (piecewise linear: compare its kinks), mse (closed form) and mae (a
    weighted median); bisection of the derivative to the last bit for the logistic loss. Where
    a range of s is equally good, the smallest one. If f has undefined values, 1.

    Parameters
    ----------
    prediction : (n,) values of the law f
    target : (n,) as in `elementwise_loss`
    loss : one of `LOSSES`
    weight : (n,) non-negative weights of the rows, equal ones if None
    base : (n,) added to s f before the loss; only for "logistic"
    """
    f = np.asarray(prediction, dtype=np.float64)
    y = np.asarray(target, dtype=np.float64)
    w = np.ones_like(f) if weight is None else np.asarray(weight, dtype=np.float64)
    with np.errstate(all="ignore"):
        extra = np.zeros_like(f) if base is None else y * np.asarray(base, dtype=np.float64)
        return float(np.clip(_best_scale(f, y, w, loss, extra), *SCALE_RANGE))


def _best_scale(f: Array, y: Array, w: Array, loss: str, extra: Array) -> float:
    """The minimising scale before clipping, 1 where there is none."""
    if loss == "mse":
        scale = float(np.sum(w * f * y) / np.sum(w * f * f))
        return scale if np.isfinite(scale) else 1.0
    if loss == "mae":
        return _weighted_median(y / f, w * np.abs(f))
    if loss not in MARGIN_LOSSES:
        raise InputError(f"loss: '{loss}' is not one of {', '.join(LOSSES)}")
    margin = y * f
    if np.isnan(margin).any() or (np.isneginf(margin).any() and loss != "ramp"):
        return 1.0
    counts = (w > 0) & np.isfinite(margin)  # +infinity is right at any scale
    margin, w = margin[counts], w[counts]
    if loss == "logistic":
        return _logistic_scale(margin, w, extra[counts])
    if loss == "ramp":
        return _ramp_scale(margin, w)
    return _kinked_scale(margin, w, squared=loss == "squared_hinge")


def _weighted_median(values: Array, weight: Array) -> float:
    """Smallest value with at least half of the weight at or below it; 1 if there is none."""
    counts = (weight > 0) & np.isfinite(values)
    values, weight = values[counts], weight[counts]
    if len(values) == 0:
        return 1.0
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _kinked_scale(margin: Array, w: Array, squared: bool) -> float:
    """Minimum of sum w max(0, 1 - s m)^k, k = 1 or 2, by its kinks at s = 1/m, m > 0."""
    order = np.argsort(-margin, kind="stable")
    m, w = margin[order], w[order]
    positive = int(np.count_nonzero(m > 0))
    if positive == 0:
        return SCALE_RANGE[0]
    # tail1[k] = sum of w m over the rows that are still short of the margin past kink k.
    tail1 = np.append(np.cumsum((w * m)[::-1])[::-1], 0.0)
    if not squared:
        # The slope past kink k is -tail1[k]; it rises with k.
        if tail1[0] <= 0:
            return SCALE_RANGE[0]
        first = int(np.argmax(tail1[1 : positive + 1] <= 0))
        return 1.0 / m[first]
    tail2 = np.append(np.cumsum((w * m * m)[::-1])[::-1], 0.0)
    kinks = 1.0 / m[:positive]
    # Half the negative slope at a kink, rows past it left out: it falls with s.
    descent = tail1[1 : positive + 1] - kinks * tail2[1 : positive + 1]
    short = np.flatnonzero(descent <= 0)
    first = int(short[0])
    if tail2[first] == 0:
        return kinks[first]
    return tail1[first] / tail2[first]


def _ramp_scale(margin: Array, w: Array) -> float:
    """Maximum of sum w clip(s m, -1, 1), which is what the ramp loss lacks to sum w.

    It is linear between the kinks at s = 1/|m|, so that the best of these and of the ends of
    the range is the best of all.
    """
    order = np.argsort(-np.abs(margin), kind="stable")
    m, w = margin[order], w[order]
    m, w = m[m != 0], w[m != 0]
    with np.errstate(over="ignore"):
        kinks = 1.0 / np.abs(m)
    scales = np.concatenate([[SCALE_RANGE[0]], np.clip(kinks, *SCALE_RANGE), [SCALE_RANGE[1]]])
    clipped = np.append(0.0, np.cumsum(w * np.sign(m)))
    inside = np.append(np.cumsum((w * m)[::-1])[::-1], 0.0)
    beyond = np.searchsorted(kinks, scales, side="right")  # so many rows are clipped there
    return float(scales[np.argmax(clipped[beyond] + scales * inside[beyond])])


def _logistic_scale(margin: Array, w: Array, extra: Array) -> float:
    """Zero of the derivative of sum w ln(1 + exp(-s m - e)) in s, by bisection of log s."""

    def slope(s: float) -> float:
        return float(np.sum(-w * margin / (1.0 + np.exp(s * margin + extra))))

    low, high = SCALE_RANGE
    if slope(low) >= 0:
        return low
    if slope(high) < 0:
        return high
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        if slope(middle) >= 0:
            high = middle
        else:
            low = middle
    return high


def fit_output_affine(
    prediction: ArrayLike,
    target: ArrayLike,
    loss: str,
    weight: ArrayLike | None = None,
    base: ArrayLike | None = None,
) -> tuple[float, float]:
    """Factor s > 0 and summand b that minimise the mean margin loss of s f + b.

    Newton's method on both numbers (hinge and ramp as the limit of smooth majorisers, Hunter
    and Lange 2004), with the exact best factor on both in between. The result is never worse
    than the best factor alone, which has b = 0. The ramp loss is not convex: the result is a
    local minimum. If f has undefined values, (1, 0).

    Parameters
    ----------
    prediction, target, weight, base : as in `fit_output_scale`
    loss : one of `MARGIN_LOSSES`
    """
    f = np.asarray(prediction, dtype=np.float64)
    y = np.asarray(target, dtype=np.float64)
    w = np.ones_like(f) if weight is None else np.asarray(weight, dtype=np.float64)
    if not np.isfinite(f).all():
        return 1.0, 0.0
    added = np.zeros_like(f) if base is None else np.asarray(base, dtype=np.float64)
    best = (fit_output_scale(f, y, loss, w, base), 0.0)
    lowest = mean_loss(best[0] * f + added, y, loss, w)
    unit = max(float(np.std(f)), 1e-300)
    centre = float(np.mean(f))
    x = np.column_stack([(f - centre) / unit, np.ones_like(f)])
    theta = np.zeros(2)
    for smooth in (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4):
        for _ in range(12):
            margin = y * (x @ theta + added)
            slope, curvature, bound = loss_derivatives(margin, 1.0, loss, smooth)
            if loss in ("hinge", "ramp"):
                curvature = bound
            hessian = (x * (w * curvature)[:, None]).T @ x
            hessian += 1e-9 * np.trace(hessian) * np.eye(2) + 1e-300 * np.eye(2)
            step = -np.linalg.solve(hessian, x.T @ (w * y * slope))
            theta = theta + step
            if np.abs(step).max() < 1e-9 * (1 + np.abs(theta).max()):
                break
        if not theta[0] > 0:
            continue
        # Along the ray Newton's steps on a majoriser are short: here the best point is exact.
        theta = theta * fit_output_scale(x @ theta, y, loss, w, base)
        scale = theta[0] / unit
        offset = theta[1] - scale * centre
        value = mean_loss(scale * f + offset + added, y, loss, w)
        if value < lowest:
            best, lowest = (float(scale), float(offset)), value
    return best
