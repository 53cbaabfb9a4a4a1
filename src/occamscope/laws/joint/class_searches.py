"""The searches for single classes' laws, one after the other, as one search to the outside.

Each is a search for laws of two classes with a base. What it found is written down, so that a
checkpoint holds the finished searches' laws and the state of the one under way; to resume is to
go through the same steps again, with the laws that are written down in place of the searches
that found them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState, Snapshot
from occamscope.laws.engines import Engine
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.front import STOPPED
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]
# Of a time limit so much is for putting the classes together: seconds a class, but at most this
# share.
JOINT_SECONDS, JOINT_SHARE = 1.0, 0.4
# No search gets less of the rest than if each class were searched so many times.
ROUNDS = 4
# What a checkpoint calls the base of the search under way.
_BASE = "class_base"


class ClassSearches:
    """Calls the engine for one class after the other, within common limits.

    `digest` identifies data and settings, `classes` is the number of classes.
    """

    def __init__(
        self, engine: Engine, X: Array, weight: Array, spec: SearchSpec, names: Sequence[str],
        control: SearchControl | None, progress: Callable[[str], None] | None, digest: str,
        classes: int,
    ) -> None:  # fmt: skip
        self.engine, self.X, self.weight, self.names = engine, X, weight, tuple(names)
        self.spec = replace(spec, loss="logistic")
        self.control, self.progress, self.digest = control or SearchControl(), progress, digest
        known = signature(engine.fit).parameters
        self.takes_base, self.takes_control = "base" in known, "control" in known
        self.begin, self.classes = time.monotonic(), classes
        self.used = 0
        self.stopped = "budget"
        self.hurry = False
        self._written: list[dict[str, Any]] = []
        self._replay: list[dict[str, Any]] = []
        self._inner: SearchState | None = None
        self._base: Array | None = None
        if self.control.resume is not None:
            self._take_up(self.control.resume)

    def _take_up(self, state: SearchState) -> None:
        """Go on from a checkpoint."""
        if state.digest != self.digest:
            raise InputError(
                "laws: the checkpoint is of other data or settings; start without resume, or "
                "with what it was made from"
            )
        self._replay = list(state.numbers["finished"])
        self.begin -= float(state.numbers["seconds"])
        if state.numbers["inner"] is not None:
            arrays = dict(state.arrays)
            # The base as it was, to the last bit: another machine's may differ by rounding.
            self._base = arrays.pop(_BASE)
            self._inner = SearchState(state.numbers["inner_digest"], arrays, state.numbers["inner"])

    def seconds(self) -> float:
        """Time since the search began, that before a resume included."""
        return time.monotonic() - self.begin

    def out_of_time(self) -> bool:
        """True once the time limit has passed, or the user wants no more."""
        limit = self.control.time_limit_s
        return self.hurry or (limit is not None and self.seconds() >= limit)

    def searched_enough(self) -> bool:
        """True once the searches' part of the time limit has passed."""
        return self.hurry or self.seconds() >= self._search_seconds()

    def _search_seconds(self) -> float:
        """Seconds for all searches; infinite without a limit."""
        limit = self.control.time_limit_s
        if limit is None:
            return math.inf
        return limit - min(JOINT_SECONDS * self.classes, JOINT_SHARE * limit)

    def search(
        self, label: str, y: Array, base: Array, evaluations: int, guesses: Sequence[str],
        seed: int, left: int,
    ) -> list[Expression]:  # fmt: skip
        """Search for laws of one class against the others.

        Parameters
        ----------
        label : what the class is called in progress reports
        y : (n,) +1 for the class, -1 for the others
        base : (n,) added to the law's value before the loss
        evaluations : budget of this search
        guesses : expressions to start from
        seed : start of the random streams
        left : how many searches, this one included, share the time that is left
        """
        if evaluations < 1 or self.stopped == "interrupt":
            return []
        if self._replay:
            record = self._replay.pop(0)
        elif self.searched_enough():
            self.stopped = max(self.stopped, "time", key=STOPPED.index)
            return []
        else:
            record = self._run(label, y, base, evaluations, guesses, seed, left)
        self.used += evaluations
        self.stopped = max(self.stopped, record["stopped"], key=STOPPED.index)
        if record["stopped"] != "interrupt":
            self._written.append(record)
            self._checkpoint(None)
        return [parse(text, self.names) for text in record["laws"]]

    def _run(
        self, label: str, y: Array, base: Array, evaluations: int, guesses: Sequence[str],
        seed: int, left: int,
    ) -> dict[str, Any]:  # fmt: skip
        """Call the engine; return what there is to write down."""
        if self._inner is None or self._base is None:
            self._base = base
        more: dict[str, Any] = {"base": self._base} if self.takes_base else {}
        if self.takes_control:
            more["control"] = self._inner_control(label, left)
        if self.progress is not None:
            report = self.progress
            more["progress"] = lambda line: report(f"class {label}: {line}")
        front = self.engine.fit(
            self.X, y, replace(self.spec, evaluations=evaluations, seed=seed), self.names,
            sample_weight=self.weight, guesses=guesses, **more,
        )  # fmt: skip
        self._inner = None
        return {"laws": front.table["expression"].tolist(), "stopped": front.stopped}

    def _inner_control(self, label: str, left: int) -> SearchControl:
        """Return the engine's control: its share of the time, its part of a checkpoint."""
        control, limit = self.control, self.control.time_limit_s
        watch, used, begin = control.watch, self.used, self.seconds()

        def relay(snapshot: Snapshot) -> None:
            assert watch is not None
            rows = tuple((c, loss, f"{label}: {text}") for c, loss, text in snapshot.rows)
            watch(
                replace(
                    snapshot, evaluations=used + snapshot.evaluations, rows=rows,
                    budget=self.spec.evaluations, seconds=begin + snapshot.seconds,
                )
            )  # fmt: skip

        return replace(
            control,
            time_limit_s=None if limit is None else self._slice(left),
            watch=None if watch is None else relay,
            checkpoint=None if control.checkpoint is None else self._checkpoint,
            resume=self._inner,
        )

    def _slice(self, left: int) -> float:
        """Seconds for one search of those that are left."""
        whole = self._search_seconds()
        rest = whole - self.seconds()
        return min(max(rest / left, whole / (ROUNDS * self.classes)), rest)

    def _checkpoint(self, inner: SearchState | None) -> None:
        """Hand on what was found and where the search under way stands."""
        if self.control.checkpoint is None or self._replay:
            return
        numbers = {
            "finished": list(self._written),
            "seconds": self.seconds(),
            "inner": None if inner is None else dict(inner.numbers),
            "inner_digest": None if inner is None else inner.digest,
        }
        arrays: dict[str, Array] = {}
        if inner is not None and self._base is not None:
            arrays = {_BASE: self._base, **inner.arrays}
        self.control.checkpoint(SearchState(self.digest, arrays, numbers))
