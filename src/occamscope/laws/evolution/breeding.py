"""Tournaments, children and which of them are accepted.

Regularised evolution (Real et al. 2019) with the additions of SymbolicRegression.jl
(M. Cranmer, arXiv 2305.01582): the oldest member dies, acceptance is annealed, sizes that are
crowded are held back. Added here: constants of children are fitted at once, and terms are
inserted by the derivative of the loss (`guided`).
"""
# ruff: noqa: SIM110 - plain comparisons and loops compile fastest

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INDICES,
    INT,
    STREAM,
    TOKENS,
    TRIPLE,
    VALUES,
    VOID,
    inlined,
    kernel,
)  # fmt: skip
from occamscope.laws.evolution.constants import fit_constants
from occamscope.laws.evolution.evaluation import program_loss
from occamscope.laws.evolution.grammar import GRAMMAR, check_program
from occamscope.laws.evolution.guided import insert_guided
from occamscope.laws.evolution.mutation import cross, mutate
from occamscope.laws.evolution.population import (
    HALL,
    POPULATION,
    offer,
    oldest_member,
    put_member,
)  # fmt: skip
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, uniform
from occamscope.laws.evolution.schedule import SCHEDULE, SCRATCH
from occamscope.laws.evolution.tokens import (
    ADD,
    MULTIPLY,
    SQUARE,
    SUBTRACT,
    arity,
    constants_within,
    measure_sizes,
)

# In searches for polynomials a child's constants are given up when they do not bring it near the
# loss at which it would be of use: within this factor, for it is seen on a part of the rows.
_AIM = 1.1


@inlined
def _cost(population: Any, i: int, schedule: Any) -> float:
    return population.loss[i] / schedule.norm + schedule.parsimony * population.complexity[i]


@kernel(INT(STREAM, POPULATION, SCHEDULE, VALUES, SCRATCH))
def tournament(state: Any, population: Any, schedule: Any, crowd: Any, scratch: Any) -> int:
    """Member that wins among random ones.

    The best wins with probability p = `schedule.first`, the second best with p (1 - p), ...

    Parameters
    ----------
    crowd : (max_complexity + 1,) factor on the cost of members of each complexity
    """
    size = schedule.entrants
    place = 0
    while place < size - 1 and uniform(state) > schedule.first:
        place += 1
    entrant, value = scratch.entrant, scratch.value
    if place == 0:  # most often: nothing needs to be sorted
        winner, lowest = 0, np.inf
        for _ in range(size):
            i = below(state, len(population.length))
            cost = _cost(population, i, schedule) * crowd[population.complexity[i]]
            if cost <= lowest:
                winner, lowest = i, cost
        return winner
    for q in range(size):
        i = below(state, len(population.length))
        cost = _cost(population, i, schedule) * crowd[population.complexity[i]]
        k = q  # sorted as they come
        while k > 0 and value[k - 1] > cost:
            entrant[k], value[k] = entrant[k - 1], value[k - 1]
            k -= 1
        entrant[k], value[k] = i, cost
    return entrant[place]


@kernel(FLOAT(STREAM, POPULATION, INT, INT, SCHEDULE, VALUES, FLOAT))
def _acceptable_loss(
    state: Any, population: Any, parent: int, complexity: int, schedule: Any, frequency: Any,
    heat: float,
) -> float:  # fmt: skip
    """Largest loss at which a child of that complexity replaces a member.

    A child with cost d above its parent's is taken with probability exp(-d / temperature)
    times the ratio of the frequencies of the two complexities.
    """
    ratio = frequency[complexity] / frequency[population.complexity[parent]]
    chance = np.log(uniform(state) * ratio + 1e-300)
    cost = _cost(population, parent, schedule) - schedule.temperature * heat * chance
    return (cost - schedule.parsimony * complexity) * schedule.norm


@kernel(TRIPLE(TOKENS, VALUES, INT, INT, PROBLEM, HALL, FLOAT, FLAG, INDICES))
def score(
    tokens: Any, constants: Any, n: int, complexity: int, problem: Any, hall: Any,
    budget: float, fitted: bool, used: Any,
) -> Any:  # fmt: skip
    """Loss, scale and offset of a program; shown to the hall of fame.

    Counted in used[0], and in used[1] if it was turned away (its loss is then infinite).
    """
    used[0] += 1
    loss, scale, offset = program_loss(tokens, constants, n, problem, problem.rows, budget)
    if loss < np.inf:
        offer(hall, tokens, constants, n, complexity, loss, scale, offset, fitted)
    else:
        used[1] += 1
    return loss, scale, offset


@kernel(FLAG(TOKENS, VALUES, INT, TOKENS, VALUES, INT))
def _same_program(a: Any, a_constants: Any, n: int, b: Any, b_constants: Any, m: int) -> bool:
    if n != m:
        return False
    for i in range(n):
        if a[i] != b[i] or a_constants[i] != b_constants[i]:
            return False
    return True


@kernel(FLAG(TOKENS, INT))
def _has_function(tokens: Any, n: int) -> bool:
    """True if an operator of one operand other than the square occurs."""
    for i in range(n):
        if arity(tokens[i]) == 1 and tokens[i] != SQUARE:
            return True
    return False


