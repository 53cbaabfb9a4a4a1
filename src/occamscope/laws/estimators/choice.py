"""How an estimator chooses a law: by held-out rows, by cross-validation, or by the front alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from occamscope.errors import InputError
from occamscope.laws.choice.selection import (
    RULES,
    Selection,
    cross_validate,
    deal_folds,
    pick_by_losses,
    select,
)
from occamscope.laws.choice.validation import (
    CLASS_COLUMNS,
    NUMBER_COLUMNS,
    class_accuracies,
    r_squared,
    standard_error,
    with_columns,
)
from occamscope.laws.front import Front
from occamscope.laws.joint.fit import JointLaw, JointProblem
from occamscope.laws.joint.front import JointFront
from occamscope.laws.joint.softmax import cross_entropy, row_losses, softmax
from occamscope.laws.loss import elementwise_loss, mean_loss
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]

# Folds of a cross-validation, and steps of a joint fit in each of them.
_FOLDS, _JOINT_STEPS = 5, 25


def check_rule(rule: str) -> None:
    """Refuse an unknown rule before a search begins."""
    if rule not in RULES:
        raise InputError(f"selection: '{rule}' is not one of {', '.join(RULES)}")


def choose(table: pd.DataFrame, rule: str, cross_validated: Callable[[], Selection]) -> Selection:
    """Pick a law by a rule of `selection`.

    Parameters
    ----------
    table : the front, with columns of held-out rows if there are such rows
    rule : "validation" is "one_standard_error" where nothing is held out
    cross_validated : does what its name says
    """
    if rule == "validation" and "validation_loss" not in table:
        rule = "one_standard_error"
    if rule != "one_standard_error":
        return select(table, rule)
    found = cross_validated()
    more = {str(name): found.table[name] for name in found.table if name not in table}
    return Selection(rule, found.row, table.assign(**more))


def add_class_columns(
    table: pd.DataFrame,
    values: list[Array],
    number: NDArray[np.intp],
    weight: Array,
    loss_weight: Array,
    loss: str,
) -> pd.DataFrame:
    """Add how laws of any number of classes do on held-out rows; as `validation.add_validation`.

    Parameters
    ----------
    table : the front
    values : decision values of each law: (n,) of two classes, (n, K) of more; where one is
        undefined, it is wrong
    number : (n,) number of each row's class
    weight : (n,) weights of the rows, as they came
    loss_weight : (n,) the same with class weights, as in the search
    loss : a margin loss; of more than two classes the loss is the cross-entropy
    """
    records = []
    for value in values:
        if value.ndim == 1:
            right = np.where(number > 0, value > 0, value <= 0)
            mean = mean_loss(value, np.where(number > 0, 1.0, -1.0), loss, loss_weight)
        else:
            right = (np.argmax(softmax(value), axis=1) == number) & ~np.isnan(value).any(axis=1)
            mean = cross_entropy(value, number, loss_weight)
        records.append((mean, *class_accuracies(right, number, weight)))
    return with_columns(table, CLASS_COLUMNS, records)


def add_number_columns(
    table: pd.DataFrame, values: list[Array], y: Array, weight: Array, loss: str
) -> pd.DataFrame:
    """Add how laws that predict numbers do on held-out rows; as `validation.add_validation`."""
    records = [
        (
            mean_loss(value, y, loss, weight),
            r_squared(value, y, weight),
            standard_error(elementwise_loss(value, y, loss), weight),
        )
        for value in values
    ]
    return with_columns(table, NUMBER_COLUMNS, records)


def select_joint_by_cross_validation(
    front: JointFront,
    X: Array,
    number: NDArray[np.intp],
    spec: SearchSpec,
    weight: Array,
    groups: NDArray[Any] | None,
    seed: int,
) -> Selection:
    """Do for joint laws what `selection.select_by_cross_validation` does for single ones."""
    fold = deal_folds(number, len(number), _FOLDS, seed, groups)

    def held_out_losses(joint: JointLaw, train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
        problem = JointProblem(X[train], number[train], weight[train], len(front.classes), spec)
        fitted, _ = problem.fit(joint, _JOINT_STEPS)
        return row_losses(fitted.decision(X[test]), number[test])

    with threadpool_limits(1, "blas"):  # sums of several threads differ in their last bits
        losses = cross_validate(front.joints, held_out_losses, fold)
    return pick_by_losses(front.table, losses, weight, groups)


def extra_columns(front: Front | JointFront, selection: Selection) -> pd.DataFrame:
    """Return what a selection's table says beyond the front's."""
    known = front.table.columns
    return selection.table[[name for name in selection.table.columns if name not in known]]
