"""Dense and sparse networks on latent codes, trained side by side: members differ by seed only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from occamscope.classifiers.batched_mlp import BatchedMLP, class_weights
from occamscope.classifiers.rigl import (
    RigLSettings,
    connection_counts,
    drop_fraction,
    is_update_step,
    random_mask,
    strongest,
    update_masks,
)
from occamscope.errors import InputError


@dataclass(frozen=True)
class EnsembleSettings:
    """Shape and training of the networks; the dense reference uses the same."""

    hidden: tuple[int, ...] = (64, 64)  # units of the hidden layers
    steps: int = 4000  # optimiser steps, warm-up included
    batch: int = 64  # crops a step and member; 128 is as accurate and twice as slow
    learning_rate: float = 3e-3  # Adam, at the start
    final_learning_rate: float = 0.05  # share of it left at the last step (cosine)
    # Members trained at once. Fixed, so that no result depends on how many seeds are asked for.
    block: int = 8
    log_every: int = 100  # steps between two rows of the history

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden {self.hidden}: give at least one layer of one unit")
        if min(self.steps, self.batch, self.block, self.log_every) < 1:
            raise InputError("steps, batch, block and log_every must be at least 1")


@dataclass(frozen=True)
class TrainedEnsemble:
    """Networks of one density.

    Attributes
    ----------
    weights : one float32 [S, in, out] per layer; missing connections are 0
    biases : one float32 [S, out] per layer
    masks : one bool [S, in, out] per layer
    seeds : seed of each member
    density : share of connections at training, before any pruning
    history : step, seed, loss (class-balanced logistic loss of one batch)
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    masks: tuple[NDArray[np.bool_], ...]
    seeds: tuple[int, ...]
    density: float
    history: pd.DataFrame

    @property
    def members(self) -> int:
        """Number of networks S."""
        return len(self.seeds)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, inputs first."""
        return (*(w.shape[1] for w in self.weights), self.weights[-1].shape[2])


def train_ensemble(
    x: ArrayLike,
    y: ArrayLike,
    settings: EnsembleSettings,
    rigl: RigLSettings,
    seeds: Sequence[int],
    density: float,
    progress: Callable[[str], None] | None = None,
    device: str = "cpu",
) -> TrainedEnsemble:
    """Train one network per seed at one density; density 1 is the dense reference.

    Parameters
    ----------
    x : (n, d) codes, collapsed latents set to 0
    y : (n,) 0 or 1; the classes are weighted to count the same
    rigl : how connections move; unused at density 1
    seeds : one per network; a network depends on its own seed only

    Raises
    ------
    InputError : if x and y do not match, y is not binary or one class is missing.

    Notes
    -----
    Bytes are promised for one `settings.block` on one machine and one thread: the last block is
    filled up with members that are thrown away, because a smaller stack takes other kernels.
    """
    data = _as_data(x, y, device)
    blocks = []
    for first in range(0, len(seeds), settings.block):
        chosen = tuple(int(s) for s in seeds[first : first + settings.block])
        say = _progress_line(progress, chosen, density, settings.steps)
        blocks.append(_train_block(data, settings, rigl, chosen, density, say, device))
    return join_ensembles(blocks)


def join_ensembles(parts: Sequence[TrainedEnsemble]) -> TrainedEnsemble:
    """Put chunks of seeds trained at the same density behind one another."""
    if not parts:
        raise InputError("no networks: give at least one seed")
    if len({(p.widths, p.density) for p in parts}) > 1:
        raise InputError("networks of different shape or density cannot be joined")
    layers = range(len(parts[0].weights))
    return TrainedEnsemble(
        weights=tuple(np.concatenate([p.weights[k] for p in parts]) for k in layers),
        biases=tuple(np.concatenate([p.biases[k] for p in parts]) for k in layers),
        masks=tuple(np.concatenate([p.masks[k] for p in parts]) for k in layers),
        seeds=tuple(seed for p in parts for seed in p.seeds),
        density=parts[0].density,
        history=pd.concat([p.history for p in parts], ignore_index=True),
    )


def logits(net: TrainedEnsemble, x: ArrayLike) -> NDArray[np.float32]:
    """Logits (S, n) of codes x (n, d); > 0 means positive."""
    return stacked_logits(net.weights, net.biases, np.asarray(x, np.float32))


def stacked_logits(
    weights: Sequence[NDArray[np.float32]],
    biases: Sequence[NDArray[np.float32]],
    x: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Logits (S, n) of stacked layers for codes x (n, d), or (S, n, d) with codes per member."""
    h = x
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = h @ weight + bias[:, None]
        if k < len(weights) - 1:
            h = np.maximum(h, 0)
    return h[..., 0]


