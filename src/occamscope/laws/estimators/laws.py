"""One face for fronts of single laws and of joint ones: values, displays, exports, JSON.

With two classes, or a number to predict, a row of the front is one law f; its value is
output_scale f + output_offset. With more classes it is one law a class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.laws.estimators.feature_names import FeatureNames, upright
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.decision import decision_law
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.front import Front
from occamscope.laws.joint.front import JointFront
from occamscope.laws.loss import MARGIN_LOSSES

if TYPE_CHECKING:
    import sympy
    import torch

Array = NDArray[np.float64]

# What `Expression.python_source` says of a law whose sign decides.
_SIGN_SAYS = "; positive means the positive class."


class ShownFront(NamedTuple):
    """A front's table as its reader sees it, for `display`."""

    table: pd.DataFrame
    stopped: str


@dataclass(frozen=True)
class SingleLaws:
    """The laws of a `Front`."""

    front: Front

    def expression(self, row: int) -> Expression:
        """Return the law f of a row."""
        return self.front.expression(row)

    def used(self, row: int) -> Expression:
        """Return a law as its values are used, with its scale and offset."""
        at = self.front.table.iloc[row]
        return affine(self.expression(row), float(at["output_scale"]), float(at["output_offset"]))

    def shown(self, row: int) -> Expression:
        """Return a law for the reader: a positive factor is left out, an offset is not."""
        at = self.front.table.iloc[row]
        scale, offset = float(at["output_scale"]), float(at["output_offset"])
        return decision_law(self.expression(row), scale, offset)

    def values(self, row: int, X: Array) -> Array:
        """Return the (n,) values of a law."""
        return self.used(row).evaluate(X)

    def table(self, names: FeatureNames) -> pd.DataFrame:
        """Return the front's table with the features' own names."""
        laws = self.front.expressions()
        return self.front.table.assign(
            expression=[names.shown(law) for law in laws],
            latex=[names.latex(law) for law in laws],
        )

    def text(self, row: int, names: FeatureNames, digits: int | None) -> str:
        """Print a law."""
        return names.shown(self.shown(row), digits)

    def latex(self, row: int, names: FeatureNames, digits: int) -> str:
        """Print a law in LaTeX."""
        return names.latex(self.shown(row), digits)

    def sympy(self, row: int, names: FeatureNames) -> sympy.Expr:
        """Build a law's sympy expression."""
        return names.to_sympy(self.shown(row))

    def torch(self, row: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Build a function (..., d) -> (...) of a law's values."""
        return self.used(row).to_torch()

    def python_source(self, row: int, function: str) -> str:
        """Write a numpy function of a law's values."""
        text = self.used(row).python_source(function)
        is_sign = self.front.table["loss_name"].iloc[row] in MARGIN_LOSSES
        return text if is_sign else text.replace(_SIGN_SAYS, ".")


@dataclass(frozen=True)
class JointLaws:
    """The laws of a `JointFront`: one a class, whose values say how likely the class is."""

    front: JointFront

    def expression(self, row: int) -> dict[Any, Expression]:
        """Return the laws f of a row by class; 0 for a class without one."""
        return dict(zip(self.front.classes, self.front.laws[row], strict=True))

    def used(self, row: int) -> list[Expression]:
        """Return the laws as their values are used, with their scales and offsets."""
        joint, laws = self.front.joints[row], self.front.laws[row]
        return [affine(*law) for law in zip(laws, joint.scales, joint.offsets, strict=True)]

    def values(self, row: int, X: Array) -> Array:
        """Return the (n, K) values of the laws."""
        return self.front.decision(row, X)

    def table(self, names: FeatureNames) -> pd.DataFrame:
        """Return the front's table with the features' own names."""
        rows = [
            [(label, law) for label, law in zip(self.front.classes, joint.laws, strict=True) if law]
            for joint in self.front.joints
        ]
        return self.front.table.assign(
            expression=[_text(laws, names, None) for laws in rows],
            latex=[_latex(laws, names, 3) for laws in rows],
        )

    def text(self, row: int, names: FeatureNames, digits: int | None) -> str:
        """Print the laws, with scales and offsets: the largest one's class is predicted."""
        return _text(self._shown(row), names, digits)

    def latex(self, row: int, names: FeatureNames, digits: int) -> str:
        """Print the laws in LaTeX, with scales and offsets."""
        return _latex(self._shown(row), names, digits)

    def sympy(self, row: int, names: FeatureNames) -> dict[Any, sympy.Expr]:
        """Build sympy expressions by class, with scales and offsets."""
        return {label: names.to_sympy(law) for label, law in self._shown(row)}

    def torch(self, row: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Build a function (..., d) -> (..., K) of the laws' values."""
        import torch

        functions = [law.to_torch() for law in self.used(row)]
        return lambda x: torch.stack([function(x) for function in functions], dim=-1)

    def python_source(self, row: int, function: str) -> str:
        """Write a numpy function of the laws' values (n, K)."""
        parts = [
            law.python_source(f"{function}_{k}").strip().split("\n\n\n", 1)
            for k, law in enumerate(self.used(row))
        ]
        columns = ", ".join(f"{function}_{k}(X)" for k in range(len(parts)))
        last = [
            f"def {function}(X):",
            f'    """The largest value of a row says its class, of {self.front.classes!r}."""',
            f"    return np.column_stack([{columns}])",
        ]
        text = "\n\n\n".join([parts[0][0], *(body for _, body in parts), "\n".join(last)])
        return text.replace(_SIGN_SAYS, ".") + "\n"

    def _shown(self, row: int) -> list[tuple[Any, Expression]]:
        return list(zip(self.front.classes, self.used(row), strict=True))


def _text(laws: Sequence[tuple[Any, Expression]], names: FeatureNames, digits: int | None) -> str:
    """Print the laws of the classes that have one, as `joint.front.joint_text` does."""
    return "; ".join(f"{label}: {names.shown(law, digits)}" for label, law in laws) or "0"


def _latex(laws: Sequence[tuple[Any, Expression]], names: FeatureNames, digits: int) -> str:
    """Print the laws of the classes that have one in LaTeX."""
    parts = (rf"f_{{{upright(str(label))}}} = {names.latex(law, digits)}" for label, law in laws)
    return r",\quad ".join(parts) or "0"


def faced(front: Front | JointFront) -> SingleLaws | JointLaws:
    """Return a front's laws."""
    return JointLaws(front) if isinstance(front, JointFront) else SingleLaws(front)


def all_values(front: Front | JointFront, X: Array) -> list[Array]:
    """Return the values of every law of a front, as they are used."""
    face = faced(front)
    return [face.values(row, X) for row in range(len(front))]


def affine(law: Expression, scale: float, offset: float) -> Expression:
    """Return scale * law + offset as an expression; 1 and 0 add nothing."""
    root = law.root
    if root == tree.constant(0.0):
        return Expression(tree.constant(offset), law.names)
    if scale != 1.0:
        root = tree.call("*", tree.constant(scale), root)
    if offset != 0.0:
        root = tree.call("+", root, tree.constant(offset))
    return Expression(root, law.names).tidy()
