"""Two ways to count how long a law is, the same for every engine.

PySR's count: every operator, constant and variable 1 (`Expression.complexity`). Nothing is free
here: a law that its engine multiplies by a fitted scale, or shifts, is written out in full first.

Operon's count: the length of Operon's tree, in which every variable carries a weight of its own
(3*x is one node), and scale and offset of the whole law are fitted outside the tree.

Before it is counted, a law is brought into the form with the fewest constants that these steps
find: factors and summands are pulled out of sums, products, quotients and squares and merged.
Engines that write 2*x*3*y where 6*x*y would do are not charged for it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import (
    CONSTANT,
    POWER,
    VARIABLE,
    Node,
    call,
    constant,
    replace,
)


class _Affine(NamedTuple):
    """factor * core + offset; no core: the number `offset` alone."""

    factor: float
    core: Node | None
    offset: float


def written_out(law: Expression, scale: float = 1.0, offset: float = 0.0) -> Expression:
    """Return scale * law + offset in its shortest form found."""
    scaled = law.root
    if scale != 1.0:
        scaled = call("*", constant(scale), scaled)
    if offset != 0.0:
        scaled = call("+", scaled, constant(offset))
    full = Expression(scaled, law.names)
    full = Expression(replace(full.root, _without_inv), law.names)
    try:
        short = Expression(replace(_node(_affine(full.root)), _without_inv), law.names)
    except (OverflowError, ZeroDivisionError):
        return full
    numbers = all(math.isfinite(value) for value in short.constants())
    return short if numbers and short.complexity() < full.complexity() else full


def sign_law(law: Expression) -> Expression:
    """Return the shortest law found of the same sign: a positive factor is left out."""
    forms = [written_out(law)]
    try:
        factor, core, offset = _affine(law.root)
        if core is not None:
            forms.append(written_out(law, 1.0 / abs(factor)))
            unit = _node(_Affine(math.copysign(1.0, factor), core, offset / abs(factor)))
            forms.append(Expression(replace(unit, _without_inv), law.names))
    except (OverflowError, ZeroDivisionError):
        pass
    forms = [form for form in forms if all(math.isfinite(value) for value in form.constants())]
    return min(forms, key=lambda form: form.complexity(), default=law)


def operon_length(law: Expression) -> int:
    """Nodes of Operon's tree for the law, without the scale and offset that it fits outside."""
    forms = [law.root]
    try:
        core = _affine(law.root).core
        if core is not None:
            forms += [core, *_in_other_units(core)]
    except (OverflowError, ZeroDivisionError):
        pass
    return min(_length(_without_frame(form)) for form in forms)


def same_values(a: Expression, b: Expression, X: np.ndarray) -> bool:
    """True if two laws agree on all rows to rounding."""
    first, second = a.evaluate(X), b.evaluate(X)
    unit = np.nanmax(np.abs(first), initial=1e-300)
    return bool(np.allclose(first, second, rtol=1e-6, atol=1e-9 * unit, equal_nan=True))


def _without_frame(node: Node) -> Node:
    """Take off the outermost constant factors and summands."""
    while node.kind in ("+", "-", "*", "neg"):
        if node.kind == "neg":
            node = node.operands[0]
            continue
        left, right = node.operands
        if CONSTANT not in (left.kind, right.kind):
            break
        node = right if left.kind == CONSTANT else left
    return node


def _in_other_units(core: Node) -> list[Node]:
    """Return the sum divided by each of its terms' factors in turn: one factor less each."""
    terms = [_affine(term.root) for _, term in Expression(core, ()).terms()]
    sums = []
    for unit in {term.factor for term in terms if term.core is not None} - {1.0}:
        scaled = [_node(_Affine(term.factor / unit, term.core, 0.0)) for term in terms]
        total = scaled[0]
        for term in scaled[1:]:
            total = call("+", total, term)
        sums.append(total)
    return sums


