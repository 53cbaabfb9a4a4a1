"""Order the units of a layered network so that few connections cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

Order = list[list[str]]


def order_layers(layers: Mapping[str, int], edges: pd.DataFrame, sweeps: int = 30) -> Order:
    """Order the units of every layer by the barycentre heuristic.

    Units of a layer are sorted by the mean place of their neighbours in the layer before, then
    after, sweep by sweep (Sugiyama et al. 1981); the order with the fewest crossings is kept.

    Parameters
    ----------
    layers : the layer, 0 first, of every unit
    edges : source, target; connections between neighbouring layers
    sweeps : passes over all layers

    Returns
    -------
    The units of each layer from top to bottom
    """
    order = [[u for u in layers if layers[u] == k] for k in range(max(layers.values()) + 1)]
    pairs = list(zip(edges["source"], edges["target"], strict=True))
    before: dict[str, list[str]] = {u: [a for a, b in pairs if b == u] for u in layers}
    after: dict[str, list[str]] = {u: [b for a, b in pairs if a == u] for u in layers}
    best, fewest = [list(units) for units in order], count_crossings(order, pairs)
    for sweep in range(sweeps):
        down = sweep % 2 == 0
        numbers = range(1, len(order)) if down else range(len(order) - 2, -1, -1)
        for k in numbers:
            fixed, neighbours = (order[k - 1], before) if down else (order[k + 1], after)
            order[k] = _by_barycentre(order[k], fixed, neighbours)
        crossings = count_crossings(order, pairs)
        if crossings < fewest:
            best, fewest = [list(units) for units in order], crossings
    return best


def count_crossings(order: Order, pairs: Sequence[tuple[str, str]]) -> int:
    """Count pairs of connections between the same two layers that cross."""
    place = {u: (k, i) for k, units in enumerate(order) for i, u in enumerate(units)}
    total = 0
    for k in range(len(order) - 1):
        ends = np.array([(place[a][1], place[b][1]) for a, b in pairs if place[a][0] == k])
        if len(ends):
            a, b = ends.T
            total += int(np.sum((a[:, None] < a[None]) & (b[:, None] > b[None])))
    return total


def heights(order: Order) -> dict[str, float]:
    """Place the units of each layer evenly about 0, one apart, larger layers further out."""
    longest = max(len(units) for units in order)
    at = {}
    for units in order:
        # A layer of few units fills some of the height, so that curves fan out evenly.
        gap = 1.0 if len(units) < 2 else max(1.0, 0.8 * (longest - 1) / (len(units) - 1))
        for i, unit in enumerate(units):
            at[unit] = ((len(units) - 1) / 2 - i) * gap
    return at


def _by_barycentre(
    units: list[str], fixed: list[str], neighbours: Mapping[str, list[str]]
) -> list[str]:
    """Sort by the mean place of the neighbours; units without any keep their place."""
    place = {u: i for i, u in enumerate(fixed)}

    def barycentre(entry: tuple[int, str]) -> float:
        own, unit = entry
        places = [place[v] for v in neighbours[unit] if v in place]
        return float(np.mean(places)) if places else float(own)

    return [unit for _, unit in sorted(enumerate(units), key=barycentre)]
