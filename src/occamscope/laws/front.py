"""The table of the best laws of each size: a Pareto front of complexity against loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.display import front_html, front_text
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.parser import MAX_DEPTH, check_names
from occamscope.laws.loss import (
    check_targets,
    check_weights,
    fit_output_affine,
    fit_output_scale,
    mean_loss,
)
from occamscope.laws.spec import SearchSpec

COLUMNS = (
    "complexity", "loss", "score", "expression", "latex", "output_scale", "output_offset",
    "engine", "loss_name", "target", "seed",
)  # fmt: skip
# Losses below this count as this in the score: a perfect law has a finite score.
LOSS_FLOOR = 1e-12
# Two ways to write one law differ by rounding; a smaller difference is none.
ROUNDING = 1e-9
# Why a search ended: its evaluations or its generations were used up, a clock or the user
# stopped it.
STOPPED = ("budget", "generations", "time", "interrupt")


@dataclass(frozen=True)
class Front:
    """What one search found.

    Attributes
    ----------
    table : rows of increasing complexity and decreasing loss. `complexity` under the spec's
        costs (nodes by default); `loss` the weighted mean on the search's data, computed in
        float64 from the text in `expression` f as that of `output_scale` f + `output_offset`;
        `score` = -d ln(loss) /
        d complexity against the row before; `latex`; and where the row comes from:
        `engine`, `loss_name`, `target`, `seed`.
    names : the variables in the order of the data's columns
    stopped : why the search ended, one of `STOPPED`

    Raises
    ------
    ValueError
        If `stopped` is none of these.
    """

    table: pd.DataFrame
    names: tuple[str, ...]
    stopped: str = "budget"

    def __post_init__(self) -> None:
        if self.stopped not in STOPPED:
            raise ValueError(f"stopped: {self.stopped!r} is not one of {', '.join(STOPPED)}")

    @property
    def complete(self) -> bool:
        """False if a time limit or the user cut the search short."""
        return self.stopped in ("budget", "generations")

    def __len__(self) -> int:
        return len(self.table)

    def __str__(self) -> str:
        return front_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return front_html(self)

    def expression(self, row: int) -> Expression:
        """Return the law in that row (0 is the smallest)."""
        return parse(str(self.table["expression"].iloc[row]), self.names)

    def expressions(self) -> list[Expression]:
        """Return all laws, the smallest first."""
        return [self.expression(row) for row in range(len(self))]

    @classmethod
    def from_expressions(
        cls,
        expressions: Iterable[Expression | str],
        X: ArrayLike,
        y: ArrayLike,
        spec: SearchSpec,
        feature_names: Sequence[str],
        *,
        engine: str,
        target: str = "labels",
        sample_weight: ArrayLike | None = None,
        stopped: str = "budget",
        base: ArrayLike | None = None,
    ) -> Front:
        """Score candidates in float64 and keep those that no other one dominates.

        Each candidate is written as text first and scored from what that text says. Left out
        are candidates that break one of the spec's limits, those without a finite loss, and
        those nested deeper than text is read back (`parser.MAX_DEPTH`).

        Parameters
        ----------
        expressions : candidates, parsed or as text
        X, y : (n, d) data and (n,) targets of the search
        spec : the search's settings; its loss and whether f has a free scale
        feature_names : names of the columns of X
        engine, target : what to write into these columns
        sample_weight : (n,) weights of the rows
        stopped : see the class
        base : (n,) added to s f + b before the logistic loss
        """
        X, y = check_data(X, y, spec, feature_names)
        weight = check_weights(sample_weight, len(y))
        rows = []
        for text in unique_texts(expressions, feature_names):
            law = parse(text, feature_names)
            if violation(law, spec):
                continue
            loss, scale, offset = score_law(law, X, y, spec, weight, base)
            if np.isfinite(loss):
                size = complexity_of(law, spec)
                rows.append((size, loss, np.nan, text, law.latex(), scale, offset))
        table = pd.DataFrame(rows, columns=list(COLUMNS[:7]))
        numbers = ("loss", "output_scale", "output_offset")
        table = table.astype({"complexity": int, **dict.fromkeys(numbers, float)})
        table = pareto_front(table).assign(
            engine=engine, loss_name=spec.loss, target=target, seed=spec.seed
        )
        return cls(table[list(COLUMNS)], tuple(feature_names), stopped)


def check_data(
    X: ArrayLike, y: ArrayLike, spec: SearchSpec, feature_names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return data and targets as float64 after the checks that every engine needs.

    Raises
    ------
    InputError
        If shapes disagree, values are not finite, names are unusable or the targets do not
        suit the loss.
    """
    X = np.asarray(X, dtype=np.float64)
    names = check_names(feature_names)
    if X.ndim != 2 or X.shape[1] != len(names) or X.shape[1] == 0:
        raise InputError(f"laws: data of shape {X.shape} do not fit {len(names)} feature names")
    if not np.isfinite(X).all():
        bad = names[int(np.argmax(~np.isfinite(X).all(axis=0)))]
        raise InputError(f"laws: feature '{bad}' contains nan or infinite values")
    y = check_targets(y, spec.loss)
    if len(y) != len(X):
        raise InputError(f"laws: {len(X)} rows of data but {len(y)} targets")
    return X, y


