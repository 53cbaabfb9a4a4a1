"""From an estimator's parameters to a front: spec, control, engines, checkpoint, progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.errors import InputError
from occamscope.laws.control import SearchControl
from occamscope.laws.estimators.feature_names import FeatureNames
from occamscope.laws.expressions.expression import parse
from occamscope.laws.front import STOPPED, Front, pareto_front
from occamscope.laws.joint.front import JOINT_COLUMNS, JointFront
from occamscope.laws.progress import SearchProgress, watcher
from occamscope.laws.several import ready_engines, search_several
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


def make_control(parameters: dict[str, Any], watch: SearchProgress | None) -> SearchControl:
    """Return threads, generations, progress and checkpoint as an estimator's parameters ask.

    Files are the store's business. An estimator has nobody above it who could pass in how to
    write one, so it asks the store, if there is something to write.

    Parameters
    ----------
    parameters : by name
    watch : shows the search
    """
    path, every = parameters["checkpoint"], parameters["checkpoint_every"]
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
        search = partial(
            search_several, self.engines, X, y, self.spec, self.names.safe, sample_weight=weight,
            guesses=self._safe(guesses),
        )  # fmt: skip
        return self._shown(search, self.parameters["time_limit"])

    def joint(
        self, X: Array, y: NDArray[np.intp], weight: Array, classes: Sequence[Any]
    ) -> JointFront:
        """Search for joint laws of more than two classes.

        Several engines share the time limit evenly; they cannot share a checkpoint.
        """
        from occamscope.laws.joint.multiclass import fit_multiclass

        guesses = self.parameters["guesses"] or ()
        texts: Any = self._safe(guesses)
        if isinstance(guesses, Mapping):
            texts = {label: self._safe(own) for label, own in guesses.items()}
        engines, fronts = ready_engines(self.engines), []
        limit = self.parameters["time_limit"]
        if len(engines) > 1:
            if self.parameters["checkpoint"] is not None:
                raise InputError("checkpoint: with more than two classes it needs a single engine")
            limit = None if limit is None else limit / len(engines)
        for engine in engines:
            search = partial(
                fit_multiclass, X, y, classes, self.spec, self.names.safe, sample_weight=weight,
                guesses=texts, engine=engine,
            )  # fmt: skip
            fronts.append(self._shown(search, limit))
            if fronts[-1].stopped == "interrupt":
                break
        return joint_front_of_classes(fronts)

    def _safe(self, texts: str | Iterable[str]) -> list[str]:
        given = [texts] if isinstance(texts, str) else texts
        return [self.names.to_safe(text) for text in given]

    def _shown(self, search: Callable[..., F], limit: float | None) -> F:
        """Run a search, which takes a `control`, and show how it goes."""
        progress = watcher(
            self.parameters["verbose"],
            lambda text: self.names.shown(parse(text, self.names.safe), digits=4),
            time_limit_s=limit,
            generations=self.parameters["generations"],
        )
        control = replace(make_control(self.parameters, progress), time_limit_s=limit)
        with progress or nullcontext():
            front = search(control=control)
            if progress:
                progress.end(front.stopped)
        return front


def joint_front_of_classes(fronts: Sequence[JointFront]) -> JointFront:
    """Return the common front of several searches for the same joint laws."""
    if len(fronts) == 1:
        return fronts[0]
    joints = [joint for front in fronts for joint in front.joints]
    rows = pd.concat([front.table for front in fronts], ignore_index=True)
    table = pareto_front(rows.assign(place=range(len(rows))))
    kept = tuple(joints[place] for place in table["place"])
    first, stopped = fronts[0], max((front.stopped for front in fronts), key=STOPPED.index)
    return JointFront(
        table[list(JOINT_COLUMNS)], kept, first.names, first.classes, stopped
    )  # fmt: skip
