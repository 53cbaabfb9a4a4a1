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

from occamscope.laws.evolution.canonical import canonicalise
from occamscope.laws.evolution.compilation import (
    FLAG,
    FLOAT,
    INDICES,
    INT,
    TOKENS,
    TRIPLE,
    VALUES,
    inlined,
    kernel,
)  # fmt: skip
from occamscope.laws.evolution.constants import fit_constants
from occamscope.laws.evolution.evaluation import program_loss
from occamscope.laws.evolution.grammar import check_program
from occamscope.laws.evolution.guided import choose_insertion, find_insertion, write_insertion
from occamscope.laws.evolution.mutation import cross, mutate
from occamscope.laws.evolution.population import (
    HALL,
    offer,
    oldest_member,
    put_member,
)  # fmt: skip
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.rng import below, draw, uniform
from occamscope.laws.evolution.tokens import (
    SQUARE,
    arity,
    constants_within,
    measure_sizes,
)

# In searches for polynomials a child's constants are given up when they do not bring it near the
# loss at which it would be of use: within this factor, for it is seen on a part of the rows.
_AIM = 1.1
# What starts above the aim by more than this factor is not worth a step.
_HOPELESS = 2.0


@inlined
def _cost(population: Any, i: int, schedule: Any) -> float:
    return population.loss[i] / schedule.norm + schedule.parsimony * population.complexity[i]


@inlined
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


@inlined
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


@inlined
def _same_program(a: Any, a_constants: Any, n: int, b: Any, b_constants: Any, m: int) -> bool:
    if n != m:
        return False
    for i in range(n):
        if a[i] != b[i] or a_constants[i] != b_constants[i]:
            return False
    return True


@inlined
def _has_function(tokens: Any, n: int) -> bool:
    """True if an operator of one operand other than the square occurs."""
    for i in range(n):
        if arity(tokens[i]) == 1 and tokens[i] != SQUARE:
            return True
    return False


@inlined
def aim_below(grammar: Any, budget: float) -> float:
    """Loss on the sample that constants must come near for the program to be of use."""
    return _AIM * budget if grammar.polynomial else np.inf


@inlined
def tidy_scratch(m: int, grammar: Any, scratch: Any) -> Any:
    """Bring the program of m tokens in the scratch to its canonical form.

    Returns its length and its complexity (0 if it is not allowed).
    """
    m = canonicalise(
        scratch.tokens, scratch.constants, m, scratch.size, grammar.allowed, grammar.free_scale
    )
    return m, check_program(scratch.tokens, m, grammar)


@inlined
def _raise_child(
    state: Any, population: Any, parent: int, hall: Any, problem: Any, sample: Any, grammar: Any,
    schedule: Any, frequency: Any, heat: float, scratch: Any, m: int, complexity: int,
    guided: bool, used: Any,
) -> None:  # fmt: skip
    """Score the child in the scratch; it replaces the oldest member if it is accepted."""
    tokens, constants = scratch.tokens, scratch.constants
    limit = _acceptable_loss(state, population, parent, complexity, schedule, frequency, heat)
    budget = max(limit, hall.loss[complexity])
    # What grew by a function with its summands is nothing without the right constants.
    grown = m >= population.length[parent] + 3 and _has_function(tokens, m)
    if guided or grown or uniform(state) < schedule.fit_child:
        aim = aim_below(grammar, budget)
        fit_constants(
            tokens, constants, m, sample, sample.rows, schedule.child_steps,
            schedule.largest, _HOPELESS * aim, aim,
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


@inlined
def mutate_once(
    state: Any, population: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, heat: float, scratch: Any, used: Any,
) -> None:  # fmt: skip
    """Breed one child from one parent by a random change."""
    parent = tournament(state, population, schedule, crowd, scratch)
    tokens, constants = population.tokens[parent], population.constants[parent]
    n = population.length[parent]
    measure_sizes(tokens, n, scratch.other_size)
    m, complexity = 0, 0
    for _ in range(10):
        m = mutate(
            state, grammar, tokens, constants, n, scratch.other_size, scratch.tokens,
            scratch.constants, heat,
        )  # fmt: skip
        if m > 0:
            m, complexity = tidy_scratch(m, grammar, scratch)
            if complexity > 0:
                break
    if complexity == 0 or _same_program(scratch.tokens, scratch.constants, m, tokens, constants, n):
        return
    _raise_child(
        state, population, parent, hall, problem, sample, grammar, schedule, frequency, heat, scratch,
        m, complexity, False, used,
    )  # fmt: skip


@inlined
def insert_once(
    state: Any, population: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, heat: float, scratch: Any, used: Any, limit: int,
) -> None:  # fmt: skip
    """Breed some children from one parent by the terms that promise the largest gain."""
    parent = tournament(state, population, schedule, crowd, scratch)
    tokens, constants = population.tokens[parent], population.constants[parent]
    n, born = population.length[parent], population.birth[parent]
    terms = scratch.terms
    node, form = choose_insertion(state, grammar, n)
    if node < 0 or not find_insertion(
        state, tokens, constants, n, sample, sample.rows, schedule.products,
        population.scale[parent], population.offset[parent], node, form, terms,
    ):  # fmt: skip
        return
    measure_sizes(tokens, n, scratch.other_size)
    for _ in range(schedule.litter):
        q = draw(state, terms.gain)
        # A child may have taken its parent's place.
        if q < 0 or population.birth[parent] != born or used[0] >= limit:
            return
        terms.gain[q] = 0.0
        m = write_insertion(
            tokens, constants, n, scratch.other_size, node, form, terms, q, grammar,
            scratch.tokens, scratch.constants,
        )  # fmt: skip
        m, complexity = tidy_scratch(m, grammar, scratch)
        if complexity > 0:
            _raise_child(
                state, population, parent, hall, problem, sample, grammar, schedule, frequency, heat,
                scratch, m, complexity, True, used,
            )  # fmt: skip


@inlined
def cross_once(
    state: Any, population: Any, hall: Any, problem: Any, sample: Any, grammar: Any, schedule: Any,
    frequency: Any, crowd: Any, heat: float, scratch: Any, used: Any,
) -> None:  # fmt: skip
    """Breed a child from two parents: one with a part of it replaced by a part of the other."""
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
        m, complexity = tidy_scratch(m, grammar, scratch)
        if complexity > 0:
            _raise_child(
                state, population, a, hall, problem, sample, grammar, schedule, frequency, heat, scratch,
                m, complexity, False, used,
            )  # fmt: skip
            return
