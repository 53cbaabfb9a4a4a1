"""Helpers of the tests of the evolution engine."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

NAMES = ("z0", "z1", "z2")
ALL_OPERATORS = (
    "+", "-", "*", "/", "square", "cube", "exp", "log", "sqrt", "abs", "neg", "tanh", "sin",
    "cos", "inv",
)  # fmt: skip


@pytest.fixture(scope="session")
def kernels():
    """Programs, problems and their values, by the compiled kernels."""
    from occamscope.laws.evolution import evaluation, mutation, problem, programs, rng
    from occamscope.laws.evolution.grammar import new_grammar
    from occamscope.laws.evolution.operators import BLOCK
    from occamscope.laws.expressions.expression import parse
    from occamscope.laws.spec import SearchSpec

    def make_problem(n=300, loss="mse", free_scale=False, seed=0, weight=None):
        random = np.random.default_rng(seed)
        X = random.normal(size=(n, len(NAMES)))
        y = random.choice([-1.0, 1.0], n) if loss != "mse" else random.normal(size=n)
        weight = np.ones(n) if weight is None else weight
        return X, y, problem.pack_problem(X, y, weight, loss, free_scale, 40)

    def program(text):
        return programs.to_program(parse(text, NAMES), ALL_OPERATORS)

    def random_programs(count, seed=0, nodes=14, operators=ALL_OPERATORS):
        """Expressions and programs drawn as the search draws them."""
        spec = SearchSpec(loss="mse", operators=operators, maxsize=30)
        grammar = new_grammar(spec, NAMES, np.ones(11))
        state = rng.new_stream(seed, 0)
        for _ in range(count):
            token, value = np.zeros(40, np.int16), np.zeros(40)
            n = mutation.random_program(state, grammar, token, value, nodes)
            law = programs.to_expression(token[:n], value[:n], NAMES)
            yield law, token, value, n

    def values(token, constant, n, packed):
        """Value of a program in every row, padding included."""
        left, slot = np.zeros(n, np.int64), np.zeros(n, np.int64)
        evaluation.lay_out(token, constant, n, packed, left, slot)
        blocks = []
        for row in range(0, packed.rows, BLOCK):
            root = evaluation.run_block(token, n, packed, left, slot, row)
            blocks.append(packed.memory[root : root + BLOCK].copy())
        return np.concatenate(blocks)

    return SimpleNamespace(
        make_problem=make_problem,
        program=program,
        random_programs=random_programs,
        values=values,
        names=NAMES,
        all_operators=ALL_OPERATORS,
    )
