"""What a search aims at: the class labels, or the output of a network (distillation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError


@dataclass(frozen=True)
class SearchTarget:
    """Targets `y` (n,) and row weights `weight` (n,) of mean 1, both float64."""

    y: NDArray[np.float64]
    weight: NDArray[np.float64]


def search_target(kind: str, labels: ArrayLike, logits: ArrayLike, loss: str) -> SearchTarget:
    """Targets of one search, with both classes weighing the same.

    Parameters
    ----------
    kind : "labels" or "logits"
    labels : (n,) 0 or 1
    logits : (n,) output of the network that is distilled; unused for "labels"
    loss : margin losses aim at a sign, "mse" and "mae" at a number

    Returns
    -------
    SearchTarget
        For "labels" y is -1 or +1. For "logits" and "mse" or "mae" y is the logit; with a margin loss it is
        the sign of the logit, and a row weighs by |logit| (at most 4 times the median), because a
        crop on the network's boundary says little about the side.

    Raises
    ------
    InputError
        If one class is missing or the kind is unknown.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, dtype=np.float64)
    if kind == "labels":
        y = np.where(labels > 0, 1.0, -1.0)
        return SearchTarget(y, _balanced(y))
    if kind != "logits":
        raise InputError(f"laws.targets: '{kind}' is neither labels nor logits")
    if loss in ("mse", "mae"):
        return SearchTarget(logits, _balanced(logits))
    size = np.abs(logits)
    weight = np.minimum(size, 4 * np.median(size)) * _balanced(logits)
    return SearchTarget(np.where(logits > 0, 1.0, -1.0), weight / weight.mean())


def _balanced(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of mean 1 that give both signs the same sum."""
    positive = y > 0
    share = positive.mean()
    if share in (0, 1):
        raise InputError("the law's target holds one class only: nothing to separate")
    return np.where(positive, 0.5 / share, 0.5 / (1 - share))
