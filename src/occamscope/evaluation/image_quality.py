"""Accuracy against the quality of an image: contrast to noise, sharpness."""

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.evaluation.accuracy import balanced_interval, wilson_interval


def accuracy_by_quality(
    quality: np.ndarray, correct: np.ndarray, labels: np.ndarray, name: str, bins: int = 5
) -> pd.DataFrame:
    """Measure the accuracy in bins of equal count of one quality.

    Parameters
    ----------
    quality : ndarray, shape (n,)
        E.g. contrast to noise of each crop; cells with nan are left out.
    correct : ndarray of bool, shape (n,)
    labels : ndarray of 0/1, shape (n,)
    name : str
        Name of the quality, written into the table.
    bins : int
        At most this many bins; fewer where values are tied.

    Returns
    -------
    DataFrame
        Columns ``quality, bin, from, to, median, n, n_positive, accuracy, accuracy_low,
        accuracy_high, balanced_accuracy, balanced_accuracy_low, balanced_accuracy_high``
        (95 %; balanced values are nan in bins without both classes).

    Raises
    ------
    InputError
        If no cell has a finite quality.
    """
    finite = np.isfinite(quality)
    if not finite.any():
        raise InputError(f"no cell has a finite {name}; measure it before it is binned")
    quality, correct, labels = quality[finite], correct[finite], labels[finite]
    edges = np.unique(np.quantile(quality, np.linspace(0, 1, bins + 1)))
    which = np.clip(np.searchsorted(edges, quality, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for k in np.unique(which):
        inside = which == k
        rows.append(
            {
                "quality": name,
                "bin": int(k),
                "from": float(quality[inside].min()),
                "to": float(quality[inside].max()),
                "median": float(np.median(quality[inside])),
                **_bin_accuracy(correct[inside], labels[inside]),
            }
        )
    return pd.DataFrame(rows)


def _bin_accuracy(correct: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    totals = np.array([(labels == 0).sum(), (labels == 1).sum()])
    hits = np.array([correct[labels == c].sum() for c in (0, 1)])
    low, high = wilson_interval(hits.sum(), totals.sum())
    balanced = balanced_interval(hits, totals) if totals.all() else (np.nan,) * 3
    return {
        "n": len(labels),
        "n_positive": int(totals[1]),
        "accuracy": float(correct.mean()),
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "balanced_accuracy": balanced[0],
        "balanced_accuracy_low": balanced[1],
        "balanced_accuracy_high": balanced[2],
    }


def sharpness(windows: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Measure how sharp each nucleus is, from its own pixels alone.

    Parameters
    ----------
    windows : ndarray, shape (n, height, width)
        Any scale; the measure does not depend on it.
    masks : ndarray of bool, shape (n, height, width)

    Returns
    -------
    ndarray, shape (n,)
        The 95th percentile of the gradient inside the mask over the mean grey value there, per
        px; nan for an empty mask.
    """
    gy, gx = np.gradient(windows.astype(np.float64), axis=(1, 2))
    gradient = np.hypot(gy, gx)
    result = np.full(len(windows), np.nan)
    for i, mask in enumerate(masks):
        if mask.any() and windows[i][mask].mean() > 0:
            result[i] = np.percentile(gradient[i][mask], 95) / windows[i][mask].mean()
    return result
