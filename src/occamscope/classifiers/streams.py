"""Logic streams: how a sparse network's answer is made of paths from latents to the output.

A ReLU network is linear wherever its gates do not change. For one crop the logit is therefore
exactly the sum over paths latent -> hidden -> ... -> output of

    latent value x product of the weights x product of the gates (0 or 1)

plus a part that only biases feed. Paths that enter through first-layer units listening to the same
latents belong to one stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble
from occamscope.errors import InputError

MAX_PATHS = 20_000  # a pruned network has tens; more cannot be read anyway

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
    streams : stream (its latents, "z3+z17"), units, paths, share, share_negative,
        share_positive, and the changes cut_logit_negative, cut_logit_positive,
        cut_balanced_accuracy when its first-layer units are silenced and all gates may follow
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


def path_contributions(net: TrainedEnsemble, member: int, x: ArrayLike) -> PathContributions:
    """Split the logits of codes x (n, d): sum of contributions + bias = logit.

    Raises
    ------
    InputError : if the network has no path or more than `MAX_PATHS`.
    """
    weights, biases = _layers(net, member)
    codes = np.asarray(x, float)
    gates = [a > 0 for a in _activations(weights, biases, codes)[1:-1]]
    paths = _enumerate_paths(weights)
    weight = np.ones(len(paths))
    is_open = np.ones((len(codes), len(paths)), bool)
    for k, w in enumerate(weights):
        weight *= w[paths[:, k], paths[:, k + 1]]
        if k:
            is_open &= gates[k - 1][:, paths[:, k]]
    return PathContributions(
        paths=paths,
        weight=weight,
        contribution=codes[:, paths[:, 0]] * is_open * weight,
        bias=_bias_part(weights, biases, gates),
        open_share=is_open.mean(axis=0),
    )


def trace_streams(net: TrainedEnsemble, member: int, x: ArrayLike, y: ArrayLike) -> Streams:
    """Take one member apart on codes x (n, d) with labels y (n,) 0 or 1.

    Raises
    ------
    InputError : as `path_contributions`, or if y lacks a class.
    """
    positive = np.asarray(y) > 0
    if positive.all() or not positive.any():
        raise InputError("streams need crops of both classes")
    parts = path_contributions(net, member, x)
    weights, biases = _layers(net, member)
    activations = _activations(weights, biases, np.asarray(x, float))
    stream_of = _stream_names(weights[0])
    paths = _path_table(parts, stream_of, positive)
    return Streams(
        nodes=_node_table(parts.paths, activations, biases, positive),
        edges=_edge_table(parts.paths, activations, weights, positive),
        paths=paths.sort_values("share", ascending=False, kind="stable", ignore_index=True),
        streams=_stream_table(paths, weights, biases, np.asarray(x, float), positive),
    )


def _layers(net: TrainedEnsemble, member: int) -> tuple[list[Array], list[Array]]:
    weights = [w[member].astype(float) for w in net.weights]
    return weights, [b[member].astype(float) for b in net.biases]


def _activations(weights: Sequence[Array], biases: Sequence[Array], x: Array) -> list[Array]:
    """Inputs, hidden activations and logits (n, 1), in order."""
    out = [x]
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = out[-1] @ weight + bias
        out.append(h if k == len(weights) - 1 else np.maximum(h, 0))
    return out


def _enumerate_paths(weights: Sequence[Array]) -> NDArray[np.int64]:
    """All (P, layers + 1) chains of units joined by non-zero weights, in lexical order."""
    onward = [np.ones(1)]  # number of ways from each unit of a layer to the output
    for w in reversed(weights):
        onward.insert(0, (w != 0) @ onward[0])
    total = onward[0].sum()
    if not 0 < total <= MAX_PATHS:
        raise InputError(
            f"the network has {total:.0f} paths from a latent to the output, "
            f"1 to {MAX_PATHS} can be traced: choose a sparse, pruned member"
        )
    paths = np.flatnonzero(onward[0])[:, None]
    for k, w in enumerate(weights):
        linked = (w[paths[:, -1]] != 0) & (onward[k + 1] > 0)  # (paths, units)
        at, unit = np.nonzero(linked)
        paths = np.column_stack([paths[at], unit])
    return paths


def _bias_part(weights: Sequence[Array], biases: Sequence[Array], gates: Sequence) -> Array:
    h = np.zeros((len(gates[0]), weights[0].shape[0]))
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = h @ weight + bias
        if k < len(gates):
            h = h * gates[k]
    return h[:, 0]


def _stream_names(first: Array) -> list[str]:
    """Name of the stream that each first-layer unit belongs to: the latents it listens to."""
    return ["+".join(f"z{j}" for j in np.flatnonzero(column)) for column in first.T]


def _node_name(layer: int, unit: int, last: int) -> str:
    if layer == 0:
        return f"z{unit}"
    return "output" if layer == last else f"h{layer}.{unit}"


def _path_table(
    parts: PathContributions, stream_of: list[str], positive: NDArray[np.bool_]
) -> pd.DataFrame:
    last = parts.paths.shape[1] - 1
    size = np.abs(parts.contribution)
    logit = parts.contribution.sum(axis=1) + parts.bias
    base = _balanced(logit, positive)
    cut = [_balanced(logit - c, positive) - base for c in parts.contribution.T]
    names = [[_node_name(k, u, last) for k, u in enumerate(p)] for p in parts.paths.tolist()]
    return pd.DataFrame(
        {
            "path": [" > ".join(p) for p in names],
            "stream": [stream_of[u] for u in parts.paths[:, 1]],
            "latent": [p[0] for p in names],
            "weight": parts.weight,
            "open_share": parts.open_share,
            "share": _share(size.mean(axis=0)),
            "share_negative": _share(size[~positive].mean(axis=0)),
            "share_positive": _share(size[positive].mean(axis=0)),
            **_class_means(parts.contribution, positive),
            "cut_balanced_accuracy": cut,
        }
    )


def _stream_table(
    paths: pd.DataFrame,
    weights: list[Array],
    biases: list[Array],
    x: Array,
    positive: NDArray[np.bool_],
) -> pd.DataFrame:
    logit = _activations(weights, biases, x)[-1][:, 0]
    stream_of = np.array(_stream_names(weights[0]))
    rows = []
    for stream, group in paths.groupby("stream", sort=False):
        units = np.flatnonzero((stream_of == stream) & (weights[1] != 0).any(axis=1))
        silenced = weights[1].copy()
        silenced[units] = 0
        cut = _activations([weights[0], silenced, *weights[2:]], biases, x)[-1][:, 0]
        rows.append(
            {
                "stream": stream,
                "units": " ".join(_node_name(1, int(u), len(weights)) for u in units),
                "paths": len(group),
                **group[["share", "share_negative", "share_positive"]].sum(),
                "cut_logit_negative": float((cut - logit)[~positive].mean()),
                "cut_logit_positive": float((cut - logit)[positive].mean()),
                "cut_balanced_accuracy": _balanced(cut, positive) - _balanced(logit, positive),
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


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
            **_class_means(signal, positive),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _class_means(values: Array, positive: NDArray[np.bool_]) -> dict[str, Array]:
    return {
        "mean_negative": values[~positive].mean(axis=0),
        "mean_positive": values[positive].mean(axis=0),
    }


def _share(size: Array) -> Array:
    return size / max(size.sum(), np.finfo(float).tiny)


def _balanced(logit: Array, positive: NDArray[np.bool_]) -> float:
    called = logit > 0
    return float((called[positive].mean() + (~called[~positive]).mean()) / 2)
