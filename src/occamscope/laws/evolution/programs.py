"""Programs to expressions and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.evolution.tokens import CODES, CONSTANT, FIRST_BINARY, FIRST_VARIABLE, NAMES
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.tree import CONSTANT as CONSTANT_KIND
from occamscope.laws.expressions.tree import (
    POWER,
    VARIABLE,
    Node,
    call,
    complexity,
    constant,
    variable,
    with_summand,
)


def to_expression(
    tokens: NDArray[np.int16], constants: NDArray[np.float64], names: Sequence[str]
) -> Expression:
    """Return the expression of a program; `names` are the names of the columns."""
    stack: list[Node] = []
    for token, value in zip(tokens, constants, strict=True):
        if token == CONSTANT:
            stack.append(constant(float(value)))
        elif token >= FIRST_VARIABLE:
            stack.append(variable(names[token - FIRST_VARIABLE]))
        elif token >= FIRST_BINARY:
            right = stack.pop()
            stack.append(call(NAMES[int(token)], stack.pop(), right))
        else:
            stack.append(call(NAMES[int(token)], stack.pop()))
    return Expression(stack.pop(), tuple(names))


def to_program(
    law: Expression, operators: Sequence[str]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return tokens and constants of an expression.

    Raises
    ------
    InputError
        If the expression needs an operator that is not among `operators`.
    """
    program: list[tuple[int, float]] = []
    _append(law.root, law.names, program)
    for token, _ in program:
        if CONSTANT < token < FIRST_VARIABLE and NAMES[token] not in operators:
            raise InputError(
                f"guess '{law}': it needs the operator '{NAMES[token]}', which laws.operators "
                "does not allow; add the operator or leave out the guess"
            )
    tokens, values = zip(*program, strict=True)
    return np.array(tokens, dtype=np.int16), np.array(values, dtype=np.float64)


def _append(node: Node, names: Sequence[str], program: list[tuple[int, float]]) -> None:
    """Append the program of a tree."""
    if node.kind == CONSTANT_KIND:
        program.append((CONSTANT, node.value))
    elif node.kind == VARIABLE:
        program.append((FIRST_VARIABLE + list(names).index(node.name), 0.0))
    elif node.kind == POWER:
        _append(_power_as_products(node), names, program)
    else:
        for operand in node.operands:
            _append(operand, names, program)
        program.append((CODES[node.kind], 0.0))


def _power_as_products(node: Node) -> Node:
    """Write x**k of another k than 2, 3 and -1 with the operators that a search knows."""
    base, exponent = node.operands[0], int(node.value)
    product = base
    for _ in range(abs(exponent) - 1):
        product = call("*", product, base)
    return product if exponent > 0 else call("inv", product)


def absorb_output(law: Expression, scale: float, offset: float, largest: float) -> Expression:
    """Write s f + b as one law, if its constants can take up s and b.

    A law whose output scale and offset are free may come in any unit. Where no more nodes are
    needed, it is written in the unit of the loss, in which a margin of 1 suffices; else it
    stays.

    Parameters
    ----------
    scale, offset : positive factor s and summand b
    largest : bound on the absolute value of a constant
    """
    root = _scaled(law.root, scale)
    if root is not None and offset != 0.0:
        root = with_summand(root, offset)
    if root is None or complexity(root) != complexity(law.root):
        return law
    changed = Expression(root, law.names)
    fits = all(abs(value) <= largest for value in changed.constants())
    return changed if fits else law


def _scaled(node: Node, factor: float) -> Node | None:
    """Return the tree of `factor` times a tree, of the same form; None if there is none."""
    if node.kind == CONSTANT_KIND:
        return constant(factor * node.value)
    if node.kind in ("+", "-"):
        parts = [_scaled(operand, factor) for operand in node.operands]
        return None if None in parts else Node(node.kind, operands=tuple(parts))  # type: ignore[arg-type]
    if node.kind == "neg":
        part = _scaled(node.operands[0], factor)
        return part and call("neg", part)
    if node.kind == "square":
        part = _scaled(node.operands[0], sqrt(factor))
        return part and call("square", part)
    if node.kind in ("*", "/"):
        left, right = node.operands
        part = _scaled(left, factor)
        if part:
            return call(node.kind, part, right)
        part = _scaled(right, factor if node.kind == "*" else 1.0 / factor)
        return part and call(node.kind, left, part)
    return None
