"""Print a tree as text that the parser reads back to an equal tree."""

from __future__ import annotations

from occamscope.laws.expressions.tree import CONSTANT, POWER, VARIABLE, Node

# How tightly a printed form binds; an operand that binds less gets brackets.
SUM, PRODUCT, SIGN, EXPONENT, ATOM = 1, 2, 3, 4, 5
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT}
_EXPONENTS = {"square": 2, "cube": 3, "inv": -1}


def format_constant(value: float, digits: int | None = None) -> str:
    """Write a number exactly (None) or with so many significant digits."""
    return repr(float(value)) if digits is None else f"{value:.{digits}g}"


def print_tree(node: Node, digits: int | None = None, functions: bool = False) -> str:
    """Print in Python's syntax; `functions` writes square(x) for x**2 and the like."""
    return _Printer(digits, functions).show(node)[0]


class _Printer:
    """Turns nodes into (text, level) pairs."""

    def __init__(self, digits: int | None, functions: bool) -> None:
        self.digits, self.functions = digits, functions

    def bracket(self, node: Node, level: int) -> str:
        """Print an operand, in brackets if it binds less tightly than `level`."""
        text, own = self.show(node)
        return text if own >= level else f"({text})"

    def show(self, node: Node) -> tuple[str, int]:
        if node.kind == CONSTANT:
            text = format_constant(node.value, self.digits)
            return text, SIGN if text.startswith("-") else ATOM
        if node.kind == VARIABLE:
            return node.name, ATOM
        if len(node.operands) == 2:
            return self.binary(node)
        return self.unary(node)

    def binary(self, node: Node) -> tuple[str, int]:
        level = _LEVELS[node.kind]
        left = self.bracket(node.operands[0], level)
        right = self.bracket(node.operands[1], level + 1)
        if right.startswith("-"):  # legal, but a - -2 is hard to read
            right = f"({right})"
        between = f" {node.kind} " if level == SUM else node.kind
        return left + between + right, level

    def unary(self, node: Node) -> tuple[str, int]:
        operand = node.operands[0]
        if node.kind == POWER or (node.kind in _EXPONENTS and not self.functions):
            exponent = _EXPONENTS.get(node.kind, int(node.value))
            return f"{self.bracket(operand, ATOM)}**{exponent}", EXPONENT
        if node.kind == "neg" and not self.functions:
            return self.negative(operand)
        return f"{node.kind}({self.show(operand)[0]})", ATOM

    def negative(self, operand: Node) -> tuple[str, int]:
        """Print a minus; a number gets brackets, or it would swallow the sign."""
        text = self.bracket(operand, EXPONENT)
        return f"-({text})" if operand.kind == CONSTANT and text[0] != "(" else f"-{text}", SIGN