def torch_decision(net: TrainedEnsemble, member: int) -> Callable[[Tensor], Tensor]:
    """One member as a differentiable function of codes (..., d) -> logits (...)."""
    weights = [torch.from_numpy(w[member].copy()) for w in net.weights]
    biases = [torch.from_numpy(b[member].copy()) for b in net.biases]

    def decision(z: Tensor) -> Tensor:
        h = z
        for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            h = h @ weight.to(h) + bias.to(h)
            if k < len(weights) - 1:
                h = h.relu()
        return h.squeeze(-1)

    return decision


@dataclass(frozen=True)
class _Data:
    x: Tensor  # (n, d)
    y: Tensor  # (n,)
    weight: Tensor  # (n,)


def _as_data(x: ArrayLike, y: ArrayLike, device: str) -> _Data:
    codes, labels = np.asarray(x, np.float32), np.asarray(y)
    if codes.ndim != 2 or labels.shape != codes.shape[:1]:
        raise InputError(f"codes {codes.shape} and labels {labels.shape} do not match")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise InputError("labels must be 0 and 1, both present: leave unlabelled crops out")
    if not np.isfinite(codes).all():
        raise InputError("codes hold NaN or infinity: encode the images again")
    target = torch.as_tensor(labels, dtype=torch.float32, device=device)
    return _Data(torch.as_tensor(codes, device=device), target, class_weights(target))


def _train_block(
    data: _Data,
    settings: EnsembleSettings,
    rigl: RigLSettings,
    seeds: tuple[int, ...],
    density: float,
    say: Callable[[int, Tensor], None],
    device: str,
) -> TrainedEnsemble:
    padded = seeds + seeds[-1:] * (settings.block - len(seeds))
    generators = [torch.Generator().manual_seed(seed) for seed in padded]
    net = BatchedMLP((data.x.shape[1], *settings.hidden, 1), generators, device)
    training = _Training(net, data, settings, rigl, generators, density)
    rows = []
    for step in range(1, settings.steps + 1):
        training.advance(step)
        if step % settings.log_every == 0 or step == settings.steps:
            loss = training.last_loss()[: len(seeds)].cpu()
            rows += [(step, seed, float(value)) for seed, value in zip(seeds, loss, strict=True)]
            say(step, loss)
    keep = slice(len(seeds))
    return TrainedEnsemble(
        weights=tuple(w[keep].cpu().numpy().copy() for w in net.weights),
        biases=tuple(b[keep, 0].cpu().numpy().copy() for b in net.biases),
        masks=tuple(m[keep].cpu().numpy() > 0 for m in net.masks),
        seeds=seeds,
        density=density,
        history=pd.DataFrame(rows, columns=["step", "seed", "loss"]),
    )


