"""What an estimator is given: checked features and weights, and the rows that it holds out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.utils.validation import validate_data

from occamscope.errors import InputError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

# The search works in float32, and squares features.
LARGEST = 1e18


def check_table(estimator: BaseEstimator, X: Any, y: Any, *, numeric: bool) -> tuple[Array, Any]:
    """Return features (n, d) in float64 and targets (n,), and note the features' names.

    Parameters
    ----------
    numeric : True for targets that are numbers, False for labels of any kind

    Raises
    ------
    ValueError
        If X or y has a wrong shape or undefined values; the message names the column.
    """
    _check_columns(X)
    try:
        X, y = validate_data(
            estimator, X, y, dtype=np.float64, ensure_all_finite=False, y_numeric=numeric
        )
    except ValueError as error:
        raise _naming_text_column(estimator, X, error) from error
    _check_finite(estimator, X)
    _check_range(estimator, X)
    return X, y


def check_matrix(estimator: BaseEstimator, X: Any) -> Array:
    """Return features (n, d) in float64 that fit those the estimator was fitted on.

    Raises
    ------
    ValueError
        As `check_table`, or if there are other columns than at the fit.
    """
    try:
        X = validate_data(
            estimator, X, reset=False, dtype=np.float64, ensure_all_finite=False
        )  # fmt: skip
    except ValueError as error:
        raise _naming_text_column(estimator, X, error) from error
    _check_finite(estimator, X)
    return X


def check_row_weights(weight: ArrayLike | None, n: int) -> Array:
    """Return the weights of n rows with the mean 1, ones if there are none.

    Raises
    ------
    InputError
        If there is not one finite weight >= 0 for every row, none is above 0, or there is one
        row only.
    """
    if n < 2:
        raise InputError("X: 1 sample is too few; a law needs at least two rows")
    if weight is None:
        return np.ones(n)
    w = np.asarray(weight, dtype=np.float64)
    if w.shape != (n,):
        raise InputError(f"sample_weight: {n} rows need weights of shape ({n},), got {w.shape}")
    if not np.isfinite(w).all() or (w < 0).any():
        raise InputError("sample_weight: weights must be finite and not negative")
    if not w.any():
        raise InputError("sample_weight: all weights are zero; at least one row must count")
    w = w / w.max()  # very small or large ones must not vanish in sums
    return w / w[w > 0].mean()


def check_groups(groups: ArrayLike | None, n: int) -> NDArray[Any] | None:
    """Return the group of each of n rows; None stays None."""
    if groups is None:
        return None
    given = np.asarray(groups)
    if given.shape != (n,):
        raise InputError(f"groups: {n} rows of data need ({n},) groups, got {given.shape}")
    return given


def sorted_classes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes in order, and each row's place among them."""
    try:
        classes, number = np.unique(labels, return_inverse=True)
    except TypeError as error:  # numpy cannot sort numbers among texts
        kinds = sorted({type(label).__name__ for label in labels})
        raise InputError(
            f"y holds labels of several types ({', '.join(kinds)}); make them all text or all "
            "numbers"
        ) from error
    return classes, number


def class_factors(
    given: str | Mapping[Any, float] | None,
    classes: NDArray[Any],
    number: NDArray[np.intp],
    weight: Array,
) -> Array:
    """Return the factor by which each class's rows count.

    Parameters
    ----------
    given : None, "balanced" (each class weighs the same) or {class: factor}
    classes : (k,) labels
    number, weight : (n,) number of each row's class, and its weight

    Raises
    ------
    InputError
        If a class is unknown or a factor is no positive number.
    """
    if given is None:
        return np.ones(len(classes))
    if isinstance(given, str):
        if given != "balanced":
            raise InputError(f"class_weight: '{given}' must be None, 'balanced' or a dict")
        return np.asarray(weight.sum() / (len(classes) * np.bincount(number, weight)))
    labels = classes.tolist()
    for label, factor in given.items():
        if label not in labels:
            known = ", ".join(map(str, labels))
            raise InputError(f"class_weight: y holds no class {label!r}, only {known}")
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"class_weight: {factor!r} of class {label!r} must be above 0")
    return np.array([float(given.get(label, 1.0)) for label in labels])


def _check_columns(X: Any) -> None:
    """Refuse two columns of one name, of which a law could not say which it means."""
    columns = [str(name) for name in getattr(X, "columns", ())]
    if len(set(columns)) < len(columns):
        twice = min(name for name in columns if columns.count(name) > 1)
        raise InputError(f"features: the name '{twice}' comes twice; rename one of them")


