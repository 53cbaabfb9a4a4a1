"""Rules that pick one law of a front.

`accuracy`, `score` and `best` look at the search's own loss and are PySR's (Cranmer 2023, arXiv
2305.01582). `validation` looks at rows that were held out, `one_standard_error` at all rows by
cross-validation; both take the simplest law within one standard error of the best one (Breiman
et al., Classification and Regression Trees, 1984, section 3.4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.choice.refit import refit
from occamscope.laws.choice.validation import simplest_within, standard_error
from occamscope.laws.front import LOSS_FLOOR, Front, check_data
from occamscope.laws.loss import check_weights, elementwise_loss
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]
Law = TypeVar("Law")

# Rules that need the front's table alone, and that with columns of `validation.add_validation`.
TABLE_RULES = ("best", "accuracy", "score", "validation")
RULES = (*TABLE_RULES, "one_standard_error")
# `best` considers laws of at most so many times the lowest loss.
NEAR = 1.5
# Gauss-Newton steps of a fold's fit (for hinge and mae: at each smoothing).
FOLD_STEPS = 50


@dataclass(frozen=True)
class Selection:
    """The law that a rule picked.

    Attributes
    ----------
    rule : one of `RULES`
    row : position of the law in the front's table (0 is the smallest)
    table : what the rule saw, a row for each law
    """

    rule: str
    row: int
    table: pd.DataFrame


def select(table: pd.DataFrame, rule: str = "best") -> Selection:
    """Pick a law by what stands in the table.

    Parameters
    ----------
    table : a front's table, the smallest law first
    rule : "accuracy" the lowest loss; "score" the highest score; "best" the highest score among
        the laws whose loss is at most 1.5 times the lowest; "validation" the simplest law within
        one standard error of the best balanced accuracy on held-out rows, or of the lowest
        validation loss where there is no accuracy (`validation.add_validation`). Of equal
        laws the smallest.

    Raises
    ------
    InputError
        If the table is empty, the rule is unknown, or it needs columns that are not there.
    """
    if len(table) == 0:
        raise InputError("selection: the front is empty; raise the search's budget")
    if rule not in TABLE_RULES:
        hint = "; use `select_by_cross_validation`" if rule in RULES else ""
        raise InputError(f"selection: '{rule}' is not one of {', '.join(TABLE_RULES)}{hint}")
    seen = table.reset_index(drop=True)
    if rule == "validation":
        return Selection(rule, _by_validation(seen), seen)
    # Losses that count as none are equal, as in the score.
    loss = np.maximum(seen["loss"].to_numpy(dtype=np.float64), LOSS_FLOOR)
    score = seen["score"].to_numpy(dtype=np.float64)
    if rule == "accuracy":
        row = int(np.argmin(loss))
    elif rule == "score":
        row = int(np.argmax(score))
    else:
        row = int(np.argmax(np.where(loss <= NEAR * loss.min(), score, -np.inf)))
    return Selection(rule, row, seen)


def _by_validation(table: pd.DataFrame) -> int:
    if "validation_loss" not in table or "validation_standard_error" not in table:
        raise InputError(
            "selection: 'validation' needs held-out rows (`validation.add_validation`, or a "
            "validation_fraction above 0)"
        )
    accuracy = "validation_balanced_accuracy" in table
    label = simplest_within(
        table, "validation_balanced_accuracy" if accuracy else "validation_loss",
        "validation_standard_error", tie="validation_loss", larger_is_better=accuracy,
    )  # fmt: skip
    return list(table.index).index(label)


def select_by_cross_validation(
    front: Front,
    X: ArrayLike,
    y: ArrayLike,
    spec: SearchSpec,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Selection:
    """Pick the simplest law whose cross-validated loss is within one standard error of the best.

    The laws' structures stay, their constants (and output scale and offset) are fitted anew on
    each fold's other rows, from the values that they have. The structures were found on
    all rows, so that the losses are a little too low for all laws alike; they order laws by
    size, they are no estimate of the loss on new data.

    Parameters
    ----------
    front : laws to pick from
    X, y, sample_weight : (n, d) data, (n,) targets and weights of the search
    spec : settings of the search
    groups : (n,) group of each row (a plate, a patient): groups are not parted, and count as
        one draw each in the standard error
    folds : number of folds, at least 2; fewer if a class or the groups do not suffice
    seed : start of the random stream that deals the rows

    Returns
    -------
    Selection
        with `cv_loss` and `cv_standard_error` in its table

    Raises
    ------
    InputError
        If the front is empty, data do not fit together, or there is one group only.
    """
    if len(front) == 0:
        raise InputError("selection: the front is empty; raise the search's budget")
    X, y = check_data(X, y, spec, front.names)
    weight = check_weights(sample_weight, len(y))
    fold = deal_folds(y if spec.is_margin else None, len(y), folds, seed, groups, weight)

    def held_out_losses(row: int, train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
        w = None if weight is None else weight[train]
        fitted = refit(front.expression(row), X[train], y[train], spec, w, steps=FOLD_STEPS)
        with np.errstate(all="ignore"):
            f = fitted.output_scale * fitted.law.evaluate(X[test]) + fitted.output_offset
        return elementwise_loss(f, y[test], spec.loss)

    losses = cross_validate(range(len(front)), held_out_losses, fold)
    return pick_by_losses(front.table, losses, weight, groups)


def cross_validate(
    laws: Sequence[Law],
    held_out_losses: Callable[[Law, NDArray[np.intp], NDArray[np.intp]], Array],
    fold: NDArray[np.intp],
) -> list[Array]:
    """Return the (n,) losses of each law, every row's by the fit that has not seen it.

    Parameters
    ----------
    laws : what to compare
    held_out_losses : given a law, rows to fit on and rows to test on (indices), the losses of
        the latter
    fold : (n,) number of each row's fold; -1 for a row that is in none and has the loss 0
    """
    found = []
    for law in laws:
        losses = np.zeros(len(fold))
        for k in range(int(fold.max()) + 1):
            train, test = np.flatnonzero((fold >= 0) & (fold != k)), np.flatnonzero(fold == k)
            losses[test] = held_out_losses(law, train, test)
        found.append(losses)
    return found


def pick_by_losses(
    table: pd.DataFrame,
    losses: Sequence[Array],
    weight: Array | None = None,
    groups: ArrayLike | None = None,
) -> Selection:
    """Pick the simplest law whose mean loss is within one standard error of the lowest.

    Parameters
    ----------
    table : laws with `complexity`, `loss` and `expression`
    losses : (n,) cross-validated losses for each row of the table
    weight, groups : (n,) weights and groups of the rows
    """
    seen = table.reset_index(drop=True)
    with np.errstate(all="ignore"):
        means = [float(np.average(rows, weights=weight)) for rows in losses]
    seen = seen.assign(
        cv_loss=[mean if np.isfinite(mean) else np.inf for mean in means],
        cv_standard_error=[standard_error(rows, weight, groups) for rows in losses],
    )
    label = simplest_within(
        seen, "cv_loss", "cv_standard_error", tie="loss", larger_is_better=False
    )
    return Selection("one_standard_error", list(seen.index).index(label), seen)


def deal_folds(
    classes: ArrayLike | None,
    rows: int,
    folds: int,
    seed: int,
    groups: ArrayLike | None = None,
    weight: Array | None = None,
) -> NDArray[np.intp]:
    """Deal rows to folds: every class alike where there are classes, groups never parted.

    Parameters
    ----------
    classes : (n,) class of each row; None for a number as target
    rows : n
    folds : wanted number of folds; there are fewer if the rarest class has fewer rows or there
        are fewer groups
    seed : start of the random stream
    groups : (n,) group of each row
    weight : (n,) weights; rows without one are in no fold

    Returns
    -------
    (n,) number of each row's fold, -1 for rows of no weight

    Raises
    ------
    InputError
        If not even two folds can be made.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if folds < 2:
        raise InputError(f"folds: {folds} must be at least 2")
    kept = np.arange(rows) if weight is None else np.flatnonzero(weight > 0)
    label = None if classes is None else np.asarray(classes)[kept]
    group = None if groups is None else np.asarray(groups)[kept]
    most = len(kept) if group is None else len(np.unique(group))
    if most < 2:
        what = "row" if group is None else "group"
        raise InputError(f"cross-validation: one {what} cannot be dealt to folds; give more")
    if label is not None:
        rarest = int(np.unique(label, return_counts=True)[1].min())
        if rarest < 2:
            label = None  # such a class cannot be in every fold
        else:
            most = min(most, rarest)
    count = min(folds, most)
    if group is None:
        kind = KFold if label is None else StratifiedKFold
    else:
        kind = GroupKFold if label is None else StratifiedGroupKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    number = np.full(rows, -1, dtype=np.intp)
    for k, (_, test) in enumerate(splitter.split(np.zeros(len(kept)), label, group)):
        number[kept[test]] = k
    return number
