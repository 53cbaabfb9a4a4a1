"""Choose one law by validation accuracy and size, never by the search's own loss.

The rule: of all laws whose balanced accuracy on the validation crops lies within one standard
error of the best one's, take the simplest; among equally simple ones, the one with the lower
validation hinge. This is the one-standard-error rule of Breiman et al. (Classification and
Regression Trees, 1984): a difference smaller than the sampling error of the validation crops
does not pay for a longer law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expression import parse
from occamscope.laws.loss import mean_loss

VALIDATION_COLUMNS = (
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_standard_error",
    "validation_hinge",
)


@dataclass(frozen=True)
class ChoiceSettings:
    """How `choose_law` weighs size against validation accuracy."""

    # Laws with more nodes are not considered.
    max_complexity: int = 20
    # How many standard errors of the best law's balanced accuracy a simpler law may lose.
    standard_errors: float = 1.0
    # If not negative, this loss of balanced accuracy is allowed instead.
    tolerance: float = -1.0


def validation_columns(
    rows: pd.DataFrame, X: ArrayLike, labels: ArrayLike, feature_names: Sequence[str]
) -> pd.DataFrame:
    """Add how each law does on validation crops.

    A law says "positive" where f > 0; where f is undefined (nan) it is wrong.

    Parameters
    ----------
    rows : laws with the columns `expression` and `output_scale`
    X : (n, d) validation data
    labels : (n,) class of each crop, 0/1 or -1/+1
    feature_names : names of the columns of X

    Returns
    -------
    The rows with `validation_accuracy`, `validation_balanced_accuracy`, the latter's
    `validation_standard_error`, and `validation_hinge` (mean hinge of `output_scale` x f).

    Raises
    ------
    InputError
        If the labels do not hold both classes.
    """
    y = _signed_labels(labels)
    X = np.asarray(X, dtype=np.float64)
    records = []
    for text, scale in zip(rows["expression"], rows["output_scale"], strict=True):
        values = parse(text, feature_names).evaluate(X)
        with np.errstate(over="ignore"):
            hinge = mean_loss(scale * values, y, "hinge")
        records.append((*_accuracies(values, y), hinge))
    columns = pd.DataFrame(records, columns=list(VALIDATION_COLUMNS), index=rows.index)
    return rows.assign(**{name: columns[name].astype(float) for name in VALIDATION_COLUMNS})


def balanced_standard_error(correct: Sequence[int], total: Sequence[int]) -> float:
    """Standard error of the mean of two classes' accuracies.

    Each class's variance is p(1 - p)/n with p = (correct + 1)/(n + 2) (Laplace), so that a
    perfect score on few crops does not pass for certain.
    """
    shares = [(k + 1) / (n + 2) for k, n in zip(correct, total, strict=True)]
    variances = [p * (1 - p) / n for p, n in zip(shares, total, strict=True)]
    return math.sqrt(sum(variances)) / len(variances)


def choose_law(rows: pd.DataFrame, settings: ChoiceSettings | None = None) -> int:
    """Return the index label of the chosen row; the rule stands at the head of this module.

    Ties that remain go to the expression that comes first in the alphabet, so that the
    choice does not depend on the order of the rows.

    Parameters
    ----------
    rows : laws with the columns of `validation_columns`, `complexity` and `expression`

    Raises
    ------
    InputError
        If no law is small enough.
    """
    settings = settings or ChoiceSettings()
    small = rows[rows["complexity"] <= settings.max_complexity]
    if small.empty:
        raise InputError(
            f"laws: no law has at most {settings.max_complexity} nodes; raise "
            "laws.choice.max_complexity or the search's budget"
        )
    order = small.sort_values(
        ["validation_balanced_accuracy", "complexity", "validation_hinge", "expression"],
        ascending=[False, True, True, True],
        kind="stable",
    )
    best = order.iloc[0]
    allowed = settings.tolerance
    if allowed < 0:
        allowed = settings.standard_errors * best["validation_standard_error"]
    # A rounding error must not decide at the edge of the band.
    floor = best["validation_balanced_accuracy"] - allowed - 1e-12
    near = order[order["validation_balanced_accuracy"] >= floor]
    return near.sort_values(["complexity", "validation_hinge", "expression"], kind="stable").index[
        0
    ]


def _signed_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Return labels 0/1 or -1/+1 as -1/+1."""
    given = np.asarray(labels)
    if not (np.isin(given, (0, 1)).all() or np.isin(given, (-1, 1)).all()):
        raise InputError("laws: validation labels must be 0/1 or -1/+1")
    y = np.where(given > 0, 1.0, -1.0)
    if len(np.unique(y)) < 2:
        raise InputError("laws: the validation part holds one class only; enlarge it")
    return y


def _accuracies(values: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return accuracy, balanced accuracy and its standard error of the signs of f."""
    right = np.where(y > 0, values > 0, values <= 0)
    total = [int(np.sum(y > 0)), int(np.sum(y < 0))]
    correct = [int(np.sum(right & (y > 0))), int(np.sum(right & (y < 0)))]
    balanced = (correct[0] / total[0] + correct[1] / total[1]) / 2
    return float(np.mean(right)), balanced, balanced_standard_error(correct, total)
