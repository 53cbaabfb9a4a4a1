"""Write a tree for other tools: LaTeX, sympy, torch, a numpy function."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from occamscope.laws.expressions.text import ATOM, EXPONENT, PRODUCT, SIGN, SUM, print_tree
from occamscope.laws.expressions.tree import CONSTANT, POWER, VARIABLE, Node, walk
from occamscope.laws.expressions.tree import evaluate as tree_value

if TYPE_CHECKING:
    import sympy
    import torch

_LATEX_FUNCTIONS = ("exp", "log", "sin", "cos", "tanh")


def to_latex(node: Node, names: Mapping[str, str], digits: int) -> str:
    """Print in LaTeX; see `Expression.latex`."""
    return _Latex(names, digits).show(node)[0]


def latex_name(name: str) -> str:
    r"""Typeset a variable's name: z17 as z_{17}, a word upright."""
    match = re.fullmatch(r"([A-Za-z])_?([0-9]+)", name)
    if match:
        return f"{match[1]}_{{{match[2]}}}"
    if len(name) == 1:
        return name
    return rf"\mathrm{{{_escape(name)}}}"


def latex_number(value: float, digits: int) -> str:
    r"""Typeset a number with so many significant digits, 1e-05 as 10^{-5}."""
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    scale = f"10^{{{int(exponent)}}}"
    return {"1": scale, "-1": f"-{scale}"}.get(mantissa, rf"{mantissa} \times {scale}")


def _escape(word: str) -> str:
    return word.replace("_", r"\_").replace(" ", r"\ ")


class _Latex:
    """Turns nodes into (LaTeX, level) pairs; levels as in `text`."""

    def __init__(self, names: Mapping[str, str], digits: int) -> None:
        self.names, self.digits = names, digits

    def bracket(self, node: Node, level: int) -> str:
        text, own = self.show(node)
        return text if own >= level else rf"\left({text}\right)"

    def show(self, node: Node) -> tuple[str, int]:
        if node.kind == CONSTANT:
            text = latex_number(node.value, self.digits)
            level = SIGN if text.startswith("-") else PRODUCT if "times" in text else ATOM
            return text, EXPONENT if text.startswith("10^") else level
        if node.kind == VARIABLE:
            return self.variable(node.name), ATOM
        return self.binary(node) if len(node.operands) == 2 else self.unary(node)

    def variable(self, name: str) -> str:
        shown = self.names.get(name)
        if shown is None:
            return latex_name(name)
        return shown if set(shown) & set("\\{_^") else latex_name(shown)

    def binary(self, node: Node) -> tuple[str, int]:
        left, right = node.operands
        if node.kind == "/":
            return rf"\frac{{{self.show(left)[0]}}}{{{self.show(right)[0]}}}", PRODUCT
        if node.kind == "*":
            first, second = self.bracket(left, PRODUCT), self.bracket(right, SIGN)
            if second.startswith("-"):
                second = rf"\left({second}\right)"
            # Two numbers side by side would read as one.
            dot = r" \cdot " if second[0].isdigit() else r" \, "
            return first + dot + second, PRODUCT
        second = self.bracket(right, PRODUCT)
        if second.startswith("-"):
            second = rf"\left({second}\right)"
        return f"{self.bracket(left, SUM)} {node.kind} {second}", SUM

    def unary(self, node: Node) -> tuple[str, int]:
        operand = node.operands[0]
        if node.kind in ("square", "cube", POWER):
            exponent = {"square": 2, "cube": 3}.get(node.kind, int(node.value))
            return f"{self.bracket(operand, ATOM)}^{{{exponent}}}", EXPONENT
        if node.kind == "neg":
            return f"-{self.bracket(operand, EXPONENT)}", SIGN
        inner = self.show(operand)[0]  # once: a second time at every level takes 2^depth steps
        if node.kind == "inv":
            return rf"\frac{{1}}{{{inner}}}", PRODUCT
        if node.kind == "sqrt":
            return rf"\sqrt{{{inner}}}", ATOM
        if node.kind == "abs":
            return rf"\left|{inner}\right|", ATOM
        return rf"\{node.kind}\left({inner}\right)", EXPONENT


