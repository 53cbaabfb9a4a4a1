"""Several engines on the same data, one after the other, and one front of all that they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState
from occamscope.laws.engines import Engine, EngineError, get_engine
from occamscope.laws.front import COLUMNS, STOPPED, Front, check_data, merge_fronts, pareto_front
from occamscope.laws.loss import check_weights
from occamscope.laws.search_digest import digest_of
from occamscope.laws.spec import SearchSpec


def search_several(
    engines: Sequence[str | Engine],
    X: ArrayLike,
    y: ArrayLike,
    spec: SearchSpec,
    feature_names: Sequence[str],
    sample_weight: ArrayLike | None = None,
    guesses: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    target: str = "labels",
    *,
    control: SearchControl | None = None,
) -> Front:
    """Search with several engines; the front says in its `engine` column who found what.

    The engines know nothing of one another. Each has the spec's whole budget; a time limit is
    one for all, shared evenly by those that are still to come. A checkpoint holds the laws
    of the engines that have finished and the state of the one under way. What the user
    interrupts ends the others, too.

    Parameters
    ----------
    engines : names, as in `engines.ENGINES`, or engines
    X, y, spec, feature_names, sample_weight, guesses, progress, target, control : see
        `engines.Engine.fit`

    Returns
    -------
    The common front. A law that several engines found, or equally good ones of one
    complexity, name them all: "evolution, pysr".

    Raises
    ------
    EngineError
        If one of them is missing (before the first one starts) or breaks down.
    InputError
        If an engine is unknown or named twice, or data and settings do not fit together.
    """
    ready = ready_engines(engines)
    run = _Run(
        ready, (X, y, spec, feature_names), control or SearchControl(),
        {
            "sample_weight": sample_weight, "guesses": guesses, "progress": progress,
            "target": target,
        },
    )  # fmt: skip
    return joint_front(run.fronts())


def ready_engines(engines: Sequence[str | Engine]) -> list[Engine]:
    """Make the engines, and see that none is missing before the first one starts.

    Raises
    ------
    EngineError
        If an engine cannot run here; the message says what to install.
    InputError
        If there is none, or one is unknown or named twice.
    """
    made = [get_engine(engine) if isinstance(engine, str) else engine for engine in engines]
    names = [engine.name for engine in made]
    if not names:
        raise InputError("laws.engines: the list is empty; give 'evolution', 'pysr' or both")
    if len(set(names)) < len(names):
        raise InputError(f"laws.engines: an engine is named twice in {', '.join(names)}")
    check_ready(made)
    return made


def check_ready(engines: Sequence[Engine]) -> None:
    """Refuse to start if one of the engines cannot run here.

    Raises
    ------
    EngineError
        If so; the message says what to install.
    """
    for engine in engines:
        ready, message = engine.available()
        if not ready:
            raise EngineError(message)


def joint_front(fronts: Sequence[Front]) -> Front:
    """Return the common front of several searches for the same thing.

    A law that several engines found names them all in its `engine` column. Why the searches
    ended is the weightiest of their reasons, in the order of `STOPPED`.
    """
    if len(fronts) == 1:
        return fronts[0]
    rows = merge_fronts(fronts)
    rows = rows[rows["on_front"].astype(bool)]
    finders = rows.groupby("complexity")["engine"].agg(
        lambda found: ", ".join(dict.fromkeys(found))
    )
    table = pareto_front(rows)
    table = table.assign(engine=table["complexity"].map(finders))
    stopped = max((front.stopped for front in fronts), key=STOPPED.index)
    return Front(table[list(COLUMNS)], fronts[0].names, stopped)


class _Run:
    """The engines' searches as one to the outside."""

    def __init__(
        self, engines: Sequence[Engine], data: tuple[Any, Any, SearchSpec, Sequence[str]],
        control: SearchControl, options: dict[str, Any],
    ) -> None:  # fmt: skip
        self.engines, self.control, self.options = engines, control, options
        X, y, self.spec, self.names = data
        self.X, self.y = check_data(X, y, self.spec, self.names)
        self.begin = time.monotonic()
        self.finished: dict[str, dict[str, Any]] = {}
        # Of the engine under way: when it began, in the run's seconds, and its state.
        self.inner_begin: float | None = None
        self.inner: SearchState | None = None
        if control.resume is not None:
            self._take_up(control.resume)

    def _take_up(self, state: SearchState) -> None:
        if state.digest != self._digest:
            raise InputError(
                "laws: the checkpoint is of other data, settings or engines; start without "
                "resume, or with what it was made from"
            )
        numbers = state.numbers
        self.begin -= float(numbers["seconds"])
        self.finished = {name: dict(front) for name, front in numbers["finished"].items()}
        if numbers["inner"] is not None:
            self.inner_begin = float(numbers["inner_begin"])
            self.inner = SearchState(numbers["inner_digest"], state.arrays, numbers["inner"])

    @cached_property
    def _digest(self) -> str:
        weight = check_weights(self.options["sample_weight"], len(self.y))
        names = [engine.name for engine in self.engines]
        return digest_of(
            self.X, self.y, np.ones(len(self.y)) if weight is None else weight, names, self.spec,
            tuple(self.names), tuple(self.options["guesses"]),
        )  # fmt: skip

    def fronts(self) -> list[Front]:
        """Run those engines that have not finished."""
        fronts = []
        for place, engine in enumerate(self.engines):
            front = self._known(engine.name) or self._search(engine, len(self.engines) - place)
            fronts.append(front)
            if front.stopped == "interrupt":
                break
            if len(self.engines) == 1 and front.stopped != "budget":
                break  # the engine's last state stays: with a larger limit it goes on from there
            laws = front.table["expression"].tolist()
            self.finished[engine.name] = {"laws": laws, "stopped": front.stopped}
            self._checkpoint(None)
        return fronts

    def _known(self, name: str) -> Front | None:
        """Return the front of an engine that had finished before a resume, scored again."""
        known = self.finished.get(name)
        if known is None:
            return None
        return Front.from_expressions(
            known["laws"], self.X, self.y, self.spec, self.names, engine=name,
            target=self.options["target"], sample_weight=self.options["sample_weight"],
            stopped=known["stopped"],
        )  # fmt: skip

    def _search(self, engine: Engine, left: int) -> Front:
        """Run one engine, with its share of the time if `left` engines are still to run."""
        more = dict(self.options)
        if self.inner_begin is None:
            self.inner_begin = self._seconds()
        if "control" in signature(engine.fit).parameters:
            limit = self.control.time_limit_s
            if limit is not None:  # counted from the engine's own start, before a resume perhaps
                limit = max(limit - self.inner_begin, 0.0) / left
            more["control"] = replace(
                self.control,
                time_limit_s=limit,
                checkpoint=None if self.control.checkpoint is None else self._checkpoint,
                resume=self.inner,
            )
        front = engine.fit(self.X, self.y, self.spec, self.names, **more)
        self.inner_begin, self.inner = None, None
        return front

    def _seconds(self) -> float:
        """Time since the run began, that before a resume included."""
        return time.monotonic() - self.begin

    def _checkpoint(self, inner: SearchState | None) -> None:
        """Hand on what was found and where the search under way stands."""
        if self.control.checkpoint is None:
            return
        numbers = {
            "finished": dict(self.finished),
            "seconds": self._seconds(),
            "inner_begin": self.inner_begin,
            "inner": None if inner is None else dict(inner.numbers),
            "inner_digest": None if inner is None else inner.digest,
        }
        self.control.checkpoint(
            SearchState(self._digest, {} if inner is None else dict(inner.arrays), numbers)
        )
