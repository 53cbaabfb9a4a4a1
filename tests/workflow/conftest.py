"""A working copy of the project, and one tiny run of the whole workflow that many tests read."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from occamscope.imaging.simulate import SimulatedField, SimulationSettings, simulate_field

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "scripts", "src", "envs", "config", "profiles")

# Small, but every stage does its real work.
TINY = {
    "run": "tiny",
    "input": {
        "simulate": {
            "fields": 10,
            "frames": 1,
            "height": 384,
            "width": 384,
            "nuclei_per_frame": 18,
        },
        "bundle": 5,
    },
    "representation": {"steps": 400, "shape_steps": 300, "batch": 64, "checkpoint_every": 100},
    "black_box": {"epochs": 3, "batch": 32},
    "networks": {
        "seeds": 4,
        "chunk": 4,
        "densities": [0.05],
        "law_density": 0.05,
        "steps": 400,
        "rigl": {"warmup_steps": 100},
    },
    "laws": {"seeds": 1, "evaluations": 20_000, "targets": ["labels"]},
    "evaluation": {"attack_cells": 12, "attack_members": 2, "probes": 8},
}


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    root: Path

    def snakemake(self, *arguments: str, check: bool = True, **config) -> str:
        """Run snakemake on `config` merged over the tiny one; returns what it printed."""
        process = self.start(*arguments, **config)
        text, _ = process.communicate(timeout=900)
        if check and process.returncode:
            raise AssertionError(text[-6000:])
        return text

    def attempt(self, *arguments: str, **config) -> tuple[int, str]:
        """Run snakemake; returns its exit status and what it printed, unshortened."""
        process = self.start(*arguments, **config)
        text, _ = process.communicate(timeout=300)
        return process.returncode, text

    def start(self, *arguments: str, **config) -> subprocess.Popen:
        """Start snakemake in a process group of its own."""
        values = merged(TINY, config)
        file = self.root / "config" / f"test_{abs(hash(str(values)))}.yaml"
        file.write_text(yaml.safe_dump(values))
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        command += ["--configfile", str(file)]
        environment = os.environ | {"PYTHONPATH": str(self.root / "src"), "PYTHONHASHSEED": "0"}
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def planned(self, *arguments: str, **config) -> set[str]:
        """Rules that a dry run would execute."""
        text = self.snakemake("-n", *arguments, **config)
        if "Nothing to be done" in text:
            return set()
        table = text.split("Job stats:", 1)[1].split("total", 1)[0]
        return set(re.findall(r"^(\w+)\s+\d+$", table, re.M)) - {"all", "job"}


def merged(base: dict, over: dict) -> dict:
    """Nested update, as snakemake merges config files."""
    result = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if nested else value
    return result


def copy_project(folder: Path) -> Project:
    """Copy what a run needs into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    return Project(folder)


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh copy without results."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Project:
    """A copy in which the whole tiny workflow has run. Tests must leave its files as they are."""
    project = copy_project(tmp_path_factory.mktemp("tiny") / "project")
    project.snakemake()
    return project


@pytest.fixture(scope="session")
def plates() -> list[SimulatedField]:
    """Six simulated fields of one page each, as a user might bring them."""
    settings = SimulationSettings(frames=1, height=256, width=256, nuclei_per_frame=12)
    return [simulate_field(settings, seed) for seed in range(6)]


@dataclass(frozen=True)
class UserFields:
    """A user's folder of fields with a label table beside it."""

    folder: Path
    labels: Path


@pytest.fixture
def user_fields(tmp_path, plates) -> UserFields:
    """plate_0.tif ... plate_5.tif, whose pixel size nobody knows, and labels.csv."""
    folder = tmp_path / "plates"
    folder.mkdir()
    tables = []
    for k, plate in enumerate(plates):
        tifffile.imwrite(folder / f"plate_{k}.tif", plate.pages[0])
        columns = plate.truth[["frame", "y", "x", "class"]]
        tables.append(columns.assign(file=f"plate_{k}.tif"))
    labels = tmp_path / "labels.csv"
    pd.concat(tables).to_csv(labels, index=False)
    return UserFields(folder, labels)


@pytest.fixture(scope="session")
def user_crops(plates) -> dict[int, list[tuple[str, np.ndarray]]]:
    """(class, window) of nuclei, with windows of 64 and of 80 px."""
    crops: dict[int, list[tuple[str, np.ndarray]]] = {64: [], 80: []}
    for plate in plates:
        for row in plate.truth.itertuples():
            for size, found in crops.items():
                top, left = (round(place - size / 2) for place in (row.y, row.x))
                if min(top, left) >= 0 and max(top, left) + size <= plate.pages.shape[1]:
                    window = plate.pages[row.frame, top : top + size, left : left + size]
                    found.append((plate.truth.at[row.Index, "class"], window.copy()))
    return crops
