"""Pruning after training: what cannot matter, then whole inputs, then the weakest weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble, stacked_logits
from occamscope.errors import InputError

Array = NDArray[np.float32]
Layers = Sequence[Array]


@dataclass(frozen=True)
class PruningSettings:
    """How far a trained network is thinned out."""

    # Balanced validation accuracy that may be lost, 0..1. With 0 a weight to a pure-noise latent
    # survives if it happens to save one validation crop: Jaccard index .85 instead of .97.
    tolerance: float = 0.005
    # Relative rise of the balanced validation loss that may be paid. Accuracy alone moves in steps
    # of one crop and lets margins erode unseen: test accuracy then falls by 0.7 % instead of 0.2 %.
    loss_tolerance: float = 0.05
    # Absolute rise of the loss, in nats, that may always be paid: where the loss is near 0, a
    # relative rise is nothing, and weights to latents that hardly matter would all stay.
    loss_slack: float = 0.01
    # What inputs may cost, in accuracy and in loss, before the network is tuned without them.
    trial_tolerance: float = 0.03
    trial_slack: float = 0.1

    def __post_init__(self) -> None:
        slacks = (self.loss_slack, self.trial_tolerance, self.trial_slack)
        if min(self.tolerance, self.loss_tolerance, *slacks) < 0:
            raise InputError("pruning tolerances must not be negative")


def prune(
    net: TrainedEnsemble,
    x_val: ArrayLike,
    y_val: ArrayLike,
    settings: PruningSettings,
    tune: Callable[[TrainedEnsemble], TrainedEnsemble] | None = None,
) -> TrainedEnsemble:
    """Remove dead paths, then inputs and weights while the validation part stays as good.

    Whole inputs are tried first, those with the least to say in front: which latents a network
    listens to is what is read from it. Then weights in the order of |weight|; what is missed stays,
    and the next is tried, until a whole round removes nothing. Every member is pruned by itself.

    Parameters
    ----------
    x_val : (n, d) codes of the validation part
    y_val : (n,) 0 or 1
    tune : trains the weights that are left, on the training part; then networks are first tried
        with as few inputs as the trial tolerances allow, and keep to those if after tuning they are
        as good as `settings` ask. A network that grew up with an input has not learnt to do
        without it.

    Returns
    -------
    TrainedEnsemble with masks where a weight is left; removed weights are 0.

    Raises
    ------
    InputError : if the validation part lacks a class.
    """
    x, positive = np.asarray(x_val, np.float32), np.asarray(y_val) > 0
    if positive.all() or not positive.any():
        raise InputError("pruning needs validation crops of both classes")
    net = remove_dead_paths(net)
    accuracy, loss = _quality(stacked_logits(net.weights, net.biases, x), positive)
    floor = accuracy - settings.tolerance - 1e-9
    ceiling = loss + np.maximum(loss * settings.loss_tolerance, settings.loss_slack) + 1e-9
    if tune is not None:
        least = accuracy - settings.trial_tolerance
        most = loss + settings.trial_slack
        fewer = tune(remove_dead_paths(_prune_inputs(net, x, positive, least, most)))
        accuracy, loss = _quality(stacked_logits(fewer.weights, fewer.biases, x), positive)
        net = _where((accuracy >= floor) & (loss <= ceiling), fewer, net)
    net = remove_dead_paths(_prune_inputs(net, x, positive, floor, ceiling))
    while True:
        pruned = remove_dead_paths(_prune_round(net, x, positive, floor, ceiling))
        if (count_weights(pruned) == count_weights(net)).all():
            return pruned
        net = pruned


def remove_dead_paths(net: TrainedEnsemble) -> TrainedEnsemble:
    """Remove connections that no signal passes; the network computes the same as before.

    A hidden unit without inputs is a constant: it goes into the biases of the next layer. A unit
    without outputs goes altogether.
    """
    weights = [w.copy() for w in net.weights]
    biases = [b.copy() for b in net.biases]
    for k in range(len(weights) - 1):  # forwards: a constant may make the next unit constant
        constant = ~(weights[k] != 0).any(axis=1)  # (S, units)
        value = np.where(constant, np.maximum(biases[k], 0), 0)
        biases[k + 1] += np.einsum("si,sio->so", value, weights[k + 1])
        weights[k + 1][constant] = 0
        biases[k][constant] = 0
    for k in reversed(range(len(weights) - 1)):  # backwards: units that nobody listens to
        unheard = ~(weights[k + 1] != 0).any(axis=2)
        weights[k] *= ~unheard[:, None, :]
        biases[k][unheard] = 0
    return _with_weights(net, weights, biases)


def count_weights(net: TrainedEnsemble) -> NDArray[np.int64]:
    """Non-zero weights (S,) of each member."""
    return np.sum([(w != 0).sum(axis=(1, 2)) for w in net.weights], axis=0)


def count_parameters(net: TrainedEnsemble) -> NDArray[np.int64]:
    """Non-zero weights and the biases of live units (S,); the output's bias always counts.

    A hidden unit is live if it reaches the output through non-zero weights.
    """
    live = np.sum([units.sum(axis=1) for units in _reach_output(net)[1:]], axis=0)
    return count_weights(net) + live


def live_inputs(net: TrainedEnsemble) -> NDArray[np.bool_]:
    """Inputs (S, d) that reach the output through non-zero weights."""
    return _reach_output(net)[0]


def _reach_output(net: TrainedEnsemble) -> list[NDArray[np.bool_]]:
    """For each layer, inputs first and output last, which units (S, units) reach the output."""
    reach = [np.ones((net.members, 1), bool)]
    for weight in reversed(net.weights):
        reach.insert(0, ((weight != 0) & reach[0][:, None, :]).any(axis=2))
    return reach


def _prune_inputs(
    net: TrainedEnsemble, x: Array, positive: NDArray[np.bool_], floor: Array, ceiling: Array
) -> TrainedEnsemble:
    """Try each input of each member once, that of the weakest signal first."""
    first = net.weights[0].copy()
    signal = np.abs(first).sum(axis=2) * x.std(axis=0)  # (S, inputs)
    order = np.argsort(signal, axis=1, kind="stable")
    members = np.arange(net.members)
    for rank in range(int((signal == 0).sum(axis=1).min()), first.shape[1]):
        place = order[:, rank]
        before = first[members, place]
        first[members, place] = 0
        accuracy, loss = _quality(
            stacked_logits((first, *net.weights[1:]), net.biases, x), positive
        )
        missed = (accuracy < floor) | (loss > ceiling)
        first[members[missed], place[missed]] = before[missed]
    return _with_weights(net, [first, *net.weights[1:]], net.biases)


def _prune_round(
    net: TrainedEnsemble, x: Array, positive: NDArray[np.bool_], floor: Array, ceiling: Array
) -> TrainedEnsemble:
    """Try each weight of each member once, weakest first; members advance side by side."""
    units = [_live_first(reach) for reach in _reach_output(net)]
    flat, weights = _flatten(
        [
            np.take_along_axis(np.take_along_axis(w, i[:, :, None], 1), o[:, None, :], 2)
            for w, i, o in zip(net.weights, units[:-1], units[1:], strict=True)
        ]
    )
    biases = [np.take_along_axis(b, o, 1) for b, o in zip(net.biases, units[1:], strict=True)]
    inputs = x.T[units[0]].transpose(0, 2, 1)  # (S, n, live inputs)
    order = np.argsort(np.abs(flat), axis=1, kind="stable")
    members = np.arange(net.members)
    for rank in range(int((flat == 0).sum(axis=1).min()), flat.shape[1]):
        place = order[:, rank]
        before = flat[members, place]
        flat[members, place] = 0
        accuracy, loss = _quality(stacked_logits(weights, biases, inputs), positive)
        missed = (accuracy < floor) | (loss > ceiling)
        flat[members[missed], place[missed]] = before[missed]
    return _with_weights(net, _scatter(net.weights, weights, units), net.biases)


def _live_first(reach: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers (S, m) of the live units, filled up with dead ones to the same m for every member.

    Dead units have no weights left, so a round on these few units is exact and far cheaper.
    """
    return np.argsort(~reach, axis=1, kind="stable")[:, : max(1, int(reach.sum(axis=1).max()))]


