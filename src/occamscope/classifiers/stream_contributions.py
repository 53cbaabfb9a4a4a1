"""What each stream adds to the logit, exactly and without following its paths one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble
from occamscope.classifiers.held_gates import HeldGates, hold_gates
from occamscope.classifiers.stream_units import check_streams, unit_paths
from occamscope.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StreamContributions:
    """Exact decomposition of the logits of n crops into streams.

    Attributes
    ----------
    streams : k names
    contribution : (n, k) logits that latents feed through the units of each stream
    size : (n, k) sum of |contribution| over the stream's paths; above |contribution| where paths
        cancel
    own_bias : (n, k) the part of `bias` that the biases of the stream's first-layer units feed
    bias : (n,) what biases alone contribute under the same gates
    """

    streams: tuple[str, ...]
    contribution: Array
    size: Array
    own_bias: Array
    bias: Array


def stream_contributions(
    net: TrainedEnsemble, member: int, x: ArrayLike, streams: Mapping[str, NDArray[np.int64]]
) -> StreamContributions:
    """Split the logits of codes x (n, d): sum of contributions + bias = logit.

    Parameters
    ----------
    streams : first-layer units of each stream, from `stream_units`; every unit on a path from a
        latent to the output in exactly one

    Raises
    ------
    InputError : if a unit is missing or belongs to two streams.
    """
    return split_logit(hold_gates(net, member, x), streams)


def split_logit(held: HeldGates, streams: Mapping[str, NDArray[np.int64]]) -> StreamContributions:
    """As `stream_contributions`."""
    check_streams(held, streams)
    x, first = held.activations[0], held.weights[0]
    slopes = held.slopes()
    parts = {
        "contribution": (x @ first) * slopes,
        "size": (np.abs(x) @ np.abs(first)) * held.slope_sizes(),
        "own_bias": held.biases[0] * slopes,
    }
    by_stream = {
        name: np.column_stack([part[:, units].sum(axis=1) for units in streams.values()])
        for name, part in parts.items()
    }
    return StreamContributions(tuple(streams), bias=held.bias_part(), **by_stream)


def stream_table(
    held: HeldGates, streams: Mapping[str, NDArray[np.int64]], positive: NDArray[np.bool_]
) -> pd.DataFrame:
    """One row a stream, largest share first; the columns are those of `Streams.streams`."""
    parts = split_logit(held, streams)
    paths = unit_paths(held)
    base = balanced_accuracy(held.logit, positive)
    rows = []
    for units in streams.values():
        cut = held.logit_without(units)
        change = cut - held.logit
        rows.append(
            {
                "units": " ".join(f"h1.{u}" for u in units),
                "latents": " ".join(_latents_heard(held, units)),
                "paths": int(paths[units].sum()),
                "cut_logit_negative": float(change[~positive].mean()),
                "cut_logit_positive": float(change[positive].mean()),
                "cut_balanced_accuracy": balanced_accuracy(cut, positive) - base,
            }
        )
    counted = pd.DataFrame(rows)
    table = pd.DataFrame(
        {
            "stream": parts.streams,
            **counted[["units", "latents", "paths"]],
            **class_shares(parts.size, positive),
            "net_share": shares(np.abs(parts.contribution).mean(axis=0)),
            **class_means(parts.contribution, positive),
            **counted[["cut_logit_negative", "cut_logit_positive", "cut_balanced_accuracy"]],
        }
    )
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def class_means(values: Array, positive: NDArray[np.bool_]) -> dict[str, Array]:
    """Means of each column over the crops of each class."""
    return {
        "mean_negative": values[~positive].mean(axis=0),
        "mean_positive": values[positive].mean(axis=0),
    }


def class_shares(size: Array, positive: NDArray[np.bool_]) -> dict[str, Array]:
    """Share of each column's mean in their sum, over all crops and those of each class."""
    return {
        "share": shares(size.mean(axis=0)),
        "share_negative": shares(size[~positive].mean(axis=0)),
        "share_positive": shares(size[positive].mean(axis=0)),
    }


def shares(size: Array) -> Array:
    """Shares of the sum; all 0 if that is 0."""
    return size / max(size.sum(), np.finfo(float).tiny)


def balanced_accuracy(logit: Array, positive: NDArray[np.bool_]) -> float:
    """Mean over both classes of the share called right by logit > 0."""
    called = logit > 0
    return float((called[positive].mean() + (~called[~positive]).mean()) / 2)


def both_classes(y: ArrayLike) -> NDArray[np.bool_]:
    """Which crops are positive.

    Raises
    ------
    InputError : if one class is missing.
    """
    positive = np.asarray(y) > 0
    if positive.all() or not positive.any():
        raise InputError("streams need crops of both classes")
    return positive


def _latents_heard(held: HeldGates, units: NDArray[np.int64]) -> list[str]:
    """Latents that the units listen to, by falling |contribution| of their paths."""
    first = np.abs(held.weights[0][:, units])
    size = (np.abs(held.activations[0]) * (held.slope_sizes()[:, units] @ first.T)).mean(axis=0)
    heard = np.flatnonzero(first.any(axis=1))
    return [f"z{j}" for j in heard[np.argsort(-size[heard], kind="stable")]]
