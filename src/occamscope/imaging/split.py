"""Provisional split by group (helper 2 owns and replaces this)."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the parts."""

    train: float = 0.5
    validation: float = 0.12
    calibration: float = 0.08
    judge: float = 0.1
    test: float = 0.2
    folds: int = 5
    min_per_class: int = 2


@dataclass(frozen=True)
class Split:
    """Parts."""

    part: np.ndarray
    unit: str
    warnings: tuple[str, ...]


def split_groups(labels, groups, sources, frames, settings, fold, seed) -> Split:
    """Whole groups to parts."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    names = np.roll(names, fold * len(names) // settings.folds)
    parts = ["train", "validation", "calibration", "judge", "test"]
    ends = np.cumsum([getattr(settings, part) for part in parts]) * len(names)
    where = {name: parts[int(np.searchsorted(ends, k + 0.5))] for k, name in enumerate(names)}
    return Split(np.array([where[g] for g in groups]), "group", ())