def _scatter(full: Layers, compact: Layers, units: Sequence[NDArray[np.int64]]) -> list[Array]:
    """Put compact layers back to the places of their units; everything else is 0."""
    out = []
    for w, small, i, o in zip(full, compact, units[:-1], units[1:], strict=True):
        wide = np.zeros_like(w)
        wide[np.arange(len(w))[:, None, None], i[:, :, None], o[:, None, :]] = small
        out.append(wide)
    return out


def _flatten(weights: Layers) -> tuple[Array, Layers]:
    """All weights as (S, P), copied, and the layers [S, in, out] as views into it."""
    flat = np.concatenate([w.reshape(len(w), -1) for w in weights], axis=1)
    ends = np.cumsum([w[0].size for w in weights])
    parts = np.split(flat, ends[:-1], axis=1)
    return flat, tuple(p.reshape(w.shape) for p, w in zip(parts, weights, strict=True))


def _quality(logit: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Balanced accuracy and class-balanced logistic loss (S,) of logits (S, n)."""
    right = (logit > 0) == positive
    loss = np.logaddexp(0, np.where(positive, -logit, logit))
    accuracy = (right[:, positive].mean(axis=1) + right[:, ~positive].mean(axis=1)) / 2
    return accuracy, (loss[:, positive].mean(axis=1) + loss[:, ~positive].mean(axis=1)) / 2


def _where(
    chosen: NDArray[np.bool_], first: TrainedEnsemble, second: TrainedEnsemble
) -> TrainedEnsemble:
    """The chosen members of one ensemble, the others of another."""
    pairs = zip(first.weights, second.weights, strict=True)
    weights = [np.where(chosen[:, None, None], a, b) for a, b in pairs]
    pairs = zip(first.biases, second.biases, strict=True)
    biases = [np.where(chosen[:, None], a, b) for a, b in pairs]
    return _with_weights(second, weights, biases)


def _with_weights(net: TrainedEnsemble, weights: Layers, biases: Layers) -> TrainedEnsemble:
    masks = tuple(w != 0 for w in weights)
    return replace(net, weights=tuple(weights), biases=tuple(biases), masks=masks)
