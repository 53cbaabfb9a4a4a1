import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from occamscope.evaluation.claims import (
    COLUMNS,
    ENTRIES,
    Claim,
    Evidence,
    claims_markdown,
    collect_claims,
)
from occamscope.evaluation.failure_modes import summarise_probes

REQUIRED = [
    *("sparse_over_dense", "sparse_parameters", "law_over_black_box", "law_nodes"),
    *("hinge_against_mse", "selection_jaccard", "size_r2", "shape_r2", "size_area_range"),
    *("blank_class", "gate_caught", "flip_distance_law_over_dense"),
    *("gate_false_alarms", "judge_new_class", "judge_confident_class", "grid_beats_search"),
    "confident_distance_law_over_dense",
]


def accuracy():
    row = {"split": "test", "n": 200, "n_positive": 100, "ratio_to_black_box": 1.0}
    row |= {"ratio_to_black_box_low": 0.98, "ratio_to_black_box_high": 1.01}
    row |= {"ratio_to_dense": 1.0, "balanced_ratio_to_black_box": 0.985}
    row |= {"balanced_ratio_to_black_box_low": 0.97, "balanced_ratio_to_black_box_high": 1.0}
    rows = [
        {"model": "cnn", "kind": "black_box", "seed": 0, "parameters": 250_000},
        {"model": "forest", "kind": "forest", "seed": 0, "ratio_to_black_box": 0.97},
        {"model": "law", "kind": "law", "seed": 0, "complexity": 9, "ratio_to_black_box": 0.992},
    ]
    for seed, (sparse, sparser, ratio) in enumerate([(100, 40, 0.99), (140, 60, 1.0)]):
        rows.append({"model": "dense", "kind": "dense", "seed": seed, "parameters": 6337})
        common = {"model": "sparse", "kind": "sparse", "seed": seed}
        rows.append(common | {"density": 0.02, "parameters": sparse, "ratio_to_dense": ratio})
        rows.append(common | {"density": 0.01, "parameters": sparser, "ratio_to_dense": 0.9})
    return pd.DataFrame([row | r for r in rows])


def fronts():
    rows = []
    for seed in (0, 1):
        for loss, test in (("hinge", 0.99), ("mse", 0.96 + 0.01 * seed)):
            rows.append((loss, seed, 9, 0.98, test))
            rows.append((loss, seed, 11, 0.98, 0.5))  # as good on validation, but longer
            rows.append((loss, seed, 30, 0.99, 0.1))  # too long
    names = "loss_name seed complexity validation_balanced_accuracy test_balanced_accuracy"
    return pd.DataFrame(rows, columns=names.split())


def evidence():
    quantities = ["size", "e_cos2theta", "e_sin2theta"]
    factors = pd.DataFrame(
        {"quantity": quantities, "latent": ["z5", "z1", "z2"], "r2": [0.97, 0.93, 0.88]}
    ).assign(low=0.8, high=0.99, n=500, split="test")
    traversals = pd.DataFrame(
        {"latent": "z5", "value": [-3, 0, 3], "area_px": [200, 600, 2000.0], "axis_ratio": 1.1}
    )
    kinds = np.repeat(["blank", "constant", "noise", "real"], 100)
    caught = np.repeat([True, True, True, False], 100)
    caught[200] = False
    scores = pd.DataFrame({"law": np.r_[-np.ones(390), np.ones(10)], "cnn": np.ones(400)})
    cell = np.tile(np.arange(50), 3)
    attacks = pd.DataFrame(
        {
            "model": np.repeat(["law", "dense", "dense"], 50),
            "kind": np.repeat(["law", "dense", "dense"], 50),
            "seed": np.repeat([0, 0, 1], 50),
            "crop_id": cell,
            "label": cell % 2,
            "distance": np.repeat([1.5, 0.5, 1.0], 50) * (1 + cell / 1000),
            "reached": True,
            "confident_distance": np.repeat([2.0, 1.0, 1.5], 50) * (1 + cell / 1000),
            "confident_reached": True,
        }
    )
    grid = pd.DataFrame({"flips": ["smallest", "confident"], "variables": 3, "n": 50})
    grid = grid.assign(beaten_share=[0.0, 0.02], largest_excess=[0.0, 0.3])
    kinds_judged = ["law", "sparse", "dense"]
    judged = pd.DataFrame({"model": kinds_judged, "kind": kinds_judged, "seed": 0})
    judged = judged.assign(n_counted=50, judge_accuracy=0.98, new_class_share=[0.9, 0.6, 0.4])
    judged = judged.assign(confident_n_counted=40, confident_new_class_share=[0.95, 0.85, 0.7])
    return Evidence(
        accuracy=accuracy(),
        jaccard=pd.DataFrame({"density": [0.02, 0.02, 0.01], "jaccard": [1.0, 0.75, 0.2]}),
        fronts=fronts(),
        factors=factors,
        traversals=traversals,
        probes=summarise_probes(kinds, scores, caught),
        attacks=attacks,
        grid=grid,
        judged=judged,
        warnings=("split by single crops: neighbours may stand in both parts",),
    )


