"""Known factors as targets of a training and a test part."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.representation.factors import factor_values


@dataclass(frozen=True)
class Target:
    """One factor on the rows of both parts, rows without a value left out.

    Attributes
    ----------
    name : the factor's column.
    discrete : class numbers if true, else real values (of areas the logarithm).
    train_rows, test_rows : int, rows of the codes.
    train, test : the factor there; int64 if discrete, else float64.
    varies : whether it has more than one value in either part; if not, no score is defined.
    """

    name: str
    discrete: bool
    train_rows: np.ndarray
    test_rows: np.ndarray
    train: np.ndarray
    test: np.ndarray

    @property
    def varies(self) -> bool:
        return all(len(np.unique(part)) > 1 for part in (self.train, self.test))

    @property
    def kind(self) -> str:
        return "discrete" if self.discrete else "continuous"


def _rows(rows: np.ndarray, n: int, part: str) -> np.ndarray:
    """Row numbers from row numbers or from a mask (n,)."""
    chosen = np.asarray(rows)
    if chosen.dtype == bool and chosen.shape == (n,):
        chosen = np.flatnonzero(chosen)
    usable = (
        chosen.ndim == 1 and chosen.dtype.kind in "iu" and len(np.unique(chosen)) == len(chosen)
    )
    if not usable or len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= n:
        raise InputError(
            f"{part} must be different row numbers below {n}, or a mask of {n} rows, at least one"
        )
    return chosen.astype(np.int64)


def _column(name: str, column: pd.Series, discrete: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) and which of them are present (n,)."""
    if discrete:
        classes = pd.factorize(column, sort=True)[0].astype(np.int64)
        return classes, classes >= 0
    if not pd.api.types.is_numeric_dtype(column):
        raise InputError(f"factor {name!r} is not numeric; name it among the discrete factors")
    values = factor_values(name, column)
    return values, np.isfinite(values)


def split_targets(
    codes: np.ndarray,
    factors: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    discrete: Collection[str] = (),
) -> list[Target]:
    """Targets of both parts, one a factor.

    Parameters
    ----------
    codes : (n, latents), at least two latents, finite.
    factors : n rows; columns named ``area...`` are taken by their logarithm.
    train, test : row numbers or masks (n,); no row in both.
    discrete : columns whose values are classes (numbers, text, true or false); all others are
        continuous.

    Raises
    ------
    InputError
        If shapes, rows or names do not suit, or a continuous factor is not numeric.
    """
    n = len(factors)
    if codes.ndim != 2 or codes.shape[1] < 2 or len(codes) != n or not np.isfinite(codes).all():
        raise InputError(
            f"need finite codes (n, at least 2) and n rows of factors, got {codes.shape} and {n} "
            "rows; leave out crops without a code"
        )
    unknown = sorted(set(discrete) - set(factors.columns))
    if unknown:
        raise InputError(f"no factor {unknown[0]!r}; the factors are {', '.join(factors.columns)}")
    parts = _rows(train, n, "train"), _rows(test, n, "test")
    shared = np.intersect1d(*parts)
    if len(shared):
        raise InputError(f"row {shared[0]} is in train and test; a score needs rows held out")
    targets = []
    for name in factors.columns:
        values, present = _column(name, factors[name], name in discrete)
        rows = [part[present[part]] for part in parts]
        targets.append(
            Target(name, name in discrete, rows[0], rows[1], values[rows[0]], values[rows[1]])
        )
    return targets
