"""The whole workflow on tiny data: outputs, reruns, contracts."""

import os
import shutil

import pandas as pd
import pytest
from matplotlib.image import imread

MODEL = "results/tiny/base/fold-0/vae-0"
CLAIMS = {
    "sparse_over_dense", "sparse_parameters", "law_over_black_box", "law_nodes",
    "hinge_against_mse", "selection_jaccard", "size_r2", "shape_r2", "size_area_range",
    "blank_class", "gate_caught", "flip_distance_law_over_dense", "grid_beats_search",
    "confident_distance_law_over_dense", "judge_new_class", "judge_confident_class",
}  # fmt: skip
COLUMNS = ["id", "statement", "paper", "metric", "split", "value", "low", "high", "interval", "n",
           "target", "holds"]  # fmt: skip


def test_the_claims_have_their_columns_and_ids(tiny_run):
    claims = pd.read_csv(tiny_run.root / "results/tiny/claims.csv")
    assert list(claims) == COLUMNS and set(claims["id"]) >= CLAIMS
    assert "claim" in (tiny_run.root / "results/tiny/claims.md").read_text()


def test_every_figure_has_three_forms(tiny_run):
    figures = sorted((tiny_run.root / MODEL / "figures").glob("*.png"))
    assert len(figures) == 12
    for png in figures:
        assert min(imread(png).shape[:2]) > 200
        assert png.with_suffix(".svg").read_text().startswith("<?xml")
        assert len(pd.read_csv(png.with_suffix(".csv"))) > 0


def test_every_output_has_a_sidecar_and_stands_in_the_provenance(tiny_run):
    run = tiny_run.root / "results/tiny"
    outputs = [p for p in run.rglob("*") if p.suffix in {".csv", ".h5", ".json", ".safetensors"}]
    outputs = [p for p in outputs if not p.name.endswith(".meta.json")]
    assert len(outputs) > 30
    missing = [p for p in outputs if not p.with_name(p.name + ".meta.json").exists()]
    assert missing == []


def test_confident_flips_go_through_all_tables(tiny_run):
    folder = tiny_run.root / MODEL / "evaluation"
    flips = pd.read_csv(folder / "flips.csv")
    both = flips[flips["reached"] & flips["confident_reached"]]
    # The search for the two is the same, so that a shorter confident one is a hair at most.
    assert len(both) and (both["confident_distance"] > 0.999 * both["distance"]).all()
    assert (flips["upper"] >= 0).all() and (flips["lower"] <= 0).all()
    grid = pd.read_csv(folder / "flip_grid.csv")
    assert grid["flips"].tolist() == ["smallest", "confident"]
    domain = pd.read_csv(folder / "domain_appropriateness.csv").set_index("model")
    assert len(domain) == 6
    law = flips[flips["kind"] == "law"]
    assert domain.loc["law", "confident_n_reached"] == law["confident_reached"].sum()
    assert domain.loc["law", "confident_distance_median"] == pytest.approx(
        law["confident_distance"].median()
    )
    judged = pd.read_csv(folder / "judged_flips.csv").set_index("model")
    counted = judged.loc["dense"].query("confident_counted")
    assert len(counted) == domain.loc["dense", "confident_n_counted"]
    assert counted["confident_new_class"].mean() == pytest.approx(
        domain.loc["dense", "confident_new_class_share"], nan_ok=True
    )


def test_streams_answer_to_active_latents(tiny_run):
    folder = tiny_run.root / MODEL
    responses = pd.read_csv(folder / "networks/stream_responses.csv")
    streams = pd.read_csv(folder / "networks/streams.csv")
    assert set(responses["stream"]) <= set(streams["stream"])
    names = pd.read_csv(folder / "representation/names.csv").set_index("latent")["name"]
    assert (names[responses["latent"].unique()] != "inactive").all()


def test_no_checkpoint_is_left_after_success(tiny_run):
    assert list((tiny_run.root / "results/tiny/.resume").glob("*")) == []


def test_a_second_run_does_nothing(tiny_run):
    assert tiny_run.planned() == set()


def test_touching_every_input_reruns_nothing(tiny_run):
    for path in (tiny_run.root / "results/tiny/raw").iterdir():
        os.utime(path)
    for path in (tiny_run.root / "scripts").iterdir():
        os.utime(path)
    assert tiny_run.planned() == set()


