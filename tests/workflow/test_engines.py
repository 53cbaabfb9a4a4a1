"""Two law engines in one run: `laws.engines: [evolution, pysr]`, with a stand-in for PySR."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

STAND_IN = Path(__file__).parents[1] / "laws" / "stand_in"
LAWS = "results/tiny/base/fold-0/vae-0/laws"
BOTH = {"engines": ["evolution", "pysr"]}


@pytest.fixture
def with_stand_in(tiny_run, tmp_path):
    """The finished tiny run, whose jobs find the stand-in for PySR beside the package."""
    copy = type(tiny_run)(tmp_path / "project")
    shutil.copytree(tiny_run.root, copy.root)
    for package in ("pysr", "juliapkg"):
        shutil.copytree(STAND_IN / package, copy.root / "src" / package)
    return copy


def test_both_engines_land_in_one_table_that_says_who_found_what(with_stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_LAWS", "x0;x0 * 2.5f0;square(x0) - 0.25f0")
    with_stand_in.snakemake(f"{LAWS}/law.json", laws=BOTH)
    rows = pd.read_csv(with_stand_in.root / LAWS / "front.csv")
    assert set(rows["engine"]) == {"evolution", "pysr"}
    assert set(rows.loc[rows["engine"] == "pysr", "loss_name"]) == {"hinge", "mse"}
    assert rows["on_front"].any() and rows["loss"].notna().all()
    assert not rows["expression"].str.contains("x0").any()  # they have the latents' names


def test_where_pysr_is_absent_the_run_says_how_to_install_it(with_stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN", "no julia")
    text = with_stand_in.snakemake(f"{LAWS}/front.csv", check=False, laws=BOTH)
    assert "python -m pip install 'pysr" in text
    assert 'python -c "import pysr; pysr.load_all_packages()"' in text
    assert "Traceback" not in text