def _check_finite(estimator: BaseEstimator, X: Array) -> None:
    finite = np.isfinite(X)
    if finite.all():
        return
    column = int(np.argmin(finite.all(axis=0)))
    values = X[:, column]
    kind = "NaN" if np.isnan(values).any() else "inf"
    rows = int(np.count_nonzero(~np.isfinite(values)))
    name = _column_name(getattr(estimator, "feature_names_in_", None), column)
    raise InputError(
        f"X contains {kind}: {name} has no finite value in {rows} of {len(X)} rows; "
        "leave these rows or the column out, or impute them"
    )


def _check_range(estimator: BaseEstimator, X: Array) -> None:
    """Refuse numbers that the search's single precision cannot hold."""
    largest = np.abs(X).max(axis=0)
    if (largest > LARGEST).any():
        name = _column_name(getattr(estimator, "feature_names_in_", None), int(largest.argmax()))
        raise InputError(
            f"X: {name} has values up to {largest.max():.1g}; the search can use up to "
            f"{LARGEST:.0g}: measure it in another unit"
        )


def _naming_text_column(estimator: BaseEstimator, X: Any, error: ValueError) -> ValueError:
    """Return a message with the first column that is no number, else sklearn's own."""
    if "could not convert string" not in str(error):
        return error
    names = getattr(X, "columns", None)
    cells = np.asarray(X, dtype=object)
    for column in range(cells.shape[1] if cells.ndim == 2 else 0):
        try:
            cells[:, column].astype(np.float64)
        except (TypeError, ValueError):
            name = _column_name(names, column)
            return InputError(
                f"X: {name} holds text ({error}); encode it as numbers "
                "(sklearn.preprocessing.OneHotEncoder) or leave it out"
            )
    return error


def _column_name(names: Any, column: int) -> str:
    return f"column {column}" if names is None else f"feature '{names[column]}'"


class Parts(NamedTuple):
    """Rows to search on and rows held out; the latter are empty if nothing is held out."""

    search: Rows
    held_out: Rows


def hold_out(
    fraction: float,
    n: int,
    seed: int,
    classes: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> Parts:
    """Set rows aside at random, by class where there are classes, by group where there are groups.

    Each class gives its share of rows, at least one and never all; if a class has one row
    only, nothing is held out, and a warning says so. Groups stay whole.

    Parameters
    ----------
    fraction : share of the rows to hold out, 0 to 0.5
    n : number of rows
    classes : (n,) number of each row's class
    groups : (n,) group of each row

    Raises
    ------
    InputError
        If the fraction is out of range or the groups cannot be parted so that both parts
        hold all classes.
    """
    if not 0 <= fraction <= 0.5:
        raise InputError(f"validation_fraction: {fraction} must be a number from 0 to 0.5")
    nothing = Parts(np.arange(n), np.arange(0))
    if fraction == 0:
        return nothing
    if groups is not None:
        return _hold_out_groups(fraction, n, seed, classes, groups)
    sizes = np.array([n]) if classes is None else np.bincount(classes)
    if sizes.min() < 2:
        what = "the table has one row" if classes is None else "a class has one row"
        warnings.warn(
            f"{what} only: no rows are held out, cross-validation takes their place",
            stacklevel=4,
        )
        return nothing
    random = np.random.default_rng([seed, 1])
    parts = [np.arange(n)] if classes is None else map(np.flatnonzero, _members(classes))
    held = [random.permutation(rows)[: max(1, round(fraction * len(rows)))] for rows in parts]
    chosen = np.zeros(n, bool)
    chosen[np.concatenate(held)] = True
    return Parts(np.flatnonzero(~chosen), np.flatnonzero(chosen))


def _members(classes: NDArray[np.intp]) -> list[NDArray[np.bool_]]:
    return [classes == k for k in range(int(classes.max()) + 1)]


def _hold_out_groups(
    fraction: float, n: int, seed: int, classes: NDArray[np.intp] | None, groups: NDArray[Any]
) -> Parts:
    """Take the first fold of whole groups that leaves every class in both parts."""
    folds = min(round(1 / fraction), len(np.unique(groups)))
    if folds < 2:
        raise InputError(
            "groups: rows of one group cannot be parted; give more groups or validation_fraction=0"
        )
    strata = np.zeros(n, int) if classes is None else classes
    kind = GroupKFold if classes is None else StratifiedGroupKFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small classes: checked below
        for search, held_out in splitter.split(np.zeros((n, 1)), strata, groups):
            kinds = len(np.unique(strata))
            if all(len(np.unique(strata[rows])) == kinds for rows in (search, held_out)):
                return Parts(np.sort(search), np.sort(held_out))
    raise InputError(
        "groups: a class lies in too few groups to be in both parts; give validation_fraction=0"
    )
