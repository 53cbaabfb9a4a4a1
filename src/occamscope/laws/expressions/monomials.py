"""Sums of products: the parts of which a law's normal form is made, and how they print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from occamscope.laws.expressions.tree import VARIABLE

# Constants closer than this (relative) are the same.
ROUNDING = 1e-9
# Inside functions constants are compared as they read with so many significant digits.
DIGITS = 11
# The kind of an atom that is a sum of terms, which stands in denominators only.
DENOMINATOR = "sum"


class NormalFormError(Exception):
    """A law is too large to be multiplied out, or a constant part of it has no finite value."""


class Atom(NamedTuple):
    """What is not taken apart: a variable, a function of terms, or a sum in a denominator."""

    kind: str
    name: str = ""
    argument: tuple[tuple[Monomial, float], ...] = ()


class Monomial(NamedTuple):
    """Powers of atoms, each once and in order, times exp of `exponent` (no constant in it)."""

    powers: tuple[tuple[Atom, int], ...] = ()
    exponent: tuple[tuple[Monomial, float], ...] = ()


# Monomials in order with rounded coefficients: comparable, fit to be part of an atom.
Terms = tuple[tuple[Monomial, float], ...]
# Monomials, each with its coefficient and the sum of the absolute values that it came from:
# what is left of them by rounding is told apart from a coefficient.
Sum = dict[Monomial, tuple[float, float]]

ONE = Monomial()


def constant(value: float) -> Sum:
    """Return a number as a sum; 0 has no term."""
    if not math.isfinite(value):
        raise NormalFormError("a constant part has no finite value")
    return {ONE: (value, abs(value))} if value else {}


def single(atom: Atom, exponent: int = 1) -> Sum:
    """Return one power of an atom as a sum."""
    return {Monomial(((atom, exponent),)): (1.0, 1.0)}


def added(a: Sum, b: Sum) -> Sum:
    """Add two sums."""
    total = dict(a)
    for monomial, (value, size) in b.items():
        old, old_size = total.get(monomial, (0.0, 0.0))
        total[monomial] = (old + value, old_size + size)
    return without_remnants(total)


def scaled(terms: Sum, factor: float) -> Sum:
    """Multiply a sum by a number."""
    if factor == 0:
        return {}
    if not math.isfinite(factor):
        raise NormalFormError("a constant part has no finite value")
    return {m: (factor * value, abs(factor) * size) for m, (value, size) in terms.items()}


def without_remnants(terms: Sum) -> Sum:
    """Drop coefficients that are 0 but for rounding."""
    if not all(math.isfinite(size) for _, size in terms.values()):
        raise NormalFormError("a constant part has no finite value")
    return {m: pair for m, pair in terms.items() if abs(pair[0]) > ROUNDING * pair[1]}


def difference(a: Sum, b: Sum, factor: float = 1.0) -> Sum:
    """Return a - factor b; empty where both are the same but for rounding."""
    return added(a, scaled(b, -factor))


def degree(monomial: Monomial) -> int:
    """Sum of the exponents of the atoms."""
    return sum(k for _, k in monomial.powers)


def ordered(terms: Sum) -> Terms:
    """Return terms by degree, the highest first, then by atoms (graded lexicographic order)."""

    def key(monomial: Monomial) -> tuple[object, ...]:
        powers = tuple((atom, -k) for atom, k in monomial.powers)
        return -degree(monomial), powers, monomial.exponent

    return tuple((m, _rounded(terms[m][0])) for m in sorted(terms, key=key))


def unordered(terms: Terms) -> Sum:
    """Take the terms of an atom for arithmetic again."""
    return {monomial: (value, abs(value)) for monomial, value in terms}


def content(terms: Sum) -> dict[Atom, int]:
    """Return the powers of atoms that all monomials share (their lowest exponents)."""
    powers = [dict(monomial.powers) for monomial in terms]
    atoms = {atom for own in powers for atom in own}
    lowest = {atom: min(own.get(atom, 0) for own in powers) for atom in sorted(atoms)}
    return {atom: k for atom, k in lowest.items() if k}


def variables_of(monomials: Iterable[Monomial]) -> set[str]:
    """Return the names of the variables that occur in monomials, at any depth."""
    found: set[str] = set()
    for monomial in monomials:
        found |= variables_of(inner for inner, _ in monomial.exponent)
        for atom, _ in monomial.powers:
            found |= variables_of(inner for inner, _ in atom.argument)
            found |= {atom.name} - {""}
    return found


def skeleton(terms: Terms, signs: bool = True) -> tuple[str, ...]:
    """Print every monomial without its coefficient, in alphabetical order, the constant last.

    Parameters
    ----------
    signs : put a minus before monomials with a negative coefficient. The constant is "c"
        without a sign in any case: where the zero of a scale lies is a convention.
    """
    printed = []
    for monomial, coefficient in terms:
        minus = "-" if signs and coefficient < 0 and monomial != ONE else ""
        printed.append(minus + _show(monomial, signs))
    return tuple(sorted(printed, key=lambda text: (text == "c", text.lstrip("-"), text)))


def join(printed: Iterable[str]) -> str:
    """Write printed monomials as one sum; "0" if there are none."""
    return " + ".join(printed).replace("+ -", "- ") or "0"


def _show(monomial: Monomial, signs: bool) -> str:
    factors = [_show_power(atom, k, signs) for atom, k in monomial.powers]
    if monomial.exponent:
        factors.append(f"exp({join(skeleton(monomial.exponent, signs))})")
    return "*".join(factors) or "c"


def _show_power(atom: Atom, exponent: int, signs: bool) -> str:
    if atom.kind == VARIABLE:
        base = atom.name
    else:
        function = "" if atom.kind == DENOMINATOR else atom.kind
        base = f"{function}({join(skeleton(atom.argument, signs))})"
    return base if exponent == 1 else f"{base}**{exponent}"


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS - 1}e}")


def powers_of(powers: Mapping[Atom, int]) -> tuple[tuple[Atom, int], ...]:
    """Return powers as a monomial holds them: in order, without exponents of 0."""
    return tuple(sorted((atom, k) for atom, k in powers.items() if k))
