"""Prove by sympy that two laws are equal, with an effort that is bounded by their size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from occamscope.laws.expressions.export import to_sympy
from occamscope.laws.expressions.tree import Node, complexity

if TYPE_CHECKING:
    import sympy

# Constants are taken as the decimal numbers that they read as with so many digits.
DIGITS = 10
# Larger laws are not tried, nor differences that would expand into more terms.
MAX_NODES = 80
MAX_TERMS = 3_000


def is_zero(a: Node, b: Node, factor: float = 1.0) -> bool:
    """Tell whether sympy proves a = factor b; False means that it does not, nothing more.

    Functions are written by exponentials where sympy can, the difference is brought over one
    denominator, and the numerator multiplied out. Steps that could take long are left out: no
    `simplify`, no factoring.
    """
    import sympy  # slow to import, needed only here

    if complexity(a) + complexity(b) > MAX_NODES:
        return False
    first, second = (_exact(law) for law in (a, b))
    gap = first - sympy.Rational(f"{factor:.{DIGITS}g}") * second
    for written in (gap, gap.rewrite(sympy.exp)):
        if written.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
            return False
        if _numerator_vanishes(written):
            return True
    return False


def _exact(law: Node) -> sympy.Expr:
    """Build the sympy expression with rational constants."""
    import sympy

    def rational(number: sympy.Float) -> sympy.Rational:
        return sympy.Rational(f"{float(number):.{DIGITS}g}")

    return to_sympy(law).replace(lambda part: part.is_Float, rational)


def _numerator_vanishes(gap: sympy.Expr) -> bool:
    """Bring a sum over one denominator; True if its numerator multiplies out to 0."""
    import sympy

    numerator = sympy.together(gap).as_numer_denom()[0]
    if _expanded_terms(numerator) > MAX_TERMS:
        return False
    return bool(sympy.expand(numerator) == 0)


def _expanded_terms(part: sympy.Expr) -> int:
    """Most terms that an expression can have when multiplied out."""
    import sympy

    if part.is_Add:
        return sum(_expanded_terms(arg) for arg in part.args)
    if part.is_Mul:
        return math.prod(_expanded_terms(arg) for arg in part.args)
    if part.is_Pow and part.exp.is_Integer and part.exp > 0:
        k, terms = int(part.exp), _expanded_terms(part.base)
        return math.comb(min(terms, MAX_TERMS + 1) + k - 1, k) if k < 100 else MAX_TERMS + 1
    if isinstance(part, sympy.Function) or part.is_Pow:
        return max((_expanded_terms(arg) for arg in part.args), default=1)
    return 1
