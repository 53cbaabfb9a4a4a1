import numpy as np
import pandas as pd
import pytest

from occamscope.figures.failures import draw_failures, short_term, strongest_terms
from occamscope.scale import WHITE

CLASSES = ("interphase", "metaphase")
PROBES = ("blank", "noise", "two_nuclei", "real")


@pytest.fixture
def probes(fake):
    images = (fake.ellipses(fake.cells(4)[0]) * WHITE).astype(np.uint8)
    rows, terms = [], []
    for i, probe in enumerate(PROBES):
        for j, model in enumerate(("law", "black_box", "dense", "sparse")):
            score = (i - 1.5) * 4.0 ** (j + 1)
            rows.append((probe, model, 50, i / 3, i / 3.5, (i + 1) / 4, score, score - 3, score + 3,
                         0.01 if probe == "real" else 0.995))  # fmt: skip
        terms += [
            (probe, term, pull)
            for term, pull in (("1.23456*z29*(z17**2 + z21**2)", i - 0.2), ("-z3", 0.3),
                               ("0.777", 0.0), ("z5**3", -0.1))
        ]  # fmt: skip
    columns = ["probe", "model", "n", "positive_share", "positive_low", "positive_high",
               "margin_median", "margin_q05", "margin_q95", "caught_share"]  # fmt: skip
    summary = pd.DataFrame(rows, columns=columns)
    pulls = pd.DataFrame(terms, columns=["probe", "term", "pull"])
    return dict.fromkeys(PROBES, (images, images)), summary, pulls


def test_failures_are_sound_and_hold_the_input(probes, sound):
    examples, summary, terms = probes
    data = sound(lambda: draw_failures(examples, summary, terms, CLASSES)).data
    models = data[data["element"] == "model"][summary.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(models, summary, check_dtype=False)
    assert (data["element"] == "term").sum() == 12


def test_the_markers_are_shares_and_medians(probes):
    examples, summary, terms = probes
    figure = draw_failures(examples, summary, terms, CLASSES).figure
    own = summary[summary["probe"] == "two_nuclei"].set_index("model")
    margin = [a for a in figure.axes if a.get_xscale() == "symlog"][2]
    drawn = [line.get_xdata()[0] for line in margin.lines if len(line.get_xdata()) == 1]
    order = ["black_box", "dense", "sparse", "law"]
    assert drawn == pytest.approx(own.loc[order, "margin_median"])


def test_the_specs_column_names_are_understood(probes, neat):
    examples, summary, terms = probes
    renamed = summary.rename(
        columns={"positive_share": "share_positive", "margin_q05": "margin_low",
                 "margin_q95": "margin_high", "caught_share": "gate_caught"}
    ).drop(columns=["positive_low", "positive_high"])  # fmt: skip
    contributions = terms.rename(columns={"pull": "contribution"})
    data = neat(lambda: draw_failures(examples, renamed, contributions, CLASSES)).data
    assert data["caught_share"].dropna().tolist() == summary["caught_share"].tolist()


def test_one_probe_without_examples_terms_or_intervals_is_drawn(probes, neat):
    summary = probes[1][lambda t: t["probe"] == "noise"].assign(margin_q05=np.nan)
    neat(lambda: draw_failures({}, summary, None, CLASSES))


def test_a_model_missing_for_a_probe_leaves_a_gap(probes, neat):
    examples, summary, terms = probes
    neat(lambda: draw_failures(examples, summary.drop(index=[0, 5]), terms, CLASSES))


def test_the_title_counts_the_probes_that_the_gate_catches(probes):
    title = draw_failures(*probes, CLASSES).figure.get_suptitle()
    assert "3 of 3 kinds" in title and "real crops in 1.0 %" in title


def test_the_strongest_pulls_come_first_with_their_share():
    terms = pd.DataFrame({"probe": "blank", "term": list("abcd"), "pull": [0.1, -3.0, 1.0, 0.9]})
    found = strongest_terms(terms, ["blank"])
    assert found["term"].tolist() == ["b", "c", "d"]
    assert found["share"].iloc[0] == pytest.approx(-0.6)


@pytest.mark.parametrize(
    ("term", "short"),
    [
        ("1.23456*z29*z17**2", "1.23·z29·z17²"),
        ("-0.5*z1**3 - z21", "−0.5·z1³ − z21"),
        ("exp(exp(z3))*(z17**2 + z21**2)", "exp(exp(z3))·(z17² + …"),
    ],
)
def test_terms_are_short(term, short):
    assert short_term(term) == short
