"""Are two laws the same? In value, as decisions, or in structure (up to the constants).

Three steps, cheap ones first. A numeric check finds differences: the laws are evaluated at random
points and at rows of the data, and a gap beyond what rounding explains proves them different.
Then `normal_form` multiplies both out, and last sympy tries what the normal form has no
identity for. Where neither proves equality the answer is "numerically equal", not more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.monomials import (
    ROUNDING,
    NormalFormError,
    Sum,
    difference,
    join,
    ordered,
    skeleton,
    variables_of,
)
from occamscope.laws.expressions.normal_form import normal_form
from occamscope.laws.expressions.rounding import value_and_error
from occamscope.laws.expressions.tree import CONSTANT, VARIABLE, Node
from occamscope.laws.expressions.zero_test import is_zero

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Verdict = Literal["equivalent", "different", "numerically equal"]
UpTo = Literal["value", "factor", "constants"]

# Rows of the data that the numeric check uses at most, evenly spread.
MOST_ROWS = 1_000
# Standard deviations of the random points; half of them are positive, for log and sqrt.
SPREADS = (0.3, 1.0, 3.0)
POINTS_A_SPREAD = 32


@dataclass(frozen=True)
class Comparison:
    """What is known of two laws.

    Attributes
    ----------
    verdict : "equivalent" (proved, but for the rounding of constants), "different" (proved by
        a point or a normal form), "numerically equal" (no point tells them apart, no proof)
    reason : one sentence on what the verdict rests on
    factor : k with a = k b; 1 unless a factor was allowed
    """

    verdict: Verdict
    reason: str
    factor: float = 1.0

    @property
    def same(self) -> bool:
        """True unless the laws are known to be different."""
        return self.verdict != "different"


def compare(
    a: Expression,
    b: Expression,
    X: ArrayLike | None = None,
    up_to: UpTo = "value",
    seed: int = 0,
) -> Comparison:
    """Tell whether two laws are algebraically equivalent.

    Constants count as equal if they agree to 1e-9 (relative). Both laws must be undefined
    (nan) at the same of the points tried; a proof covers the points where both are defined.

    Parameters
    ----------
    a, b : laws of the same variables
    X : (n, d) rows to look at beside random points; at most `MOST_ROWS` are used
    up_to : what may differ. "value": nothing. "factor": a positive factor of the whole law,
        which changes no decision f > 0 (`decision.decision_core` takes away more that changes
        none). "constants": the values of constants, see
        `same_structure`; there is no numeric check then.
    seed : of the random points

    Raises
    ------
    InputError
        If the laws have other variables, or X does not fit them.
    """
    if a.names != b.names:
        raise InputError("laws: only laws of the same variables, in one order, can be compared")
    if up_to == "constants":
        return _compare_structures(a, b)
    if up_to not in ("value", "factor"):
        raise InputError(f"laws: up_to={up_to!r} is not one of value, factor, constants")
    used = set(a.variables()) | set(b.variables())
    columns = _points(a, X, seed)
    columns = {name: columns[name] for name in columns if name in used} or columns
    found = _compare_numbers(a, b, columns, free_factor=up_to == "factor")
    return found if not found.same else _prove(a, b, found)


def structure(law: Expression, signs: bool = True) -> str:
    """Return the key of a law's structure: its normal form without the values of constants.

    The law is multiplied out (see `normal_form`); each monomial is printed without its
    coefficient but with its sign, like 'z1*z2**2 + z1*z3**2 - z4 + c'. Coefficients within
    functions go the same way: tanh(2*z1) and tanh(0.7*z1) both read tanh(z1). An additive
    constant is "c", whatever its sign.

    A law that is too large to multiply out is described by its tree, operands of + and * in
    order; such a key starts with "as written: ".

    Parameters
    ----------
    signs : False takes the sign as part of a constant's value, too
    """
    try:
        return join(skeleton(ordered(normal_form(law.root)), signs))
    except NormalFormError:
        return f"as written: {_as_written(law.root)}"


def same_structure(a: Expression, b: Expression, signs: bool = True) -> bool:
    """Tell whether two laws agree up to the values of their constants: in `structure`.

    That is what "recovered in structure" means for a planted law: the same variables, and
    after multiplying out the same monomials with coefficients of the same sign, whatever their
    size. So 0.5*z1*z2**2 + 0.7*z3**2*z1 - 1 has the structure of z1*(z2**2 + z3**2) - 2, though
    no values of the latter's two constants make them equal. One term more, however small its
    coefficient, is another structure: (z1 - 0.01)*(z2**2 + z3**2) - 2 has two more.
    Identities beyond the normal form's are not looked for: a law with functions or division
    may have the same structure in a form that is not recognised.

    Parameters
    ----------
    signs : as in `structure`
    """
    return structure(a, signs) == structure(b, signs)


def terms_of(law: Expression, signs: bool = True) -> tuple[str, ...]:
    """Return the monomials that `structure` joins, without the constant."""
    try:
        parts = skeleton(ordered(normal_form(law.root)), signs)
    except NormalFormError:
        parts = tuple(sorted({_as_written(part.root) for _, part in law.terms()}))
    return tuple(part for part in parts if part != "c")


def effective_variables(law: Expression) -> tuple[str, ...]:
    """Return the variables that the law depends on, in the order of `names`: none that cancel."""
    try:
        left = variables_of(normal_form(law.root))
    except NormalFormError:
        return law.variables()
    return tuple(name for name in law.names if name in left)


def _points(law: Expression, X: ArrayLike | None, seed: int) -> dict[str, Array]:
    """Return random points and rows of the data, by variable; one of them at least."""
    width = max(len(law.names), 1)
    random = np.random.default_rng(seed)
    blocks = [s * random.standard_normal((POINTS_A_SPREAD, width)) for s in SPREADS]
    blocks += [np.abs(block) for block in blocks]
    if X is not None:
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(law.names):
            raise InputError(f"laws: data of shape {rows.shape} for {len(law.names)} variables")
        blocks.append(rows[:: max(1, -(-len(rows) // MOST_ROWS))])
    points = np.vstack(blocks)
    return {name: points[:, i] for i, name in enumerate(law.names or ("_",))}


def _compare_numbers(
    a: Expression, b: Expression, columns: Mapping[str, Array], free_factor: bool
) -> Comparison:
    """Look for a point that tells two laws apart."""
    (f, e), (g, d) = (value_and_error(law.root, columns, ROUNDING) for law in (a, b))
    known: Mask = np.isfinite(e) & np.isfinite(d)
    for what, test in (("undefined", np.isnan), ("infinite", np.isinf)):
        odd = known & (test(f) != test(g))
        if odd.any():
            return Comparison("different", f"at {_where(columns, odd)} only one is {what}")
    known &= np.isfinite(f) & np.isfinite(g)
    factor, d_factor = 1.0, 0.0
    if free_factor:
        factor, d_factor = _factor(f, e, g, d, known)
        if not factor > 0:
            return Comparison("different", "they have no positive factor in common")
    with np.errstate(invalid="ignore", over="ignore"):
        odd = known & (np.abs(f - factor * g) > e + factor * d + d_factor * np.abs(g))
    if odd.any():
        values = f"{f[odd][0]:.6g} and {g[odd][0]:.6g}"
        return Comparison("different", f"at {_where(columns, odd)} they are {values}", factor)
    count = int(known.sum())
    reason = f"equal at {count} points, but no proof was found"
    if count == 0:
        reason = "no proof was found, and no point tried gives both a value"
    return Comparison("numerically equal", reason, factor)


def _factor(f: Array, e: Array, g: Array, d: Array, known: Mask) -> tuple[float, float]:
    """Return f / g where it is known best, and a bound on its error; (1, 0) if both are 0."""
    use = known & (np.abs(f) > e) & (np.abs(g) > d)
    if not use.any():
        return 1.0, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(use, e / np.abs(f) + d / np.abs(g), np.inf)
    best = int(np.argmin(relative))
    factor = float(f[best] / g[best])
    return factor, abs(factor) * float(relative[best])


def _where(columns: Mapping[str, Array], odd: Mask) -> str:
    """Name the first point of a mask."""
    row = int(np.argmax(odd))
    return ", ".join(f"{name} = {column[row]:.4g}" for name, column in columns.items())


def _prove(a: Expression, b: Expression, found: Comparison) -> Comparison:
    """Try to prove that laws which no point tells apart are equal."""
    forms: list[Sum] = []
    with contextlib.suppress(NormalFormError):
        forms = [normal_form(law.root) for law in (a, b)]
    if forms and not difference(forms[0], forms[1], found.factor):
        return Comparison("equivalent", "they multiply out to the same terms", found.factor)
    if is_zero(a.root, b.root, found.factor):
        return Comparison("equivalent", "their difference simplifies to 0", found.factor)
    return found


def _compare_structures(a: Expression, b: Expression) -> Comparison:
    first, second = structure(a), structure(b)
    if first == second:
        return Comparison("equivalent", f"both are {first} up to constants")
    return Comparison("different", f"multiplied out, one is {first}, the other {second}")


def _as_written(node: Node) -> str:
    """Print a tree with "c" for every constant and operands of + and * in order."""
    if node.kind == CONSTANT:
        return "c"
    if node.kind == VARIABLE:
        return node.name
    parts = [_as_written(operand) for operand in node.operands]
    if node.kind in ("+", "*"):
        parts.sort()
    if len(parts) == 2:
        return f"({parts[0]} {node.kind} {parts[1]})"
    exponent = f"{node.value:g}" if node.value else ""
    return f"{node.kind}{exponent}({parts[0]})"
