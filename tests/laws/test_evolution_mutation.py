"""Random changes: valid programs, each kind does what its name says."""

import re
from collections import Counter

import numpy as np
import pytest

from occamscope.laws.evolution import mutation
from occamscope.laws.evolution.grammar import new_grammar
from occamscope.laws.evolution.programs import to_expression
from occamscope.laws.evolution.rng import draw, new_stream, normal, uniform
from occamscope.laws.evolution.tokens import measure_sizes
from occamscope.laws.spec import SearchSpec

POLYNOMIAL = ("+", "-", "*", "square")


def grammar(kind=None, operators=POLYNOMIAL, max_nodes=30):
    """Grammar with one kind of change, or with all."""
    weights = np.ones(11) if kind is None else np.zeros(11)
    if kind is not None:
        weights[kind] = 1.0
    spec = SearchSpec(loss="mse", operators=operators, maxsize=max_nodes)
    return new_grammar(spec, ("z0", "z1", "z2"), weights)


def changes(kernels, text, kind, count=200, operators=POLYNOMIAL):
    """Texts of the results of one kind of change."""
    token, constant = kernels.program(text)
    size = np.zeros(len(token), np.int64)
    measure_sizes(token, len(token), size)
    state, found = new_stream(0, 0), []
    for _ in range(count):
        out, values = np.zeros(40, np.int16), np.zeros(40)
        m = mutation.mutate(
            state, grammar(kind, operators), token, constant, len(token), size, out, values, 1.0
        )
        if m:
            found.append(to_expression(out[:m], values[:m], kernels.names).to_text())
    return Counter(found)


def test_random_programs_are_valid_and_of_the_wanted_size(kernels):
    sizes = [n for _, _, _, n in kernels.random_programs(300, nodes=9)]
    assert max(sizes) == 9
    assert np.mean(sizes) > 7


def test_any_mutation_of_any_program_is_a_valid_program(kernels):
    state, all_kinds = new_stream(3, 0), grammar(operators=kernels.all_operators)
    for _, token, constant, n in kernels.random_programs(2000, 5):
        size = np.zeros(40, np.int64)
        measure_sizes(token, n, size)
        out, values = np.zeros(40, np.int16), np.zeros(40)
        m = mutation.mutate(state, all_kinds, token, constant, n, size, out, values, 0.5)
        assert m == 0 or to_expression(out[:m], values[:m], kernels.names).complexity() == m


def test_swap_exchanges_the_operands(kernels):
    found = changes(kernels, "z0 - z1*z2", mutation.SWAP)
    assert set(found) == {"z1*z2 - z0", "z0 - z2*z1"}


def test_delete_replaces_an_operator_by_one_of_its_operands(kernels):
    found = changes(kernels, "z0 - z1**2", mutation.DELETE)
    assert set(found) == {"z0", "z1**2", "z0 - z1"}


def test_rotation_moves_an_operand_above_its_operator(kernels):
    found = changes(kernels, "z0 - z1*z2", mutation.ROTATE)
    assert set(found) == {"(z0 - z1)*z2", "z1*(z0 - z2)"}
    assert set(changes(kernels, "(z0*z1)**2", mutation.ROTATE)) == {"z0**2*z1", "z0*z1**2"}


def test_changes_of_one_node_keep_the_form(kernels):
    found = changes(kernels, "z0 - z1", mutation.CHANGE_OPERATOR)
    assert set(found) == {"z0 + z1", "z0*z1"}
    assert set(changes(kernels, "z0**2", mutation.CHANGE_VARIABLE)) == {
        "z0**2", "z1**2", "z2**2",
    }  # fmt: skip
    assert all(text.startswith("z0*") for text in changes(kernels, "z0*2", 0))


@pytest.mark.parametrize("kind", [mutation.GROW_LEAF, mutation.GROW_ROOT, mutation.INSERT])
def test_growth_adds_an_operator_and_its_other_operand(kernels, kind):
    for text in changes(kernels, "z0 - z1", kind):
        law = to_expression(*kernels.program(text), kernels.names)
        assert law.complexity() in (4, 5)
        assert "-" in law.operators()


def test_a_function_may_come_with_summands_of_its_own_and_the_other_sign(kernels):
    found = changes(kernels, "z1", mutation.GROW_ROOT, 2000, operators=("-", "+", "exp"))
    number = r"-?\d[\d.e-]*"
    forms = [r"exp\(z1\)", rf"exp\(z1\) [+-] \(?{number}\)?", rf"{number} - exp\({number} - z1\)"]
    counts = [sum(k for text, k in found.items() if re.fullmatch(form, text)) for form in forms]
    # A third of the operators are functions; 0.4 of these come alone, the others in two forms.
    np.testing.assert_allclose(counts, [2000 / 3 * share for share in (0.4, 0.3, 0.3)], atol=50)
    for operators, wanted in ((("square",), "z1**2"), (("exp",), "exp(z1)")):
        assert set(changes(kernels, "z1", mutation.GROW_ROOT, operators=operators)) == {wanted}


def test_a_program_of_the_largest_size_does_not_grow(kernels):
    token, constant = kernels.program("z0 - z1")
    full = grammar(mutation.INSERT, max_nodes=3)
    out, values = np.zeros(40, np.int16), np.zeros(40)
    size = np.array([1, 1, 3])
    args = (new_stream(0, 0), full, token, constant, 3, size, out, values, 1.0)
    assert mutation.mutate(*args) == 0


def test_crossing_puts_a_subtree_into_another_program(kernels):
    a, a_values = kernels.program("z0 - z1**2")
    b, b_values = kernels.program("z2*4")
    out, values = np.zeros(40, np.int16), np.zeros(40)
    # Token 2 of a is z1**2 (2 nodes), token 2 of b its root (3 nodes).
    n = mutation.cross(a, a_values, 4, 2, 2, b, b_values, 2, 3, out, values)
    assert to_expression(out[:n], values[:n], kernels.names).to_text() == "z0 - z2*4.0"


def test_random_numbers_have_their_moments():
    state = new_stream(1, 0)
    u = np.array([uniform(state) for _ in range(4000)])
    g = np.array([normal(state) for _ in range(4000)])
    assert 0 <= u.min() < 0.01 < 0.99 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.02
    assert abs(g.mean()) < 0.06
    assert abs(g.std() - 1) < 0.05


def test_indices_are_drawn_by_their_weights():
    state = new_stream(1, 0)
    drawn = Counter(draw(state, np.array([1.0, 0.0, 3.0])) for _ in range(4000))
    assert set(drawn) == {0, 2}
    assert drawn[2] / 4000 == pytest.approx(0.75, abs=0.03)
    assert draw(state, np.zeros(3)) == -1


def test_islands_have_streams_of_their_own():
    assert uniform(new_stream(0, 0)) == uniform(new_stream(0, 0))
    assert uniform(new_stream(0, 0)) != uniform(new_stream(0, 1))
    assert uniform(new_stream(0, 0)) != uniform(new_stream(1, 0))
