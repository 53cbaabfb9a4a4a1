"""Populations and the hall of fame, as arrays that the kernels change in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import (
    FLAG,
    FLAGS,
    FLOAT,
    INDICES,
    INT,
    MATRIX,
    TOKENS,
    VALUES,
    VOID,
    kernel,
)
from occamscope.laws.evolution.tokens import copy_span


class Population(NamedTuple):
    """The members of one island.

    A member of length 0 is still to be made; one whose loss is nan is still to be scored.
    """

    tokens: Any  # (N, capacity) int16
    constants: Any  # (N, capacity) float64
    length: Any  # (N,) int64, the complexity
    loss: Any  # (N,) float64
    scale: Any  # (N,) float64, the best output scale
    birth: Any  # (N,) int64, the oldest member dies first
    clock: Any  # (1,) int64, next birth


class HallOfFame(NamedTuple):
    """The best program of every length; index 0 is unused."""

    tokens: Any  # (max_nodes + 1, capacity) int16
    constants: Any  # (max_nodes + 1, capacity) float64
    loss: Any  # (max_nodes + 1,) float64, infinite where there is none
    scale: Any  # (max_nodes + 1,) float64
    fitted: Any  # (max_nodes + 1,) bool, constants fitted on all rows
    shortened: Any  # (max_nodes + 1,) bool, all ways to cut one operator were tried


_PROGRAMS = types.int16[:, ::1]
POPULATION = types.NamedTuple(
    [_PROGRAMS, MATRIX, INDICES, VALUES, VALUES, INDICES, INDICES], Population
)
HALL = types.NamedTuple([_PROGRAMS, MATRIX, VALUES, VALUES, FLAGS, FLAGS], HallOfFame)


def new_population(members: int, capacity: int) -> Population:
    """Return an island of members that are still to be made."""
    return Population(
        np.zeros((members, capacity), np.int16),
        np.zeros((members, capacity)),
        np.zeros(members, np.int64),
        np.full(members, np.nan),
        np.ones(members),
        np.arange(members),
        np.array([members]),
    )


def new_hall(max_nodes: int, capacity: int) -> HallOfFame:
    """Return an empty hall of fame."""
    return HallOfFame(
        np.zeros((max_nodes + 1, capacity), np.int16),
        np.zeros((max_nodes + 1, capacity)),
        np.full(max_nodes + 1, np.inf),
        np.ones(max_nodes + 1),
        np.zeros(max_nodes + 1, np.bool_),
        np.zeros(max_nodes + 1, np.bool_),
    )


@kernel(VOID(POPULATION, INT, TOKENS, VALUES, INT, FLOAT, FLOAT))
def put_member(
    population: Any, i: int, tokens: Any, constants: Any, n: int, loss: float, scale: float
) -> None:
    """Overwrite member i; it counts as newly born."""
    copy_span(tokens, constants, 0, n, population.tokens[i], population.constants[i], 0)
    population.length[i], population.loss[i], population.scale[i] = n, loss, scale
    population.birth[i] = population.clock[0]
    population.clock[0] += 1


@kernel(INT(POPULATION))
def oldest_member(population: Any) -> int:
    """Index of the member born first."""
    oldest = 0
    for i in range(len(population.birth)):
        if population.birth[i] < population.birth[oldest]:
            oldest = i
    return oldest


@kernel(VOID(HALL, TOKENS, VALUES, INT, FLOAT, FLOAT, FLAG))
def offer(
    hall: Any, tokens: Any, constants: Any, n: int, loss: float, scale: float, fitted: bool
) -> None:
    """Put a program into the hall of fame if it is the best of its length."""
    if n < len(hall.loss) and loss < hall.loss[n]:
        for i in range(n):
            if hall.tokens[n, i] != tokens[i]:
                hall.shortened[n] = False
        copy_span(tokens, constants, 0, n, hall.tokens[n], hall.constants[n], 0)
        hall.loss[n], hall.scale[n], hall.fitted[n] = loss, scale, fitted