def unique_texts(expressions: Iterable[Expression | str], names: Sequence[str]) -> list[str]:
    """Return the exported texts of the candidates, in their order, each one once.

    Laws nested too deep to be read back are left out.
    """
    texts: dict[str, None] = {}
    for law in expressions:
        parsed = parse(law, names) if isinstance(law, str) else law
        if parsed.depth() <= MAX_DEPTH:
            texts[parsed.tidy().to_text()] = None
    return list(texts)


def score_law(
    law: Expression,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    spec: SearchSpec,
    sample_weight: ArrayLike | None = None,
    base: ArrayLike | None = None,
) -> tuple[float, float, float]:
    """Return the mean loss of a law in float64, and the scale s and offset b that it takes.

    They are 1 and 0 unless the spec gives the law free ones.
    """
    values, scale, offset = law.evaluate(X), 1.0, 0.0
    if spec.free_offset:
        scale, offset = fit_output_affine(values, y, spec.loss, sample_weight, base)
    elif spec.free_scale:
        scale = fit_output_scale(values, y, spec.loss, sample_weight, base)
    with np.errstate(over="ignore"):
        output = scale * values + offset
    if base is not None:
        output = output + np.asarray(base, dtype=np.float64)
    return mean_loss(output, y, spec.loss, sample_weight), scale, offset


def pareto_front(rows: pd.DataFrame, measure: str = "loss") -> pd.DataFrame:
    """Keep the rows that no other row beats in both complexity and `measure`.

    Of equal rows (to `ROUNDING`) the first stays. The result is sorted by complexity and its `score` column
    is computed anew.

    Parameters
    ----------
    rows : table with `complexity` and `measure` (smaller is better)
    """
    order = rows.sort_values(["complexity", measure], kind="stable")
    best_before = order[measure].astype(float).cummin().shift(fill_value=np.inf)
    front = order[_below(order[measure], best_before)].reset_index(drop=True)
    return front.assign(score=scores(front["complexity"], front[measure]))


def scores(complexity: ArrayLike, loss: ArrayLike) -> NDArray[np.float64]:
    """Return -d ln(loss) / d complexity of each row against the row before; the first has 0.

    Losses below `LOSS_FLOOR` count as `LOSS_FLOOR`, so that a law without loss has a finite
    score.
    """
    size = np.asarray(complexity, dtype=np.float64)
    log_loss = np.log(np.maximum(np.asarray(loss, dtype=np.float64), LOSS_FLOOR))
    if len(size) == 0:
        return np.empty(0)
    return np.concatenate([[0.0], -np.diff(log_loss) / np.diff(size)])


def merge_fronts(
    fronts: Iterable[Front | pd.DataFrame],
    measure: str = "loss",
    within: Sequence[str] = ("target", "loss_name"),
) -> pd.DataFrame:
    """Put the rows of several searches into one table and mark the common front.

    A row is on the front (`on_front`) if no row of its group has at most its complexity and
    a smaller `measure`, or less complexity and no larger `measure`; equal rows of several
    searches are all marked, so that the table says who found a law. Losses of different
    kinds or targets cannot be compared: by default each kind and target has its own front.
    With a common measure (a validation error) and `within=()` there is one front of all.

    Parameters
    ----------
    fronts : fronts, or tables with their columns
    measure : column to compare, smaller is better
    within : columns that define the groups
    """
    tables = [f.table if isinstance(f, Front) else f for f in fronts]
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=[*COLUMNS, "on_front"])
    rows = pd.concat(tables, ignore_index=True)
    rows = rows.sort_values([*within, "complexity", measure, "engine", "seed"], kind="stable")
    rows = rows.reset_index(drop=True)
    groups = rows.groupby(list(within), sort=False) if within else [((), rows)]
    marked = [_on_front(group, measure) for _, group in groups]
    return rows.assign(on_front=pd.concat(marked).reindex(rows.index))


def _on_front(rows: pd.DataFrame, measure: str) -> pd.Series:
    """True for the rows of one group that are on its front."""
    best = rows.groupby("complexity")[measure].min().astype(float)
    smaller = best.cummin().shift(fill_value=np.inf)
    size, value = rows["complexity"], rows[measure]
    return ~_below(size.map(best), value) & _below(value, size.map(smaller))


def _below(value: pd.Series, other: pd.Series) -> pd.Series:
    """True where a value is lower than another one by more than rounding."""
    return value < other - ROUNDING * other.abs().where(np.isfinite(other), 0.0)
