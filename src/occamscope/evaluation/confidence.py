"""From which score on a model is sure of a class, by its probabilities on held-out cells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logit

from occamscope.errors import InputError


class Sigmoid(Protocol):
    """P(positive | score) = 1 / (1 + exp(-(a score + b)))."""

    @property
    def a(self) -> float: ...
    @property
    def b(self) -> float: ...


@dataclass(frozen=True)
class ConfidenceThresholds:
    """Scores at which a calibrated model gives one of the classes the probability `level`.

    Attributes
    ----------
    level : float
        0.5..1.
    upper, lower : float
        Above `upper` (>= 0) the positive, at most at `lower` (<= 0) the negative class is sure.
    """

    level: float
    upper: float
    lower: float


def confidence_thresholds(
    scores: np.ndarray,
    labels: np.ndarray,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], Sigmoid],
    level: float = 0.95,
) -> ConfidenceThresholds:
    """Find the scores from which on a model gives a class the probability `level`.

    Both classes weigh the same in the calibration, as in the training of the models: a score of 0
    then means about even odds, and the thresholds do not hang on how rare a class is.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Scores of cells that the model was not trained on, positive class above 0.
    labels : ndarray of 0/1, shape (n,)
    fit : callable
        Scores, labels and weights of rows (n,) -> a sigmoid with slope `a` and offset `b`, e.g.
        Platt scaling with smoothed targets (Platt 1999), which stays finite where the scores
        separate the classes perfectly.
    level : float
        Above 0.5 and below 1.

    Returns
    -------
    ConfidenceThresholds
        A threshold that calibration puts beyond the boundary, at a score of the other class, is
        0: what crosses the boundary is then sure enough.

    Raises
    ------
    InputError
        If `level` is out of range, scores and labels do not match, a score is not finite, a
        class is missing or scores do not rise with the class.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if not 0.5 < level < 1:
        raise InputError(f"confidence level {level}: choose one above 0.5 and below 1, e.g. 0.95")
    if scores.shape != labels.shape or scores.ndim != 1:
        raise InputError(
            f"{scores.shape} scores for {labels.shape} labels; give one score a held-out cell"
        )
    if not np.isin(labels, (0, 1)).all():
        raise InputError("labels must be 0 or 1; leave unlabelled cells out")
    if not np.isfinite(scores).all():
        raise InputError(
            f"{int((~np.isfinite(scores)).sum())} held-out scores are not finite; choose a model "
            "that gives every cell a number"
        )
    counts = np.bincount(labels.astype(int), minlength=2)
    if not counts.all():
        raise InputError(
            f"the held-out cells are {counts[0]} negative and {counts[1]} positive ones; both "
            "classes are needed to calibrate: hold more cells out"
        )
    sigmoid = fit(scores, labels, (len(labels) / (2 * counts))[labels.astype(int)])
    if not (np.isfinite([sigmoid.a, sigmoid.b]).all() and sigmoid.a > 0):
        raise InputError(
            "scores do not rise with the class on the held-out cells, so no score means "
            "confidence; check the labels, or leave this model out"
        )
    odds = float(logit(level))
    upper, lower = ((odds - sigmoid.b) / sigmoid.a, (-odds - sigmoid.b) / sigmoid.a)
    return ConfidenceThresholds(level, max(float(upper), 0.0), min(float(lower), 0.0))
