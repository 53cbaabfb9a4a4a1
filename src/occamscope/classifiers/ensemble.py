"""Dense and sparse networks on latent codes, trained side by side: members differ by seed only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from occamscope.classifiers.batched_mlp import BatchedMLP
from occamscope.classifiers.member_batches import member_rows
from occamscope.classifiers.rigl import RigLSettings
from occamscope.classifiers.sparse_training import (
    EnsembleSettings,
    SparseTraining,
    TrainingData,
    as_training_data,
)
from occamscope.errors import InputError


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
    rows: ArrayLike | None = None,
) -> TrainedEnsemble:
    """Train one network per seed at one density; density 1 is the dense reference.

    Parameters
    ----------
    x : (n, d) codes, collapsed latents set to 0
    y : (n,) 0 or 1; the classes are weighted to count the same
    rigl : how connections move; unused at density 1
    seeds : one per network; a network depends on its own seed, and rows, only
    rows : bool (S, n), the crops that each network is trained on, e.g. `half_samples`; or int
        (S, m), their numbers. It is the network that these crops alone would give. All crops
        unless given.

    Raises
    ------
    InputError : if x and y do not match, y is not binary or one class is missing, also from the
        rows of a network; or as `member_rows`.

    Notes
    -----
    Bytes are promised for one `settings.block` on one machine and one thread: the last block is
    filled up with members that are thrown away, because a smaller stack takes other kernels.
    """
    data = as_training_data(x, y, device)
    own = None if rows is None else member_rows(rows, np.asarray(y), len(seeds), settings.batch)
    blocks = []
    for first in range(0, len(seeds), settings.block):
        members = slice(first, first + settings.block)
        chosen = tuple(int(s) for s in seeds[members])
        say = _progress_line(progress, chosen, density, settings.steps)
        part = None if own is None else own[members]
        blocks.append(_train_block(data, settings, rigl, chosen, density, say, device, part))
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


def _train_block(
    data: TrainingData,
    settings: EnsembleSettings,
    rigl: RigLSettings,
    seeds: tuple[int, ...],
    density: float,
    say: Callable[[int, Tensor], None],
    device: str,
    rows: list[Tensor] | None,
) -> TrainedEnsemble:
    missing = settings.block - len(seeds)
    padded = seeds + seeds[-1:] * missing
    padded_rows = None if rows is None else rows + rows[-1:] * missing
    generators = [torch.Generator().manual_seed(seed) for seed in padded]
    net = BatchedMLP((data.x.shape[1], *settings.hidden, 1), generators, device)
    training = SparseTraining(net, data, settings, rigl, generators, density, padded_rows)
    history = []
    for step in range(1, settings.steps + 1):
        training.advance(step)
        if step % settings.log_every == 0 or step == settings.steps:
            loss = training.last_loss()[: len(seeds)].cpu()
            history += [(step, seed, float(v)) for seed, v in zip(seeds, loss, strict=True)]
            say(step, loss)
    keep = slice(len(seeds))
    return TrainedEnsemble(
        weights=tuple(w[keep].cpu().numpy().copy() for w in net.weights),
        biases=tuple(b[keep, 0].cpu().numpy().copy() for b in net.biases),
        masks=tuple(m[keep].cpu().numpy() > 0 for m in net.masks),
        seeds=seeds,
        density=density,
        history=pd.DataFrame(history, columns=["step", "seed", "loss"]),
    )


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
