"""Which columns of the data a search needs to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.spec import SearchSpec


def useful_columns(X: NDArray[np.float64], names: Sequence[str], spec: SearchSpec) -> list[int]:
    """Columns that vary, that no earlier column repeats and that the spec does not exclude.

    A required variable is kept, and of two equal columns the required one.

    Raises
    ------
    InputError
        If none is left, or a required or excluded variable does not exist.
    """
    for name in (*spec.required_variables, *spec.excluded_variables):
        if name not in names:
            raise InputError(f"laws: '{name}' is required or excluded, but no feature is called so")
    required = [k for k, name in enumerate(names) if name in spec.required_variables]
    others = [k for k, name in enumerate(names) if name not in spec.excluded_variables]
    seen: set[bytes] = set()
    kept = []
    for k in dict.fromkeys((*required, *others)):
        # float32 is what the kernels see; + 0.0 makes -0.0 equal to 0.0
        column = X[:, k].astype(np.float32) + np.float32(0.0)
        digest = column.tobytes()
        if k in required or (digest not in seen and (column != column[0]).any()):
            kept.append(k)
        seen.add(digest)
    if not kept:
        raise InputError(
            f"laws: none of the {len(names)} features varies in the {len(X)} rows given; there "
            "is nothing to build a law from"
        )
    return sorted(kept)


def restrict(law: Expression, names: Sequence[str]) -> Expression | None:
    """Return the law as one of these variables; None if it needs others."""
    if not set(law.variables()) <= set(names):
        return None
    return Expression(law.root, tuple(names))
