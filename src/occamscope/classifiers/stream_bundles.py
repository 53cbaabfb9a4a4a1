"""A network too large for single paths: its streams take the place of hidden units.

A bundle is all paths from one latent through the first-layer units of one stream to the output.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.classifiers.held_gates import HeldGates, ways_onward
from occamscope.classifiers.stream_contributions import balanced_accuracy, class_means, shares

Array = NDArray[np.float64]
SHARES = ("share", "share_negative", "share_positive")


def bundle_tables(
    held: HeldGates, streams: Mapping[str, NDArray[np.int64]], positive: NDArray[np.bool_]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Nodes, edges and bundles, with the columns of `Streams`.

    Bundles that carry nothing on these crops, such as those of a latent that is always 0, are
    left out.
    """
    bundles, hubs = [], []
    slopes, sizes = held.slopes(), held.slope_sizes()
    for number, (stream, units) in enumerate(streams.items(), 1):
        first = held.weights[0][:, units]
        names = {"stream": stream, "node": f"group.{number}"}
        slope, size = slopes[:, units] @ first.T, sizes[:, units] @ np.abs(first).T
        table = _bundle_table(held, slope, size, positive)
        table["paths"] = ((first != 0) @ ways_onward(held.weights)[1][units]).astype(int)
        bundles.append(table[table["share"] > 0].assign(**names))
        signal = (held.activations[0] * slope).sum(axis=1)
        hubs.append(
            {**names, "active_share": (size > 0).any(axis=1).mean(), **_flow(signal, positive)}
        )
    table = pd.concat(bundles, ignore_index=True)
    for column in SHARES:
        table[column] = shares(table[column].to_numpy())
    hub_table = pd.DataFrame(hubs)
    return (
        _node_table(held, table, hub_table, positive),
        _edge_table(table, hub_table),
        _path_table(table),
    )


def _bundle_table(
    held: HeldGates, slope: Array, size: Array, positive: NDArray[np.bool_]
) -> pd.DataFrame:
    """One row a latent; slope and size (n, d) of the logit in it through one stream."""
    x = held.activations[0]
    signal, carried = x * slope, np.abs(x) * size
    base = balanced_accuracy(held.logit, positive)
    return pd.DataFrame(
        {
            "index": np.arange(x.shape[1]),
            "latent": [f"z{j}" for j in range(x.shape[1])],
            "weight": slope.mean(axis=0),
            "open_share": (size > 0).mean(axis=0),
            "share": carried.mean(axis=0),
            "share_negative": carried[~positive].mean(axis=0),
            "share_positive": carried[positive].mean(axis=0),
            "flow": np.abs(signal).mean(axis=0),
            **class_means(signal, positive),
            "cut_balanced_accuracy": [
                balanced_accuracy(held.logit - s, positive) - base for s in signal.T
            ],
        }
    )


def _flow(signal: Array, positive: NDArray[np.bool_]) -> dict[str, float]:
    return {"flow": np.abs(signal).mean(), **class_means(signal, positive)}


def _path_table(bundles: pd.DataFrame) -> pd.DataFrame:
    named = bundles.assign(path=bundles["latent"] + " > " + bundles["node"] + " > output")
    columns = ["path", "stream", "latent", "weight", "open_share", *SHARES]
    columns += ["mean_negative", "mean_positive", "cut_balanced_accuracy", "paths"]
    return named.sort_values("share", ascending=False, kind="stable", ignore_index=True)[columns]


def _edge_table(bundles: pd.DataFrame, hubs: pd.DataFrame) -> pd.DataFrame:
    inward = bundles.assign(source=bundles["latent"], target=bundles["node"])
    outward = hubs.assign(source=hubs["node"], target="output", weight=1.0)
    columns = ["source", "target", "weight", "flow", "mean_negative", "mean_positive"]
    return pd.concat([inward[columns], outward[columns]], ignore_index=True)


def _node_table(
    held: HeldGates, bundles: pd.DataFrame, hubs: pd.DataFrame, positive: NDArray[np.bool_]
) -> pd.DataFrame:
    latents = np.unique(bundles["index"])
    latent_nodes = pd.DataFrame(
        {
            "node": [f"z{j}" for j in latents],
            "layer": 0,
            "index": latents,
            "bias": 0.0,
            "active_share": 1.0,
            **class_means(held.activations[0][:, latents], positive),
        }
    )
    columns = latent_nodes.columns.tolist()
    # The units of a stream have biases of their own, which do not add up to one.
    hub_nodes = hubs.assign(layer=1, index=np.arange(1, len(hubs) + 1), bias=np.nan)
    output = pd.DataFrame(
        {
            "node": "output",
            "layer": 2,
            "index": 0,
            "bias": held.biases[-1],
            "active_share": 1.0,
            **class_means(held.activations[-1], positive),
        }
    )
    return pd.concat([latent_nodes, hub_nodes[columns], output], ignore_index=True)
