"""What counts as the planted structure."""

import pytest

from occamscope.laws.expressions.expression import parse

recovery = pytest.importorskip("recovery")

NAMES = ("z5", "z11", "z17")
GATE = parse("tanh(2*z5)*z11 + exp(neg(z17**2)) - 0.6", NAMES)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("z11*tanh(1.9*z5) + exp(0.01 - z17**2) - 0.58", True),
        ("(tanh(2.1*z5)*z11 - 0.6)*exp(1.1*z17**2) + 0.95", True),
        ("(tanh(2*z5)*z11 - 0.6)*exp(z5**2) + 1", False),
        ("(z17**2 + 1.3)*(tanh(2*z5)*z11 - 1) + 1.9", False),
        ("tanh(2*z5)*z11 + exp(neg(z17**2))", False),
    ],
)
def test_a_rule_may_be_multiplied_by_one_of_its_own_exponentials(text: str, same: bool) -> None:
    assert recovery.has_structure(parse(text, NAMES), GATE) == same