EDITS = {
    "the attack code reruns the attacks and what follows, not the training": (
        "src/occamscope/evaluation/flip_search.py",
        "random_starts: int = 4",
        "random_starts: int = 5",
        {"attack", "judge_flips", "figure_flips", "figure_attack_curves", "collect_claims"},
        {"train_tcvae", "train_cnn", "train_networks", "search_laws", "segment_fields"},
    ),
    "a comment reruns nothing": (
        "src/occamscope/evaluation/flip_search.py",
        "# Halvings of a ray at each turn.",
        "# Halvings of a ray.",
        set(),
        None,
    ),
    "the style of figures reruns figures alone": (
        "src/occamscope/figures/occamscope.mplstyle",
        "\n",
        "\nlines.linewidth: 1.7\n",
        {"figure_law", "figure_fronts"},
        {"measure_accuracy", "attack", "describe_latents"},
    ),
    "the law engine's code searches again, in the same call": (
        "src/occamscope/laws/evolution/breeding.py",
        "_AIM = 1.1",
        "_AIM = 1.2",
        {"warm_up_laws", "search_laws", "merge_fronts", "choose_law", "attack", "collect_claims"},
        {"train_networks", "train_tcvae", "select_latents"},
    ),
    "a script reruns its rule": (
        "scripts/image_quality.py",
        '"sharpness": sharpness(',
        '"sharp": sharpness(',
        {"image_quality"},
        {"measure_accuracy"},
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_of(tiny_run, edit):
    name, old, new, reruns, stays = edit
    path = tiny_run.root / name
    saved = path.read_text()
    assert old in saved
    try:
        path.write_text(saved.replace(old, new, 1))
        planned = tiny_run.planned()
    finally:
        path.write_text(saved)
    assert planned >= reruns
    assert planned == set() if stays is None else not planned & stays


CONFIG_EDITS = {
    "laws of size and shape alone keep the VAE": (
        {"representation": {"details": False}},
        {"encode", "train_networks", "search_laws"},
        {"train_tcvae", "train_cnn"},
    ),
    "more seeds train new chunks only": (
        {"networks": {"seeds": 8}},
        {"train_networks", "select_latents"},
        {"train_tcvae", "train_cnn", "describe_latents"},
    ),
    "another law budget searches again": (
        {"laws": {"evaluations": 30_000}},
        {"search_laws", "choose_law"},
        {"train_networks", "train_tcvae", "train_cnn"},
    ),
    "another attack size attacks again": (
        {"evaluation": {"attack_cells": 13}},
        {"attack"},
        {"search_laws", "train_networks", "failure_modes"},
    ),
    "another confidence of flips attacks and draws again": (
        {"evaluation": {"attack_confidence": 0.9}},
        {"attack", "judge_flips", "figure_flips", "collect_claims"},
        {"search_laws", "train_networks", "failure_modes", "measure_accuracy"},
    ),
    "more steps of the VAE keep the black box": (
        {"representation": {"steps": 401}},
        {"train_tcvae", "encode", "train_networks", "search_laws"},
        {"train_cnn", "segment_fields", "cut_crops"},
    ),
}


@pytest.mark.parametrize("edit", CONFIG_EDITS.values(), ids=CONFIG_EDITS.keys())
def test_a_config_with(tiny_run, edit):
    config, reruns, stays = edit
    planned = tiny_run.planned(**config)
    assert planned >= reruns and not planned & stays


def test_added_seeds_leave_the_chunks_that_are_there(tiny_run):
    text = tiny_run.snakemake("-n", networks={"seeds": 8})
    assert "seeds 0004-0007" in text and "seeds 0000-0003" not in text


def test_a_damaged_file_stops_with_its_name_and_the_remedy(tiny_run, tmp_path):
    copy = type(tiny_run)(tmp_path / "project")
    shutil.copytree(tiny_run.root, copy.root)
    latents = copy.root / MODEL / "representation/latents.h5"
    stat = latents.stat()
    data = bytearray(latents.read_bytes())
    data[len(data) // 2] ^= 1
    latents.write_bytes(data)
    os.utime(latents, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    text = copy.snakemake(
        f"{MODEL}/networks/selected.json", "--forcerun", "select_latents", check=False
    )
    assert "latents.h5 differs from its checksum" in text and "--forcerun encode" in text


def test_the_report_can_be_made(tiny_run, tmp_path):
    tiny_run.snakemake("--report", str(tmp_path / "report.zip"))
    assert (tmp_path / "report.zip").stat().st_size > 100_000