def _length(node: Node) -> int:
    """Nodes of Operon's tree: a constant factor is free where some variable can take it up."""
    if node.kind in (CONSTANT, VARIABLE):
        return 1
    if node.kind == "neg":
        return _length(node.operands[0]) + (0 if _takes_up(node.operands[0]) else 2)
    if node.kind == "*":
        left, right = node.operands
        for factor, rest in ((left, right), (right, left)):
            # Any sign can go into the variables but through a square.
            if factor.kind == CONSTANT and _takes_up(rest, factor.value > 0):
                return _length(rest)
    if node.kind == POWER:
        return 2 + _length(node.operands[0])
    return 1 + sum(_length(operand) for operand in node.operands)


def _takes_up(node: Node, positive: bool = False) -> bool:
    """True if a factor of that sign can go into the weights and constants of a tree."""
    if node.kind in (CONSTANT, VARIABLE):
        return True
    if node.kind in ("+", "-"):
        return all(_takes_up(operand, positive) for operand in node.operands)
    if node.kind in ("*", "/"):
        return any(_takes_up(operand, positive) for operand in node.operands)
    if node.kind == "neg":
        return _takes_up(node.operands[0], positive)
    return node.kind in ("square", "sqrt", "abs") and positive and _takes_up(node.operands[0], True)


def _affine(node: Node) -> _Affine:
    """Pull constant factor and summand out of a tree."""
    if node.kind == CONSTANT:
        return _Affine(0.0, None, node.value)
    if node.kind == VARIABLE:
        return _Affine(1.0, node, 0.0)
    parts = [_affine(operand) for operand in node.operands]
    if all(part.core is None for part in parts):
        numbers = tuple(constant(part.offset) for part in parts)
        folded = Expression(Node(node.kind, node.value, operands=numbers), ())
        return _Affine(0.0, None, float(folded.evaluate(np.empty((1, 0)))[0]))
    if node.kind == "neg":
        return _Affine(-parts[0].factor, parts[0].core, -parts[0].offset)
    if node.kind == "-":
        minus = _Affine(-parts[1].factor, parts[1].core, -parts[1].offset)
        return _sum(parts[0], minus)
    if node.kind == "+":
        return _sum(*parts)
    if node.kind == "*":
        return _product(*parts)
    if node.kind == "/":
        return _product(parts[0], _reciprocal(parts[1]))
    if node.kind == "inv":
        return _reciprocal(parts[0])
    if node.kind in ("square", "abs", "sqrt"):
        return _homogeneous(node.kind, parts[0])
    if node.kind == "exp" and abs(parts[0].offset) < 50:
        inner = parts[0]._replace(offset=0.0)
        return _Affine(math.exp(parts[0].offset), call("exp", _node(inner)), 0.0)
    if node.kind == "log" and parts[0].factor > 0:
        inner = _shifted(parts[0])
        return _Affine(1.0, call("log", inner), math.log(parts[0].factor))
    return _Affine(1.0, Node(node.kind, node.value, operands=(_node(parts[0]),)), 0.0)


def _sum(left: _Affine, right: _Affine) -> _Affine:
    offset = left.offset + right.offset
    if left.core is None or right.core is None:
        known = right if left.core is None else left
        return _Affine(known.factor, known.core, offset)
    # a x + b y = a (x + b/a y): of the two factors one stays inside; one that is 1 outside.
    outer = left.factor
    if 1.0 in (right.factor, left.factor):
        outer = 1.0
    elif abs(right.factor) == 1.0:
        outer = right.factor
    inner = left.factor / outer, right.factor / outer
    if inner[0] < 0 < inner[1]:
        first, second = (inner[1], right.core), (inner[0], left.core)
    else:
        first, second = (inner[0], left.core), (inner[1], right.core)
    sign = "+" if second[0] > 0 else "-"
    parts = [
        _node(_Affine(first[0], first[1], 0.0)),
        _node(_Affine(abs(second[0]), second[1], 0.0)),
    ]
    return _Affine(outer, call(sign, *parts), offset)


