"""How laws do on rows that their search has not seen, and the rule of one standard error.

The rule: of all laws whose measure lies within one standard error of the best one's, take the
simplest (Breiman et al., Classification and Regression Trees, 1984). A difference smaller than
the sampling error of the rows does not pay for a longer law.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import parse
from occamscope.laws.loss import (
    MARGIN_LOSSES,
    check_targets,
    check_weights,
    elementwise_loss,
    mean_loss,
)

Array = NDArray[np.float64]

CLASS_COLUMNS = (
    "validation_loss",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_standard_error",
)
NUMBER_COLUMNS = ("validation_loss", "validation_r2", "validation_standard_error")


def add_validation(
    rows: pd.DataFrame,
    X: ArrayLike,
    y: ArrayLike,
    loss: str,
    feature_names: Sequence[str],
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Add how each law does on rows that were held out.

    Parameters
    ----------
    rows : laws with the columns `expression`, `output_scale` and, if there is one,
        `output_offset`
    X, y : (n, d) data and (n,) targets, -1 and +1 for a margin loss
    loss : one of `occamscope.laws.loss.LOSSES`
    feature_names : names of the columns of X
    sample_weight : (n,) non-negative weights of the rows

    Returns
    -------
    The rows with `validation_loss` (mean loss of s f + b) and, for a margin loss,
    `validation_accuracy`, `validation_balanced_accuracy` and the latter's
    `validation_standard_error`; otherwise `validation_r2` (1 - mean squared error / variance of
    y, nan if y does not vary) and the loss's `validation_standard_error`. Where a law is
    undefined it is wrong, and its loss infinite.

    Raises
    ------
    InputError
        If data, targets and weights do not fit together, or a margin loss finds one class only.
    """
    y = check_targets(y, loss)
    weight = check_weights(sample_weight, len(y))
    margin = loss in MARGIN_LOSSES
    records: list[tuple[float, ...]] = []
    for values in decision_values(rows, X, feature_names):
        mean = mean_loss(values, y, loss, weight)
        if margin:
            records.append((mean, *sign_accuracies(values, y, weight)))
        else:
            error = standard_error(elementwise_loss(values, y, loss), weight)
            records.append((mean, r_squared(values, y, weight), error))
    return with_columns(rows, CLASS_COLUMNS if margin else NUMBER_COLUMNS, records)


def with_columns(
    rows: pd.DataFrame, names: Sequence[str], records: Sequence[Sequence[float]]
) -> pd.DataFrame:
    """Return the rows with one more column of numbers for each name."""
    columns = pd.DataFrame(records, columns=list(names), index=rows.index)
    return rows.assign(**{name: columns[name].astype(float) for name in names})


def decision_values(rows: pd.DataFrame, X: ArrayLike, feature_names: Sequence[str]) -> list[Array]:
    """Return the (n,) values s f + b of every law; rows without an offset have b = 0."""
    X = np.asarray(X, dtype=np.float64)
    offsets = rows["output_offset"] if "output_offset" in rows else [0.0] * len(rows)
    values = []
    for text, s, b in zip(rows["expression"], rows["output_scale"], offsets, strict=True):
        with np.errstate(over="ignore"):
            values.append(s * parse(text, feature_names).evaluate(X) + b)
    return values


def sign_accuracies(
    values: Array, y: Array, weight: Array | None = None
) -> tuple[float, float, float]:
    """Return accuracy, balanced accuracy and the latter's standard error of a law's signs.

    Parameters
    ----------
    values : (n,) decision values: above 0 they say +1, otherwise -1, nan is wrong
    y : (n,) labels -1 and +1
    weight : (n,) weights of the rows
    """
    right = np.where(y > 0, values > 0, values <= 0)
    return class_accuracies(right, (y > 0).astype(int), weight)


