"""Sparse training with a moving mask: RigL (Evci et al. 2020) and the paper's warm-up before it.

Every `update_every` steps each layer drops its weakest connections and grows as many where the
loss gradient is largest. Connections are counted, never thresholded: a layer keeps exactly the
number it was given. All functions work on a stack of networks, first axis = member.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occamscope.errors import InputError

DISTRIBUTIONS = ("erk", "uniform")
WARMUPS = ("none", "sparse", "dense")


@dataclass(frozen=True)
class RigLSettings:
    """How the connections of a sparse network move while it trains."""

    update_every: int = 100  # steps between two topology updates
    alpha: float = 0.3  # share of a layer's connections replaced at the first update
    t_end_fraction: float = 0.75  # share of all steps after which the connections are frozen
    distribution: str = "erk"  # density per layer: "erk" or "uniform", the first layer included
    warmup: str = "dense"  # before the first update: "dense", "sparse" or "none"
    warmup_steps: int = 500  # length of the warm-up; ignored when warmup is "none"

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(f"distribution {self.distribution!r}: choose one of {DISTRIBUTIONS}")
        if self.warmup not in WARMUPS:
            raise InputError(f"warmup {self.warmup!r}: choose one of {WARMUPS}")
        if self.update_every < 1 or not 0 <= self.alpha <= 1 or not 0 <= self.t_end_fraction <= 1:
            raise InputError("update_every must be >= 1, alpha and t_end_fraction in 0..1")
        if self.warmup_steps < 0:
            raise InputError(f"warmup_steps {self.warmup_steps} must not be negative")

    @property
    def start(self) -> int:
        """First step at which the mask may move."""
        return 0 if self.warmup == "none" else self.warmup_steps


def erk_densities(widths: Sequence[int], density: float) -> list[float]:
    """Erdos-Renyi densities of the layers, proportional to (in + out) / (in * out).

    Layers that would exceed 1 are made dense and the rest share what remains (Evci et al. 2020,
    section 3; all kernels here are plain matrices).

    Parameters
    ----------
    widths : units of each layer, inputs first, e.g. (32, 64, 64, 1)
    density : share of all weights that exist, 0..1

    Returns
    -------
    list of float, one per weight matrix, each in 0..1
    """
    shapes = list(zip(widths[:-1], widths[1:], strict=True))
    sizes = [fan_in * fan_out for fan_in, fan_out in shapes]
    raw = [(fan_in + fan_out) / (fan_in * fan_out) for fan_in, fan_out in shapes]
    dense: set[int] = set()
    while len(dense) < len(shapes):
        free = [k for k in range(len(shapes)) if k not in dense]
        budget = density * sum(sizes) - sum(sizes[k] for k in dense)
        scale = budget / sum(raw[k] * sizes[k] for k in free)
        over = {k for k in free if raw[k] * scale > 1}
        if not over:
            return [1.0 if k in dense else raw[k] * scale for k in range(len(shapes))]
        dense |= over
    return [1.0] * len(shapes)


def connection_counts(
    widths: Sequence[int], density: float, distribution: str = "erk"
) -> tuple[int, ...]:
    """Number of connections of each layer at `density`; at least one a layer.

    Raises
    ------
    InputError : if the density lies outside 0 < density <= 1.
    """
    if not 0 < density <= 1:
        raise InputError(f"density {density} must lie in 0 < density <= 1")
    sizes = [a * b for a, b in zip(widths[:-1], widths[1:], strict=True)]
    if distribution == "erk":
        densities = erk_densities(widths, density)
    else:
        densities = [density] * len(sizes)
    return tuple(max(1, round(d * n)) for d, n in zip(densities, sizes, strict=True))


def drop_fraction(step: int, total_steps: int, settings: RigLSettings) -> float:
    """Share of connections to replace at `step`: alpha / 2 (1 + cos(pi t / t_end)), 0 after t_end.

    Time runs from the end of the warm-up.
    """
    last = settings.t_end_fraction * total_steps
    if step >= last or step <= settings.start:
        return 0.0
    phase = (step - settings.start) / (last - settings.start)
    return settings.alpha / 2 * (1 + math.cos(math.pi * phase))


def is_update_step(step: int, total_steps: int, settings: RigLSettings) -> bool:
    """Whether the mask moves at `step` (which then replaces the optimiser's step)."""
    since = step - settings.start
    return (
        since > 0
        and since % settings.update_every == 0
        and step < settings.t_end_fraction * total_steps
    )


def random_mask(fan_in: int, fan_out: int, count: int, generator: torch.Generator) -> Tensor:
    """Boolean mask (in, out) with exactly `count` connections at random places."""
    mask = torch.zeros(fan_in * fan_out, dtype=torch.bool)
    mask[torch.randperm(fan_in * fan_out, generator=generator)[:count]] = True
    return mask.view(fan_in, fan_out)


def strongest(score: Tensor, count: int) -> Tensor:
    """Boolean mask [S, in, out] of the `count` largest scores of each member."""
    order = score.flatten(1).argsort(dim=1, descending=True, stable=True)[:, :count]
    mask = torch.zeros_like(score.flatten(1), dtype=torch.bool)
    return mask.scatter_(1, order, True).view_as(score)


def update_masks(weight: Tensor, mask: Tensor, gradient: Tensor, fraction: float) -> Tensor:
    """One topology update of one layer (Evci et al. 2020, algorithm 1).

    Drops the share `fraction` of connections with the smallest |weight|, then grows as many among
    all that are now absent, where |gradient| is largest. A connection may thus be dropped and
    grown again; it then counts as never dropped, as in the authors' code.

    Parameters
    ----------
    weight, gradient : float [S, in, out]; the gradient is the dense one
    mask : bool [S, in, out], the same number of connections in every member
    fraction : 0..1; 0 returns the mask unchanged

    Returns
    -------
    bool [S, in, out] with as many connections as before. The caller sets weights and optimiser
    moments to zero outside `mask & new`.
    """
    count = int(mask[0].sum())
    n_drop = int(count * fraction)
    kept = strongest(torch.where(mask, weight.abs(), -1.0), count - n_drop)
    grown = strongest(torch.where(kept, -1.0, gradient.abs()), n_drop)
    return kept | grown
