"""Names of features: the user's own and those that expressions can use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from occamscope.errors import InputError
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.expressions.parser import check_names
from occamscope.laws.expressions.text import print_tree

if TYPE_CHECKING:
    import sympy

# Longer names would make expressions too long to read back.
_LONGEST = 40
_QUOTED = re.compile(r"`([^`]*)`")
# Signs with a meaning in LaTeX, and those that LaTeX or matplotlib cannot set in a formula.
_LATEX_SIGNS = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "#": r"\# ", "%": r"\%",
    "_": r"\_", "^": r"\hat{}", "~": r"\sim ", " ": r"\ ", "&": r"\ and\ ", '"': "''",
    "`": "'",
}  # fmt: skip


@dataclass(frozen=True)
class FeatureNames:
    """The features of a table in the order of its columns.

    A name that is no plain identifier ("mean radius", "1st") or has a meaning of its own
    ("exp") gets a safe stand-in for the search. Displays show it as its owner wrote it, in
    backticks within an expression, as `pandas.DataFrame.eval` reads it.

    Attributes
    ----------
    own : names as the user gave them
    safe : what expressions call them
    """

    own: tuple[str, ...]
    safe: tuple[str, ...]

    @classmethod
    def of(cls, own: Sequence[str]) -> FeatureNames:
        """Find safe names; a name that is safe stays.

        Raises
        ------
        InputError
            If two features have one name.
        """
        own = tuple(own)
        twice = {name for name in own if own.count(name) > 1} if len(set(own)) < len(own) else ()
        if twice:
            raise InputError(f"features: the name '{min(twice)}' comes twice; rename one of them")
        kept = {name for name in own if _is_safe(name)}
        safe, taken = [], set(kept)
        for name in own:
            safe.append(name if name in kept else _stand_in(name, taken))
            taken.add(safe[-1])
        return cls(own, check_names(safe))

    @classmethod
    def numbered(cls, count: int) -> FeatureNames:
        """Return x0, x1, ... as PySR calls the columns of a plain matrix."""
        names = tuple(f"x{i}" for i in range(count))
        return cls(names, names)

    def safe_name(self, name: str) -> str:
        """Return the safe form of one feature's name, given in either form.

        Raises
        ------
        InputError
            If no feature has that name.
        """
        if name in self.own:
            return self.safe[self.own.index(name)]
        if name in self.safe:
            return name
        raise InputError(f"features: there is no '{name}' among {', '.join(self.own[:8])}, ...")

    def to_safe(self, text: str) -> str:
        """Replace names in backticks by their safe forms, in an expression a user wrote."""
        return _QUOTED.sub(lambda match: self.safe_name(match[1]), text)

    def shown(self, law: Expression, digits: int | None = None) -> str:
        """Print a law with the features' own names.

        Parameters
        ----------
        digits : significant digits of the constants; None writes them exactly
        """
        quoted = {safe: f"`{own}`" for own, safe in self._renamed()}
        return print_tree(_with_names(law.root, quoted), digits=digits)

    def latex(self, law: Expression, digits: int = 3) -> str:
        """Print a law in LaTeX with the features' own names, set upright."""
        return law.latex({safe: upright(own) for own, safe in self._renamed()}, digits)

    def to_sympy(self, law: Expression) -> sympy.Expr:
        """Build the sympy expression, of real symbols with the features' own names."""
        import sympy

        def symbol(name: str) -> sympy.Symbol:
            return sympy.Symbol(name, real=True)

        return law.to_sympy().xreplace({symbol(safe): symbol(own) for own, safe in self._renamed()})

    def _renamed(self) -> list[tuple[str, str]]:
        """Pairs of own and safe names that differ."""
        return [pair for pair in zip(self.own, self.safe, strict=True) if pair[0] != pair[1]]


def _is_safe(name: str) -> bool:
    """True if expressions can use the name as it is."""
    try:
        check_names([name])
    except InputError:
        return False
    return len(name) <= _LONGEST


def _stand_in(name: str, taken: set[str]) -> str:
    """Write a name with ASCII letters, digits and _; numbered if it is taken already."""
    plain = unicodedata.normalize("NFKD", str(name))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:_LONGEST]
    if not plain or plain[0].isdigit() or not _is_safe(plain):
        plain = f"x_{plain}".rstrip("_")
    found, number = plain, 2
    while found in taken:
        found, number = f"{plain}_{number}", number + 1
    return found


def _with_names(root: tree.Node, names: dict[str, str]) -> tree.Node:
    """Give variables other names, which need not be safe."""

    def change(node: tree.Node) -> tree.Node:
        known = node.kind == tree.VARIABLE and node.name in names
        return tree.variable(names[node.name]) if known else node

    return tree.replace(root, change)


def upright(word: str) -> str:
    """Set a word upright, in LaTeX that matplotlib understands, too."""
    return rf"\mathrm{{{''.join(_LATEX_SIGNS.get(c, c) for c in word)}}}"
