import pytest

from occamscope.errors import InputError
from occamscope.laws.spec import (
    DEFAULT_OPERATORS,
    SearchSpec,
    default_operators,
    paper_operators,
)


def test_the_default_search_has_no_poles_and_no_saturation():
    assert SearchSpec().operators == default_operators() == ("+", "-", "*", "square")


def test_the_papers_operators_add_exp():
    assert set(paper_operators()) - set(default_operators()) == {"exp"}


def test_operators_can_be_named_as_a_set_or_listed():
    assert SearchSpec(operators="paper").operators == paper_operators()
    assert SearchSpec(operators=["+", "exp"]).operators == ("+", "exp")  # type: ignore[arg-type]


def test_operators_are_split_by_arity_in_their_order():
    spec = SearchSpec(operators=("exp", "*", "square", "+"))
    assert spec.binary_operators == ("*", "+")
    assert spec.unary_operators == ("exp", "square")


@pytest.mark.parametrize(
    ("loss", "wanted", "free"),
    [("hinge", True, True), ("hinge", False, False), ("mse", True, False)],
)
def test_only_margin_losses_have_a_free_scale(loss, wanted, free):
    assert SearchSpec(loss=loss, output_scale=wanted).free_scale is free


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "huber"}, "laws.loss"),
        ({"operators": ("+", "sqare")}, "did you mean 'square'"),
        ({"operators": "papr"}, "default, paper"),
        ({"operators": ("+", "+")}, "twice"),
        ({"operators": ()}, "empty"),
        ({"operators": ("pow",)}, "pow"),
        ({"maxsize": 0}, "maxsize"),
        ({"evaluations": 1.5}, "evaluations"),
        ({"islands": True}, "islands"),
        ({"population": 1}, "population"),
        ({"seed": -1}, "seed"),
        ({"max_constant": float("inf")}, "max_constant"),
        ({"parsimony": -0.1}, "parsimony"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        SearchSpec(**settings)


def test_specs_are_equal_by_value():
    assert SearchSpec(operators="default") == SearchSpec(operators=DEFAULT_OPERATORS)
