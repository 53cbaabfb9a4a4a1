"""How well do beta-TCVAEs of several makers separate dSprites' factors after equal training?

    python benchmarks/representation/dsprites.py --data dsprites.npz --jobs 1

The data are dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz of github.com/google-deepmind/
dsprites-dataset (Apache 2.0), or the same images packed to bits (`sprites.pack`). `--data` is not
needed where only the table is written again (`--jobs 0`).

All engines (`tcvaes`) get the same network, first weights (but for disentangling-vae's), batches,
steps, learning rate, latents and beta: published settings, but for the number of steps and images
of 32x32 px (means of 2x2), a third of the time. A cell is one training in a process of one thread.

The scores are of posterior means of 15,000 images, drawn once for all, collapsed latents set to 0.
MIG (Chen et al. 2018) is over five factors, and over the four of its authors, who leave out shape;
both with 20 quantile bins. DCI and SAP: 10,000 images to fit, 5,000 to test; shape is a class. The
orientation has symmetries (a square's repeats after a quarter turn) that no code of one number
knows; it is scored as it is numbered, as its authors do. `affine prior` trains on images under
random maps (`sprites.randomly_mapped`): those have continuous scales, two stretches, and positions
without preferred axes, so what it learns are other factors than the ones it is scored for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sprites import IMAGES, factor_table, images, pack, randomly_mapped, shrunk
from tcvaes import BETA, ENGINES, LATENTS, LEARNING_RATE, Burgess, Engine
from torch.nn import functional

from occamscope.representation.codes import active_units, mute_collapsed
from occamscope.representation.dci import dci
from occamscope.representation.disentanglement_metrics import mutual_information_gap
from occamscope.representation.sap import separated_attribute_predictability

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks" / "laws"))  # the runner of studies is there
from study import RESULTS, count_seeds, markdown, report, run, versions  # noqa: E402

STEPS, BATCH, SEEDS, SIDE = 3_000, 64, 3, 32
QUICK_STEPS = 40
FIT_ROWS, TEST_ROWS = 10_000, 5_000
SCORES = {
    "mig": "MIG", "mig_four": "MIG, four factors", "disentanglement": "DCI disentanglement",
    "completeness": "DCI completeness", "informativeness": "DCI informativeness", "sap": "SAP",
}  # fmt: skip


class Cell(NamedTuple):
    """One training: on what, by whom, with which seed, for how many steps."""

    task: str
    engine: str
    seed: int
    steps: int


class Loop:
    """Steps of an engine on random images; their number counts for the losses that anneal."""

    def __init__(self, engine: Engine, bits: np.ndarray, side: int, batch: int, seed: int) -> None:
        self.engine, self.bits, self.side, self.batch = engine, bits, side, batch
        self.optimiser = engine.optimiser()
        self.random = np.random.default_rng(seed)
        self.maps = torch.Generator().manual_seed(seed)

    def advance(self, step: int) -> torch.Tensor:
        """Take one step; returns its loss."""
        x = images(self.bits, self.random.integers(0, IMAGES, self.batch))
        mapped = self.engine.random_maps
        x = randomly_mapped(x, self.side, self.maps) if mapped else shrunk(x, self.side)
        loss = self.engine.loss(x, step)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss


def train(bits: np.ndarray, cell: Cell) -> tuple[Engine, float]:
    """Return the trained engine and the processor seconds of its steps, batches included."""
    torch.manual_seed(cell.seed)
    engine = ENGINES[cell.engine](SIDE, cell.steps, IMAGES)
    loop = Loop(engine, bits, SIDE, BATCH, cell.seed)
    start = time.process_time()
    for step in range(cell.steps):
        loss = loop.advance(step)
        if (step + 1) % 500 == 0:
            seconds = time.process_time() - start
            print(
                f"  {cell.engine}, seed {cell.seed}: step {step + 1}/{cell.steps}, loss "
                f"{loss.item():.1f}, {1000 * seconds / (step + 1):.1f} ms a step",
                flush=True,
            )
    return engine.eval(), time.process_time() - start


@torch.no_grad()
def encode(network: Burgess, x: torch.Tensor) -> tuple[np.ndarray, float]:
    """Posterior means (n, latents) and the cross entropy in nats per image of their pictures."""
    means, error = [], 0.0
    for part in x.split(500):
        mean = network.encode(part)[0]
        logits = network.decode(mean)
        error += functional.binary_cross_entropy_with_logits(logits, part, reduction="sum").item()
        means.append(mean)
    return torch.cat(means).numpy(), error / len(x)


def scores(means: np.ndarray, factors: pd.DataFrame) -> dict[str, float]:
    """Score posterior means against the factors; both of the same rows, the last ones for tests."""
    active = active_units(means)
    codes = mute_collapsed(means, active)
    gaps = mutual_information_gap(codes, factors).set_index("factor")["gap"]
    fit = np.arange(len(codes)) < len(codes) * FIT_ROWS // (FIT_ROWS + TEST_ROWS)
    found = dci(codes, factors, fit, ~fit, seed=0, discrete=("shape",))
    sap = separated_attribute_predictability(codes, factors, fit, ~fit, ("shape",))
    values = {
        "mig": gaps.mean(), "mig_four": gaps.drop("shape").mean(),
        "disentanglement": found.disentanglement, "completeness": found.completeness,
        "informativeness": found.informativeness, "sap": sap.mean,
        **{f"gap_{name}": gap for name, gap in gaps.items()}, "active": active.sum(),
    }  # fmt: skip
    return {name: float(value) for name, value in values.items()}


def work(cell: Cell, bits_file: Path) -> dict[str, Any]:
    """Train and score one engine."""
    bits = np.load(bits_file, mmap_mode="r")
    engine, seconds = train(bits, cell)
    rows = np.random.default_rng(2018).choice(IMAGES, FIT_ROWS + TEST_ROWS, replace=False)
    means, error = encode(engine.network, shrunk(images(bits, rows), SIDE))
    found = scores(means, factor_table(rows))
    return {
        "train_cpu_s": round(seconds, 2), "cpu_s": round(time.process_time(), 2),
        "cross_entropy": round(error, 3), **{name: round(v, 4) for name, v in found.items()},
    }  # fmt: skip


def spread(values: pd.Series) -> str:
    """Mean, and lowest and highest of the seeds."""
    return f"{values.mean():.2f} ({values.min():.2f}-{values.max():.2f})"


def summary(rows: pd.DataFrame, names: dict[str, str]) -> str:
    """Write a table of scores: a row an engine, over its seeds."""
    lines = []
    for engine in [name for name in ENGINES if name in set(rows["engine"])]:
        own = rows[rows["engine"] == engine]
        line = {"engine": engine, "seeds": count_seeds(own)}
        lines.append(line | {title: spread(own[name]) for name, title in names.items()})
    return markdown(pd.DataFrame(lines))


def costs(rows: pd.DataFrame) -> str:
    """Write a table of what a training costs and leaves."""
    rows = rows.assign(ms=1000 * rows["train_cpu_s"] / rows["steps"])
    table = rows.groupby("engine", sort=False).agg(
        ms=("ms", "median"), error=("cross_entropy", "mean"), active=("active", "mean")
    )
    table = table.loc[[name for name in ENGINES if name in table.index]].reset_index()
    names = {
        "ms": "CPU ms a step", "error": "cross entropy, nats an image", "active": "latents in use",
    }  # fmt: skip
    formats = dict.fromkeys(names.values(), "{:.1f}")
    return markdown(table.rename(columns=names), formats)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--data", type=Path, help="dSprites' .npz (see the head of this file)")
    parser.add_argument("--quick", action="store_true", help=f"one seed of {QUICK_STEPS} steps")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0 reports what is there")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, help="only these")
    parser.add_argument("--seeds", type=int, help="so many seeds instead of the study's")
    parser.add_argument("--steps", type=int, help="instead of the study's")
    parser.add_argument("--results", type=Path, help="folder for table and rows")
    options = parser.parse_args()
    if options.jobs and options.data is None:
        parser.error("--data: give dSprites' .npz, or --jobs 0 to write the table again")
    if options.results is None:
        # What is no full run leaves the results alone.
        partial_run = options.quick or options.seeds or options.steps
        options.results = Path(tempfile.mkdtemp()) if partial_run else RESULTS
    return options


def main() -> None:
    options = arguments()
    steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    seeds = options.seeds or (1 if options.quick else SEEDS)
    wanted = [
        Cell(f"{SIDE} px", engine, seed, steps)
        for seed in range(seeds) for engine in options.engines or ENGINES
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bits = Path(folder) / "bits.npy"
        if options.jobs:
            pack(options.data, bits)
        rows = run(
            options.results / "dsprites.csv", wanted, partial(work, bits_file=bits), options.jobs
        )
    gaps = {name: name.removeprefix("gap_") for name in rows.columns if name.startswith("gap_")}
    report(
        options.results / "dsprites.md",
        [
            f"dSprites at {SIDE}x{SIDE} px, {steps:,} steps of {BATCH} images, {LATENTS} latents, "
            f"beta {BETA:g}, learning rate {LEARNING_RATE:g}; mean and range over seeds; "
            f"{versions(('torch', 'pythae'))}.",
            summary(rows, SCORES),
            "MIG by factor:",
            summary(rows, gaps),
            "What the trainings cost and leave:",
            costs(rows),
        ],
        page=ROOT / "docs" / "benchmarks.md",
    )


if __name__ == "__main__":
    main()
