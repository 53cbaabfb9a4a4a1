"""A law as an immutable expression: read, evaluate, measure and export it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions import export, tree
from occamscope.laws.expressions.parser import check_names, parse_tree
from occamscope.laws.expressions.text import format_constant, print_tree

if TYPE_CHECKING:
    import sympy
    import torch

__all__ = ["Expression", "format_constant", "parse"]


@dataclass(frozen=True)
class Expression:
    """An expression of named variables.

    Attributes
    ----------
    root : the tree
    names : the variables in the order of a data matrix's columns; the expression may use a
        part of them
    """

    root: tree.Node
    names: tuple[str, ...]

    def __str__(self) -> str:
        return self.to_text()

    def evaluate(self, X: ArrayLike) -> NDArray[np.float64]:
        """Value of the expression for every row, in float64.

        IEEE rules without warnings: what is undefined (0/0, the log or square root of a
        negative number, infinity minus infinity) is nan; a division by zero and an overflow
        are infinite with their sign, log(0) is -infinity.

        Parameters
        ----------
        X : (n, d) one column for each of `names`

        Returns
        -------
        (n,) values

        Raises
        ------
        InputError
            If X has another number of columns than there are names.
        """
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.names):
            raise InputError(
                f"expression: it needs a matrix of {len(self.names)} columns "
                f"({', '.join(self.names[:4])}, ...), got shape {X.shape}"
            )
        columns = {name: X[:, self.names.index(name)] for name in self.variables()}
        with np.errstate(all="ignore"):
            values = tree.evaluate(self.root, columns)
        return np.array(np.broadcast_to(values, len(X)))

    def complexity(self) -> int:
        """Number of nodes as PySR counts: every operator, constant and variable 1.

        x**2 is one operator and its operand; another power counts its exponent too; a minus
        in front of a number belongs to the number.
        """
        return tree.complexity(self.root)

    def depth(self) -> int:
        """Length of the longest path from the root to a leaf."""
        return tree.depth(self.root)

    def variables(self) -> tuple[str, ...]:
        """Return the variables that occur, in the order of `names`."""
        used = {node.name for node in tree.walk(self.root) if node.kind == tree.VARIABLE}
        return tuple(name for name in self.names if name in used)

    def constants(self) -> tuple[float, ...]:
        """Return the constants that occur, from left to right."""
        return tuple(n.value for n in tree.walk(self.root) if n.kind == tree.CONSTANT)

    def operators(self) -> frozenset[str]:
        """Return the operators that occur."""
        return frozenset(n.kind for n in tree.walk(self.root) if n.kind in tree.ARITY)

    def terms(self) -> list[tuple[str, Expression]]:
        """Split into the top-level terms whose sum is the expression, signs included."""
        parts = [Expression(node, self.names) for node in _split_sum(self.root)]
        return [(part.to_text(), part) for part in parts]

    def tidy(self) -> Expression:
        """Rewrite for the reader (2*x, x - 2) without a change of value or complexity."""
        return Expression(tree.tidy(self.root), self.names)

    def rounded(self, digits: int) -> Expression:
        """Round every constant to that many significant digits."""

        def change(node: tree.Node) -> tree.Node:
            if node.kind != tree.CONSTANT:
                return node
            return tree.constant(float(f"{node.value:.{digits}g}"))

        return Expression(tree.replace(self.root, change), self.names)

    def renamed(self, names: Sequence[str]) -> Expression:
        """Give the columns other names, in the same order."""
        if len(names) != len(self.names):
            raise InputError(f"expression: {len(self.names)} names needed, got {len(names)}")
        new = dict(zip(self.names, check_names(names), strict=True))

        def change(node: tree.Node) -> tree.Node:
            return tree.variable(new[node.name]) if node.kind == tree.VARIABLE else node

        return Expression(tree.replace(self.root, change), tuple(names))

    def to_text(self, digits: int | None = None, functions: bool = False) -> str:
        """Print in sympy's and Python's syntax; `parse` reads it back to an equal tree.

        Parameters
        ----------
        digits : significant digits of the constants; None writes them exactly
        functions : write square(x), cube(x), inv(x), neg(x), as PySR reads it
        """
        return print_tree(self.root, digits=digits, functions=functions)

    def latex(self, names: Mapping[str, str] | None = None, digits: int = 3) -> str:
        r"""Print in LaTeX (the part that matplotlib understands too).

        Parameters
        ----------
        names : what to print for a variable, e.g. {"z29": "size"}; a plain word is set
            upright, anything with a backslash, brace or _ is used as LaTeX. Else z17 becomes
            z_{17}.
        digits : significant digits of the constants
        """
        return export.to_latex(self.root, names or {}, digits)

    def to_sympy(self, evaluate: bool = True) -> sympy.Expr:
        """Build the sympy expression of real symbols, from the tree, not from text.

        Parameters
        ----------
        evaluate : False keeps the order and form of the tree
        """
        return export.to_sympy(self.root, evaluate)

    def to_torch(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Build a differentiable function (..., d) -> (...) with the semantics of `evaluate`."""
        return export.to_torch(self.root, self.names)

    def python_source(self, function: str = "law") -> str:
        """Write a plain numpy function of X (n, d) as text."""
        return export.python_source(self.root, self.names, function)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; `from_dict` reads it back."""
        return {
            "expression": self.to_text(),
            "names": list(self.names),
            "complexity": self.complexity(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Expression:
        """Read what `to_dict` wrote.

        Raises
        ------
        InputError
            If a key is missing or the expression is not one of the whitelist.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"law: expected an object with keys, got {type(data).__name__}")
        for key in ("expression", "names"):
            if key not in data:
                raise InputError(f"law: the key '{key}' is missing")
        return parse(data["expression"], data["names"])


def parse(text: str, names: Sequence[str]) -> Expression:
    """Read an expression of the given variables by a whitelist parser.

    Understood are numbers, the names, + - * / and ** (or ^) with a whole exponent, brackets
    and the functions of `tree.SEARCH_OPERATORS`: what `Expression.to_text`, sympy's `str` and
    PySR's table write.

    Parameters
    ----------
    text : the expression
    names : the variables, in the order of a data matrix's columns

    Raises
    ------
    InputError
        If the text is anything else; the message gives the position.
    """
    known = check_names(names)
    return Expression(parse_tree(text, known), known)


def _split_sum(node: tree.Node) -> list[tree.Node]:
    """Return the summands below the top-level + - and unary minus."""
    if node.kind == "+":
        return _split_sum(node.operands[0]) + _split_sum(node.operands[1])
    if node.kind == "-":
        right = [_negated(part) for part in _split_sum(node.operands[1])]
        return _split_sum(node.operands[0]) + right
    if node.kind == "neg":
        return [_negated(part) for part in _split_sum(node.operands[0])]
    return [node]


def _negated(node: tree.Node) -> tree.Node:
    """Change the sign, inside a leading constant where there is one."""
    if node.kind == tree.CONSTANT:
        return tree.constant(-node.value)
    if node.kind == "neg":
        return node.operands[0]
    if node.kind in ("*", "/") and node.operands[0].kind == tree.CONSTANT:
        return tree.call(node.kind, _negated(node.operands[0]), node.operands[1])
    return tree.call("neg", node)
