"""One visit to an island: members are made, breed for some cycles and have constants fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.breeding import cross_once, mutate_once, score
from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INDICES,
    INT,
    PAIR,
    STREAM,
    TOKENS,
    VALUES,
    VOID,
    kernel,
)  # fmt: skip
from occamscope.laws.evolution.constants import fit_constants
from occamscope.laws.evolution.mutation import GRAMMAR, cut, random_program
from occamscope.laws.evolution.population import HALL, POPULATION, put_member
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, uniform
from occamscope.laws.evolution.schedule import SCHEDULE, SCRATCH
from occamscope.laws.evolution.tokens import (
    arity,
    constants_within,
    copy_span,
    is_operator,
    measure_sizes,
)


@kernel(VOID(STREAM, POPULATION, HALL, PROBLEM, GRAMMAR, SCRATCH, INDICES, INT))
def _welcome(
    state: Any, population: Any, hall: Any, problem: Any, grammar: Any, scratch: Any,
    used: Any, budget: int,
) -> None:  # fmt: skip
    """Make the members that are still missing and score those that are new."""
    for i in range(len(population.length)):
        tokens, constants = population.tokens[i], population.constants[i]
        if used[0] < budget and population.length[i] > 0 and np.isnan(population.loss[i]):
            n = population.length[i]
            copy_span(tokens, constants, 0, n, scratch.tokens, scratch.constants, 0)
            n = canonicalise(
                scratch.tokens, scratch.constants, n, scratch.size, grammar.allowed,
                grammar.free_scale,
            )  # fmt: skip
            loss, scale = score(
                scratch.tokens, scratch.constants, n, problem, hall, np.inf, False, used
            )
            put_member(population, i, scratch.tokens, scratch.constants, n, loss, scale)
        for _ in range(50):
            if population.length[i] > 0 and population.loss[i] < np.inf:
                break
            if used[0] >= budget:
                return
            n = random_program(
                state, grammar, scratch.tokens, scratch.constants,
                1 + below(state, min(7, grammar.max_nodes)),
            )  # fmt: skip
            n = canonicalise(
                scratch.tokens, scratch.constants, n, scratch.size, grammar.allowed,
                grammar.free_scale,
            )  # fmt: skip
            loss, scale = score(
                scratch.tokens, scratch.constants, n, problem, hall, np.inf, False, used
            )
            put_member(population, i, scratch.tokens, scratch.constants, n, loss, scale)


@kernel(PAIR(TOKENS, VALUES, INT, FLOAT, PROBLEM, HALL, INT, SCHEDULE, FLAG, SCRATCH, INDICES))
def _refit(
    tokens: Any, constants: Any, n: int, loss: float, problem: Any, hall: Any, rows: int,
    schedule: Any, fitted: bool, scratch: Any, used: Any,
) -> Any:  # fmt: skip
    """Fit a copy of a program in the scratch; return its loss (infinite if no better)."""
    copy_span(tokens, constants, 0, n, scratch.tokens, scratch.constants, 0)
    better = fit_constants(
        scratch.tokens, scratch.constants, n, problem, rows, schedule.member_steps,
        schedule.largest,
    )  # fmt: skip
    if not better or not constants_within(scratch.tokens, scratch.constants, n, schedule.largest):
        return np.inf, 1.0
    return score(scratch.tokens, scratch.constants, n, problem, hall, loss, fitted, used)


@kernel(VOID(STREAM, POPULATION, HALL, PROBLEM, SCHEDULE, SCRATCH, INDICES, INT))
def _refit_members(
    state: Any, population: Any, hall: Any, problem: Any, schedule: Any, scratch: Any,
    used: Any, budget: int,
) -> None:  # fmt: skip
    """Fit the constants of a part of the population."""
    for i in range(len(population.length)):
        if used[0] >= budget:
            return
        if uniform(state) < schedule.fit_member:
            n = population.length[i]
            loss, scale = _refit(
                population.tokens[i], population.constants[i], n, population.loss[i], problem,
                hall, problem.rows, schedule, False, scratch, used,
            )  # fmt: skip
            if loss < population.loss[i]:
                put_member(population, i, scratch.tokens, scratch.constants, n, loss, scale)


@kernel(VOID(HALL, INT, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT))
def _shorten(
    hall: Any, n: int, problem: Any, grammar: Any, schedule: Any, scratch: Any, used: Any,
    budget: int,
) -> None:  # fmt: skip
    """Offer the hall of fame's law of n nodes with each of its operators cut out in turn."""
    tokens, constants = hall.tokens[n], hall.constants[n]
    measure_sizes(tokens, n, scratch.other_size)
    for k in range(2 * n):
        i, left = k // 2, k % 2 == 1
        if not is_operator(tokens[i]) or (left and arity(tokens[i]) == 1):
            continue
        if used[0] >= budget:
            return
        m = cut(
            tokens, constants, n, i, scratch.other_size, left, scratch.tokens, scratch.constants
        )
        m = canonicalise(
            scratch.tokens, scratch.constants, m, scratch.size, grammar.allowed,
            grammar.free_scale,
        )  # fmt: skip
        fit_constants(
            scratch.tokens, scratch.constants, m, problem, schedule.child_rows,
            schedule.member_steps, schedule.largest,
        )  # fmt: skip
        if constants_within(scratch.tokens, scratch.constants, m, schedule.largest):
            score(scratch.tokens, scratch.constants, m, problem, hall, hall.loss[m], False, used)


