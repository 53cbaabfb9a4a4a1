"""The normal form of a law, by which laws are compared: everything multiplied out.

A law becomes a sum of monomials with coefficients, like a polynomial. In place of variables a
monomial may hold functions (log, sqrt, abs, tanh, sin, cos, 1 over a sum) of other normal forms,
and one exponential. Like monomials are added. Beyond that, these identities are applied, all of
them valid wherever both sides are defined:

- exp(u) exp(v) = exp(u + v), exp(u + c) = e^c exp(u), log(exp(u)) = u;
- log(c u) = log c + log u for c > 0, log(x^k) = k log x or k log|x|;
- sqrt(c u) = sqrt(c) sqrt(u) for c > 0, sqrt(x^2 y) = |x| sqrt(y), sqrt(u)^2 = u;
- |u v| = |u| |v|, |u|^2 = u^2;
- tanh(-u) = -tanh(u), sin(-u) = -sin(u), cos(-u) = cos(u), sin(u)^2 = 1 - cos(u)^2;
- 1/(u v) = (1/u)(1/v), and x/(x + c) = 1 - c/(x + c): what a denominator divides is divided.

For polynomials the form is unique: two are equal if and only if their forms are. Other laws may
be equal by identities that are not among these (partial fractions, tanh by exp, ...).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from occamscope.laws.expressions.monomials import (
    DENOMINATOR,
    ONE,
    Atom,
    Monomial,
    NormalFormError,
    Sum,
    added,
    constant,
    content,
    ordered,
    powers_of,
    scaled,
    single,
    unordered,
    without_remnants,
)
from occamscope.laws.expressions.tree import CONSTANT, POWER, VARIABLE, Node, apply

# What one law may cost: products of two monomials, and terms of one sum.
MAX_PRODUCTS = 100_000
MAX_TERMS = 2_000

_EXPONENTS = {"square": 2, "cube": 3, "inv": -1}
# Atoms that are never negative.
_POSITIVE = frozenset({"abs", "sqrt"})


def normal_form(root: Node) -> Sum:
    """Multiply out a law.

    Raises
    ------
    NormalFormError
        If that takes more than `MAX_PRODUCTS` products or `MAX_TERMS` terms, or if a constant
        part has no finite value.
    """
    return _Builder().build(root)


class _Builder:
    """Multiplies out one law within a budget."""

    def __init__(self) -> None:
        self.products = 0

    def build(self, node: Node) -> Sum:
        if node.kind == CONSTANT:
            return constant(node.value)
        if node.kind == VARIABLE:
            return single(Atom(VARIABLE, node.name))
        parts = [self.build(operand) for operand in node.operands]
        if node.kind == "+":
            return added(*parts)
        if node.kind == "-":
            return added(parts[0], scaled(parts[1], -1.0))
        if node.kind == "*":
            return self.times(*parts)
        if node.kind == "/":
            return self.times(parts[0], self.inverse(parts[1]))
        if node.kind == "neg":
            return scaled(parts[0], -1.0)
        if node.kind in _EXPONENTS or node.kind == POWER:
            return self.power(parts[0], _EXPONENTS.get(node.kind, int(node.value)))
        return self.function(node.kind, parts[0])

    def spend(self, products: int, terms: int = 0) -> None:
        """Give up where the budget ends."""
        self.products += products
        if self.products > MAX_PRODUCTS or terms > MAX_TERMS:
            raise NormalFormError("the law is too large to be multiplied out")

    def times(self, a: Sum, b: Sum) -> Sum:
        """Multiply every monomial by every other one."""
        self.spend(len(a) * len(b))
        total: Sum = {}
        for p, (x, size_x) in a.items():
            for q, (y, size_y) in b.items():
                for m, (value, size) in self.joined(p, q).items():
                    old, old_size = total.get(m, (0.0, 0.0))
                    total[m] = (old + x * y * value, old_size + size_x * size_y * size)
        self.spend(0, len(total))
        return without_remnants(total)

    def power(self, base: Sum, exponent: int) -> Sum:
        """Multiply a sum, or its inverse, by itself."""
        if exponent < 0:
            return self.power(self.inverse(base), -exponent)
        result = constant(1.0)
        for _ in range(exponent):
            result = self.times(result, base)
        return result

    def joined(self, p: Monomial, q: Monomial) -> Sum:
        """Multiply two monomials."""
        if p == ONE or q == ONE:
            return {p if q == ONE else q: (1.0, 1.0)}
        powers = dict(p.powers)
        for atom, k in q.powers:
            powers[atom] = powers.get(atom, 0) + k
        return self.monomial(powers, added(unordered(p.exponent), unordered(q.exponent)))

    def monomial(self, powers: Mapping[Atom, int], exponent: Sum) -> Sum:
        """Return powers of atoms times exp(exponent), rewritten where an identity applies."""
        self.spend(1)
        kept, rewritten = {}, []
        for atom, k in powers.items():
            base = unordered(atom.argument)
            if atom.kind == DENOMINATOR and k > 0:
                rewritten.append(self.power(base, k))
            elif atom.kind in _POSITIVE and k not in (0, 1):
                half, kept[atom] = divmod(k, 2)
                rewritten.append(self.power(base, half * (2 if atom.kind == "abs" else 1)))
            elif atom.kind == "sin" and k > 1:
                half, kept[atom] = divmod(k, 2)
                cosine = single(Atom("cos", argument=atom.argument), 2)
                rewritten.append(self.power(added(constant(1.0), scaled(cosine, -1.0)), half))
            else:
                kept[atom] = k
        result = self.divided(Monomial(powers_of(kept), ordered(exponent)))
        for factor in rewritten:
            result = self.times(result, factor)
        return result

    def divided(self, monomial: Monomial) -> Sum:
        """Write x/(x + c) as 1 - c/(x + c) while a denominator's first monomial divides."""
        powers = dict(monomial.powers)
        for atom in powers:
            if atom.kind != DENOMINATOR or not all(_is_plain(m) for m, _ in atom.argument):
                continue
            first = dict(atom.argument[0][0].powers)
            if all(powers.get(part, 0) >= k for part, k in first.items()):
                for part, k in first.items():
                    powers[part] -= k
                exponent = unordered(monomial.exponent)
                over = self.monomial(powers, exponent)
                rest = scaled(unordered(atom.argument[1:]), -1.0)
                whole = self.monomial({**powers, atom: powers[atom] + 1}, exponent)
                return added(whole, self.times(over, rest))
        return {monomial: (1.0, 1.0)}

    def inverse(self, terms: Sum) -> Sum:
        """1 over a sum; the powers that all its monomials share are inverted by themselves."""
        if not terms:
            raise NormalFormError("a constant part has no finite value")
        shared = content(terms)
        if len(terms) == 1:
            ((monomial, (value, _)),) = terms.items()
            exponent = scaled(unordered(monomial.exponent), -1.0)
            inverted = self.monomial({atom: -k for atom, k in shared.items()}, exponent)
            return scaled(inverted, 1.0 / value)
        outside = self.monomial({atom: -k for atom, k in shared.items()}, {})
        inside = self.times(terms, outside)
        if len(inside) == 1 or content(inside):
            return self.times(self.inverse(inside), outside)
        leading = ordered(inside)[0][1]
        monic = ordered(scaled(inside, 1.0 / leading))
        inverted = self.monomial({Atom(DENOMINATOR, argument=monic): -1}, {})
        return scaled(self.times(inverted, outside), 1.0 / leading)

    def function(self, kind: str, argument: Sum) -> Sum:
        """Apply a function other than a power."""
        if set(argument) <= {ONE}:
            with np.errstate(all="ignore"):
                value = argument.get(ONE, (0.0, 0.0))[0]
                return constant(float(apply(Node(kind), [np.float64(value)])))
        if kind == "exp":
            rest = {m: pair for m, pair in argument.items() if m != ONE}
            factor = constant(_exp(argument.get(ONE, (0.0, 0.0))[0]))
            return self.times(self.monomial({}, rest), factor)
        leading = ordered(argument)[0][1]
        if kind in ("tanh", "sin", "cos"):
            positive = scaled(argument, math.copysign(1.0, leading))
            sign = 1.0 if kind == "cos" else math.copysign(1.0, leading)
            return scaled(single(Atom(kind, argument=ordered(positive))), sign)
        size, unit = abs(leading), scaled(argument, 1.0 / abs(leading))
        if kind == "log":
            return added(constant(math.log(size)), self.log(unit))
        if kind == "abs":
            return scaled(self.modulus(unit), size)
        return scaled(self.root(unit), math.sqrt(size))

    def log(self, unit: Sum) -> Sum:
        """Logarithm of a sum whose leading coefficient is 1 or -1."""
        if len(unit) > 1:
            return single(Atom("log", argument=ordered(unit)))
        ((monomial, (sign, _)),) = unit.items()
        exponent = unordered(monomial.exponent)
        if not monomial.powers:
            return added(exponent, constant(0.0 if sign > 0 else math.nan))
        powers = monomial.powers
        if len(powers) > 1 or powers[0][1] == 1 or sign < 0:
            bare = {Monomial(powers): (sign, 1.0)}
            return added(exponent, single(Atom("log", argument=ordered(bare))))
        ((atom, k),) = powers
        base = _base(atom)
        base = self.function("abs", base) if k % 2 == 0 else base
        return added(exponent, scaled(self.function("log", base), float(k)))

    def root(self, unit: Sum) -> Sum:
        """Square root of a sum whose leading coefficient is 1 or -1."""
        if len(unit) > 1:
            return single(Atom("sqrt", argument=ordered(unit)))
        ((monomial, (sign, _)),) = unit.items()
        halves = {atom: divmod(k, 2) for atom, k in monomial.powers}
        result = self.monomial({}, scaled(unordered(monomial.exponent), 0.5))
        for atom, (half, _) in halves.items():
            result = self.times(result, self.power(self.function("abs", _base(atom)), half))
        odd = powers_of({atom: rest for atom, (_, rest) in halves.items()})
        if not odd:
            return self.times(result, constant(1.0 if sign > 0 else math.nan))
        inside = {Monomial(odd): (sign, 1.0)}
        return self.times(result, single(Atom("sqrt", argument=ordered(inside))))

    def modulus(self, unit: Sum) -> Sum:
        """Absolute value of a sum whose leading coefficient is 1 or -1."""
        if len(unit) > 1:
            positive = scaled(unit, ordered(unit)[0][1])
            return single(Atom("abs", argument=ordered(positive)))
        (monomial,) = unit
        powers: dict[Atom, int] = {}
        for atom, k in monomial.powers:
            if k % 2 and atom.kind not in _POSITIVE:
                argument = ordered(single(atom) if atom.kind != DENOMINATOR else _base(atom))
                atom = Atom("abs", argument=argument)
            powers[atom] = powers.get(atom, 0) + k
        return self.monomial(powers, unordered(monomial.exponent))


def _base(atom: Atom) -> Sum:
    """Return an atom as a sum: a denominator's terms, else the atom itself."""
    return unordered(atom.argument) if atom.kind == DENOMINATOR else single(atom)


def _is_plain(monomial: Monomial) -> bool:
    """True for a product of positive powers."""
    return not monomial.exponent and all(k > 0 for _, k in monomial.powers)


def _exp(value: float) -> float:
    """exp, infinite where it overflows."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
