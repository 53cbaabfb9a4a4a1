"""The best classifier of one real variable that cuts the line into intervals, one class each."""

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-12  # a cut must gain more than rounding


@dataclass(frozen=True)
class Cuts:
    """Intervals of m variables.

    Attributes
    ----------
    edges : (m, classes - 1) ascending; inf where fewer are needed.
    classes : int (m, classes), the class of each interval, the lowest first.
    """

    edges: np.ndarray
    classes: np.ndarray

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class (n, m) of each value (n, m); a value on an edge belongs to the interval below."""
        interval = (values[:, :, None] > self.edges).sum(axis=2)
        return np.take_along_axis(self.classes, interval.T, axis=1).T


def fit_cuts(values: np.ndarray, labels: np.ndarray) -> Cuts:
    """Cuts with the least balanced error, for each variable on its own.

    There are at most as many intervals as classes, in any order of the classes, so that a class
    may also get none. Among the best, cuts are as few as possible. Found exactly, by dynamic
    programming over the sorted values: the best way to end at a row in the s-th interval, of class
    c, continues that interval or begins it.

    Parameters
    ----------
    values : (n, m), n at least 1.
    labels : int (n,), classes 0 ... k - 1, each present; each counts the same in the error.
    """
    n, m = values.shape
    counts = np.bincount(labels)
    k = len(counts)
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    worth = np.zeros((n, m, k))
    np.put_along_axis(worth, labels[order][:, :, None], (1 / counts)[labels[order]][:, :, None], 2)

    best = np.full((m, k, k), -np.inf)  # variable, interval, class
    best[:, 0] = worth[0]
    begun = np.zeros((n, m, k, k), bool)
    before = np.zeros((n, m, k), np.int64)  # class of the interval before the one that begins
    for i in range(1, n):
        before[i] = best.argmax(axis=2)
        begin = np.full_like(best, -np.inf)
        begin[:, 1:] = best.max(axis=2)[:, :-1, None]
        begin[ordered[i] == ordered[i - 1]] = -np.inf
        begun[i] = begin > best + TOLERANCE
        best = np.where(begun[i], begin, best) + worth[i][:, None]

    tops = best.max(axis=2)
    interval = (tops >= tops.max(axis=1, keepdims=True) - TOLERANCE).argmax(axis=1)
    variable = np.arange(m)
    label = best[variable, interval].argmax(axis=1)
    edges, classes = np.full((m, k - 1), np.inf), np.zeros((m, k), np.int64)
    classes[variable, interval] = label
    for i in range(n - 1, 0, -1):
        cut = np.flatnonzero(begun[i, variable, interval, label])
        below, above = ordered[i - 1, cut], ordered[i, cut]
        middle = below + (above - below) / 2
        interval[cut] -= 1
        edges[cut, interval[cut]] = np.where(middle < above, middle, below)
        label[cut] = before[i, cut, interval[cut]]
        classes[cut, interval[cut]] = label[cut]
    return Cuts(edges, classes)


def balanced_accuracy(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that occur in `labels` (n,), for predictions (n, m); shape (m,)."""
    recalls = [(predicted[labels == c] == c).mean(axis=0) for c in np.unique(labels)]
    return np.mean(recalls, axis=0)
