"""What does a training step of each engine cost, by the size of images and batch?

    python benchmarks/representation/tcvae_speed.py --data dsprites.npz

The engines and data of `dsprites.py`, and pythae's own trainer, which takes single images from a
loader and puts them together. Processor time of one thread, batches included; the engines take
turns, and the best of the turns counts. What the system takes of it, mostly for fresh memory, is
told apart: glibc maps tensors above 32 MiB anew in every step unless it is told otherwise
(MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_). Prints the table and writes
benchmarks/results/tcvae_speed.{csv,md}.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from dsprites import RESULTS, ROOT, Loop, markdown, report, versions
from sprites import IMAGES, images, pack, shrunk
from tcvaes import ENGINES, LEARNING_RATE, Burgess, pythae_model

SIZES = ((32, 64), (32, 256), (64, 64), (64, 256))
TURNS, STEPS, WARM_UP = 3, 6, 2
TRAINER = "pythae, its trainer"
# Public weights are as fast as ours.
VARIANTS = [name for name in ENGINES if name != "occamscope, public mss"] + [TRAINER]


def processor_ms() -> np.ndarray:
    """Time of this process so far: all of it, and what the system took of it."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * np.array([spent.ru_utime + spent.ru_stime, spent.ru_stime])


def own_loop(name: str, bits: np.ndarray, side: int, batch: int) -> np.ndarray:
    """Milliseconds a step of the loop of `dsprites.train`: all, and the system's."""
    torch.manual_seed(0)
    engine = ENGINES[name](side, 1000, IMAGES)
    loop = Loop(engine, bits, side, batch, seed=0)
    start = processor_ms()
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            start = processor_ms()
        loop.advance(step)
    return (processor_ms() - start) / STEPS


def its_trainer(bits: np.ndarray, side: int, batch: int) -> np.ndarray:
    """Milliseconds a step of pythae's trainer on images in memory: all, and the system's."""
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.INFO)
    rows = np.random.default_rng(0).integers(0, IMAGES, batch * (WARM_UP + STEPS))
    x = shrunk(images(bits, rows), side)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=1, per_device_train_batch_size=batch,
            learning_rate=LEARNING_RATE,
        )  # fmt: skip
        trainer = BaseTrainer(
            pythae_model(Burgess(side), side), BaseDataset(x, torch.zeros(len(x))),
            training_config=config,
        )  # fmt: skip
        trainer.prepare_training()
        start = processor_ms()
        trainer.train_step(1)
    return (processor_ms() - start) / (WARM_UP + STEPS)


def measure(bits: np.ndarray) -> pd.DataFrame:
    """Measure all variants at all sizes: a row each, with the best of the turns."""
    # glibc keeps blocks up to the size of the largest one that it has got back: else it would
    # depend on a process' past whether it returns its memory after every step.
    held = np.ones(31 << 20, np.uint8)
    del held
    rows = []
    for side, batch in SIZES:
        runs: dict[str, Callable[[], np.ndarray]] = {
            name: partial(own_loop, name, bits, side, batch) for name in VARIANTS[:-1]
        }
        runs[TRAINER] = partial(its_trainer, bits, side, batch)
        turns = [{name: one() for name, one in runs.items()} for _ in range(TURNS)]
        for name in runs:
            ms, system = min((turn[name] for turn in turns), key=lambda pair: pair[0])
            rows.append((name, side, batch, round(ms, 1), round(system, 1)))
            print(f"{side} px, batches of {batch}: {name} {ms:.1f} ms", flush=True)
    return pd.DataFrame(rows, columns=["engine", "side", "batch", "ms", "system_ms"])


def table(found: pd.DataFrame) -> str:
    """Write a row an engine; milliseconds, and how many times pythae's step fits the engine's."""
    lines = []
    for name in VARIANTS:
        line = {"engine": name}
        for side, batch in SIZES:
            here = found[(found["side"] == side) & (found["batch"] == batch)].set_index("engine")
            ms, system = here.loc[name, ["ms", "system_ms"]]
            ratio = here.loc["pythae", "ms"] / ms
            line[f"{side} px, {batch} images"] = f"{ms:.0f} ms ({system:.0f}), {ratio:.2f} x"
        lines.append(line)
    return markdown(pd.DataFrame(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="dSprites' .npz")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        pack(options.data, Path(folder) / "bits.npy")
        found = measure(np.load(Path(folder) / "bits.npy", mmap_mode="r"))
    found.to_csv(RESULTS / "tcvae_speed.csv", index=False)
    report(
        RESULTS / "tcvae_speed.md",
        [
            "CPU ms a step, in brackets the system's part of them, and the speed against pythae's "
            f"loss in the same loop; one thread; {versions(('torch', 'pythae'))}.",
            table(found),
        ],
        page=ROOT / "docs" / "benchmarks.md",
    )


if __name__ == "__main__":
    main()
