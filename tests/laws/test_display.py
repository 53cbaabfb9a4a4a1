import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.laws.display import (
    columns_of,
    format_front,
    format_front_html,
    front_html,
    front_text,
    short_numbers,
    shorten,
    wrap_law,
)
from occamscope.laws.expressions.expression import parse
from occamscope.laws.front import Front

NAMES = ("z0", "z1", "z12")
LONG = " + ".join(f"{k}.123456*z0*z1*exp(-z12**{k})" for k in range(2, 9))


def table(*texts, **columns):
    count = len(texts)
    rows = pd.DataFrame(
        {
            "complexity": range(1, 2 * count, 2),
            "loss": [1.0 / (k + 1) for k in range(count)],
            "score": [0.123456 * k for k in range(count)],
            "expression": texts,
            "latex": [f"z_{{{k}}}" for k in range(count)],
            "output_scale": 1.0,
            "output_offset": 0.0,
            "engine": "evolution",
            "loss_name": "hinge",
            "target": "labels",
            "seed": 0,
        }
    )
    return rows.assign(**columns)


def front(*texts, stopped="budget", **columns):
    return Front(table(*texts, **columns), NAMES, stopped)


def joined(lines):
    return re.sub(r"\s", "", "".join(lines))


class Cells(HTMLParser):
    """Collects tags and the text of each cell."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_the_pick_is_pointed_at():
    lines = format_front(table("z0", "z0 - 0.2"), pick=1, width=80).splitlines()
    assert len(lines) == 3
    assert [line.startswith(">>>>") for line in lines] == [False, False, True]


def test_a_table_looks_like_this():
    assert format_front(table("1.0", "z0*z1 - 0.25"), 1, 80).splitlines() == [
        "      complexity  loss  score  expression",
        "               1     1      0  1",
        ">>>>           3   0.5  0.123  z0*z1 - 0.25",
    ]


def test_without_a_pick_there_is_no_room_for_it():
    assert format_front(table("z0"), width=80).splitlines()[1].split() == ["1", "1", "0", "z0"]


def test_the_pick_is_an_index_label():
    rows = table("z0", "z0 - 0.2").set_index(pd.Index([40, 50]))
    assert format_front(rows, pick=50, width=80).splitlines()[2].startswith(">>>>")


def test_where_rows_differ_in_origin_the_column_is_shown():
    assert "engine" not in format_front(table("z0", "z1"), width=80)
    text = format_front(table("z0", "z1", engine=["evolution", "pysr"]), width=80)
    assert "engine" in text and "pysr" in text


def test_an_offset_is_shown_if_there_is_one():
    assert "offset" not in format_front(table("z0"), width=80)
    lines = format_front(table("z0", output_offset=-1.5, output_scale=3.0), width=80).splitlines()
    assert "scale" in lines[0] and "offset" in lines[0] and "-1.5" in lines[1]


def test_validation_columns_are_shown_where_they_are():
    rows = table("z0", validation_loss=0.51234, validation_balanced_accuracy=0.98765)
    lines = format_front(rows, width=80).splitlines()
    assert "val. loss" in lines[0] and "0.5123" in lines[1] and "0.988" in lines[1]


def test_a_joint_table_without_scales_is_shown_too():
    rows = table("setosa: 1.23456 - z0; other: z1").drop(columns=["output_scale", "output_offset"])
    assert "setosa: 1.235 - z0; other: z1" in format_front(rows, width=80)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(1, 200), st.sampled_from([None, 0, 1]), st.booleans())
def test_no_line_is_longer_than_the_terminal_is_wide(width, pick, wide):
    extra = {"validation_loss": 0.1, "validation_balanced_accuracy": 0.9} if wide else {}
    text = format_front(table("z0", LONG, **extra), pick, width)
    assert max(map(len, text.splitlines())) <= width
    if width > 26:  # nothing of the law is lost
        start = text.splitlines()[0].index("expression")
        law = [line[start:] for line in text.splitlines()[2:]]
        assert joined(law) == joined(short_numbers(LONG))


def test_on_a_narrow_terminal_the_score_gives_way_before_the_loss():
    heads = {w: format_front(table("z0"), width=w).splitlines()[0].split() for w in (80, 42, 30, 9)}
    assert heads[80] == ["complexity", "loss", "score", "expression"]
    assert heads[42] == ["complexity", "loss", "expression"]
    assert heads[30] == ["expression"] or "complexity" in heads[30]
    assert heads[9] == ["expressio"]


def test_the_width_is_that_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert 40 < max(map(len, str(front("z0", LONG)).splitlines())) <= 50


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.text("z01.9+-*/() e`^", max_size=120)
    | st.sampled_from([LONG, "`mean radius`*2.0 + `é 漢字`"]),
    st.integers(2, 60),
)
def test_broken_lines_hold_the_whole_text_and_fit(text, width):
    lines = wrap_law(text, width)
    assert joined(lines) == joined(text)
    assert all(columns_of(line) <= width for line in lines)
    assert all(line == line.strip() for line in lines)


def test_lines_are_broken_before_summands():
    assert wrap_law("z0*z1*z2 + 3*z3*z4 - z5*z6", 20) == ["z0*z1*z2 + 3*z3*z4", "- z5*z6"]
    assert wrap_law("z0*z1*z2*z3*z4", 8) == ["z0*z1*z2", "*z3*z4"]
    assert wrap_law("z0 + z1*z2*z3*z4*z5", 16) == ["z0 + z1*z2*z3*z4", "*z5"]


def test_numbers_are_rounded_but_not_names_and_exponents():
    text = "1.2345678*z12345**2 - 0.00012345678*exp(z1) + 50.0 + 1.23456e-07*`a 1.234567`"
    expected = "1.235*z12345**2 - 0.0001235*exp(z1) + 50 + 1.235e-07*`a 1.234567`"
    assert short_numbers(text) == expected


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.floats(-1e9, 1e9), st.integers(2, 9))
def test_a_rounded_law_is_still_that_law(value, power):
    law = parse(f"z12**{power}*{value!r} - z1", NAMES)
    shown = parse(short_numbers(law.to_text()), NAMES)
    assert shown.rounded(4) == law.rounded(4)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.text(max_size=40), st.integers(0, 30))
def test_a_shortened_text_fits(text, width):
    short = shorten(text, width)
    assert columns_of(short) <= width
    assert short.isprintable()
    if short.endswith("...") and not text.endswith("..."):
        assert columns_of(text) > width


def test_wide_and_combining_characters_are_counted_as_terminals_do():
    assert columns_of("漢字") == 4
    assert columns_of("e\u0301") == 1


def test_names_cannot_steer_the_terminal():
    text = format_front(table("`\x1b[2J`*z0", engine=["evil\r"]), width=80)
    assert "\x1b" not in text and "\r" not in text


@pytest.mark.parametrize(
    ("stopped", "words"), [("time", "time limit"), ("interrupt", "by the user")]
)
def test_a_search_that_was_cut_short_says_so(stopped, words):
    cut = front("z0", stopped=stopped)
    assert words in str(cut).splitlines()[-1]
    assert words in cut._repr_html_()


@pytest.mark.parametrize("stopped", ["budget", "generations"])
def test_a_complete_search_says_nothing_of_the_kind(stopped):
    assert "topped" not in str(front("z0", stopped=stopped))
    assert "topped" not in front("z0", stopped=stopped)._repr_html_()


def test_a_front_is_its_table_in_a_console():
    text = str(front("z0", "z0 - 0.2"))
    assert text == repr(front("z0", "z0 - 0.2"))
    assert text.splitlines()[0] == "2 laws (hinge loss, evolution, seed 0)"
    assert text.splitlines()[1].split() == ["complexity", "loss", "score", "expression"]


def test_an_empty_front_says_so():
    empty = Front(table("z0").iloc[:0], NAMES)
    assert "no law" in str(empty)
    assert "no law" in empty._repr_html_()


def test_notes_fit_a_narrow_terminal_too():
    text = front_text(front("z0", LONG, stopped="time"), width=25)
    assert max(map(len, text.splitlines())) <= 25


def test_the_notebook_shows_laws_in_latex_and_as_text():
    page = front_html(front("z0", "1.23456*z1"), pick=1)
    cells = Cells(page).cells
    assert cells[:6] == ["", "complexity", "loss", "score", "law", "expression"]
    assert cells[6:12] == ["", "1", "1", "0", "$z_{0}$", "z0"]
    assert cells[12:] == [">>>>", "3", "0.5", "0.123", "$z_{1}$", "1.235*z1"]


def test_markup_in_names_is_escaped_in_the_notebook():
    evil = "<script>alert('x')</script>"
    rows = table(f"`{evil}`*z0", latex=rf"\mathrm{{{evil}}}", engine=["a"], seed=[0])
    page = format_front_html(pd.concat([rows, rows.assign(engine=evil)]))
    assert "<script" not in page
    assert evil in "".join(Cells(page).cells)


def test_latex_that_would_end_the_formula_is_left_out():
    page = format_front_html(table("z0", latex="x$<b>"))
    assert "$" not in page
    escaped = format_front_html(table("z0", latex=r"\mathrm{a\$}"))
    assert r"$\mathrm{a\$}$" in escaped


def test_numbers_that_are_not_finite_are_shown():
    assert "inf" in format_front(table("z0", loss=[np.inf]), width=80)
