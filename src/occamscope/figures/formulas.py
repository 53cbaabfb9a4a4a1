"""Formulas as mathtext that fits a given width."""

from __future__ import annotations

import functools
import re

from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

from occamscope.figures.style import MM_PER_INCH

SMALLEST_PT = 5.5


def formula_width_mm(latex: str, size_pt: float) -> float:
    """Width of a formula set in mathtext.

    Raises
    ------
    ValueError
        If mathtext does not understand the LaTeX.
    """
    return _width_at_10_pt(latex) * size_pt / 10


def fit_formula(latex: str, width_mm: float, size_pt: float = 9.0) -> tuple[str, float, int]:
    r"""Break a formula before its + and - so that it fits a width, smaller if it must be.

    Tried are, in this order: one line; breaks between the top-level terms; breaks inside brackets
    too; a smaller size.

    Parameters
    ----------
    latex : e.g. "f = z_{29} \left(z_{17}^{2} + z_{21}^{2}\right) - 1"
    width_mm : width to fit
    size_pt : size of the letters wanted

    Returns
    -------
    The text for matplotlib (lines in dollars; plain text where mathtext fails), the size in pt,
    and the number of lines
    """
    try:
        formula_width_mm(latex, size_pt)
    except ValueError:
        plain = latex.replace("$", r"\$")
        letters = max(len(plain), 1)
        fitting = width_mm / (letters * 0.65 * MM_PER_INCH / 72)
        return plain, max(min(size_pt, fitting), SMALLEST_PT), 1
    flat = _plain_brackets(latex)
    for size in (size_pt, 0.85 * size_pt, max(0.75 * size_pt, SMALLEST_PT)):
        for pieces in ([latex], split_terms(latex), split_terms(flat, inside=True)):
            lines = _fill(pieces, width_mm, size)
            if lines and len(lines) <= (3 if size == size_pt else 4):
                return "\n".join(f"${line}$" for line in lines), size, len(lines)
    lines = _fill(split_terms(flat, inside=True), width_mm, SMALLEST_PT, force=True) or [flat]
    widest = max(formula_width_mm(line, SMALLEST_PT) for line in lines)
    size = SMALLEST_PT * min(1.0, width_mm / widest)
    return "\n".join(f"${line}$" for line in lines), size, len(lines)


def split_terms(latex: str, inside: bool = False) -> list[str]:
    """Cut a formula before each + and - between terms; the pieces joined give the formula.

    Parameters
    ----------
    inside : cut inside round brackets too (never inside braces)
    """
    pieces, start, braces, brackets = [], 0, 0, 0
    for match in re.finditer(r"\\left|\\right|[{}()]| [+-] ", latex):
        token = match.group()
        braces += {"{": 1, "}": -1}.get(token, 0)
        brackets += {"(": 1, ")": -1}.get(token, 0)
        free = braces == 0 and (inside or brackets == 0)
        if free and token in (" + ", " - "):
            pieces.append(latex[start : match.start()])
            start = match.start()
    return [*pieces, latex[start:]]


@functools.cache
def _width_at_10_pt(latex: str) -> float:
    parsed = MathTextParser("path").parse(f"${latex}$", 72, FontProperties(size=10))
    return float(parsed.width) * MM_PER_INCH / 72


def _plain_brackets(latex: str) -> str:
    r"""Drop \left and \right, which must not be parted by a line break."""
    return latex.replace(r"\left", "").replace(r"\right", "")


def _fill(
    pieces: list[str], width_mm: float, size_pt: float, force: bool = False
) -> list[str] | None:
    """Put pieces on lines; None if one is too wide and `force` is not set."""
    lines: list[str] = []
    for piece in pieces:
        # Later lines are set in a little.
        first = r"\quad " + piece.strip() if lines else piece
        longer = lines[-1] + piece if lines else piece
        if lines and formula_width_mm(longer, size_pt) <= width_mm:
            lines[-1] = longer
        elif force or formula_width_mm(first, size_pt) <= width_mm:
            lines.append(first)
        else:
            return None
    return lines
