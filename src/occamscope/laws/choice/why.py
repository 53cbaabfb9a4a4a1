"""Why a law decides as it does on one row: its parts there, and what would flip it.

A sum is told by its terms, each with its share; a product by its factors, whose signs decide.
For every variable the smallest change of it alone that flips the decision is searched: on a
grid, then to the last bits between the two grid points around each change of sign.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions.decision import decision_law
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import CONSTANT, Node, call, constant

# Points of the grid on either side of a value.
GRID = 512

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Why:
    """A law's decision on one row, taken apart.

    Attributes
    ----------
    law : the law whose sign decides, offset / scale included
    value : its value f there, the sum (or product) of the parts
    decision : the name of the class that is called
    kind : "sum" or "product"
    parts : `part` (a term or factor as text, "constant" for all constants together), `value`,
        and for a sum `share`: value / sum of the absolute values, signed
    flips : `variable`, its `value`, `flips_at` (the nearest value that turns the decision; nan
        if none is in reach), `change`, `change_in_sd`; the smallest change in standard
        deviations first
    reach : how many standard deviations to either side were searched
    """

    law: Expression
    value: float
    decision: str
    kind: str
    parts: pd.DataFrame
    flips: pd.DataFrame
    reach: float

    def __str__(self) -> str:
        head = f"{self.decision}: f = {self.value:.4g} {self._relation()}"
        return "\n".join([head, *self._part_lines(), *self._flip_lines()])

    def _repr_html_(self) -> str:
        parts = self.parts.to_html(index=False, float_format="{:.4g}".format)
        flips = self.flips.to_html(index=False, float_format="{:.4g}".format, na_rep="-")
        head = f"{self.decision}: f = {self.value:.4g} {self._relation()}"
        note = f"Change of one variable alone that flips it (within {self.reach:g} sd)"
        return f"<p><b>{html.escape(head)}</b></p>{parts}<p>{note}</p>{flips}"

    def _relation(self) -> str:
        if np.isnan(self.value):
            return "(undefined)"
        return "> 0" if self.value > 0 else "<= 0"

    def _part_lines(self) -> list[str]:
        wide = max(len(text) for text in self.parts["part"])
        lines = ["  as a product of" if self.kind == "product" else "  as a sum of"]
        for row in self.parts.to_dict("records"):
            share = "" if self.kind == "product" else f"  {100 * row['share']:+4.0f} %"
            lines.append(f"    {row['part']:<{wide}}  {row['value']:>10.4g}{share}")
        return lines

    def _flip_lines(self) -> list[str]:
        if self.flips.empty:
            return ["  no variable can flip it"]
        wide = max(len(name) for name in self.flips["variable"])
        lines = ["  one variable alone would flip it"]
        for row in self.flips.to_dict("records"):
            text = f"not within {self.reach:g} sd"
            if np.isfinite(row["flips_at"]):
                text = f"-> {row['flips_at']:.4g} ({row['change_in_sd']:+.2f} sd)"
            lines.append(f"    {row['variable']:<{wide}}  {row['value']:>10.4g} {text}")
        return lines


def explain(
    law: Expression,
    row: ArrayLike | Mapping[str, float],
    spread: ArrayLike | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    class_names: Sequence[str] = ("negative", "positive"),
    reach: float = 3.0,
) -> Why:
    """Take a law's decision on one row apart.

    Parameters
    ----------
    law : f; scale * f + offset > 0 calls the positive class. The parts are those of
        f + offset / scale, in the unit of f.
    row : (d,) values in the order of the law's names, or by name
    spread : (d,) standard deviations of the variables, or (n, d) data to take them from; 1
        each if None
    scale, offset : output scale (> 0) and offset of a front's row
    class_names : of the negative and the positive class
    reach : standard deviations to either side in which flips are searched, > 0

    Raises
    ------
    InputError
        If row or spread do not fit the law, or reach is not positive.
    """
    if not reach > 0:
        raise InputError(f"explain: reach={reach} must be positive")
    point = _point(law, row)
    deciding = decision_law(law, scale, offset)
    value = float(deciding.evaluate(point[None])[0])
    kind, parts = _parts(deciding)
    values = [float(part.evaluate(point[None])[0]) for _, part in parts]
    table = pd.DataFrame({"part": [text for text, _ in parts], "value": values})
    if kind == "sum":
        total = float(np.abs(values).sum())
        table["share"] = table["value"] / total if total else 0.0
    return Why(
        law=deciding,
        value=value,
        decision=class_names[int(value > 0)],
        kind=kind,
        parts=table,
        flips=_flips(deciding, point, _spread(law, spread), reach),
        reach=reach,
    )


def factors(law: Expression) -> list[tuple[str, Expression]]:
    """Split into the factors whose product is the law; a sign or number is one of them."""
    parts = [Expression(node, law.names) for node in _split_product(law.root)]
    return [(part.to_text(digits=4), part) for part in parts]


def _parts(law: Expression) -> tuple[str, list[tuple[str, Expression]]]:
    """Return "sum" and the terms, their constants put together, or "product" and the factors."""
    terms = [part for _, part in law.terms()]
    numbers = [part for part in terms if not part.variables()]
    others = [part for part in terms if part.variables()]
    if len(others) == 1 and not numbers:
        single = factors(others[0])
        if len(single) > 1:
            return "product", single
    parts = [(part.to_text(digits=4), part) for part in others]
    if numbers:
        root = numbers[0].root
        for number in numbers[1:]:
            root = call("+", root, number.root)
        parts.append(("constant", Expression(root, law.names)))
    return "sum", parts


def _split_product(node: Node) -> list[Node]:
    if node.kind == "*":
        return _split_product(node.operands[0]) + _split_product(node.operands[1])
    if node.kind == "/":
        above, below = node.operands
        numerator = [] if above == constant(1.0) else _split_product(above)
        return numerator + [_inverted(part) for part in _split_product(below)]
    if node.kind == "neg":
        return [constant(-1.0), *_split_product(node.operands[0])]
    return [node]


def _inverted(node: Node) -> Node:
    if node.kind == CONSTANT and node.value != 0:
        return constant(1.0 / node.value)
    if node.kind == "/" and node.operands[0] == constant(1.0):
        return node.operands[1]
    return node.operands[0] if node.kind == "inv" else call("/", constant(1.0), node)


def _point(law: Expression, row: ArrayLike | Mapping[str, float]) -> Array:
    if isinstance(row, Mapping):
        missing = [name for name in law.variables() if name not in row]
        if missing:
            raise InputError(f"explain: the row has no value for '{missing[0]}'")
        row = [row.get(name, 0.0) for name in law.names]
    point = np.asarray(row, dtype=np.float64)
    if point.shape != (len(law.names),):
        raise InputError(f"explain: a row of {len(law.names)} values is needed, got {point.shape}")
    return point


def _spread(law: Expression, spread: ArrayLike | None) -> Array:
    width = len(law.names)
    given = np.ones(width) if spread is None else np.asarray(spread, dtype=np.float64)
    if given.ndim == 2:
        given = given.std(axis=0)
    if given.shape != (width,) or not (np.isfinite(given) & (given >= 0)).all():
        raise InputError(
            f"explain: {width} standard deviations are needed, or data of {width} columns"
        )
    return given


def _flips(law: Expression, point: Array, spread: Array, reach: float) -> pd.DataFrame:
    """Find the nearest flip along each variable of the law."""
    rows = []
    for name in law.variables():
        j = law.names.index(name)
        value, unit = float(point[j]), float(spread[j])
        at = _nearest_flip(_Line(law, point, j), value, reach * unit) if unit > 0 else np.nan
        change = at - value
        rows.append((name, value, at, change, change / unit if unit > 0 else np.nan))
    columns = ["variable", "value", "flips_at", "change", "change_in_sd"]
    table = pd.DataFrame(rows, columns=columns)
    order = table["change_in_sd"].abs().sort_values(kind="stable", na_position="last").index
    return table.loc[order].reset_index(drop=True)


@dataclass(frozen=True)
class _Line:
    """The law along one variable, the others held."""

    law: Expression
    point: Array
    column: int

    def values(self, t: ArrayLike) -> Array:
        """Return f with the variable at each of t."""
        places = np.atleast_1d(np.asarray(t, dtype=np.float64))
        X = np.tile(self.point, (len(places), 1))
        X[:, self.column] = places
        return self.law.evaluate(X)

    def positive(self, t: float) -> bool:
        return bool(self.values(t)[0] > 0)


def _nearest_flip(line: _Line, start: float, far: float) -> float:
    """Return the value nearest to `start`, at most `far` away, that flips the decision, or nan.

    Two flips within one step of the grid are found if f has an extremum there that shows: its
    neighbours on the grid lie on either side of it.
    """
    here = line.positive(start)
    steps = np.linspace(0.0, far, GRID + 1)
    found = []
    for side in (-1.0, 1.0):
        grid = start + side * steps
        values = line.values(grid)
        turned = np.flatnonzero((values > 0) != here)
        last = int(turned[0]) if len(turned) else GRID
        inside = _dip(line, grid[: last + 1], values[: last + 1], here)
        if inside is not None:
            found.append(_edge(line, *inside, here))
        elif len(turned):
            found.append(_edge(line, grid[last - 1], grid[last], here))
    return min(found, key=lambda at: abs(at - start), default=np.nan)


def _dip(line: _Line, grid: Array, values: Array, here: bool) -> tuple[float, float] | None:
    """Find a flip between grid points where none of them flips: at an extremum towards 0."""
    from scipy.optimize import minimize_scalar  # slow to import

    sign = 1.0 if here else -1.0
    height = sign * values
    before, at, after = height[:-2], height[1:-1], height[2:]
    with np.errstate(invalid="ignore"):
        lowest = (at < before) & (at <= after) & (at > 0)
        # A dip to 0 within a step is no deeper than f changes in a step.
        near = at <= 2 * np.maximum(before - at, after - at)

    def objective(t: float) -> float:
        value = sign * line.values(t)[0]
        return value if np.isfinite(value) else 1e300

    for i in np.flatnonzero(lowest & near) + 1:
        low, high = sorted((grid[i - 1], grid[i + 1]))
        found = minimize_scalar(
            objective, bounds=(low, high), method="bounded", options={"xatol": 1e-9 * (high - low)}
        ).x
        if line.positive(found) != here:
            return float(grid[i - 1]), float(found)
    return None


def _edge(line: _Line, near: float, far: float, here: bool) -> float:
    """Return the value nearest to `near` that flips, between it (no flip) and `far` (a flip).

    Brent's method (Algorithms for Minimization without Derivatives, 1973, chapter 4) brackets a
    root of f within a few roundings; bisection on the decision itself does the rest, and alone
    settles poles and edges of where f is defined.
    """
    from scipy.optimize import brentq  # slow to import

    resolution = float(np.spacing(max(abs(near), abs(far))))
    ends = line.values([near, far])
    if np.isfinite(ends).all() and np.sign(ends[0]) == -np.sign(ends[1]) != 0:
        root = brentq(lambda t: line.values(t)[0], near, far, xtol=resolution, disp=False)
        nudge = float(np.copysign(4 * resolution, far - near))
        if line.positive(root - nudge) == here and line.positive(root + nudge) != here:
            near, far = root - nudge, root + nudge
    while abs(far - near) > resolution:
        middle = near + (far - near) / 2
        if line.positive(middle) == here:
            near = middle
        else:
            far = middle
    # The products of a law underflow beside 0: say 0 where that is meant.
    return 0.0 if abs(far) <= resolution and line.positive(0.0) != here else float(far)
