"""Merge the laws of several searches: what decides alike by algebra is one law.

A pool is any list of laws. A front holds only laws that no smaller one beats on the search's
data, so that of two equally good ideas it keeps one. A wider pool comes from several fronts:
other seeds, losses, targets or engines, or all candidates near the front that an engine hands
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions.decision import decision_core, decision_law
from occamscope.laws.expressions.equivalence import compare, structure
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import Front

# Laws can be equivalent only if they decide alike at all of so many random points.
FINGERPRINT_POINTS = 512
# What says who found a law, where a pool has it.
_SOURCES = ("engine", "loss_name", "target", "seed")


def merge_laws(
    pools: Iterable[Front | pd.DataFrame | Sequence[str]],
    feature_names: Sequence[str],
    X: ArrayLike | None = None,
) -> pd.DataFrame:
    """Put pools together and keep one law, the simplest, of all that are equivalent.

    Laws are compared as decisions, scale * f + offset > 0. Two are one if what decides in them
    (`decision.decision_core`) is equal up to a positive factor (`equivalence.compare`; laws
    that no test tells apart count as equal even where a proof is missing) and if they decide
    alike at all rows of X and at random points.

    Parameters
    ----------
    pools : fronts, tables with `expression` and where known `complexity`, `output_scale`,
        `output_offset`, `engine`, `loss_name`, `target`, `seed`, or plain expressions
    feature_names : names of the variables, in the order of the data's columns
    X : (n, d) rows on which equivalent laws must decide alike; without rows only random
        points are looked at

    Returns
    -------
    One row a law by complexity and text: `expression, complexity, output_scale, output_offset`
    of the simplest, `structure` (of what decides in it), `times_found`, `found_by`.

    Raises
    ------
    InputError
        If there is no law, or one cannot be read.
    """
    rows = _one_table(pools)
    laws = decision_laws(rows, feature_names)
    known = rows["complexity"].notna()
    sizes = [parse(text, feature_names).complexity() for text in rows["expression"]]
    rows["complexity"] = rows["complexity"].where(known, sizes).astype(int)
    order = rows.sort_values(["complexity", "expression"], kind="stable").index
    cores = [decision_core(law) for law in laws]
    groups = _equivalent([laws[i] for i in order], [cores[i] for i in order], X)
    members = [rows.loc[order[group]] for group in groups]
    merged = pd.DataFrame([own.iloc[0] for own in members])
    return (
        merged[["expression", "complexity", "output_scale", "output_offset"]]
        .assign(
            structure=[structure(cores[own.index[0]]) for own in members],
            times_found=[len(own) for own in members],
            found_by=[_sources(own) for own in members],
        )
        .reset_index(drop=True)
    )


def decision_laws(rows: pd.DataFrame, feature_names: Sequence[str]) -> list[Expression]:
    """Read the laws of a table as what decides, f + offset / scale.

    Parameters
    ----------
    rows : `expression`, `output_scale`, `output_offset`
    feature_names : names of the variables, in the order of the data's columns
    """
    columns = (rows[name].tolist() for name in ("expression", "output_scale", "output_offset"))
    return [
        decision_law(parse(text, feature_names), scale, offset)
        for text, scale, offset in zip(*columns, strict=True)
    ]


def _one_table(pools: Iterable[Front | pd.DataFrame | Sequence[str]]) -> pd.DataFrame:
    """Put pools below one another, missing columns filled in."""
    tables = []
    for pool in pools:
        if isinstance(pool, str):
            raise InputError("laws: a pool is a front, a table or a list of laws, not one text")
        table = pool.table if isinstance(pool, Front) else pool
        if not isinstance(table, pd.DataFrame):
            table = pd.DataFrame({"expression": [str(law) for law in table]})
        if "expression" not in table:
            raise InputError("laws: a pool lacks the column 'expression'")
        tables.append(table)
    if not any(len(table) for table in tables):
        raise InputError("laws: the pools hold no law; run a search first")
    wanted = ["expression", "complexity", "output_scale", "output_offset", *_SOURCES]
    rows = pd.concat(tables, ignore_index=True).reindex(columns=wanted)
    return rows.assign(
        expression=rows["expression"].astype(str),
        output_scale=rows["output_scale"].astype(float).fillna(1.0),
        output_offset=rows["output_offset"].astype(float).fillna(0.0),
    )


def _equivalent(
    laws: Sequence[Expression], cores: Sequence[Expression], X: ArrayLike | None
) -> list[list[int]]:
    """Group laws that are equivalent as decisions; each group led by the first of its kind."""
    points = _fingerprint_points(len(laws[0].names), X)
    groups: list[list[int]] = []
    alike: dict[bytes, list[list[int]]] = {}
    for i, law in enumerate(laws):
        candidates = alike.setdefault((law.evaluate(points) > 0).tobytes(), [])
        for group in candidates:
            if _same_decision(laws, cores, group[0], i):
                group.append(i)
                break
        else:
            candidates.append([i])
            groups.append(candidates[-1])
    return groups


def _same_decision(laws: Sequence[Expression], cores: Sequence[Expression], i: int, j: int) -> bool:
    """Tell whether two laws, or what decides in them, are equal up to a positive factor."""
    pairs = ((cores[i], cores[j]), (laws[i], laws[j]))
    return any(a == b or compare(a, b, up_to="factor").same for a, b in pairs)


def _fingerprint_points(width: int, X: ArrayLike | None) -> NDArray[np.float64]:
    """Draw points with the data's means and spreads, where few laws are 0; add the data."""
    points = np.random.default_rng(0).standard_normal((FINGERPRINT_POINTS, width))
    if X is None:
        return points
    data = np.asarray(X, dtype=np.float64)
    spread = data.std(axis=0)
    return np.vstack([data.mean(axis=0) + points * np.where(spread > 0, spread, 1.0), data])


def _sources(rows: pd.DataFrame) -> str:
    """Say who found a law: 'evolution (hinge, labels): seeds 0, 3; pysr (hinge): seed 1'."""
    seeds: dict[str, set[int]] = {}
    columns = (rows[name].tolist() for name in _SOURCES)
    for engine, loss, target, seed in zip(*columns, strict=True):
        details = ", ".join(str(value) for value in (loss, target) if pd.notna(value))
        known = [str(engine)] if pd.notna(engine) else []
        who = " ".join([*known, *([f"({details})"] if details else [])])
        seeds.setdefault(who, set()).update([int(seed)] if pd.notna(seed) else [])
    parts = []
    for who, own in sorted(seeds.items()):
        word = "seed" if len(own) == 1 else "seeds"
        numbers = f"{word} {', '.join(map(str, sorted(own)))}" if own else ""
        parts.append(": ".join(part for part in (who, numbers) if part))
    return "; ".join(part for part in parts if part)
