"""Logic streams: how a sparse network's answer is made of paths from latents to the output.

A ReLU network is linear wherever its gates do not change. For one crop the logit is therefore
exactly the sum over paths latent -> hidden -> ... -> output of

    latent value x product of the weights x product of the gates (0 or 1)

plus a part that only biases feed. Paths that enter through first-layer units listening to the same
latents belong to one stream. In a network with too many paths to list, units that listen to similar
latents do, and all paths from one latent through one stream make one bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble
from occamscope.classifiers.held_gates import HeldGates, hold_gates, ways_onward
from occamscope.classifiers.stream_bundles import bundle_tables
from occamscope.classifiers.stream_contributions import (
    balanced_accuracy,
    both_classes,
    class_means,
    class_shares,
    stream_table,
)
from occamscope.classifiers.stream_units import MAX_GROUPS, MAX_PATHS, assign_streams
from occamscope.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Streams:
    """A sparse network taken apart; negative and positive are the two classes.

    Attributes
    ----------
    nodes : node ("z3", "h1.5", "output"), layer, index, bias, active_share (share of crops with
        an open gate), mean_negative, mean_positive (mean activation of the class)
    edges : source, target, weight, flow (mean |activation x weight|), mean_negative,
        mean_positive (mean activation x weight)
    paths : path, stream, latent, weight (product along the path), open_share, share (of the sum
        of all paths' mean |contribution|), share_negative, share_positive, mean_negative,
        mean_positive (mean contribution in logits: cutting the path with all gates held takes it
        away), cut_balanced_accuracy (change when cut so)
    streams : stream (its latents, "z3+z17"), units, latents (by falling share), paths (their
        number), share, share_negative, share_positive (of its paths), net_share (of the sum of all
        streams' mean |contribution|: paths of a stream may cancel), mean_negative, mean_positive
        (mean contribution in logits), and the changes cut_logit_negative, cut_logit_positive,
        cut_balanced_accuracy when its first-layer units are silenced and all gates may follow

    In a grouped network a stream is called "group 1" and stands in `nodes` and `edges` as one
    hidden unit, "group.1", without a bias; `paths` holds bundles ("z3 > group.1 > output") with the
    mean slope of the logit in the latent as their weight, and `paths`, the number of paths in each.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    paths: pd.DataFrame
    streams: pd.DataFrame


@dataclass(frozen=True)
class PathContributions:
    """Exact decomposition of the logits of n crops.

    Attributes
    ----------
    paths : int (P, layers + 1), units along each path, input first; the output is unit 0
    weight : (P,) product of the weights along each path
    contribution : (n, P) logits
    bias : (n,) what biases alone contribute under the same gates
    open_share : (P,) share of the crops with all gates of the path open
    """

    paths: NDArray[np.int64]
    weight: Array
    contribution: Array
    bias: Array
    open_share: Array


def path_contributions(
    net: TrainedEnsemble, member: int, x: ArrayLike, max_paths: int = MAX_PATHS
) -> PathContributions:
    """Split the logits of codes x (n, d): sum of contributions + bias = logit.

    Raises
    ------
    InputError : if the network has no path or more than `max_paths`.
    """
    return _split_paths(hold_gates(net, member, x), max_paths)


def _split_paths(held: HeldGates, max_paths: int) -> PathContributions:
    codes = held.activations[0]
    paths = _enumerate_paths(held.weights, max_paths)
    weight = np.ones(len(paths))
    is_open = np.ones((len(codes), len(paths)), bool)
    for k, w in enumerate(held.weights):
        weight *= w[paths[:, k], paths[:, k + 1]]
        if k:
            is_open &= held.gates[k - 1][:, paths[:, k]]
    return PathContributions(
        paths=paths,
        weight=weight,
        contribution=codes[:, paths[:, 0]] * is_open * weight,
        bias=held.bias_part(),
        open_share=is_open.mean(axis=0),
    )


def trace_streams(
    net: TrainedEnsemble,
    member: int,
    x: ArrayLike,
    y: ArrayLike,
    groups: int = MAX_GROUPS,
    max_paths: int = MAX_PATHS,
) -> Streams:
    """Take one member apart on codes x (n, d) with labels y (n,) 0 or 1.

    A network with more than `max_paths` paths is taken apart into at most so many `groups`
    (`stream_units`). Shares, contributions and cuts are as exact as with single paths.

    Raises
    ------
    InputError : if the network has no path, y lacks a class, or `groups` is below 1.
    """
    positive = both_classes(y)
    held = hold_gates(net, member, x)
    streams = assign_streams(held, groups, max_paths)
    table = stream_table(held, streams, positive)
    if table["paths"].sum() > max_paths:
        return Streams(*bundle_tables(held, streams, positive), table)
    parts = _split_paths(held, max_paths)
    stream_of = {int(unit): name for name, units in streams.items() for unit in units}
    paths = _path_table(parts, stream_of, positive)
    return Streams(
        nodes=_node_table(parts.paths, held.activations, held.biases, positive),
        edges=_edge_table(parts.paths, held.activations, held.weights, positive),
        paths=paths.sort_values("share", ascending=False, kind="stable", ignore_index=True),
        streams=table,
    )


def _enumerate_paths(weights: Sequence[Array], max_paths: int) -> NDArray[np.int64]:
    """All (P, layers + 1) chains of units joined by non-zero weights, in lexical order."""
    onward = ways_onward(weights)
    total = onward[0].sum()
    if not 0 < total <= max_paths:
        raise InputError(
            f"the network has {total:.0f} paths from a latent to the output, "
            f"1 to {max_paths} can be traced: choose a sparse, pruned member"
        )
    paths = np.flatnonzero(onward[0])[:, None]
    for k, w in enumerate(weights):
        linked = (w[paths[:, -1]] != 0) & (onward[k + 1] > 0)  # (paths, units)
        at, unit = np.nonzero(linked)
        paths = np.column_stack([paths[at], unit])
    return paths


def _node_name(layer: int, unit: int, last: int) -> str:
    if layer == 0:
        return f"z{unit}"
    return "output" if layer == last else f"h{layer}.{unit}"


def _path_table(
    parts: PathContributions, stream_of: dict[int, str], positive: NDArray[np.bool_]
) -> pd.DataFrame:
    last = parts.paths.shape[1] - 1
    size = np.abs(parts.contribution)
    logit = parts.contribution.sum(axis=1) + parts.bias
    base = balanced_accuracy(logit, positive)
    cut = [balanced_accuracy(logit - c, positive) - base for c in parts.contribution.T]
    names = [[_node_name(k, u, last) for k, u in enumerate(p)] for p in parts.paths.tolist()]
    return pd.DataFrame(
        {
            "path": [" > ".join(p) for p in names],
            "stream": [stream_of[u] for u in parts.paths[:, 1]],
            "latent": [p[0] for p in names],
            "weight": parts.weight,
            "open_share": parts.open_share,
            **class_shares(size, positive),
            **class_means(parts.contribution, positive),
            "cut_balanced_accuracy": cut,
        }
    )


def _node_table(
    paths: NDArray[np.int64],
    activations: list[Array],
    biases: list[Array],
    positive: NDArray[np.bool_],
) -> pd.DataFrame:
    last = paths.shape[1] - 1
    rows = []
    for layer, values in enumerate(activations):
        for unit in np.unique(paths[:, layer]):
            value = values[:, unit]
            rows.append(
                {
                    "node": _node_name(layer, unit, last),
                    "layer": layer,
                    "index": int(unit),
                    "bias": float(biases[layer - 1][unit]) if layer else 0.0,
                    "active_share": float((value > 0).mean()) if 0 < layer < last else 1.0,
                    "mean_negative": float(value[~positive].mean()),
                    "mean_positive": float(value[positive].mean()),
                }
            )
    return pd.DataFrame(rows)


def _edge_table(
    paths: NDArray[np.int64],
    activations: list[Array],
    weights: list[Array],
    positive: NDArray[np.bool_],
) -> pd.DataFrame:
    last = paths.shape[1] - 1
    tables = []
    for layer, weight in enumerate(weights):
        source, target = np.unique(paths[:, layer : layer + 2], axis=0).T
        signal = activations[layer][:, source] * weight[source, target]
        columns = {
            "source": [_node_name(layer, u, last) for u in source],
            "target": [_node_name(layer + 1, u, last) for u in target],
            "weight": weight[source, target],
            "flow": np.abs(signal).mean(axis=0),
            **class_means(signal, positive),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