class _Training:
    """The moving parts of a run: data order, mask and optimiser of a block of members."""

    def __init__(
        self,
        net: BatchedMLP,
        data: _Data,
        settings: EnsembleSettings,
        rigl: RigLSettings,
        generators: Sequence[torch.Generator],
        density: float,
    ) -> None:
        self.net, self.data, self.settings, self.rigl = net, data, settings, rigl
        self.generators = generators
        self.batch = min(settings.batch, len(data.y))
        self.counts = connection_counts(net.widths, density, rigl.distribution)
        self.sparse = density < 1
        self.optimiser = torch.optim.Adam([net.flat], lr=settings.learning_rate, fused=True)
        self.position = len(data.y)
        self.order = torch.empty(0)
        if self.sparse and rigl.start and rigl.warmup == "dense":
            return
        if self.sparse:
            self._start_sparse()

    def _start_sparse(self) -> None:
        for k, (weight, count) in enumerate(zip(self.net.weights, self.counts, strict=True)):
            _, fan_in, fan_out = weight.shape
            masks = [random_mask(fan_in, fan_out, count, g) for g in self.generators]
            self.net.set_mask(k, torch.stack(masks))

    def advance(self, step: int) -> None:
        """One step: either the weights move or, every so often, the connections do."""
        self._backward()
        if self.sparse and is_update_step(step, self.settings.steps, self.rigl):
            self._move_connections(drop_fraction(step, self.settings.steps, self.rigl))
            return
        self._descend(step)
        if self.sparse and self.rigl.warmup == "dense" and step == self.rigl.warmup_steps:
            self._replace_masks(
                [strongest(w.abs(), n) for w, n in zip(self.net.weights, self.counts, strict=True)]
            )

    def last_loss(self) -> Tensor:
        """Loss [S] on the batch of the last step, before that step moved the weights."""
        return self.net.loss(self.y, self.weight)

    def _backward(self) -> None:
        index = self._next_batch()
        # index_select on a flat index is 4 times faster than x[index]
        self.y, self.weight, x = (
            table.index_select(0, index.reshape(-1)).view(*index.shape, *table.shape[1:])
            for table in (self.data.y, self.data.weight, self.data.x)
        )
        self.net.forward(x)
        self.net.gradients(self.y, self.weight)

    def _next_batch(self) -> Tensor:
        """Crop numbers [S, B]; each member walks its own permutation."""
        n = len(self.data.y)
        if self.position + self.batch > n:
            orders = [torch.randperm(n, generator=g) for g in self.generators]
            self.order = torch.stack(orders).to(self.data.x.device)
            self.position = 0
        index = self.order[:, self.position : self.position + self.batch]
        self.position += self.batch
        return index

    def _descend(self, step: int) -> None:
        s = self.settings
        cosine = 0.5 * (1 + np.cos(np.pi * step / s.steps))
        rate = s.final_learning_rate + (1 - s.final_learning_rate) * cosine
        self.optimiser.param_groups[0]["lr"] = s.learning_rate * float(rate)
        if self.sparse:
            self.net.flat_gradient.mul_(self.net.flat_mask)
        self.net.flat.grad = self.net.flat_gradient
        self.optimiser.step()

    def _move_connections(self, fraction: float) -> None:
        net = self.net
        layers = zip(net.weights, net.masks, net.weight_gradients, strict=True)
        self._replace_masks([update_masks(w, m > 0, g, fraction) for w, m, g in layers])

    def _replace_masks(self, masks: Sequence[Tensor]) -> None:
        """New connections start at zero with fresh moments; the others go on as they were."""
        net = self.net
        survivors = net.flat_mask.clone()
        for k, mask in enumerate(masks):
            net.set_mask(k, mask)
        survivors.mul_(net.flat_mask)
        net.flat.mul_(survivors)
        for name in ("exp_avg", "exp_avg_sq"):
            if self.optimiser.state[net.flat]:
                self.optimiser.state[net.flat][name].mul_(survivors)


def _progress_line(
    progress: Callable[[str], None] | None, seeds: tuple[int, ...], density: float, steps: int
) -> Callable[[int, Tensor], None]:
    """What to call with (step, loss [S]) to tell the user where the training stands."""

    def say(step: int, loss: Tensor) -> None:
        if progress is not None and (step % 500 == 0 or step == steps):
            progress(
                f"networks of density {density:g}, seeds {seeds[0]}-{seeds[-1]}: "
                f"step {step}/{steps}, loss {float(loss.mean()):.4f} "
                f"({float(loss.min()):.4f}-{float(loss.max()):.4f})"
            )

    return say