@pytest.fixture(scope="module")
def claims():
    return collect_claims(evidence()).set_index("id", drop=False)


def test_table_has_the_agreed_columns_and_ids(claims):
    assert tuple(claims.columns) == COLUMNS
    assert set(REQUIRED) <= set(claims["id"])
    assert claims["id"].is_unique


@pytest.mark.parametrize(
    ("claim", "value", "holds"),
    [
        ("sparse_over_dense", 0.995, "true"),
        ("sparse_parameters", 120 / 6337, "true"),
        ("law_over_black_box", 0.992, "true"),
        ("law_over_black_box_balanced", 0.985, "false"),
        ("forest_over_black_box", 0.97, ""),
        ("law_nodes", 9, "true"),
        ("hinge_against_mse", 0.025, ""),
        ("selection_jaccard", 0.875, "false"),
        ("size_r2", 0.97, "true"),
        ("shape_r2", 0.88, "false"),
        ("size_area_range", 10, "true"),
        ("size_axis_ratio", 1.1, ""),
        ("blank_class", 1.0, "true"),
        ("gate_caught", 0.99, "true"),
        ("gate_false_alarms", 0, "true"),
        ("flip_distance_law_over_dense", 2.0, "true"),
        ("confident_distance_law_over_dense", 2 / 1.25, ""),
        ("grid_beats_search", 0.02, "true"),
        ("judge_new_class", 0.9, ""),
        ("judge_confident_class", 0.95, "true"),
    ],
)
def test_claims_follow_from_the_evidence(claims, claim, value, holds):
    assert claims.loc[claim, "value"] == pytest.approx(value, rel=1e-3)
    assert claims.loc[claim, "holds"] == holds


def test_every_measured_claim_over_seeds_carries_its_spread(claims):
    row = claims.loc["sparse_over_dense"]
    # t(0.975, 1) = 12.706 for two seeds with sd .00707.
    assert row["high"] - row["value"] == pytest.approx(12.706 * 0.005, rel=1e-3)
    assert (row["n"], row["interval"]) == (2, "95 % t interval over 2 seeds")
    row = claims.loc["flip_distance_law_over_dense"]
    assert 1.4 < row["low"] < 2 < row["high"] < 3.1


def test_a_single_law_carries_its_bootstrap_over_cells(claims):
    row = claims.loc["law_over_black_box_balanced"]
    assert (row["low"], row["high"]) == (0.97, 1.0)
    assert row["interval"] == "95 % paired bootstrap over cells"


def test_notes_stand_in_the_statement(claims):
    assert "axis ratio along it 1.10" in claims.loc["size_area_range", "statement"]
    assert "e_sin2theta by z2" in claims.loc["shape_r2", "statement"]
    assert "interphase" in claims.loc["blank_class", "statement"]


def test_flips_name_the_other_networks_and_the_judge(claims):
    told = claims.loc["judge_confident_class", "statement"]
    assert "sparse networks' flips 0.850; of the dense networks' flips 0.700" in told
    assert "accuracy on reconstructions is 0.980;" in told
    assert claims.loc["judge_confident_class", "n"] == 40
    assert "networks' flips 0.400" in claims.loc["judge_new_class", "statement"]


def test_a_poor_judge_is_called_one():
    judged = evidence().judged.assign(judge_accuracy=0.953)
    found = collect_claims(Evidence(judged=judged)).set_index("id")["statement"]
    for claim in ("judge_new_class", "judge_confident_class"):
        assert "is only 0.953, below 0.98" in found[claim]


def test_the_grid_speaks_of_the_flips_it_beats_most(claims):
    row = claims.loc["grid_beats_search"]
    assert "confident flips, the search's at most 0.3 sd longer" in row["statement"]
    assert row["low"] < 0.02 < row["high"]
    beaten = evidence().grid.assign(beaten_share=[0.04, 0.02])
    row = collect_claims(Evidence(grid=beaten)).set_index("id").loc["grid_beats_search"]
    assert (row["value"], row["holds"]) == (0.04, "false")


