"""One step of training after another: mini-batches, Adam, and connections that move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from occamscope.classifiers.batched_mlp import BatchedMLP, class_weights
from occamscope.classifiers.member_batches import MemberBatches
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
class TrainingData:
    """Codes and targets as tensors."""

    x: Tensor  # (n, d)
    y: Tensor  # (n,)


def as_training_data(x: ArrayLike, y: ArrayLike, device: str) -> TrainingData:
    """Check codes (n, d) and labels (n,) 0 or 1.

    Raises
    ------
    InputError : if x and y do not match, y is not binary, a class is missing or x is not finite.
    """
    codes, labels = np.asarray(x, np.float32), np.asarray(y)
    if codes.ndim != 2 or labels.shape != codes.shape[:1]:
        raise InputError(f"codes {codes.shape} and labels {labels.shape} do not match")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise InputError("labels must be 0 and 1, both present: leave unlabelled crops out")
    if not np.isfinite(codes).all():
        raise InputError("codes hold NaN or infinity: encode the images again")
    target = torch.as_tensor(labels, dtype=torch.float32, device=device)
    return TrainingData(torch.as_tensor(codes, device=device), target)


class SparseTraining:
    """The moving parts of a run: data order, mask and optimiser of a stack of members.

    `rows` are the crop numbers of each member, from `member_rows`; all crops unless given.
    """

    def __init__(
        self,
        net: BatchedMLP,
        data: TrainingData,
        settings: EnsembleSettings,
        rigl: RigLSettings,
        generators: Sequence[torch.Generator],
        density: float,
        rows: Sequence[Tensor] | None = None,
    ) -> None:
        self.net, self.data, self.settings, self.rigl = net, data, settings, rigl
        own = [torch.arange(len(data.y))] * net.members if rows is None else rows
        self.batches = MemberBatches(own, settings.batch, generators, data.x.device)
        self.generators = generators
        self.sample_weight = _sample_weights(data, rows, net.members)
        self.counts = connection_counts(net.widths, density, rigl.distribution)
        self.sparse = density < 1
        if self.sparse and rigl.warmup == "dense" and rigl.start >= settings.steps:
            raise InputError(
                f"a dense warm-up of {rigl.start} steps leaves none of {settings.steps} to train "
                "sparse: shorten warmup_steps or raise steps"
            )
        self.optimiser = torch.optim.Adam([net.flat], lr=settings.learning_rate, fused=True)
        if self.sparse and not (rigl.warmup == "dense" and rigl.start):
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
        index = self.batches.next()
        # index_select on a flat index is 4 times faster than x[index]
        self.y, x = (
            table.index_select(0, index.reshape(-1)).view(*index.shape, *table.shape[1:])
            for table in (self.data.y, self.data.x)
        )
        self.weight = self.sample_weight.gather(1, index)
        self.net.forward(x)
        self.net.gradients(self.y, self.weight)

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
        """New connections start at the zero stored for them, with fresh moments; others go on."""
        net = self.net
        survivors = net.flat_mask.clone()
        for k, mask in enumerate(masks):
            net.set_mask(k, mask)
        survivors.mul_(net.flat_mask)
        for name in ("exp_avg", "exp_avg_sq"):
            if self.optimiser.state[net.flat]:
                self.optimiser.state[net.flat][name].mul_(survivors)


def _sample_weights(data: TrainingData, rows: Sequence[Tensor] | None, members: int) -> Tensor:
    """Weight [S, n] of each crop; the classes of a member's own crops count the same."""
    if rows is None:
        return class_weights(data.y).expand(members, -1)
    weight = data.y.new_zeros((members, len(data.y)))
    for target, own in zip(weight, rows, strict=True):
        own = own.to(data.y.device)
        target[own] = class_weights(data.y[own])
    return weight
