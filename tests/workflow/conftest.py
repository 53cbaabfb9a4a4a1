"""A working copy of the project, and one tiny run of the whole workflow that many tests read."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

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
    "representation": {"steps": 300, "batch": 64, "checkpoint_every": 100},
    "black_box": {"epochs": 3, "batch": 32},
    "networks": {"seeds": 4, "chunk": 4, "densities": [0.05], "law_density": 0.05, "steps": 400},
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
