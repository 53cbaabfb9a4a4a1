"""Names of features: safe for the search, the user's own in what is shown."""

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.estimators.feature_names import FeatureNames, upright
from occamscope.laws.expressions.expression import parse
from occamscope.laws.expressions.parser import check_names


def test_identifiers_stay_as_they_are():
    names = FeatureNames.of(["x0", "mean_radius", "_a", "Z9"])
    assert names.safe == names.own


@pytest.mark.parametrize(
    ("own", "safe"),
    [
        ("mean radius", "mean_radius"),
        ("a-b", "a_b"),
        ("1st", "x_1st"),
        ("exp", "x_exp"),
        ("lambda", "x_lambda"),
        ("np", "x_np"),
        ("X", "x_X"),
        ("größe", "große".replace("ß", "_")),
        ("µ (px²)", "_px2".strip("_")),
        ("", "x"),
        ("`", "x"),
        ("%%%", "x"),
        ("a" * 300, "a" * 40),
    ],
)
def test_other_names_get_a_readable_stand_in(own, safe):
    assert FeatureNames.of([own]).safe == (safe,)


def test_stand_ins_differ_from_one_another_and_from_names_that_stay():
    names = FeatureNames.of(["a b", "a-b", "a_b", "a_b_2", "a+b"])
    assert names.safe == ("a_b_3", "a_b_4", "a_b", "a_b_2", "a_b_5")


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8, unique=True))
def test_any_names_become_usable_ones(own):
    names = FeatureNames.of(own)
    assert check_names(names.safe) == names.safe
    assert not set(names.safe) & set(keyword.kwlist)
    assert max(map(len, names.safe)) < 50
    for name, safe in zip(own, names.safe, strict=True):
        assert names.safe_name(name) == safe


@given(
    st.lists(st.text(st.characters(exclude_characters="`"), max_size=20), min_size=2, max_size=4,
             unique=True)
)  # fmt: skip
def test_what_is_shown_reads_back(own):
    names = FeatureNames.of(own)
    law = parse(f"2.5*{names.safe[0]} - {names.safe[1]}**2", names.safe)
    assert parse(names.to_safe(names.shown(law)), names.safe) == law


def test_one_name_of_two_features_is_refused():
    with pytest.raises(InputError, match="'a' comes twice"):
        FeatureNames.of(["a", "b", "a"])


def test_an_unknown_name_is_refused():
    names = FeatureNames.of(["mean radius"])
    with pytest.raises(InputError, match="no 'mass'"):
        names.safe_name("mass")
    with pytest.raises(InputError, match="no 'mass'"):
        names.to_safe("2*`mass`")


def test_a_plain_matrix_has_numbered_columns():
    assert FeatureNames.numbered(3).own == ("x0", "x1", "x2")


def test_names_are_upright_in_latex_and_their_signs_have_no_meaning():
    names = FeatureNames.of(["50% a_b", "z1"])
    law = parse(f"{names.safe[0]}*z1", names.safe)
    assert names.latex(law) == r"\mathrm{50\%\ a\_b} \, z_{1}"
    assert upright(r"{\a}") == r"\mathrm{\{\backslash a\}}"


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=30))
def test_matplotlib_can_draw_any_name(word):
    from matplotlib.mathtext import MathTextParser

    MathTextParser("path").parse(f"${upright(word)}$")


def test_sympy_symbols_have_the_own_names_at_once():
    import sympy

    names = FeatureNames.of(["a b", "a_b_2", "a_b"])  # stand-ins that cross
    law = parse("a_b_3 - 2*a_b_2 + a_b", names.safe)
    a, b, c = (sympy.Symbol(own, real=True) for own in names.own)
    assert sympy.simplify(names.to_sympy(law) - (a - 2 * b + c)) == 0
