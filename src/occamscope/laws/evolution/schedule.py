"""How an island spends its evaluations, and the room that it works in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from occamscope.laws.evolution.compilation import FLOAT, INDICES, INT, TOKENS, VALUES, VOID, kernel
from occamscope.laws.evolution.terms import TERMS, new_terms
from occamscope.laws.evolution.tokens import copy_span


class Schedule(NamedTuple):
    """How an island spends its evaluations."""

    cycles: int  # children per visit to the island
    entrants: int  # members in a tournament
    first: float  # probability that the best of them wins
    crossover: float  # share of children with two parents
    temperature: float  # how much worse than its parent a child may be, in units of `norm`
    guided: float  # share of breedings that change a program by guided insertion
    litter: int  # children of one guided insertion, each with another term
    products: int  # columns of which a guided insertion tries products
    fit_child: float  # share of other children whose constants are fitted
    child_steps: int  # Gauss-Newton steps for a child
    fit_member: float  # share of members fitted at the end of a visit
    member_steps: int
    exchanges: int  # evaluations after each round that exchange variables of the hall of fame
    norm: float  # loss of the best constant
    parsimony: float  # cost of a node, in units of `norm`
    largest: float  # bound on the absolute value of a constant


SCHEDULE = types.NamedTuple(
    [INT, INT, *[FLOAT] * 4, INT, INT, FLOAT, INT, FLOAT, INT, INT, *[FLOAT] * 3], Schedule
)


class Scratch(NamedTuple):
    """Room for two children, a tournament and the terms of an insertion."""

    tokens: Any
    constants: Any
    size: Any
    other_tokens: Any
    other_constants: Any
    other_size: Any
    entrant: Any
    value: Any
    terms: Any


SCRATCH = types.NamedTuple([*[TOKENS, VALUES, INDICES] * 2, INDICES, VALUES, TERMS], Scratch)


def new_scratch(capacity: int, entrants: int) -> Scratch:
    """Return room for two programs and for a tournament."""
    return Scratch(
        np.zeros(capacity, np.int16),
        np.zeros(capacity),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int16),
        np.zeros(capacity),
        np.zeros(capacity, np.int64),
        np.zeros(entrants, np.int64),
        np.zeros(entrants),
        new_terms(),
    )


@kernel(VOID(TOKENS, VALUES, INT, SCRATCH))
def copy_to_scratch(tokens: Any, constants: Any, n: int, scratch: Any) -> None:
    """Write a program into the scratch."""
    copy_span(tokens, constants, 0, n, scratch.tokens, scratch.constants, 0)
