"""From an estimator's parameters to a front: spec, control, engines, checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl, SearchState, Snapshot
from occamscope.laws.engines import get_engine
from occamscope.laws.feature_names import FeatureNames
from occamscope.laws.front import COLUMNS, STOPPED, Front, merge_fronts, pareto_front
from occamscope.laws.joint_front import JOINT_COLUMNS, JointFront
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]


def make_spec(parameters: dict[str, Any], names: FeatureNames, seed: int) -> SearchSpec:
    """Return the spec that an estimator's parameters ask for.

    Parameters
    ----------
    parameters : by name; those that `SearchSpec` does not know are passed over
    names : the features; variables may be named either way
    """
    known = {field.name for field in fields(SearchSpec)} - {"seed"}
    given = {key: value for key, value in parameters.items() if key in known}
    for key in ("complexity_of_operators", "constraints", "nested_constraints"):
        given[key] = given[key] or {}
    for key in ("required_variables", "excluded_variables"):
        given[key] = tuple(names.safe_name(name) for name in given[key] or ())
    costs = given["complexity_of_variables"]
    if np.ndim(costs) and len(costs) != len(names.own):
        raise InputError(
            f"complexity_of_variables: {len(names.own)} features but {len(costs)} numbers"
        )
    return SearchSpec(**{key: _plain(value) for key, value in given.items()}, seed=seed)


def _plain(value: Any) -> Any:
    """Turn numpy's whole numbers, as a parameter search passes them, into Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return value


@dataclass(frozen=True)
class Checkpoint:
    """Where a search keeps its state, and whether to go on from there.

    Files are the store's business. An estimator has nobody above it who could pass in how to
    write one, so it asks the store, if there is something to write.
    """

    path: str | Path | None = None
    resume: bool = False

    def write(self) -> Callable[[SearchState], None] | None:
        """Return what writes a state; None without a path."""
        path = self.path
        if path is None:
            return None
        from occamscope.store.search_states import write_search_state

        return lambda state: write_search_state(path, state)

    def read(self) -> SearchState | None:
        """Return the state to go on from; None if there is none yet.

        Raises
        ------
        InputError
            If `resume` is asked for without a path.
        """
        if not self.resume:
            return None
        if self.path is None:
            raise InputError("resume: there is no checkpoint to go on from; give its path, too")
        from occamscope.store.search_states import find_search_state

        return find_search_state(self.path)


def make_control(
    parameters: dict[str, Any], watch: Callable[[Snapshot], None] | None
) -> SearchControl:
    """Return threads, limits, progress and checkpoint that an estimator's parameters ask for."""
    every = parameters["checkpoint_every"]
    if not every > 0:
        raise InputError(f"checkpoint_every: {every} must be a positive number of seconds")
    checkpoint = Checkpoint(parameters["checkpoint"], parameters["resume"])
    for name in ("time_limit", "generations"):
        limit = parameters[name]
        if limit is not None and not limit > 0:
            raise InputError(f"{name}: {limit} must be positive, or None for no limit")
    return SearchControl(
        threads=count_threads(parameters["threads"]),
        time_limit_s=parameters["time_limit"],
        generations=parameters["generations"],
        watch=watch,
        checkpoint=checkpoint.write(),
        checkpoint_every_s=every,
        resume=checkpoint.read(),
    )


def count_threads(threads: int | None) -> int:
    """Return a number of threads, as scikit-learn reads n_jobs: None is 1, -1 all cores."""
    if threads is None:
        return 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads == 0:
        raise InputError(f"threads: {threads!r} must be a whole number, -1 for all cores")
    if threads > 0:
        return int(threads)
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, cores + 1 + int(threads))


