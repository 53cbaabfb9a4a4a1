from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.laws.choice.rashomon import RashomonSettings, off_data, rashomon_set
from occamscope.laws.expressions.expression import parse

NAMES = ("z0", "z1", "z2", "z3")
RNG = np.random.default_rng(1)
# z1 is nearly a copy of z0: laws of either are as good on the data, but part company off it.
Z = RNG.normal(size=(600, 4))
Z[:, 1] = Z[:, 0] + 0.1 * RNG.normal(size=600)
LABELS = (Z[:, 0] + 0.05 * RNG.normal(size=600) > 0.2).astype(int)
POOL = [
    "z0 - 0.2",
    "2.0*z0 - 0.4",  # the same law
    "z0 - 0.25",  # the same structure
    "z1 - 0.2",
    "0.5*z0 + 0.5*z1 - 0.2",
    "z0 + 0.01*z2**2 - 0.21",
    "z2",  # useless
]
SETTINGS = RashomonSettings(epsilon=0.05)


def found(pool=POOL, X=Z, labels=LABELS, settings=SETTINGS):
    return rashomon_set([pool], X, labels, NAMES, settings)


def test_the_set_holds_one_law_of_each_good_structure():
    table = found().table
    assert set(table["structure"]) == {"z0 + c", "z1 + c", "z0 + z1 + c", "z0 + z2**2 + c"}
    assert table.set_index("structure").loc["z0 + c", "variants"] == 2


def test_only_laws_within_epsilon_of_the_best_are_in():
    everything = found(settings=replace(SETTINGS, epsilon=1.0))
    assert "z2" in set(everything.table["structure"])
    floor = everything.best - 0.05
    good = everything.table["validation_balanced_accuracy"] >= floor
    assert len(found()) == int(good.sum())
    assert len(found(settings=replace(SETTINGS, epsilon=0.0))) >= 1


def test_the_best_law_has_number_1_and_leads_the_first_cluster():
    table = found().table
    first = table.iloc[0]
    assert (first["law"], first["cluster"]) == (1, 1)
    assert first["validation_balanced_accuracy"] == table["validation_balanced_accuracy"].max()
    assert table["cluster"].is_monotonic_increasing


def test_accuracy_counts_the_output_offset():
    pool = pd.DataFrame({"expression": ["z0"], "output_scale": [2.0], "output_offset": [-0.4]})
    with_offset, without = found(pool), found(pool.assign(output_offset=0.0))
    assert with_offset.best == found(["z0 - 0.2"]).best > without.best
    assert with_offset.table["expression"].tolist() == ["z0"]
    assert with_offset.table["latex"].tolist() == ["z_{0} - 0.2"]


def test_agreement_is_the_share_of_rows_decided_alike():
    result = found()
    decisions = result.decisions(Z)
    for i, a in enumerate(result.table["law"]):
        for j, b in enumerate(result.table["law"]):
            expected = np.mean(decisions[i] == decisions[j])
            assert result.agreement.loc[a, b] == pytest.approx(expected)
    assert result.all_agree == np.mean(decisions.all(0) | ~decisions.any(0))


def test_laws_of_copied_variables_agree_on_the_data_but_not_off_it():
    result = found(["z0 - 0.2", "z1 - 0.2"])
    assert result.all_agree > 0.9
    # Off the data z0 and z1 are independent: nearly chance.
    assert result.all_agree_off < 0.7
    assert result.agreement_off.loc[1, 2] == pytest.approx(result.all_agree_off)


def test_laws_of_the_same_parts_form_a_cluster():
    pool = ["z0 - 0.2", "z0 + 0.01*z0**2 - 0.2", "z1 - 0.2", "z1 + 0.01*z1**2 - 0.2"]
    table = found(pool).table
    clusters = table.groupby(table["variables"])["cluster"].agg(set)
    assert clusters.map(len).tolist() == [1, 1]
    assert clusters["z0"] != clusters["z1"]


def test_importance_ranges_over_the_laws():
    result = found()
    table = result.importance.set_index("variable")
    assert table.loc["z0", "laws"] == result.uses["z0"].sum() == 3
    assert table.loc["z0", "lowest"] == 0.0  # the law of z1 alone does not need it
    assert table.loc["z0", "highest"] > 0.3
    assert table.loc["z2", "highest"] < 0.02
    assert "z3" not in table.index


def test_a_variable_that_cancels_is_not_used():
    result = found(["z0 + z3 - z3 - 0.2"])
    assert result.table["variables"].tolist() == ["z0"]
    assert list(result.uses.columns) == ["z0"]


def test_the_same_call_gives_the_same_set():
    one, other = found(), found(POOL[::-1])
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.agreement_off, other.agreement_off)
    pd.testing.assert_frame_equal(one.importance, other.importance)


def test_a_single_law_is_a_set():
    result = found(["z0 - 0.2"])
    assert (len(result), result.all_agree, result.all_agree_off) == (1, 1.0, 1.0)
    assert result.agreement.to_numpy().tolist() == [[1.0]]


def test_a_law_without_variables_is_a_set():
    result = found(["1.0"])
    assert result.best == 0.5
    assert result.importance.empty


def test_laws_beyond_the_size_are_left_out():
    small = found(settings=replace(SETTINGS, max_complexity=3))
    assert small.table["complexity"].max() <= 3
    with pytest.raises(InputError, match="at most 2 nodes"):
        found(["z0 - 0.2"], settings=replace(SETTINGS, max_complexity=2))


def test_undefined_values_count_as_negative():
    result = found(["log(z0 - 0.2) + 9", "z0 - 0.2"], settings=replace(SETTINGS, epsilon=1.0))
    assert not result.decisions(np.full((1, 4), -1.0)).any()


def test_points_off_the_data_fill_a_box_or_a_bell():
    box = off_data(Z, replace(SETTINGS, off_spread=2.0))
    middle, half = (Z.max(0) + Z.min(0)) / 2, (Z.max(0) - Z.min(0)) / 2
    assert (np.abs(box - middle) <= 2 * half).all()
    assert (np.abs(box - middle) > 1.9 * half).any(axis=0).all()
    bell = off_data(Z, replace(SETTINGS, off_shape="gaussian", off_spread=2.0, off_points=20_000))
    np.testing.assert_allclose(bell.std(0), 2 * Z.std(0), rtol=0.05)
    assert abs(np.corrcoef(bell[:, 0], bell[:, 1])[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [({"epsilon": -0.1}, "epsilon"), ({"off_shape": "ball"}, "off_shape"),
     ({"shuffles": 0}, "at least 1")],
)  # fmt: skip
def test_bad_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        found(settings=replace(SETTINGS, **change))


def test_one_class_is_refused():
    with pytest.raises(InputError, match="one class"):
        found(labels=np.ones(600))


def test_labels_may_be_signed():
    pd.testing.assert_frame_equal(found(labels=2 * LABELS - 1).table, found().table)


def test_a_set_prints_what_it_shares():
    text = str(found(["z0 - 0.2", "z0 + 0.01*z2**2 - 0.21"]))
    assert text.startswith("2 structurally different laws in 1 cluster within 0.05 of the best")
    assert "All use z0." in text
    assert "<table" in found()._repr_html_()


def test_the_laws_are_those_of_the_table():
    result = found()
    texts = [law.to_text() for law in result.laws()]
    assert texts == [parse(t, NAMES).to_text() for t in result.table["expression"]]
