"""Decision scores of many models on the same cells, as `accuracy_table` takes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass
class Scoreboard:
    """Collects models one by one; scores above 0 are the positive class."""

    _rows: list[dict] = field(default_factory=list)
    _scores: list[np.ndarray] = field(default_factory=list)

    def add(
        self,
        model: str,
        kind: str,
        scores: np.ndarray,
        *,
        seed: int = 0,
        density: float = np.nan,
        parameters: float = np.nan,
        complexity: float = np.nan,
    ) -> None:
        """Add a model with its size: parameters (or nodes of a forest), or nodes of a law."""
        self._rows.append(
            {
                "model": model,
                "kind": kind,
                "seed": seed,
                "density": density,
                "parameters": float(parameters),
                "complexity": float(complexity),
            }
        )
        self._scores.append(np.asarray(scores, np.float64))

    def models(self) -> pd.DataFrame:
        """One row a model."""
        return pd.DataFrame(self._rows)

    def scores(self) -> np.ndarray:
        """Scores (models, cells)."""
        return np.stack(self._scores)

    def first_of_each_kind(self) -> dict[str, np.ndarray]:
        """Scores (cells,) of the first model of every kind."""
        first: dict[str, np.ndarray] = {}
        for row, scores in zip(self._rows, self._scores, strict=True):
            first.setdefault(row["kind"], scores)
        return first
