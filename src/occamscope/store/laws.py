"""`law.json`: the chosen law, in words of its own.

Keys: `expression` (text), `names` (variables it may use), `complexity` (nodes), `variables`, `terms`,
`latex`, `sympy`, `latent_names` (what each variable means), `found_by` (engine, loss, target, seed),
`validation` (accuracy, balanced accuracy), `probability` (a, b: P(positive) = 1 / (1 + exp(-(a f + b)))).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from occamscope.laws.expressions.expression import Expression, parse
from occamscope.store.tables import read_json


@dataclass(frozen=True)
class Law:
    """A law and the facts beside it."""

    expression: Expression
    facts: dict[str, Any]


def law_document(law: Expression, row: pd.Series, platt: Any, latent_names: dict[str, str]) -> dict:
    """JSON-able content of `law.json`."""
    return {
        "expression": law.to_text(),
        "names": list(law.names),
        "complexity": law.complexity(),
        "variables": list(law.variables()),
        "terms": [text for text, _ in law.terms()],
        "latex": law.latex(),
        "sympy": str(law.to_sympy()),
        "latent_names": {name: latent_names.get(name, "other") for name in law.variables()},
        "found_by": {name: row[name] for name in ("engine", "loss_name", "target", "seed")},
        "validation": {
            "accuracy": row["validation_accuracy"],
            "balanced_accuracy": row["validation_balanced_accuracy"],
        },
        "probability": {"a": platt.a, "b": platt.b},
    }


def read_law(path: str | Path) -> Law:
    """Read `law.json`; the expression goes through the whitelist parser."""
    facts = read_json(path)
    return Law(parse(facts["expression"], facts["names"]), facts)
