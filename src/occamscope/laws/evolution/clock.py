"""The clock of a search: its time limit, and when to show progress and save checkpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from occamscope.laws.control import SearchControl, SearchState, Snapshot

# How often the main thread looks at the clock while islands evolve, in seconds.
_TICK = 0.05


class Reported(Protocol):
    """What can be shown and saved while it runs."""

    def snapshot(self) -> Snapshot: ...

    def state(self) -> SearchState: ...


class Clock:
    """Time limit, progress and checkpoints of a running search."""

    def __init__(self, before: float, control: SearchControl) -> None:
        self.before, self.control = before, control
        self.start = self.watched = self.saved = time.monotonic()

    def seconds(self) -> float:
        """Time that the search has taken, before a checkpoint's resume included."""
        return self.before + time.monotonic() - self.start

    def wait(self, tasks: Sequence[Future[Any]], stop: NDArray[np.int64]) -> bool:
        """Wait until all tasks are done; at the time limit tell them to end. True if it came."""
        limit, late = self.control.time_limit_s, False
        pending = set(tasks)
        while pending:
            # Short waits, so that Ctrl-C is seen at once on every system.
            pending = wait(pending, timeout=_TICK, return_when=FIRST_EXCEPTION).not_done
            if limit is not None and self.seconds() >= limit:
                stop[0], late = 1, True
        for task in tasks:
            task.result()
        return late

    def report(self, search: Reported, last: bool = False) -> None:
        """Show progress and save the state, if it is time for it."""
        now, control = time.monotonic(), self.control
        if control.watch and (last or now - self.watched >= control.watch_every_s):
            self.watched = now
            control.watch(search.snapshot())
        if control.checkpoint and not last and now - self.saved >= control.checkpoint_every_s:
            control.checkpoint(search.state())
            self.saved = time.monotonic()