def class_accuracies(
    right: ArrayLike, number: ArrayLike, weight: Array | None = None
) -> tuple[float, float, float]:
    """Return accuracy, balanced accuracy and the latter's standard error.

    Rows of unequal weight count as (sum w)^2 / sum w^2 rows of equal weight (Kish, Survey
    Sampling, 1965) in the standard error.

    Parameters
    ----------
    right : (n,) whether the row's class was met
    number : (n,) number of its class, from 0
    weight : (n,) weights of the rows

    Raises
    ------
    InputError
        If not every class has rows (of positive weight), or there is one class only.
    """
    right, number = np.asarray(right, dtype=bool), np.asarray(number)
    w = np.ones(len(right)) if weight is None else weight
    correct, total = [], []
    for k in range(max(int(number.max()) + 1, 2)):
        own = w[number == k]
        if not own.any():
            raise InputError("laws: the validation part holds one class only; enlarge it")
        rows_per_weight = own.sum() / np.sum(own * own)
        correct.append(float(np.sum(w[right & (number == k)]) * rows_per_weight))
        total.append(float(own.sum() * rows_per_weight))
    balanced = float(sum(c / n for c, n in zip(correct, total, strict=True)) / len(total))
    accuracy = float(np.mean(right)) if weight is None else float(np.average(right, weights=w))
    return accuracy, balanced, balanced_standard_error(correct, total)


def balanced_standard_error(correct: Sequence[float], total: Sequence[float]) -> float:
    """Standard error of the mean of the classes' accuracies.

    Each class's variance is p(1 - p)/n with p = (correct + 1)/(n + 2) (Laplace), so that a
    perfect score on few rows does not pass for certain.
    """
    shares = [(k + 1) / (n + 2) for k, n in zip(correct, total, strict=True)]
    variances = [p * (1 - p) / n for p, n in zip(shares, total, strict=True)]
    return math.sqrt(sum(variances)) / len(variances)


def standard_error(
    losses: ArrayLike, weight: Array | None = None, groups: ArrayLike | None = None
) -> float:
    """Standard error of the weighted mean of losses; infinite if they are not all finite.

    sqrt(G/(G - 1) sum_g (sum_{i in g} w_i (l_i - mean))^2) / sum w: rows of one group count as
    one draw (the cluster-robust variance of a mean: Liang and Zeger, Biometrika 73, 1986).
    Without weights and groups this is the standard deviation over sqrt(n).

    Parameters
    ----------
    losses : (n,) loss of every row
    weight : (n,) weights of the rows
    groups : (n,) group of each row; None: each row is its own
    """
    rows = np.asarray(losses, dtype=np.float64)
    w = np.ones(len(rows)) if weight is None else weight
    kept = w > 0
    rows, w = rows[kept], w[kept]
    if not np.isfinite(rows).all():
        return float("inf")
    part = w / w.sum() * (rows - np.average(rows, weights=w))
    if groups is not None:
        _, number = np.unique(np.asarray(groups)[kept], return_inverse=True)
        part = np.bincount(number, weights=part)
    draws = len(part)
    return math.sqrt(draws / (draws - 1) * float(part @ part)) if draws > 1 else float("inf")


def r_squared(values: Array, y: Array, weight: Array | None = None) -> float:
    """Share of the variance of y that the values explain: 1 - mse / variance; nan without one."""
    centre = np.full_like(y, np.average(y, weights=weight))
    spread = mean_loss(centre, y, "mse", weight)
    return 1.0 - mean_loss(values, y, "mse", weight) / spread if spread > 0 else float("nan")


def simplest_within(
    rows: pd.DataFrame, measure: str, allowed: float | str, tie: str, larger_is_better: bool
) -> Hashable:
    """Return the index label of the simplest law that is nearly as good as the best.

    Ties go to the lower `tie`, then to the expression that comes first in the alphabet, so
    that the choice does not depend on the order of the rows.

    Parameters
    ----------
    rows : at least one law with `complexity`, `expression` and the columns named below
    measure : column to compare
    allowed : how much a law may be worse than the best one, or the column with the standard
        error of the best one's measure
    tie : column, smaller is better
    larger_is_better : whether the measure is to be high
    """
    finite = rows[np.isfinite(rows[measure].astype(float))]
    candidates = rows if finite.empty else finite
    sign = 1.0 if larger_is_better else -1.0
    ties = ["complexity", tie, "expression"]
    order = candidates.sort_values(
        [measure, *ties], ascending=[not larger_is_better, True, True, True], kind="stable"
    )
    best = order.iloc[0]
    margin = float(best[allowed]) if isinstance(allowed, str) else allowed
    # A rounding error must not decide at the edge of the band.
    floor = sign * best[measure] - margin - 1e-12 * abs(best[measure])
    near = order[sign * order[measure] >= floor]
    return near.sort_values(ties, kind="stable").index[0]
