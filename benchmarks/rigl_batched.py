"""RigL: 32 networks trained side by side against one by one, as ratios in one run.

    python benchmarks/rigl_batched.py

The same data, widths, density, batch and steps for all: the library with 32 and with 8 (its
default) members at once, the library with one at a time, and a plain loop as in a textbook
(nn.Linear, autograd, torch.optim.Adam, masks as tensors). One thread, processor time, so that other
work on the machine matters little; the variants take turns and the best of the turns counts. Prints
the table and writes benchmarks/results/rigl_batched.{csv,md}.
"""

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from occamscope.classifiers.ensemble import EnsembleSettings, logits, train_ensemble
from occamscope.classifiers.rigl import RigLSettings, connection_counts

MEMBERS, STEPS, DENSITY, REPEATS = 32, 400, 0.02, 3
RIGL = RigLSettings(update_every=50, warmup="none")
DEFAULTS = EnsembleSettings(steps=STEPS)
RESULTS = Path(__file__).with_name("results")


def make_codes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """32 latents of which three tell small, elongated nuclei from the rest."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 32)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] ** 2 + x[:, 2] ** 2 > 1.5).astype(int)


class TextbookRigL:
    """One network, written for reading: what a public RigL loop does, without its framework."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        widths = (32, *DEFAULTS.hidden, 1)
        layers = [nn.Linear(i, o) for i, o in zip(widths[:-1], widths[1:], strict=True)]
        self.model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.weights = [layer.weight for layer in layers]
        self.masks = []
        for weight, count in zip(self.weights, connection_counts(widths, DENSITY), strict=True):
            mask = torch.zeros(weight.numel())
            mask[torch.randperm(weight.numel())[:count]] = 1
            self.masks.append(mask.view_as(weight))
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=DEFAULTS.learning_rate)
        self.mask_weights()

    @torch.no_grad()
    def mask_weights(self) -> None:
        for weight, mask in zip(self.weights, self.masks, strict=True):
            weight.mul_(mask)

    def train(self, x: Tensor, y: Tensor) -> None:
        order, position = torch.randperm(len(x)), 0
        last = RIGL.t_end_fraction * STEPS
        for step in range(1, STEPS + 1):
            if position + DEFAULTS.batch > len(x):
                order, position = torch.randperm(len(x)), 0
            rows = order[position : position + DEFAULTS.batch]
            position += DEFAULTS.batch
            logit = self.model(x[rows])[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logit, y[rows])
            self.optimiser.zero_grad()
            loss.backward()
            if step % RIGL.update_every == 0 and step < last:
                self.move_connections(RIGL.alpha / 2 * (1 + math.cos(math.pi * step / last)))
                continue
            for weight, mask in zip(self.weights, self.masks, strict=True):
                assert weight.grad is not None
                weight.grad.mul_(mask)
            self.optimiser.step()
            self.mask_weights()

    @torch.no_grad()
    def move_connections(self, fraction: float) -> None:
        for k, weight in enumerate(self.weights):
            assert weight.grad is not None
            old = self.masks[k].flatten()
            drop = int(old.sum() * fraction)
            score = torch.where(old > 0, weight.flatten().abs(), -1.0)
            new = torch.zeros_like(old)
            new[score.topk(int(old.sum()) - drop).indices] = 1
            score = torch.where(new > 0, -1.0, weight.grad.flatten().abs())
            new[score.topk(drop).indices] = 1
            stay = (old * new).view_as(weight)
            self.masks[k] = new.view_as(weight)
            weight.mul_(stay)
            for name in ("exp_avg", "exp_avg_sq"):
                self.optimiser.state[weight][name].mul_(stay)


def run_textbook(x: np.ndarray, y: np.ndarray) -> float:
    """Train all members; mean accuracy on the training codes."""
    codes, target = torch.from_numpy(x), torch.from_numpy(y).float()
    right = []
    for seed in range(MEMBERS):
        network = TextbookRigL(seed)
        network.train(codes, target)
        with torch.no_grad():
            right.append(float(((network.model(codes)[:, 0] > 0) == (target > 0)).float().mean()))
    return float(np.mean(right))


def run_library(x: np.ndarray, y: np.ndarray, block: int) -> float:
    settings = EnsembleSettings(steps=STEPS, block=block)
    net = train_ensemble(x, y, settings, RIGL, range(MEMBERS), DENSITY)
    return float(((logits(net, x) > 0) == y).mean())


def main() -> None:
    torch.set_num_threads(1)
    x, y = make_codes(3000)
    variants = {
        "plain nn.Linear loop, one by one": lambda: run_textbook(x, y),
        "Occamscope, one by one": lambda: run_library(x, y, 1),
        "Occamscope, 8 at once (default)": lambda: run_library(x, y, 8),
        "Occamscope, 32 at once": lambda: run_library(x, y, 32),
    }
    seconds = dict.fromkeys(variants, math.inf)
    accuracy = {}
    for _ in range(REPEATS):
        for name, work in variants.items():
            start = time.process_time()
            accuracy[name] = work()
            seconds[name] = min(seconds[name], time.process_time() - start)
    plain, single = (seconds[name] for name in list(variants)[:2])
    rows = [
        (name, 1e6 * s / STEPS / MEMBERS, plain / s, single / s, accuracy[name])
        for name, s in seconds.items()
    ]
    columns = ["training", "us_per_step_and_network", "against_plain", "against_one_by_one"]
    table = pd.DataFrame(rows, columns=[*columns, "training_accuracy"])
    text = [
        f"{MEMBERS} networks 32-64-64-1, density {DENSITY}, {STEPS} steps of "
        f"{DEFAULTS.batch} crops.",
        "",
        "| training | µs per step and network | against the plain loop | against one by one |"
        " training accuracy |",
        "| --- | --- | --- | --- | --- |",
    ]
    text += [
        f"| {r[0]} | {r[1]:.0f} | {r[2]:.1f} x | {r[3]:.1f} x | {r[4]:.3f} |" for r in table.values
    ]
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "rigl_batched.csv", index=False)
    (RESULTS / "rigl_batched.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
