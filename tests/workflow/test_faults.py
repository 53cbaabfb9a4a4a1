"""Kills and restarts: nothing is lost, and the result is the same."""

import os
import signal
import time
from pathlib import Path

import pytest

VAE = "results/tiny/base/fold-0/vae-0/representation/tcvae.safetensors"
LONG = {"representation": {"steps": 160, "shape_steps": 100, "checkpoint_every": 20}}

pytestmark = pytest.mark.faults


def kill_after_first_checkpoint(project, *arguments: str, **config) -> None:
    process = project.start(*arguments, **config)
    folder: Path = project.root / "results/tiny/.resume"
    for _ in range(1200):
        if list(folder.glob("train_tcvae-*/state.safetensors")):
            break
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)


def test_a_killed_training_resumes_and_ends_in_the_same_bytes(project):
    kill_after_first_checkpoint(project, VAE, **LONG)
    assert not (project.root / VAE).exists()
    project.snakemake("--unlock", **LONG)
    text = project.snakemake(VAE, **LONG)
    assert "resuming from a checkpoint" in text
    killed = (project.root / VAE).read_bytes()
    history = (project.root / VAE).with_name("tcvae_history.csv").read_bytes()
    text = project.snakemake(VAE, "--forcerun", "train_tcvae", **LONG)
    assert "resuming" not in text
    assert (project.root / VAE).read_bytes() == killed
    assert (project.root / VAE).with_name("tcvae_history.csv").read_bytes() == history


@pytest.mark.slow
def test_the_same_config_gives_the_same_bytes(tiny_run, project):
    project.snakemake()
    first, second = (p.root / "results/tiny" for p in (tiny_run, project))
    names = [
        path.relative_to(first)
        for path in first.rglob("*")
        if path.suffix in {".csv", ".json", ".md", ".safetensors", ".h5", ".svg", ".tif"}
    ]
    assert len(names) > 60
    different = [n for n in names if (first / n).read_bytes() != (second / n).read_bytes()]
    assert different == []
