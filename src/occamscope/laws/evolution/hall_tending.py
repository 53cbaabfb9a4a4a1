"""What is done to the hall of fame between two rounds: its laws are fitted, cut, changed, grown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from occamscope.laws.evolution.breeding import aim_below, score, tidy_scratch
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
from occamscope.laws.evolution.mutation import cut
from occamscope.laws.evolution.population import HALL
from occamscope.laws.evolution.problem import PROBLEM
from occamscope.laws.evolution.schedule import SCHEDULE, SCRATCH, copy_to_scratch
from occamscope.laws.evolution.tokens import (
    ADD,
    CONSTANT,
    DIVIDE,
    FIRST_VARIABLE,
    MULTIPLY,
    arity,
    constants_within,
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
    n, complexity = tidy_scratch(n, grammar, scratch)
    if complexity == 0:
        return
    budget = hall.loss[complexity]
    fit_constants(
        tokens, constants, n, sample, sample.rows, schedule.member_steps,
        schedule.largest, np.inf, aim_below(grammar, budget),
    )  # fmt: skip
    if constants_within(tokens, constants, n, schedule.largest):
        score(tokens, constants, n, complexity, problem, hall, budget, False, used)


@kernel(VOID(HALL, INT, PROBLEM, PROBLEM, GRAMMAR, SCHEDULE, SCRATCH, INDICES, INT), allocates=True)
def _shorten(
    hall: Any, c: int, problem: Any, sample: Any, grammar: Any, schedule: Any, scratch: Any,
    used: Any, budget: int,
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
    used: Any, budget: int,
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
            copy_to_scratch(source, values, n, scratch)
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
    """Offer the law of complexity c times functions of terms, and with them for its nodes."""
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
    """Fit new members of the hall of fame on all rows; try them cut, changed and grown.

    For cuts the largest come first, because what is left may enter at a smaller size. Variables
    are exchanged in the smallest first, until the schedule's share of evaluations is used: these
    are cheap, and what is better in them often is in larger ones, too. So do laws grow by
    functions of terms, where division is allowed.

    Parameters and result as in `evolve_island`; `state` is the stream of the first island.
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
            copy_to_scratch(hall.tokens[c], hall.constants[c], n, scratch)
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
