"""How each law of a front does on rows that the search has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.choose import balanced_standard_error
from occamscope.laws.loss import elementwise_loss, mean_loss
from occamscope.laws.softmax import cross_entropy, softmax

Array = NDArray[np.float64]


def class_columns(
    values: list[Array], number: NDArray[np.intp], weight: Array, loss_weight: Array, loss: str
) -> pd.DataFrame:
    """Return loss, accuracy, balanced accuracy and its standard error of each law.

    Parameters
    ----------
    values : decision values of each law: (n,) of two classes, (n, K) of more; where one is
        undefined, it is wrong
    number : (n,) number of each row's class
    weight : (n,) weights of the rows, as they came
    loss_weight : (n,) the same with class weights, as in the search
    loss : a margin loss; of more than two classes the loss is the cross-entropy
    """
    members = [np.flatnonzero(number == k) for k in range(int(number.max()) + 1)]
    rows = []
    for value in values:
        if value.ndim == 1:
            right = np.where(number > 0, value > 0, value <= 0)
            mean = mean_loss(value, np.where(number > 0, 1.0, -1.0), loss, loss_weight)
        else:
            right = (np.argmax(softmax(value), axis=1) == number) & ~np.isnan(value).any(axis=1)
            mean = cross_entropy(value, number, loss_weight)
        shares = [float(np.average(right[part], weights=weight[part])) for part in members]
        total = [len(part) for part in members]
        correct = [round(share * n) for share, n in zip(shares, total, strict=True)]
        rows.append(
            {
                "validation_loss": mean,
                "validation_accuracy": float(np.average(right, weights=weight)),
                "validation_balanced_accuracy": float(np.mean(shares)),
                "validation_standard_error": balanced_standard_error(correct, total),
            }
        )
    return pd.DataFrame(rows)


def number_columns(values: list[Array], y: Array, weight: Array, loss: str) -> pd.DataFrame:
    """Return loss, its standard error and R2 of each law.

    Parameters
    ----------
    values : predictions (n,) of each law
    y, weight : (n,) targets and weights of the rows
    loss : "mse" or "mae"
    """
    share = weight / weight.sum()
    spread = float(share @ (y - share @ y) ** 2)
    rows = []
    for value in values:
        losses = elementwise_loss(value, y, loss)
        mean = mean_loss(value, y, loss, weight)
        with np.errstate(all="ignore"):
            error = float(np.sqrt(np.sum(share**2 * (losses - mean) ** 2)))
            r2 = 1 - mean_loss(value, y, "mse", weight) / spread if spread > 0 else np.nan
        rows.append(
            {"validation_loss": mean, "validation_r2": r2, "validation_standard_error": error}
        )
    return pd.DataFrame(rows)


def choose_row(table: pd.DataFrame, columns: pd.DataFrame, rule: str) -> int:
    """Return the row that a rule chooses; a seam until `selection` exists."""
    if rule not in ("one_standard_error", "best", "accuracy", "score"):
        raise InputError(f"selection: '{rule}' is unknown")
    if rule in ("best", "score"):
        near = table["loss"] <= 1.5 * table["loss"].min() if rule == "best" else table["loss"] > -1
        return int(table["score"].where(near, -np.inf).argmax())
    best = int(columns["validation_loss"].argmin())
    if rule == "accuracy":
        return best
    measure, sign = "validation_loss", 1
    if "validation_balanced_accuracy" in columns:
        measure, sign = "validation_balanced_accuracy", -1
        best = int(columns[measure].argmax())
    limit = sign * columns[measure].iloc[best] + columns["validation_standard_error"].iloc[best]
    return int((sign * columns[measure] <= limit).argmax())