def test_laws_too_wide_for_a_grid_are_said_not_to_be_checked():
    wide = pd.DataFrame({"flips": ["smallest", "confident"], "variables": 6, "n": 0})
    wide = wide.assign(beaten_share="", largest_excess="")  # as read from a file
    row = collect_claims(Evidence(grid=wide)).set_index("id").loc["grid_beats_search"]
    assert "the law has 6" in row["statement"] and row["holds"] == "false"
    both = pd.concat([wide, evidence().grid])
    row = collect_claims(Evidence(grid=both)).set_index("id").loc["grid_beats_search"]
    assert row["value"] == pytest.approx(0.02) and "left out" in row["statement"]


def test_warnings_travel_into_the_table(claims):
    assert "single crops" in claims.loc["warning_1", "statement"]
    assert claims.loc["warning_1", "holds"] == ""


def test_density_can_be_named(claims):
    chosen = collect_claims(dataclasses.replace(evidence(), density=0.01)).set_index("id")
    assert chosen.loc["sparse_over_dense", "value"] == pytest.approx(0.9)
    assert chosen.loc["selection_jaccard", "value"] == pytest.approx(0.2)


def test_networks_above_two_percent_do_not_count_as_sparse():
    table = accuracy()
    table.loc[table["kind"] == "sparse", "parameters"] *= 10
    row = collect_claims(Evidence(accuracy=table)).set_index("id").loc["sparse_over_dense"]
    assert row["holds"] == "false"
    assert "above 2 %" in row["statement"]


def test_what_was_not_measured_fails_with_a_reason():
    found = collect_claims(Evidence()).set_index("id")
    assert len(found) == len(ENTRIES)
    assert found["value"].isna().all()
    assert (found["holds"] == "false").equals(found["target"] != "")
    assert found["statement"].str.contains("not measured: no ").all()


def test_unreached_cells_count_as_far_away():
    attacks = evidence().attacks
    attacks.loc[attacks["kind"] == "law", "reached"] = np.arange(50) < 20
    found = collect_claims(Evidence(attacks=attacks)).set_index("id")
    assert "could not be flipped" in found.loc["flip_distance_law_over_dense", "statement"]
    assert found.loc["confident_distance_law_over_dense", "value"] == pytest.approx(1.6)
    attacks = evidence().attacks.assign(confident_reached=lambda t: t["kind"] == "law")
    found = collect_claims(Evidence(attacks=attacks)).set_index("id")
    assert "could not be flipped" in found.loc["confident_distance_law_over_dense", "statement"]


def two_runs():
    """The same evidence as two runs, whose latents have other names in the second."""
    one, tables = evidence(), {}
    for name in ("accuracy", "fronts", "factors", "traversals", "probes", "attacks", "grid",
                 "judged"):  # fmt: skip
        table = getattr(one, name)
        second = table.assign(run="b")
        if "latent" in table:
            second["latent"] = second["latent"].map({"z5": "z1", "z1": "z5", "z2": "z9"})
        tables[name] = pd.concat([table.assign(run="a"), second], ignore_index=True)
    return dataclasses.replace(one, **tables)


def test_runs_are_pooled_without_mixing_them(claims):
    pooled = collect_claims(two_runs()).set_index("id")
    measured = claims["value"].notna()
    np.testing.assert_allclose(
        pooled["value"][measured].astype(float), claims["value"][measured].astype(float)
    )
    assert pooled.loc["gate_caught", "n"] == 2 * claims.loc["gate_caught", "n"]
    assert pooled.loc["size_area_range", "interval"] == "range over 2 runs"


def test_a_claim_fails_without_a_value_and_refuses_a_strange_target():
    assert Claim("x", "", "", "", target=">= 0.9").holds == "false"
    assert Claim("x", "", "", "", value=0.9, target=">= 0.9").holds == "true"
    with pytest.raises(ValueError, match="about 1"):
        _ = Claim("x", "", "", "", target="about 1").holds


def test_markdown_marks_what_holds_and_lists_what_failed(claims):
    page = claims_markdown(claims)
    line = {
        row.split("`")[1]: row for row in page.splitlines() if row.startswith("| ") and "`" in row
    }
    assert line["size_r2"].startswith("| ✓")
    assert line["shape_r2"].startswith("| ✗")
    assert line["judge_new_class"].startswith("| ·")
    assert "- `shape_r2`: 0.88 [0.8, 0.99], target >= 0.9" in page
    assert "12 of 15 claims with a target hold." in page
    assert "- split by single crops" in page


def test_markdown_is_the_same_from_the_csv(claims):
    text = claims.to_csv(index=False)
    assert claims_markdown(pd.read_csv(io.StringIO(text))) == claims_markdown(claims)
