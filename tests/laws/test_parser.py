import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.parser import check_names, parse_tree
from occamscope.laws.expressions.tree import call, constant, power, variable

NAMES = ("z1", "z2", "z3")
Z1, Z2 = variable("z1"), variable("z2")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("z1 - z2 - 1", call("-", call("-", Z1, Z2), constant(1))),
        ("z1 + z2*2", call("+", Z1, call("*", Z2, constant(2)))),
        ("z1/z2/2", call("/", call("/", Z1, Z2), constant(2))),
        ("-z1**2", call("neg", call("square", Z1))),
        ("(-z1)**2", call("square", call("neg", Z1))),
        ("-z1*z2", call("*", call("neg", Z1), Z2)),
        ("-2.5*z1", call("*", constant(-2.5), Z1)),
        ("-2**2", call("neg", call("square", constant(2)))),
        ("-(2)", call("neg", constant(2))),
        ("z1 - -2", call("-", Z1, constant(-2))),
        ("z1^3", call("cube", Z1)),
        ("z1**-1", call("inv", Z1)),
        ("z1**(-2)", power(Z1, -2)),
        ("z1 ^ 2.0", call("square", Z1)),
        ("Abs(z1)", call("abs", Z1)),
        ("square(z1 + .5e1)", call("square", call("+", Z1, constant(5)))),
    ],
)
def test_text_becomes_the_tree_that_python_would_build(text, tree):
    assert parse_tree(text, NAMES) == tree


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "z1.__class__",
        "z1.real",
        "(lambda: z1)()",
        "z1 if z2 else z3",
        "[z1]",
        "z1; z2",
        "z1\nz2",
        "z1 == z2",
        "z1 @ z2",
        "z1 // z2",
        "z1**99999999",
        "9**9**9",
        "z1**z2",
        "z1**0.5",
        "z1**1",
        "exp(z1)**1e9",
        "1e999",
        "1_000",
        "0x10",
        "1j",
        "z1 z2",
        "2z1",
        "z1(z2)",
        "exp",
        "exp z1",
        "exp(z1, z2)",
        "sin()",
        "pow(z1)",
        "gamma(z1)",
        "neg",
        "z4",
        "inf",
        "nan",
        "",
        "   ",
        "+z1",
        "z1 +",
        "(z1",
        "z1)",
        "()",
        "z1 ** ** 2",
        "\u017e1",
        "z1 \u2212 z2",
        "z\uff11",
        "\uff11",
        "z1\u00a0+ z2",
        "z1\x00",
        "'z1'",
        "f'{z1}'",
        "{z1}",
        "\\z1",
        "#z1",
    ],
)
def test_everything_outside_the_grammar_is_refused(text):
    with pytest.raises(InputError, match=r"position \d+"):
        parse(text, NAMES)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "z1" + ")" * 5000, "(" * 500 + "z1" + ")" * 500, "-" * 1000 + "z1",
     "exp(" * 200 + "z1" + ")" * 200, "+".join(["z1"] * 1200), "1" * 5000],
)  # fmt: skip
def test_long_and_deep_text_is_refused_before_it_costs(text):
    with pytest.raises(InputError):
        parse(text, NAMES)


@pytest.mark.parametrize("text", [None, 3.0, b"z1", ["z1"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(InputError, match="expected text"):
        parse(text, NAMES)


def test_a_message_names_position_neighbourhood_and_nearest_name():
    with pytest.raises(InputError, match="'sqr' .* position 7, near .*; did you mean 'sqrt'"):
        parse("2.5 + sqr(z1)", NAMES)


def test_messages_are_plain_ascii():
    with pytest.raises(InputError) as caught:
        parse("z1 + \U0001f600", NAMES)
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "names", [["exp"], ["z 1"], ["1z"], ["z1", "z1"], ["z\u00e9"], ["lambda"], ["X"], ["Abs"], [3]]
)
def test_unusable_variable_names_are_refused(names):
    with pytest.raises(InputError):
        check_names(names)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(st.sampled_from("z123.e+-*/^() _xpq"), max_size=30) | st.text(max_size=20))
def test_any_text_is_parsed_or_refused_and_never_breaks(text):
    try:
        law = parse(text, NAMES)
    except InputError:
        return
    assert parse(law.to_text(), NAMES) == law
