"""One visit to an island: members are made, breed for some cycles and have constants fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.breeding import AIM, cross_once, insert_once, mutate_once, score
from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.compilation import (
    INDICES,
    INT,
    STREAM,
    TOKENS,
    VALUES,
    VOID,
    kernel,
)  # fmt: skip
from occamscope.laws.evolution.constants import fit_constants
from occamscope.laws.evolution.grammar import GRAMMAR, check_program
from occamscope.laws.evolution.guided import (
    FUNCTIONS,
    SHIFTED,
    TIMES,
    find_insertion,
    write_insertion,
)
from occamscope.laws.evolution.mutation import append_required, cut, random_program
from occamscope.laws.evolution.population import HALL, POPULATION, put_member
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, uniform
from occamscope.laws.evolution.schedule import SCHEDULE, SCRATCH
from occamscope.laws.evolution.tokens import (
    ADD,
    CONSTANT,
    DIVIDE,
    FIRST_VARIABLE,
    MULTIPLY,
    arity,
    constants_within,
    copy_span,
    is_operator,
    measure_sizes,
)

# A law of the hall of fame grows by so many of the best terms of each form.
_TERMS_TO_GROW = 2


@kernel(types.UniTuple(INT, 2)(TOKENS, VALUES, INT, INDICES, GRAMMAR), entry=True)
def tidy_law(tokens: Any, constants: Any, n: int, size: Any, grammar: Any) -> Any:
    """Bring a law to its canonical form; return its length and complexity (0: not allowed)."""
    n = canonicalise(tokens, constants, n, size, grammar.allowed, 0)
    return n, check_program(tokens, n, grammar)


@kernel(VOID(POPULATION, INT, HALL, PROBLEM, GRAMMAR, SCRATCH, INT, INDICES))
def _admit(
    population: Any, i: int, hall: Any, problem: Any, grammar: Any, scratch: Any, n: int,
    used: Any,
) -> None:  # fmt: skip
    """Make the program of n tokens in the scratch member i; what is not allowed costs infinity."""
    tokens, constants = scratch.tokens, scratch.constants
    n = canonicalise(tokens, constants, n, scratch.size, grammar.allowed, grammar.free_scale)
    complexity = check_program(tokens, n, grammar)
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


@kernel(VOID(TOKENS, VALUES, INT, SCRATCH))
def _copy_to_scratch(tokens: Any, constants: Any, n: int, scratch: Any) -> None:
    copy_span(tokens, constants, 0, n, scratch.tokens, scratch.constants, 0)


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
        _copy_to_scratch(population.tokens[i], population.constants[i], n, scratch)
        if fit_constants(
            tokens, constants, n, problem, problem.rows, schedule.member_steps,
            schedule.largest, np.inf, np.inf,
        ) and constants_within(tokens, constants, n, schedule.largest):  # fmt: skip
            loss, scale, offset = score(
                tokens, constants, n, complexity, problem, hall, population.loss[i], False, used
            )
            if loss < population.loss[i]:
                put_member(population, i, tokens, constants, n, complexity, loss, scale, offset)


@kernel(VOID(HALL, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INT, INDICES))
def _offer_scratch(
    hall: Any,
    problem: Any,
    sample: Any,
    grammar: Any,
    schedule: Any,
    scratch: Any,
    n: int,
    used: Any,
) -> None:
    """Offer the program of n tokens in the scratch, its constants fitted: they may be far off."""
    tokens, constants = scratch.tokens, scratch.constants
    n = canonicalise(tokens, constants, n, scratch.size, grammar.allowed, grammar.free_scale)
    complexity = check_program(tokens, n, grammar)
    if complexity == 0:
        return
    budget = hall.loss[complexity]
    aim = np.inf
    if grammar.polynomial:
        aim = AIM * budget
    fit_constants(
        tokens, constants, n, sample, sample.rows, schedule.member_steps,
        schedule.largest, np.inf, aim,
    )  # fmt: skip
    if constants_within(tokens, constants, n, schedule.largest):
        score(tokens, constants, n, complexity, problem, hall, budget, False, used)


@kernel(VOID(HALL, INT, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT), allocates=True)
def _shorten(
    hall: Any, c: int, problem: Any, sample: Any, grammar: Any, schedule: Any, scratch: Any,
    used: Any,    budget: int,
) -> None:  # fmt: skip
    """Offer the law of complexity c with each of its operators cut out in turn."""
    # A copy: what is offered may overwrite the law itself.
    n = hall.length[c]
    source, values = hall.tokens[c].copy(), hall.constants[c].copy()
    tokens, constants = scratch.tokens, scratch.constants
    measure_sizes(source, n, scratch.other_size)
    for k in range(2 * n):
        i, left = k // 2, k % 2 == 1
        if not is_operator(source[i]) or (left and arity(source[i]) == 1):
            continue
        if used[0] >= budget:
            return
        m = cut(source, values, n, i, scratch.other_size, left, tokens, constants)
        _offer_scratch(hall, problem, sample, grammar, schedule, scratch, m, used)


@kernel(VOID(HALL, INT, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT), allocates=True)
def _exchange_variables(
    hall: Any, c: int, problem: Any, sample: Any, grammar: Any, schedule: Any, scratch: Any,
    used: Any,    budget: int,
) -> None:  # fmt: skip
    """Offer the law of complexity c with each of its variables replaced by every other one."""
    n = hall.length[c]
    source, values = hall.tokens[c].copy(), hall.constants[c].copy()
    for i in range(n):
        if source[i] < FIRST_VARIABLE:
            continue
        for token in range(FIRST_VARIABLE, FIRST_VARIABLE + grammar.features):
            if token == source[i]:
                continue
            if used[0] >= budget:
                return
            _copy_to_scratch(source, values, n, scratch)
            scratch.tokens[i] = token
            _offer_scratch(hall, problem, sample, grammar, schedule, scratch, n, used)


@kernel(
    VOID(STREAM, HALL, INT, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT),
    allocates=True,
)  # fmt: skip
def _grow(
    state: Any, hall: Any, c: int, problem: Any, sample: Any, grammar: Any, schedule: Any,
    scratch: Any, used: Any, budget: int,
) -> None:  # fmt: skip
    """Offer the law of complexity c times every function of its best terms, and with every
    function of a term in the place of each of its nodes."""
    n, scale, offset = hall.length[c], hall.scale[c], hall.offset[c]
    source, values = hall.tokens[c].copy(), hall.constants[c].copy()
    measure_sizes(source, n, scratch.other_size)
    terms = scratch.terms
    for node in range(n - 1, -1, -1):
        first = TIMES if node == n - 1 else SHIFTED
        for k in range(2 * len(FUNCTIONS)):
            function = FUNCTIONS[k // 2]
            if function != CONSTANT and not grammar.allowed[function]:
                continue
            if used[0] >= budget:
                return
            if not find_insertion(
                state, source, values, n, sample, sample.rows, schedule.products, scale, offset,
                node, first + k, terms,
            ):  # fmt: skip
                continue
            for q in range(_TERMS_TO_GROW):
                if terms.gain[q] > 0.0 and used[0] < budget:
                    m = write_insertion(
                        source, values, n, scratch.other_size, node, first + k, terms, q, grammar,
                        scratch.tokens, scratch.constants,
                    )  # fmt: skip
                    _offer_scratch(hall, problem, sample, grammar, schedule, scratch, m, used)


@kernel(
    INT(STREAM, HALL, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INT, INDICES, INDICES),
    entry=True,
)
def tend_hall(
    state: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any, scratch: Any,
    budget: int, used: Any, stop: Any,
) -> int:  # fmt: skip
    """Fit new members of the hall of fame on all rows; try them cut, and with other variables.

    For cuts the largest come first, because what is left may enter at a smaller size. Variables
    are exchanged in the smallest first, until the schedule's share of evaluations is used: these
    are cheap, and what is better in them often is in larger ones, too.

    Parameters and result as in `evolve_island`.
    """
    start = used[0]
    limit = start + budget
    tokens, constants = scratch.tokens, scratch.constants
    for c in range(len(hall.loss) - 1, 0, -1):
        if used[0] >= limit or stop[0]:
            break
        if hall.loss[c] == np.inf:
            continue
        if not hall.shortened[c]:
            hall.shortened[c] = True
            _shorten(hall, c, problem, sample, grammar, schedule, scratch, used, limit)
            if used[0] >= limit:
                break
        if not hall.fitted[c]:
            hall.fitted[c] = True
            n = hall.length[c]
            _copy_to_scratch(hall.tokens[c], hall.constants[c], n, scratch)
            if fit_constants(
                tokens, constants, n, problem, problem.rows, schedule.member_steps,
                schedule.largest, np.inf, np.inf,
            ) and constants_within(tokens, constants, n, schedule.largest):  # fmt: skip
                score(tokens, constants, n, c, problem, hall, hall.loss[c], True, used)
    enough = min(limit, used[0] + schedule.exchanges)
    for c in range(1, len(hall.loss)):
        if used[0] >= enough or stop[0]:
            break
        if hall.loss[c] < np.inf and not hall.exchanged[c]:
            hall.exchanged[c] = True
            _exchange_variables(hall, c, problem, sample, grammar, schedule, scratch, used, limit)
    if grammar.allowed[DIVIDE] and grammar.allowed[ADD] and grammar.allowed[MULTIPLY]:
        enough = min(limit, used[0] + 2 * schedule.exchanges)
        for c in range(1, len(hall.loss)):
            if hall.loss[c] < np.inf and not hall.grown[c]:
                if used[0] >= enough or stop[0]:
                    break
                hall.grown[c] = True
                _grow(state, hall, c, problem, sample, grammar, schedule, scratch, used, limit)
    return used[0] - start


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
