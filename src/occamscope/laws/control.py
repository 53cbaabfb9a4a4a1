"""How a search runs and what can be seen of it meanwhile: none of this changes its result.

Only a limit in seconds does: a search that a clock stops is not reproducible, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Snapshot:
    """Where a search stands.

    Attributes
    ----------
    generation : rounds over all islands so far
    evaluations : candidates that were judged so far, of at most `budget`
    aborted : those of them that were turned away before all rows were seen
    seconds : time since the search began (before a checkpoint's resume included)
    rows : (complexity, loss, expression) of the front, the smallest first
    """

    generation: int
    evaluations: int
    aborted: int
    budget: int
    seconds: float
    rows: tuple[tuple[int, float, str], ...]


@dataclass(frozen=True)
class SearchState:
    """All that a search needs to go on: arrays and numbers, fit for a file without pickle.

    `digest` identifies data and settings: a state continues the search that it came from, no
    other.
    """

    digest: str
    arrays: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class SearchControl:
    """Threads, limits, progress and checkpoints of a search."""

    # Islands that evolve at the same time; the result is the same for any number.
    threads: int = 1
    # Stop after so many seconds, or so many rounds over all islands; None: only the budget counts.
    time_limit_s: float | None = None
    generations: int | None = None
    # Called with a snapshot about every `watch_every_s` seconds and at the end.
    watch: Callable[[Snapshot], None] | None = None
    watch_every_s: float = 1.0
    # Called with the state about every `checkpoint_every_s` seconds.
    checkpoint: Callable[[SearchState], None] | None = None
    checkpoint_every_s: float = 60.0
    # A state to continue from.
    resume: SearchState | None = None
