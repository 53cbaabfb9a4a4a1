"""One visit to an island: members are made, breed for some cycles and have constants fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.breeding import (
    cross_once,
    insert_once,
    mutate_once,
    score,
    tidy_scratch,
)
from occamscope.laws.evolution.compilation import (
    INDICES,
    INT,
    STREAM,
    VALUES,
    VOID,
    kernel,
)  # fmt: skip
from occamscope.laws.evolution.constants import fit_constants
from occamscope.laws.evolution.grammar import GRAMMAR
from occamscope.laws.evolution.mutation import append_required, random_program
from occamscope.laws.evolution.population import HALL, POPULATION, put_member
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, uniform
from occamscope.laws.evolution.schedule import SCHEDULE, SCRATCH, copy_to_scratch
from occamscope.laws.evolution.tokens import (
    FIRST_VARIABLE,
    constants_within,
    copy_span,
)


@kernel(VOID(POPULATION, INT, HALL, PROBLEM, GRAMMAR, SCRATCH, INT, INDICES))
def _admit(
    population: Any, i: int, hall: Any, problem: Any, grammar: Any, scratch: Any, n: int,
    used: Any,
) -> None:  # fmt: skip
    """Make the program of n tokens in the scratch member i; what is not allowed costs infinity."""
    tokens, constants = scratch.tokens, scratch.constants
    n, complexity = tidy_scratch(n, grammar, scratch)
    loss, scale, offset = np.inf, 1.0, 0.0
    if complexity > 0:
        loss, scale, offset = score(
            tokens, constants, n, complexity, problem, hall, np.inf, False, used
        )
    else:
        complexity = grammar.max_complexity
        if n > grammar.max_nodes:  # too long for changes that lengthen it: start from a leaf
            tokens[0], n = FIRST_VARIABLE, 1
    put_member(population, i, tokens, constants, n, complexity, loss, scale, offset)


@kernel(VOID(STREAM, POPULATION, HALL, PROBLEM, GRAMMAR, SCRATCH, INDICES, INT))
def _welcome(
    state: Any, population: Any, hall: Any, problem: Any, grammar: Any, scratch: Any,
    used: Any, budget: int,
) -> None:  # fmt: skip
    """Make the members that are still missing and score those that are new."""
    for i in range(len(population.length)):
        n = population.length[i]
        if used[0] < budget and n > 0 and np.isnan(population.loss[i]):
            copy_span(
                population.tokens[i], population.constants[i], 0, n, scratch.tokens,
                scratch.constants, 0,
            )  # fmt: skip
            _admit(population, i, hall, problem, grammar, scratch, n, used)
        for _ in range(50):
            if population.length[i] > 0 and population.loss[i] < np.inf:
                break
            if used[0] >= budget:
                return
            n = random_program(
                state, grammar, scratch.tokens, scratch.constants,
                1 + below(state, min(7, grammar.max_nodes)),
            )  # fmt: skip
            n = append_required(state, grammar, scratch.tokens, scratch.constants, n)
            _admit(population, i, hall, problem, grammar, scratch, n, used)


@kernel(VOID(STREAM, POPULATION, HALL, PROBLEM, SCHEDULE, SCRATCH, INDICES, INT))
def _refit_members(
    state: Any, population: Any, hall: Any, problem: Any, schedule: Any, scratch: Any,
    used: Any, budget: int,
) -> None:  # fmt: skip
    """Fit the constants of a part of the population on all rows."""
    tokens, constants = scratch.tokens, scratch.constants
    for i in range(len(population.length)):
        if used[0] >= budget:
            return
        if not uniform(state) < schedule.fit_member or not population.loss[i] < np.inf:
            continue
        n, complexity = population.length[i], population.complexity[i]
        copy_to_scratch(population.tokens[i], population.constants[i], n, scratch)
        if fit_constants(
            tokens, constants, n, problem, problem.rows, schedule.member_steps,
            schedule.largest, np.inf, np.inf,
        ) and constants_within(tokens, constants, n, schedule.largest):  # fmt: skip
            loss, scale, offset = score(
                tokens, constants, n, complexity, problem, hall, population.loss[i], False, used
            )
            if loss < population.loss[i]:
                put_member(population, i, tokens, constants, n, complexity, loss, scale, offset)


@kernel(
    VOID(
        STREAM, POPULATION, HALL, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, VALUES, VALUES, SCRATCH,
        INT, INDICES, INDICES,
    )
)  # fmt: skip
def _breed(
    state: Any, population: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, scratch: Any, limit: int, used: Any, stop: Any,
) -> None:  # fmt: skip
    """Let an island breed for some cycles; a kernel of its own, so that nothing is counted."""
    for cycle in range(schedule.cycles):
        if used[0] >= limit or stop[0]:
            return
        heat = 1.0 - cycle / schedule.cycles
        if uniform(state) < schedule.crossover:
            cross_once(
                state, population, hall, problem, sample, grammar, schedule, frequency, crowd, heat,
                scratch, used,
            )  # fmt: skip
        elif uniform(state) < schedule.guided:
            insert_once(
                state, population, hall, problem, sample, grammar, schedule, frequency, crowd, heat,
                scratch, used, limit,
            )  # fmt: skip
        else:
            mutate_once(
                state, population, hall, problem, sample, grammar, schedule, frequency, crowd, heat,
                scratch, used,
            )  # fmt: skip


@kernel(
    INT(
        STREAM, POPULATION, HALL, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, VALUES, VALUES, SCRATCH,
        INT, INDICES, INDICES,
    ),
    entry=True,
)  # fmt: skip
def evolve_island(
    state: Any, population: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, scratch: Any, budget: int, used: Any, stop: Any,
) -> int:  # fmt: skip
    """Visit an island: let it breed for some cycles, then fit constants of some members.

    Parameters
    ----------
    state : (1,) uint64, the island's random stream
    population, hall : changed in place
    problem : all rows, those on which the best law does worst first
    sample : random rows, for what needs only some
    frequency : (max_complexity + 1,) share of each complexity among recent members, positive
    crowd : (max_complexity + 1,) factor on the cost of a member of each complexity
    budget : most evaluations to use
    used : (2,) int64, raised by the evaluations and by those of them that were turned away
    stop : (1,) int64, which another thread sets to end the visit

    Returns
    -------
    number of programs scored
    """
    start = used[0]
    limit = start + budget
    _welcome(state, population, hall, problem, grammar, scratch, used, limit)
    _breed(
        state, population, hall, problem, sample, grammar, schedule, frequency, crowd, scratch, limit,
        used, stop,
    )  # fmt: skip
    if not stop[0]:
        _refit_members(state, population, hall, problem, schedule, scratch, used, limit)
    return used[0] - start