def _product(left: _Affine, right: _Affine) -> _Affine:
    if left.core is None or right.core is None:
        known, number = (right, left.offset) if left.core is None else (left, right.offset)
        if number == 0.0:
            return _Affine(0.0, None, 0.0)
        return _Affine(known.factor * number, known.core, known.offset * number)
    factors = _shifted(left), _shifted(right)
    factor = left.factor * right.factor
    if factors[1].kind == "inv":
        return _Affine(factor, call("/", factors[0], factors[1].operands[0]), 0.0)
    if factors[0].kind == "inv":
        return _Affine(factor, call("/", factors[1], factors[0].operands[0]), 0.0)
    return _Affine(factor, call("*", *factors), 0.0)


def _reciprocal(part: _Affine) -> _Affine:
    if part.core is None:
        return _Affine(0.0, None, 1.0 / part.offset)
    below = _shifted(part)
    if below.kind == "inv":
        return _Affine(1.0 / part.factor, below.operands[0], 0.0)
    if below.kind == "/":
        return _Affine(1.0 / part.factor, call("/", *reversed(below.operands)), 0.0)
    return _Affine(1.0 / part.factor, call("inv", below), 0.0)


def _homogeneous(kind: str, part: _Affine) -> _Affine:
    """square(a u) = a^2 square(u), |a u| = |a| |u|, sqrt(a u) = sqrt(a) sqrt(u) for a > 0."""
    if kind == "sqrt" and part.factor <= 0:
        return _Affine(1.0, call("sqrt", _node(part)), 0.0)
    outside = {"square": part.factor**2, "abs": abs(part.factor)}
    factor = outside[kind] if kind in outside else math.sqrt(part.factor)
    return _Affine(factor, call(kind, _shifted(part)), 0.0)


def _shifted(part: _Affine) -> Node:
    """Return core + offset/factor."""
    assert part.core is not None
    return _node(_Affine(1.0, part.core, part.offset / part.factor))


def _node(part: _Affine) -> Node:
    """Write factor * core + offset with as few constants as it takes."""
    if part.core is None:
        return constant(part.offset)
    core = part.core
    if part.factor < 0 and core.kind == "-":
        return _node(_Affine(-part.factor, call("-", *reversed(core.operands)), part.offset))
    if part.factor == 1.0:
        scaled = core
    elif part.factor == -1.0 and part.offset != 0.0:
        return call("-", constant(part.offset), core)
    else:
        scaled = _multiplied(core, part.factor)
    if part.offset == 0.0:
        return scaled
    return call("+", scaled, constant(part.offset))


def _without_inv(node: Node) -> Node:
    """1/u is written with a division: inv is no operator of the engines compared."""
    return call("/", constant(1.0), node.operands[0]) if node.kind == "inv" else node


def _multiplied(core: Node, factor: float) -> Node:
    """Return factor * core, the factor merged into a constant of the core if there is one."""
    if core.kind == "inv":
        return call("/", constant(factor), core.operands[0])
    merged = _merged(core, factor)
    return merged if merged is not None else call("*", constant(factor), core)


def _merged(node: Node, factor: float) -> Node | None:
    """Return factor * node of the same form, or None if no constant can take the factor up."""
    if node.kind == CONSTANT:
        return constant(factor * node.value)
    if node.kind in ("+", "-"):
        parts = [_merged(operand, factor) for operand in node.operands]
        if parts[0] is None or parts[1] is None:
            return None
        return call(node.kind, parts[0], parts[1])
    if node.kind in ("*", "/"):
        left, right = node.operands
        part = _merged(left, factor)
        if part is not None:
            return call(node.kind, part, right)
        part = _merged(right, factor if node.kind == "*" else 1.0 / factor)
        return None if part is None else call(node.kind, left, part)
    if node.kind == "square" and factor > 0:
        part = _merged(node.operands[0], math.sqrt(factor))
        return None if part is None else call("square", part)
    return None
