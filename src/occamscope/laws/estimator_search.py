"""From an estimator's parameters to a front: spec, control, engines, checkpoint, progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl
from occamscope.laws.engines import get_engine
from occamscope.laws.expression import parse
from occamscope.laws.feature_names import FeatureNames
from occamscope.laws.front import STOPPED, Front, pareto_front
from occamscope.laws.joint_front import JOINT_COLUMNS, JointFront
from occamscope.laws.progress import SearchProgress, watcher
from occamscope.laws.several import check_ready, joint_front
from occamscope.laws.spec import SearchSpec

Array = NDArray[np.float64]
F = TypeVar("F", Front, JointFront)


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


def make_control(
    parameters: dict[str, Any], path: str | Path | None, watch: SearchProgress | None
) -> SearchControl:
    """Return threads, limits, progress and checkpoint that an estimator's parameters ask for.

    Files are the store's business. An estimator has nobody above it who could pass in how to
    write one, so it asks the store, if there is something to write.

    Parameters
    ----------
    path : file for the search's state; None: there is none
    watch : shows the search
    """
    every = parameters["checkpoint_every"]
    if not every > 0:
        raise InputError(f"checkpoint_every: {every} must be a positive number of seconds")
    for name in ("time_limit", "generations"):
        limit = parameters[name]
        if limit is not None and not limit > 0:
            raise InputError(f"{name}: {limit} must be positive, or None for no limit")
    if parameters["resume"] and path is None:
        raise InputError("resume: there is no checkpoint to go on from; give its path, too")
    control = SearchControl(
        threads=count_threads(parameters["threads"]),
        time_limit_s=parameters["time_limit"],
        generations=parameters["generations"],
        watch=watch,
        checkpoint_every_s=every,
    )
    if path is None:
        return control
    from occamscope.store.search_states import find_search_state, write_search_state

    return replace(
        control,
        checkpoint=lambda state: write_search_state(path, state),
        resume=find_search_state(path) if parameters["resume"] else None,
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
    """What an estimator asks of its engines: one after the other, for the same laws.

    Attributes
    ----------
    parameters : the estimator's, by name
    spec : what its parameters say about laws
    names : the features
    """

    parameters: dict[str, Any]
    spec: SearchSpec
    names: FeatureNames

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines."""
        given = self.parameters["engine"]
        return (given,) if isinstance(given, str) else tuple(given)

    def single(self, X: Array, y: Array, weight: Array) -> Front:
        """Search for single laws of y: labels -1/+1 or numbers."""
        guesses = self.parameters["guesses"] or ()
        if isinstance(guesses, Mapping):
            raise InputError("guesses: by class only for more than two classes; give a list")
        texts = self._safe(guesses)
        return joint_front(
            self._by_each_engine(
                lambda engine, control: engine.fit(
                    X,
                    y,
                    self.spec,
                    self.names.safe,
                    sample_weight=weight,
                    guesses=texts,
                    control=control,
                )  # fmt: skip
            )
        )

    def joint(
        self, X: Array, y: NDArray[np.intp], weight: Array, classes: Sequence[Any]
    ) -> JointFront:
        """Search for joint laws of more than two classes."""
        from occamscope.laws.multiclass import fit_multiclass

        guesses = self.parameters["guesses"] or ()
        texts: Any = self._safe(guesses)
        if isinstance(guesses, Mapping):
            texts = {label: self._safe(own) for label, own in guesses.items()}
        return joint_front_of_classes(
            self._by_each_engine(
                lambda engine, control: fit_multiclass(
                    X,
                    y,
                    classes,
                    self.spec,
                    self.names.safe,
                    sample_weight=weight,
                    guesses=texts,
                    control=control,
                    engine=engine,
                )  # fmt: skip
            )
        )

    def _safe(self, texts: Iterable[str]) -> list[str]:
        return [self.names.to_safe(text) for text in texts]

    def _by_each_engine(self, call: Callable[[Any, SearchControl], F]) -> list[F]:
        """Return the engines' fronts; what the user interrupts ends the others, too.

        Several engines do not share a checkpoint: each has its own, the engine's name
        appended to the path.
        """
        if not self.engines:
            raise InputError("engine: the list is empty; give 'evolution', 'pysr' or both")
        path, found = self.parameters["checkpoint"], []
        engines = {name: get_engine(name) for name in self.engines}
        check_ready(list(engines.values()))  # before the first one takes its time
        for name, engine in engines.items():
            own = f"{path}.{name}" if path is not None and len(engines) > 1 else path
            progress = watcher(
                self.parameters["verbose"],
                lambda text: self.names.shown(parse(text, self.names.safe), digits=4),
                time_limit_s=self.parameters["time_limit"],
                generations=self.parameters["generations"],
            )
            control = make_control(self.parameters, own, progress)
            with progress or nullcontext():
                found.append(call(engine, control))
                if progress:
                    progress.end(found[-1].stopped)
            if found[-1].stopped == "interrupt":
                break
        return found


def joint_front_of_classes(fronts: Sequence[JointFront]) -> JointFront:
    """Return the common front of several searches for the same joint laws."""
    if len(fronts) == 1:
        return fronts[0]
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