@kernel(VOID(HALL, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT))
def _tend_hall(
    hall: Any, problem: Any, grammar: Any, schedule: Any, scratch: Any, used: Any, budget: int
) -> None:
    """Fit new members of the hall of fame on all rows, and try what is left if they are cut.

    The largest first, because what is cut from them may enter at a smaller size.
    """
    for n in range(len(hall.loss) - 1, 0, -1):
        if used[0] >= budget:
            return
        if hall.loss[n] == np.inf:
            continue
        if not hall.shortened[n]:
            hall.shortened[n] = True
            _shorten(hall, n, problem, grammar, schedule, scratch, used, budget)
            if used[0] >= budget:
                return
        if not hall.fitted[n]:
            hall.fitted[n] = True
            _refit(
                hall.tokens[n], hall.constants[n], n, hall.loss[n], problem, hall,
                problem.rows, schedule, True, scratch, used,
            )  # fmt: skip


@kernel(INT(STREAM, POPULATION, HALL, PROBLEM, GRAMMAR, SCHEDULE, VALUES, SCRATCH, INT), entry=True)
def evolve_island(
    state: Any, population: Any, hall: Any, problem: Any, grammar: Any, schedule: Any,
    frequency: Any, scratch: Any, budget: int,
) -> int:  # fmt: skip
    """Visit an island: let it breed for some cycles, then fit constants.

    Parameters
    ----------
    state : (1,) uint64, the island's random stream
    population, hall : changed in place
    frequency : (max_nodes + 1,) share of each size among recent populations, positive
    budget : most evaluations to use

    Returns
    -------
    number of programs scored
    """
    used = np.empty(1, np.int64)
    used[0] = 0
    _welcome(state, population, hall, problem, grammar, scratch, used, budget)
    # Enough is left to fit what enters the hall of fame, until little is left at all.
    limit = budget - len(hall.loss)
    if limit < len(hall.loss):
        limit = budget
    for cycle in range(schedule.cycles):
        if used[0] >= limit:
            break
        heat = 1.0 - cycle / schedule.cycles
        if uniform(state) < schedule.crossover:
            cross_once(
                state, population, hall, problem, grammar, schedule, frequency, scratch, used
            )
        else:
            mutate_once(
                state, population, hall, problem, grammar, schedule, frequency, heat, scratch,
                used,
            )  # fmt: skip
    _refit_members(state, population, hall, problem, schedule, scratch, used, limit)
    _tend_hall(hall, problem, grammar, schedule, scratch, used, budget)
    return used[0]
