"""Programs to expressions and back."""

import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.laws.evolution.programs import absorb_output, to_expression, to_program
from occamscope.laws.expressions.expression import parse


def test_round_trip_keeps_the_tree(kernels):
    for law, token, constant, n in kernels.random_programs(300):
        again = to_program(law, kernels.all_operators)
        np.testing.assert_array_equal(again[0], token[:n])
        np.testing.assert_array_equal(again[1], constant[:n])


def test_complexity_of_the_text_is_the_length_of_the_program(kernels):
    for law, _, _, n in kernels.random_programs(300):
        assert parse(law.to_text(), kernels.names).complexity() == n


def test_other_powers_become_products(kernels):
    X = np.random.default_rng(0).normal(size=(20, 3))
    for text in ("z0**4", "z1**(-2) + 1"):
        law = parse(text, kernels.names)
        again = to_expression(*to_program(law, ("*", "+", "inv")), kernels.names)
        np.testing.assert_allclose(again.evaluate(X), law.evaluate(X))


def test_an_operator_that_is_not_allowed_is_named():
    with pytest.raises(InputError, match="'exp'"):
        to_program(parse("exp(z0) + 1", ["z0"]), ("+", "-"))


@pytest.mark.parametrize(
    "text", ["2*z0 - 1", "3*z0*z1 + (2 - 4*z1)", "(2*z0 + 1)**2", "-(2*z0)", "1/(2*z0)", "z0/2"]
)
def test_a_scale_is_taken_up_by_constants(kernels, text):
    X = np.random.default_rng(0).normal(size=(20, 3))
    law = parse(text, kernels.names)
    scaled = absorb_output(law, 1.7, 0.0, 50.0)
    np.testing.assert_allclose(scaled.evaluate(X), 1.7 * law.evaluate(X))
    assert scaled.complexity() == law.complexity()


@pytest.mark.parametrize("text", ["z0*z1 - 1", "z0", "exp(2*z0)", "z0 + 2*z1"])
def test_a_law_that_cannot_take_up_a_scale_stays(kernels, text):
    law = parse(text, kernels.names)
    assert absorb_output(law, 1.7, 0.0, 50.0) == law


def test_a_scale_that_breaks_the_bound_on_constants_is_not_taken_up(kernels):
    law = parse("30*z0 - 1", kernels.names)
    assert absorb_output(law, 2.0, 0.0, 50.0) == law
