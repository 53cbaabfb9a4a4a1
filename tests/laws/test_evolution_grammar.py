"""The compiled limits of programs against their plain version on trees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.evolution.grammar import check_program, new_grammar
from occamscope.laws.evolution.mutation import append_required, random_program
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.evolution.rng import new_stream
from occamscope.laws.spec import SearchSpec

NAMES = ("z0", "z1", "z2")
OPERATORS = ("+", "-", "*", "square", "sin", "exp")
UNARY = ("square", "sin", "exp")
costs = st.dictionaries(st.sampled_from(OPERATORS), st.integers(1, 4), max_size=4)
specs = st.builds(
    SearchSpec,
    loss=st.just("mse"),
    operators=st.just(OPERATORS),
    maxsize=st.integers(5, 25),
    maxdepth=st.none() | st.integers(2, 7),
    complexity_of_operators=costs,
    complexity_of_constants=st.integers(1, 3),
    complexity_of_variables=st.integers(1, 3) | st.tuples(*[st.integers(1, 3)] * 3),
    constraints=st.dictionaries(st.sampled_from(UNARY), st.integers(-1, 6), max_size=2)
    | st.fixed_dictionaries({"*": st.tuples(st.integers(-1, 6), st.integers(-1, 6))}),
    nested_constraints=st.dictionaries(
        st.sampled_from(OPERATORS),
        st.dictionaries(st.sampled_from(OPERATORS), st.integers(0, 2), max_size=2),
        max_size=2,
    ),
    required_variables=st.sets(st.sampled_from(NAMES), max_size=1).map(tuple),
)


def random_laws(spec, count, seed=0):
    grammar = new_grammar(spec, NAMES, np.ones(11))
    state = new_stream(seed, 0)
    for k in range(count):
        tokens, constants = np.zeros(60, np.int16), np.zeros(60)
        n = random_program(state, grammar, tokens, constants, 1 + k % 24)
        yield tokens, n, to_expression(tokens[:n], constants[:n], NAMES), grammar


@settings(max_examples=150, deadline=None)
@given(spec=specs, seed=st.integers(0, 1000))
def test_programs_and_trees_are_allowed_alike(spec, seed):
    for tokens, n, law, grammar in random_laws(spec, 25, seed):
        found = check_program(tokens, n, grammar)
        assert (found > 0) == (violation(law, spec) is None), (law, violation(law, spec))
        if found:
            assert found == complexity_of(law, spec)


def test_without_limits_complexity_is_the_length():
    spec = SearchSpec(operators=OPERATORS, maxsize=10)
    for tokens, n, _, grammar in random_laws(spec, 60):
        assert grammar.plain
        assert check_program(tokens, n, grammar) == (n if n <= 10 else 0)


def test_costs_of_variables_follow_the_columns_that_are_searched():
    spec = SearchSpec(operators=OPERATORS, complexity_of_variables=(1, 2, 3))
    grammar = new_grammar(spec, ("z1", "z2"), np.ones(11), columns=[1, 2])
    assert list(grammar.cost[-2:]) == [2, 3]


@pytest.mark.parametrize("required", [("z1",), ("z0", "z2"), NAMES])
def test_required_variables_are_joined_to_random_programs(required):
    spec = SearchSpec(operators=OPERATORS, maxsize=30, required_variables=required)
    grammar = new_grammar(spec, NAMES, np.ones(11))
    state = new_stream(0, 0)
    for k in range(40):
        tokens, constants = np.zeros(60, np.int16), np.zeros(60)
        n = random_program(state, grammar, tokens, constants, 1 + k % 7)
        n = append_required(state, grammar, tokens, constants, n)
        law = to_expression(tokens[:n], constants[:n], NAMES)
        assert set(required) <= set(law.variables())
        assert check_program(tokens, n, grammar) > 0