@kernel(FLAG(GRAMMAR))
def _only_polynomials(grammar: Any) -> bool:
    """True if there are only sums, products and squares: few steps of a fit then lead far."""
    for token in grammar.operators:
        if token not in (ADD, SUBTRACT, MULTIPLY, SQUARE):
            return False
    return True


@kernel(
    types.Tuple([INT, INT, FLAG])(
        STREAM, POPULATION, INT, GRAMMAR, PROBLEM, SCHEDULE, FLOAT, SCRATCH
    )
)
def _propose(
    state: Any, population: Any, parent: int, grammar: Any, problem: Any, schedule: Any,
    heat: float, scratch: Any,
) -> Any:  # fmt: skip
    """Write a child of one parent into the scratch.

    Returns its length (0 if there is none), its complexity and if it was guided.
    """
    tokens, constants = population.tokens[parent], population.constants[parent]
    n = population.length[parent]
    measure_sizes(tokens, n, scratch.other_size)
    guided = uniform(state) < schedule.guided
    for _ in range(10):
        if guided:
            m = insert_guided(
                state, grammar, tokens, constants, n, scratch.other_size, problem,
                schedule.child_rows, schedule.products, population.scale[parent],
                population.offset[parent], scratch.tokens, scratch.constants,
            )  # fmt: skip
        else:
            m = mutate(
                state, grammar, tokens, constants, n, scratch.other_size, scratch.tokens,
                scratch.constants, heat,
            )  # fmt: skip
        if m > 0:
            m = canonicalise(
                scratch.tokens, scratch.constants, m, scratch.size, grammar.allowed,
                grammar.free_scale,
            )  # fmt: skip
            complexity = check_program(scratch.tokens, m, grammar)
            if complexity > 0:
                return m, complexity, guided
        if guided:
            break
    return 0, 0, guided


@kernel(
    VOID(
        STREAM,
        POPULATION,
        HALL,
        PROBLEM,
        GRAMMAR,
        SCHEDULE,
        VALUES,
        VALUES,
        FLOAT,
        SCRATCH,
        INDICES,
    )
)
def mutate_once(
    state: Any, population: Any, hall: Any, problem: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, heat: float, scratch: Any, used: Any,
) -> None:  # fmt: skip
    """Breed one child from one parent and let it replace the oldest member if it is accepted."""
    parent = tournament(state, population, schedule, crowd, scratch)
    m, complexity, guided = _propose(
        state, population, parent, grammar, problem, schedule, heat, scratch
    )
    tokens, constants = scratch.tokens, scratch.constants
    n = population.length[parent]
    if m == 0 or _same_program(
        tokens, constants, m, population.tokens[parent], population.constants[parent], n
    ):
        return
    limit = _acceptable_loss(state, population, parent, complexity, schedule, frequency, heat)
    budget = max(limit, hall.loss[complexity])
    # What grew by a function with its summands is nothing without the right constants.
    grown = m >= n + 3 and _has_function(tokens, m)
    if guided or grown or uniform(state) < schedule.fit_child:
        aim = np.inf
        if _only_polynomials(grammar):
            aim = _AIM * budget * schedule.child_rows / problem.rows
        fit_constants(
            tokens, constants, m, problem, schedule.child_rows, schedule.child_steps,
            schedule.largest, aim,
        )  # fmt: skip
    if not constants_within(tokens, constants, m, schedule.largest):
        return
    loss, scale, offset = score(
        tokens, constants, m, complexity, problem, hall, budget, False, used
    )
    if loss <= limit and loss < np.inf:
        put_member(
            population, oldest_member(population), tokens, constants, m, complexity, loss,
            scale, offset,
        )  # fmt: skip


@kernel(VOID(STREAM, POPULATION, HALL, PROBLEM, GRAMMAR, SCHEDULE, VALUES, SCRATCH, INDICES))
def cross_once(
    state: Any, population: Any, hall: Any, problem: Any, grammar: Any, schedule: Any,
    crowd: Any, scratch: Any, used: Any,
) -> None:  # fmt: skip
    """Breed a child from two parents; it replaces the oldest member."""
    a = tournament(state, population, schedule, crowd, scratch)
    b = tournament(state, population, schedule, crowd, scratch)
    n, other_n = population.length[a], population.length[b]
    measure_sizes(population.tokens[b], other_n, scratch.other_size)
    for _ in range(10):
        measure_sizes(population.tokens[a], n, scratch.size)  # a failed child has overwritten it
        i, j = below(state, n), below(state, other_n)
        if n - scratch.size[i] + scratch.other_size[j] > grammar.max_nodes:
            continue
        m = cross(
            population.tokens[a], population.constants[a], n, i, scratch.size[i],
            population.tokens[b], population.constants[b], j, scratch.other_size[j],
            scratch.tokens, scratch.constants,
        )  # fmt: skip
        m = canonicalise(
            scratch.tokens, scratch.constants, m, scratch.size, grammar.allowed,
            grammar.free_scale,
        )  # fmt: skip
        complexity = check_program(scratch.tokens, m, grammar)
        if complexity == 0:
            continue
        if not constants_within(scratch.tokens, scratch.constants, m, schedule.largest):
            return
        loss, scale, offset = score(
            scratch.tokens, scratch.constants, m, complexity, problem, hall, np.inf, False, used
        )
        if loss < np.inf:
            put_member(
                population, oldest_member(population), scratch.tokens, scratch.constants, m,
                complexity, loss, scale, offset,
            )  # fmt: skip
        return