def to_sympy(node: Node, evaluate: bool = True) -> sympy.Expr:
    """Build the sympy expression of real symbols from the tree.

    A part without variables that has no finite value is infinite or nan, as in
    `tree.evaluate`: sympy would go on to numbers of any size, or to complex ones.
    """
    import sympy  # slow to import, needed only here

    minus_one = sympy.Integer(-1)

    def build(part: Node) -> sympy.Expr:
        if part.kind == CONSTANT:
            return sympy.Float(part.value)
        if part.kind == VARIABLE:
            return sympy.Symbol(part.name, real=True)
        if evaluate and not np.isfinite(number := _number(part)):
            return sympy.nan if np.isnan(number) else sympy.oo if number > 0 else -sympy.oo
        args = [build(operand) for operand in part.operands]
        return combine(part, args)

    def combine(part: Node, args: list[sympy.Expr]) -> sympy.Expr:
        first, last = args[0], args[-1]
        powers = {"square": 2, "cube": 3, "inv": -1, "sqrt": sympy.Rational(1, 2)}
        if part.kind == "+":
            return sympy.Add(first, last, evaluate=evaluate)
        if part.kind == "-":
            return sympy.Add(first, times(minus_one, last), evaluate=evaluate)
        if part.kind == "*":
            return times(first, last)
        if part.kind == "/":
            return times(first, sympy.Pow(last, minus_one, evaluate=evaluate))
        if part.kind == "neg":
            return times(minus_one, first)
        if part.kind in powers or part.kind == POWER:
            exponent = powers.get(part.kind, int(part.value))
            return sympy.Pow(first, exponent, evaluate=evaluate)
        function = sympy.Abs if part.kind == "abs" else getattr(sympy, part.kind)
        return function(first, evaluate=evaluate)

    def times(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        return sympy.Mul(a, b, evaluate=evaluate)

    return build(node)


def _number(node: Node) -> float:
    """Value of a part without variables; 0 of any other."""
    if any(part.kind == VARIABLE for part in walk(node)):
        return 0.0
    with np.errstate(all="ignore"):
        return float(tree_value(node, {}))


def to_torch(node: Node, names: Sequence[str]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Build a differentiable function (..., d) -> (...); see `Expression.to_torch`."""
    import torch  # only here: the PySR engine must not load it

    functions: dict[str, Callable[..., Any]] = {
        "+": torch.add, "-": torch.subtract, "*": torch.multiply, "/": torch.divide,
        "square": lambda a: a * a, "cube": lambda a: a * a * a,
        "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "abs": torch.abs,
        "neg": torch.negative, "tanh": torch.tanh, "sin": torch.sin, "cos": torch.cos,
        "inv": torch.reciprocal,
    }  # fmt: skip
    column = {name: i for i, name in enumerate(names)}

    def value(part: Node, x: torch.Tensor) -> torch.Tensor:
        if part.kind == CONSTANT:
            return x.new_tensor(part.value)
        if part.kind == VARIABLE:
            return x[..., column[part.name]]
        operands = [value(operand, x) for operand in part.operands]
        if part.kind == POWER:
            return torch.pow(operands[0], part.value)
        return functions[part.kind](*operands)

    def law(x: torch.Tensor) -> torch.Tensor:
        return value(node, x).expand(x.shape[:-1])

    return law


def python_source(node: Node, names: Sequence[str], function: str) -> str:
    """Write a numpy function of X (n, d) as text; see `Expression.python_source`."""
    used = {part.name for part in walk(node) if part.kind == VARIABLE}
    columns = [f"    {name} = X[:, {i}]" for i, name in enumerate(names) if name in used]
    lines = [
        "import numpy as np",
        "",
        "",
        f"def {function}(X):",
        f'    """f(z) = {print_tree(node, digits=4)}; positive means the positive class."""',
        "    X = np.asarray(X, dtype=np.float64)",
        *columns,
        "    with np.errstate(all='ignore'):",
        f"        return np.zeros(len(X)) + ({_numpy_text(node)})",
    ]
    return "\n".join(lines) + "\n"


def _numpy_text(node: Node) -> str:
    """Print with numpy's functions and plain operators."""
    if node.kind == CONSTANT:
        return f"np.float64({node.value!r})"
    if node.kind == VARIABLE:
        return node.name
    parts = [_numpy_text(operand) for operand in node.operands]
    if len(parts) == 2:
        return f"({parts[0]} {node.kind} {parts[1]})"
    exponents = {"square": 2.0, "cube": 3.0, "inv": -1.0}
    if node.kind == POWER or node.kind in exponents:
        return f"({parts[0]} ** {exponents.get(node.kind, node.value)})"
    return f"(-{parts[0]})" if node.kind == "neg" else f"np.{node.kind}({parts[0]})"
