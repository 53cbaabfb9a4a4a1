"""Choose one law by validation accuracy and size, never by the search's own loss.

The rule: of all laws whose balanced accuracy on the validation crops lies within one standard
error of the best one's, take the simplest; among equally simple ones, the one with the lower
validation hinge. This is the one-standard-error rule of Breiman et al. (Classification and
Regression Trees, 1984): a difference smaller than the sampling error of the validation crops
does not pay for a longer law.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.choice.validation import (
    balanced_standard_error,
    decision_values,
    sign_accuracies,
    simplest_within,
    with_columns,
)
from occamscope.laws.loss import mean_loss

__all__ = ["ChoiceSettings", "balanced_standard_error", "choose_law", "validation_columns"]

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

    A law says "positive" where s f + b > 0; where that is undefined (nan) it is wrong.

    Parameters
    ----------
    rows : laws with the columns `expression`, `output_scale` and, if there is one,
        `output_offset`
    X : (n, d) validation data
    labels : (n,) class of each crop, 0/1 or -1/+1
    feature_names : names of the columns of X

    Returns
    -------
    The rows with `validation_accuracy`, `validation_balanced_accuracy`, the latter's
    `validation_standard_error`, and `validation_hinge` (mean hinge of s f + b).

    Raises
    ------
    InputError
        If the labels do not hold both classes.
    """
    y = _signed_labels(labels)
    values = decision_values(rows, X, feature_names)
    records = [(*sign_accuracies(v, y), mean_loss(v, y, "hinge")) for v in values]
    return with_columns(rows, VALIDATION_COLUMNS, records)


def choose_law(rows: pd.DataFrame, settings: ChoiceSettings | None = None) -> Hashable:
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
    allowed = settings.standard_errors * small["validation_standard_error"]
    if settings.tolerance >= 0:
        allowed[:] = settings.tolerance
    return simplest_within(
        small.assign(allowed=allowed), "validation_balanced_accuracy", "allowed",
        tie="validation_hinge", larger_is_better=True,
    )  # fmt: skip


def _signed_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Return labels 0/1 or -1/+1 as -1/+1."""
    given = np.asarray(labels)
    if not (np.isin(given, (0, 1)).all() or np.isin(given, (-1, 1)).all()):
        raise InputError("laws: validation labels must be 0/1 or -1/+1")
    y = np.where(given > 0, 1.0, -1.0)
    if len(np.unique(y)) < 2:
        raise InputError("laws: the validation part holds one class only; enlarge it")
    return y
