"""What a law may look like: its complexity and the limits of a `SearchSpec`, on trees.

The meaning is PySR's, but that operands of + and * may be exchanged. The search's kernels check
the same (`evolution.grammar`) on programs; this is the plain version, for laws from elsewhere
and as the kernels' reference.
"""

from __future__ import annotations

from collections.abc import Sequence

from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import CONSTANT, POWER, VARIABLE, Node, walk
from occamscope.laws.spec import SearchSpec


def complexity_of(law: Expression, spec: SearchSpec) -> int:
    """Complexity of a law under the spec's costs of operators, constants and variables.

    With costs of 1 the number of nodes. The exponent of a power that has no operator of its
    own costs as much as a constant, the power itself 1.
    """
    return _complexity(law.root, law.names, spec)


def violation(law: Expression, spec: SearchSpec) -> str | None:
    """Say which of the spec's limits a law breaks; None if it keeps to all of them."""
    size = complexity_of(law, spec)
    if size > spec.maxsize:
        return f"its complexity {size} is above maxsize {spec.maxsize}"
    if spec.maxdepth is not None and law.depth() > spec.maxdepth:
        return f"its depth {law.depth()} is above maxdepth {spec.maxdepth}"
    largest = max((abs(c) for c in law.constants()), default=0.0)
    if not largest <= spec.max_constant:
        return f"its constant {largest:.4g} is above max_constant {spec.max_constant:g}"
    used = law.variables()
    for name in spec.excluded_variables:
        if name in used:
            return f"it contains the excluded variable '{name}'"
    for name in spec.required_variables:
        if name not in used:
            return f"it lacks the required variable '{name}'"
    return _broken_constraint(law, spec) or _broken_nesting(law.root, spec)


def _complexity(node: Node, names: Sequence[str], spec: SearchSpec) -> int:
    below = sum(_complexity(operand, names, spec) for operand in node.operands)
    if node.kind == CONSTANT:
        return spec.complexity_of_constants
    if node.kind == VARIABLE:
        costs = spec.complexity_of_variables
        return costs if isinstance(costs, int) else costs[list(names).index(node.name)]
    if node.kind == POWER:
        return 1 + spec.complexity_of_constants + below
    return spec.complexity_of_operators.get(node.kind, 1) + below


def _broken_constraint(law: Expression, spec: SearchSpec) -> str | None:
    """Name the first operator with an operand of too much complexity.

    The operands of + and * may stand in either order: a law may be written either way.
    """
    for node in walk(law.root):
        limits = spec.constraints.get(node.kind)
        if limits is None:
            continue
        sides = (limits,) if isinstance(limits, int) else limits
        sizes = [_complexity(operand, law.names, spec) for operand in node.operands]
        orders = [sizes, sizes[::-1]] if node.kind in ("+", "*") else [sizes]
        if not any(_fits(order, sides) for order in orders):
            return f"an operand of '{node.kind}' is larger than constraints allow ({limits})"
    return None


def _fits(sizes: Sequence[int], limits: Sequence[int]) -> bool:
    """True if every size keeps to its limit; -1 is none."""
    return all(most < 0 or size <= most for size, most in zip(sizes, limits, strict=True))


def _broken_nesting(root: Node, spec: SearchSpec) -> str | None:
    """Name the first operator inside which another one is nested too often."""
    for node in walk(root):
        for inner, most in spec.nested_constraints.get(node.kind, {}).items():
            deepest = max((_nesting(operand, inner) for operand in node.operands), default=0)
            if deepest > most:
                return f"'{inner}' is nested in '{node.kind}' more often than {most} times"
    return None


def _nesting(node: Node, operator: str) -> int:
    """Most occurrences of an operator on one path from the node downwards."""
    below = max((_nesting(operand, operator) for operand in node.operands), default=0)
    return below + (node.kind == operator)
