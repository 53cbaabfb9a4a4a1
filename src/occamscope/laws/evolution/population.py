"""Populations and the hall of fame, as arrays that the kernels change in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLAGS,
    INDICES,
    MATRIX,
    VALUES,
    inlined,
)
from occamscope.laws.evolution.tokens import copy_span


class Population(NamedTuple):
    """The members of one island.

    A member of length 0 is still to be made; one whose loss is nan is still to be scored.
    """

    tokens: Any  # (N, capacity) int16
    constants: Any  # (N, capacity) float64
    length: Any  # (N,) int64
    complexity: Any  # (N,) int64, that of the largest law where the member is not allowed
    loss: Any  # (N,) float64
    scale: Any  # (N,) float64, the best output scale
    offset: Any  # (N,) float64, the best output offset
    birth: Any  # (N,) int64, the oldest member dies first
    clock: Any  # (1,) int64, next birth


class HallOfFame(NamedTuple):
    """The best program of every complexity up to the largest; index 0 is unused."""

    tokens: Any  # (max_complexity + 1, capacity) int16
    constants: Any  # (max_complexity + 1, capacity) float64
    length: Any  # (max_complexity + 1,) int64
    loss: Any  # (max_complexity + 1,) float64, infinite where there is none
    scale: Any  # (max_complexity + 1,) float64
    offset: Any  # (max_complexity + 1,) float64
    fitted: Any  # (max_complexity + 1,) bool, constants fitted on all rows
    shortened: Any  # (max_complexity + 1,) bool, all ways to cut one operator were tried
    exchanged: Any  # (max_complexity + 1,) bool, every variable was tried in the place of each
    grown: Any  # (max_complexity + 1,) bool, every function of a term was tried at every node


_PROGRAMS = types.int16[:, ::1]
POPULATION = types.NamedTuple(
    [_PROGRAMS, MATRIX, INDICES, INDICES, VALUES, VALUES, VALUES, INDICES, INDICES], Population
)
HALL = types.NamedTuple(
    [_PROGRAMS, MATRIX, INDICES, VALUES, VALUES, VALUES, *[FLAGS] * 4], HallOfFame
)


def new_population(members: int, capacity: int) -> Population:
    """Return an island of members that are still to be made."""
    return Population(
        tokens=np.zeros((members, capacity), np.int16),
        constants=np.zeros((members, capacity)),
        length=np.zeros(members, np.int64),
        complexity=np.ones(members, np.int64),
        loss=np.full(members, np.nan),
        scale=np.ones(members),
        offset=np.zeros(members),
        birth=np.arange(members),
        clock=np.array([members]),
    )


def new_hall(max_complexity: int, capacity: int) -> HallOfFame:
    """Return an empty hall of fame."""
    places = max_complexity + 1
    return HallOfFame(
        tokens=np.zeros((places, capacity), np.int16),
        constants=np.zeros((places, capacity)),
        length=np.zeros(places, np.int64),
        loss=np.full(places, np.inf),
        scale=np.ones(places),
        offset=np.zeros(places),
        fitted=np.zeros(places, np.bool_),
        shortened=np.zeros(places, np.bool_),
        exchanged=np.zeros(places, np.bool_),
        grown=np.zeros(places, np.bool_),
    )


def copy_into(source: HallOfFame, target: HallOfFame) -> None:
    """Overwrite a hall of fame by a copy of another one."""
    for from_array, to_array in zip(source, target, strict=True):
        to_array[...] = from_array


def merge_into(hall: HallOfFame, other: HallOfFame) -> None:
    """Take over what is better in another hall of fame."""
    for c in np.flatnonzero(other.loss < hall.loss):
        for mine, theirs in zip(hall, other, strict=True):
            mine[c] = theirs[c]


@inlined
def put_member(
    population: Any, i: int, tokens: Any, constants: Any, n: int, complexity: int,
    loss: float, scale: float, offset: float,
) -> None:  # fmt: skip
    """Overwrite member i; it counts as newly born."""
    copy_span(tokens, constants, 0, n, population.tokens[i], population.constants[i], 0)
    population.length[i], population.complexity[i] = n, complexity
    population.loss[i], population.scale[i], population.offset[i] = loss, scale, offset
    population.birth[i] = population.clock[0]
    population.clock[0] += 1


@inlined
def oldest_member(population: Any) -> int:
    """Index of the member born first."""
    oldest = 0
    for i in range(len(population.birth)):
        if population.birth[i] < population.birth[oldest]:
            oldest = i
    return oldest


@inlined
def offer(
    hall: Any, tokens: Any, constants: Any, n: int, complexity: int, loss: float,
    scale: float, offset: float, fitted: bool,
) -> None:  # fmt: skip
    """Put a program into the hall of fame if it is the best of its complexity."""
    c = complexity
    if c >= len(hall.loss) or not loss < hall.loss[c]:
        return
    same = hall.length[c] == n
    for i in range(n):
        same = same and hall.tokens[c, i] == tokens[i]
    hall.shortened[c] = hall.shortened[c] and same
    hall.exchanged[c] = hall.exchanged[c] and same
    hall.grown[c] = hall.grown[c] and same
    copy_span(tokens, constants, 0, n, hall.tokens[c], hall.constants[c], 0)
    hall.length[c], hall.fitted[c] = n, fitted
    hall.loss[c], hall.scale[c], hall.offset[c] = loss, scale, offset
