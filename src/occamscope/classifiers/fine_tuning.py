"""Train the weights that pruning has left, their places fixed."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike

from occamscope.classifiers.batched_mlp import BatchedMLP, class_weights
from occamscope.classifiers.ensemble import TrainedEnsemble, join_ensembles
from occamscope.classifiers.member_batches import MemberBatches
from occamscope.classifiers.sparse_training import (
    EnsembleSettings,
    TrainingData,
    as_training_data,
)

STEPS = 1000
# Relative to the training's first learning rate: the weights are nearly right.
RATE = 0.3


def fine_tune(
    net: TrainedEnsemble,
    x: ArrayLike,
    y: ArrayLike,
    settings: EnsembleSettings,
    steps: int = STEPS,
    device: str = "cpu",
) -> TrainedEnsemble:
    """Train existing connections and biases further; none appear, none move.

    Adam on the class-balanced logistic loss, as in training; the learning rate falls as a cosine.
    A member depends on its own seed and weights only.

    Parameters
    ----------
    x : (n, d) codes of the training part.
    y : (n,) 0 or 1.

    Raises
    ------
    InputError : as `train_ensemble`.
    """
    data = as_training_data(x, y, device)
    blocks = []
    for first in range(0, net.members, settings.block):
        members = slice(first, first + settings.block)
        part = replace(
            net,
            weights=tuple(w[members] for w in net.weights),
            biases=tuple(b[members] for b in net.biases),
            masks=tuple(m[members] for m in net.masks),
            seeds=net.seeds[members],
        )
        blocks.append(_tune_block(part, data, settings, steps, device))
    return replace(join_ensembles(blocks), history=net.history)


def _generator(seed: int) -> torch.Generator:
    """Not the stream of the training, which has seen its start in this order."""
    state = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _tune_block(
    part: TrainedEnsemble, data: TrainingData, settings: EnsembleSettings, steps: int, device: str
) -> TrainedEnsemble:
    # Filled up with copies of the last member: a smaller stack takes other kernels, hence bytes.
    chosen = np.minimum(np.arange(settings.block), part.members - 1)
    generators = [_generator(part.seeds[k]) for k in chosen]
    net = BatchedMLP(part.widths, generators, device)
    for k, (weight, bias) in enumerate(zip(part.weights, part.biases, strict=True)):
        net.weights[k].copy_(torch.from_numpy(weight[chosen]))
        net.biases[k][:, 0].copy_(torch.from_numpy(bias[chosen]))
        net.set_mask(k, torch.from_numpy(part.masks[k][chosen]))
    rows = [torch.arange(len(data.y))] * net.members
    batches = MemberBatches(rows, settings.batch, generators, data.x.device)
    sample_weight = class_weights(data.y)
    rate = RATE * settings.learning_rate
    optimiser = torch.optim.Adam([net.flat], lr=rate, fused=True)
    for step in range(steps):
        index = batches.next()
        net.forward(data.x[index])
        net.gradients(data.y[index], sample_weight[index])
        net.flat.grad = net.flat_gradient.mul_(net.flat_mask)
        cosine = 0.5 * (1 + np.cos(np.pi * step / steps))
        optimiser.param_groups[0]["lr"] = rate * float(0.05 + 0.95 * cosine)
        optimiser.step()
    keep = slice(part.members)
    return replace(
        part,
        weights=tuple(w[keep].cpu().numpy().copy() for w in net.weights),
        biases=tuple(b[keep, 0].cpu().numpy().copy() for b in net.biases),
    )