@dataclass(frozen=True)
class Search:
    """What an estimator's parameters ask of the engines, and how.

    Attributes
    ----------
    engines : names of the engines, which search one after the other
    spec, control : for each of them; only the embedded one goes on from a checkpoint
    names : the features
    guesses : expressions to start from, with names in backticks or safe ones
    """

    engines: tuple[str, ...]
    spec: SearchSpec
    control: SearchControl
    names: FeatureNames
    guesses: Sequence[str] | Mapping[Any, Sequence[str]]

    @classmethod
    def of(
        cls,
        parameters: dict[str, Any],
        spec: SearchSpec,
        names: FeatureNames,
        watch: Callable[[Snapshot], None] | None,
    ) -> Search:
        """Read an estimator's parameters."""
        given = parameters["engine"]
        engines = (given,) if isinstance(given, str) else tuple(given)
        if not engines:
            raise InputError("engine: the list is empty; give 'evolution', 'pysr' or both")
        control = make_control(parameters, watch)
        return cls(engines, spec, control, names, parameters["guesses"] or ())

    def single(self, X: Array, y: Array, weight: Array) -> Front:
        """Search for single laws of y: labels -1/+1 or numbers."""
        if isinstance(self.guesses, Mapping):
            raise InputError("guesses: by class only for more than two classes; give a list")
        guesses = [self.names.to_safe(text) for text in self.guesses]
        fronts: list[Front] = []
        for name in self.engines:
            fit: Any = get_engine(name).fit
            more = {"control": self.control} if "control" in signature(fit).parameters else {}
            fronts.append(
                fit(
                    X, y, self.spec, self.names.safe, sample_weight=weight, guesses=guesses, **more
                )  # fmt: skip
            )
            if fronts[-1].stopped == "interrupt":
                break
        return fronts[0] if len(fronts) == 1 else joint_front(fronts)

    def joint(
        self, X: Array, y: NDArray[np.intp], weight: Array, classes: Sequence[Any]
    ) -> JointFront:
        """Search for joint laws of more than two classes."""
        from occamscope.laws.multiclass import fit_multiclass

        guesses: Any = self.guesses
        if isinstance(guesses, Mapping):
            guesses = {
                label: [self.names.to_safe(text) for text in own] for label, own in guesses.items()
            }
        else:
            guesses = [self.names.to_safe(text) for text in guesses]
        fronts: list[JointFront] = []
        for name in self.engines:
            fronts.append(
                fit_multiclass(
                    X,
                    y,
                    classes,
                    self.spec,
                    self.names.safe,
                    sample_weight=weight,
                    guesses=guesses,
                    control=self.control,
                    engine=get_engine(name),
                )  # fmt: skip
            )
            if fronts[-1].stopped == "interrupt":
                break
        return fronts[0] if len(fronts) == 1 else joint_front_of_classes(fronts)


def joint_front(fronts: Sequence[Front]) -> Front:
    """Return the common front of several searches for the same thing.

    A law that several engines found names them all in its `engine` column.
    """
    rows = merge_fronts(fronts)
    rows = rows[rows["on_front"].astype(bool)]
    finders = rows.groupby("complexity")["engine"].agg(
        lambda found: ", ".join(dict.fromkeys(found))
    )
    table = pareto_front(rows)
    table = table.assign(engine=table["complexity"].map(finders))
    return Front(table[list(COLUMNS)], fronts[0].names, _stopped(fronts))


def joint_front_of_classes(fronts: Sequence[JointFront]) -> JointFront:
    """Return the common front of several searches for the same joint laws."""
    joints = [joint for front in fronts for joint in front.joints]
    rows = pd.concat([front.table for front in fronts], ignore_index=True)
    table = pareto_front(rows.assign(place=range(len(rows))))
    kept = tuple(joints[place] for place in table["place"])
    first = fronts[0]
    return JointFront(
        table[list(JOINT_COLUMNS)], kept, first.names, first.classes, _stopped(fronts)
    )  # fmt: skip


def _stopped(fronts: Sequence[Front] | Sequence[JointFront]) -> str:
    """Return the weightiest reason for which one of several searches ended."""
    return max((front.stopped for front in fronts), key=STOPPED.index)
