"""What decides in a law: only where f > 0 counts, so much of f may be left away.

The decision f > 0 stays the same under an increasing function with a zero at zero (tanh, cube,
root), under 1/f, and under factors that are never negative. They matter at single points only:
where such a factor is 0 or a denominator is, and beyond the range of floating point.
"""

from __future__ import annotations

from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import CONSTANT, POWER, Node, call, constant, walk

# f > 0 exactly where the operand is; 1/f but for a zero.
_KEEP_SIGN = frozenset({"tanh", "cube", "inv"})
# Not defined, or infinite, for some operands: such a factor decides, too.
_PARTIAL = frozenset({"log", "sqrt", "/", "inv"})


def decision_law(law: Expression, scale: float = 1.0, offset: float = 0.0) -> Expression:
    """Return the law whose sign decides where scale * f + offset does: f + offset / scale.

    Parameters
    ----------
    law : f
    scale, offset : output scale (> 0) and offset of a front's row
    """
    if offset == 0:
        return law
    return Expression(call("+", law.root, constant(offset / scale)), law.names).tidy()


def decision_core(law: Expression) -> Expression:
    """Return a law, as small or smaller, that decides like this one but for single points.

    (z0**2 + 1)*tanh(z1 - 0.3) becomes z1 - 0.3. Taken away are increasing functions around the
    whole and factors that are never negative; a quotient becomes a product. The factors must
    be defined everywhere: where log(z0)**2 is not, f is not either.
    """
    return Expression(_core(law.root), law.names)


def _core(node: Node) -> Node:
    if node.kind == "sqrt":
        return _core(node.operands[0])
    sign, factors = _factors(node)
    product: Node | None = None
    for factor in factors:
        product = factor if product is None else call("*", product, factor)
    if product is None:
        return constant(sign)
    return product if sign > 0 else call("neg", product)


def _factors(node: Node) -> tuple[float, list[Node]]:
    """Split into a sign and the factors that decide with it."""
    if node.kind == CONSTANT and node.value != 0:
        return (1.0 if node.value > 0 else -1.0), []
    if _is_positive(node):
        return 1.0, []
    if node.kind == "neg":
        sign, factors = _factors(node.operands[0])
        return -sign, factors
    if node.kind in ("*", "/"):
        (first, left), (second, right) = (_factors(operand) for operand in node.operands)
        return first * second, left + right
    if node.kind in _KEEP_SIGN or (node.kind == POWER and node.value % 2):
        return _factors(node.operands[0])
    return 1.0, [node]


def _is_positive(node: Node) -> bool:
    """True if a part is defined everywhere and nowhere negative."""
    if any(p.kind in _PARTIAL or (p.kind == POWER and p.value < 0) for p in walk(node)):
        return False
    return _is_nonnegative(node)


def _is_nonnegative(node: Node) -> bool:
    if node.kind == CONSTANT:
        return node.value > 0
    if node.kind in ("+", "*"):
        return all(_is_nonnegative(operand) for operand in node.operands)
    if node.kind == "-":
        left, right = node.operands
        return right.kind == CONSTANT and right.value <= 0 and _is_nonnegative(left)
    return node.kind in ("exp", "abs", "square") or (node.kind == POWER and node.value % 2 == 0)
