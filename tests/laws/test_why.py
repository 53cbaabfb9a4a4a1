import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.choice.why import explain, factors
from occamscope.laws.expressions.expression import parse

NAMES = ("x", "y", "z")
ROW = (1.0, 2.0, -0.5)


def told(text, row=ROW, **options):
    return explain(parse(text, NAMES), row, **options)


def flips(result):
    return result.flips.set_index("variable")["flips_at"]


def test_a_sum_is_told_by_its_terms():
    parts = told("x*y - 3*z**2 + 0.5").parts
    assert parts["part"].tolist() == ["x*y", "-3*z**2", "constant"]
    assert parts["value"].tolist() == [2.0, -0.75, 0.5]
    np.testing.assert_allclose(parts["share"], [2 / 3.25, -0.75 / 3.25, 0.5 / 3.25])


def test_constants_are_put_together_with_the_offset():
    result = told("1 + x - 3", scale=4.0, offset=2.0)
    assert result.parts["part"].tolist() == ["x", "constant"]
    assert result.parts["value"].tolist() == [1.0, -1.5]
    assert result.value == -0.5


def test_a_product_is_told_by_its_factors():
    result = told("-2*x*(y - 3)/(z + 1)")
    assert result.kind == "product"
    assert result.parts["part"].tolist() == ["-2", "x", "y - 3", "1/(z + 1)"]
    assert result.parts["value"].tolist() == [-2.0, 1.0, -1.0, 2.0]
    assert result.value == 4.0
    assert "share" not in result.parts


def test_a_product_with_a_threshold_is_a_sum():
    assert told("x*(y**2 + z**2) - 2").kind == "sum"


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.sampled_from(
    ["x*y - 3*z**2 + 0.5 - (x + 2)", "-(x*y)/(z + 5)*-2", "exp(x) - tanh(y)*z", "1/(x + 4)/(y + 4)"]
))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_parts_make_up_the_value(row, text):
    result = told(text, row, reach=0.1)
    whole = parse(text, NAMES).evaluate([row])[0]
    gather = np.prod if result.kind == "product" else np.sum
    assert gather(result.parts["value"]) == pytest.approx(whole, abs=1e-12)
    assert result.value == whole


def test_factors_of_a_quotient():
    assert [text for text, _ in factors(parse("1/x/(1/y)*-z", NAMES))] == ["1/x", "y", "-1", "z"]


def test_the_decision_is_named():
    names = ("interphase", "metaphase")
    assert told("x", class_names=names).decision == "metaphase"
    assert told("x - 1", class_names=names).decision == "interphase"
    assert told("log(z)", class_names=names).decision == "interphase"


def test_a_flip_of_a_linear_law_is_in_closed_form():
    result = told("2*x - y - 1.5", spread=[0.5, 1.0, 1.0])
    assert flips(result)["x"] == pytest.approx(1.75)
    assert flips(result)["y"] == pytest.approx(0.5)
    change = result.flips.set_index("variable")["change_in_sd"]
    assert change["x"] == pytest.approx(1.5)
    assert change["y"] == pytest.approx(-1.5)


def test_the_smallest_change_is_first():
    result = told("x + 0.01*y", spread=[1, 1, 1], reach=1000)
    assert result.flips["variable"].tolist() == ["x", "y"]


def test_the_nearer_of_two_roots_is_taken():
    assert flips(told("x**2 - 4", row=(1.9, 0, 0)))["x"] == pytest.approx(2.0)
    assert flips(told("(x - 0.9)*(x - 1.2)", row=(1.0, 0, 0)))["x"] == pytest.approx(0.9)


def test_a_flip_out_of_reach_is_none():
    result = told("x - 100", spread=[1, 1, 1], reach=3)
    assert np.isnan(flips(result)["x"])
    assert "not within 3 sd" in str(result)
    assert flips(told("x - 100", reach=100))["x"] == pytest.approx(100)


def test_a_law_that_never_turns_has_no_flip():
    assert flips(told("x**2 + 1")).isna().all()


def test_poles_and_edges_of_the_domain_flip_too():
    assert flips(told("1/(x - 0.3)"))["x"] == pytest.approx(0.3)
    assert flips(told("sqrt(x - 0.5) + 1"))["x"] == pytest.approx(0.5)
    assert flips(told("log(x + 3) + 9", row=(-4.0, 0, 0)))["x"] == pytest.approx(-3 + np.exp(-9))


def test_a_dip_between_two_points_of_the_grid_is_found():
    result = told("(x - 2.001)**2 - 1e-9", row=(0.0, 0, 0))
    assert flips(result)["x"] == pytest.approx(2.001 - 1e-9**0.5, abs=1e-12)


def test_a_flip_at_zero_is_zero():
    assert flips(told("x*(y**2 - 0.3)"))["x"] == 0.0


LAWS = ["x*(y**2 + z**2) - 2", "x - tanh(3*y) + 0.3*z**3", "exp(x) - 2*cos(3*y)*z", "x/y - z",
        "abs(x - 1) - abs(y)", "sin(9*x) + 0.2"]  # fmt: skip


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.sampled_from(LAWS))
@settings(max_examples=100, deadline=None)
def test_a_flip_flips_and_nothing_on_the_way_to_it_does(row, text):
    assume(row[1] != 0)  # on the pole of x/y the sign of 0 decides
    law = parse(text, NAMES)
    result = explain(law, row, reach=2.0)
    here = law.evaluate([row])[0] > 0
    for name, value, at in result.flips[["variable", "value", "flips_at"]].itertuples(index=False):
        column = NAMES.index(name)
        distance = 2.0 if np.isnan(at) else max(abs(at - value) - 1e-12, 0.0)
        X = np.tile(row, (801, 1))
        X[:, column] = value + np.linspace(-distance, distance, 803)[1:-1]
        assert ((law.evaluate(X) > 0) == here).all()
        if np.isfinite(at):
            X[0, column] = at
            assert (law.evaluate(X[:1])[0] > 0) != here


def test_rows_may_be_given_by_name_and_spread_by_data():
    data = np.random.default_rng(0).normal(size=(50, 3)) * [1, 2, 3]
    result = told("x + z - 1", {"z": 1.0, "x": 0.5}, spread=data)
    table = result.flips.set_index("variable")
    assert table.loc["z", "change_in_sd"] == pytest.approx(-0.5 / data[:, 2].std())


def test_a_variable_that_does_not_vary_has_no_flip():
    assert np.isnan(flips(told("x - 0.9", spread=[0.0, 1.0, 1.0]))["x"])


def test_the_text_tells_it_all():
    text = str(told("x*y - 0.5", class_names=("a", "b"), spread=[1, 1, 1]))
    assert text.splitlines()[0] == "b: f = 1.5 > 0"
    assert "x*y                2   +80 %" in text
    assert "x           1 -> 0.25 (-0.75 sd)" in text
    page = told("x*y - 0.5")._repr_html_()
    assert page.count("<table") == 2 and "&gt; 0" in page


def test_a_law_without_variables_is_explained():
    result = told("2.5")
    assert result.parts["part"].tolist() == ["constant"]
    assert result.flips.empty
    assert "no variable" in str(result)


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ((1.0, 2.0), {}, "3 values"),
        ({"x": 1.0}, {}, "no value for 'y'"),
        (ROW, {"reach": 0}, "reach"),
        (ROW, {"spread": [1.0]}, "standard deviations"),
        (ROW, {"spread": [1.0, -1.0, 1.0]}, "standard deviations"),
    ],
)
def test_what_does_not_fit_is_refused(row, options, message):
    with pytest.raises(InputError, match=message):
        told("x + y", row, **options)
