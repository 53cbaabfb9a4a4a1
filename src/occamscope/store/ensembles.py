"""`seeds_<first>-<last>.safetensors`: networks of one density, with seeds and facts in the header.

::

    weight_<k>  (S, in, out) float32   missing connections are 0
    bias_<k>    (S, out) float32
    mask_<k>    (S, in, out) uint8     1 where a connection exists
    header      seeds, density, facts
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from occamscope.classifiers.ensemble import TrainedEnsemble, join_ensembles
from occamscope.store.tensors import read_tensors, write_tensors


def write_ensemble(path: str | Path, net: TrainedEnsemble, facts: dict) -> None:
    """Write networks; the history goes to a table of its own."""
    arrays: dict[str, np.ndarray] = {}
    for layer, (weight, bias, mask) in enumerate(
        zip(net.weights, net.biases, net.masks, strict=True)
    ):
        arrays |= {f"weight_{layer}": weight, f"bias_{layer}": bias}
        arrays[f"mask_{layer}"] = mask.astype(np.uint8)
    write_tensors(path, arrays, {"seeds": list(net.seeds), "density": net.density, "facts": facts})


def read_ensemble(path: str | Path) -> TrainedEnsemble:
    """Read the networks of one file."""
    arrays, document = read_tensors(path)
    layers = range(len(arrays) // 3)
    return TrainedEnsemble(
        weights=tuple(arrays[f"weight_{layer}"] for layer in layers),
        biases=tuple(arrays[f"bias_{layer}"] for layer in layers),
        masks=tuple(arrays[f"mask_{layer}"] > 0 for layer in layers),
        seeds=tuple(document["seeds"]),
        density=document["density"],
        history=pd.DataFrame(columns=["step", "seed", "loss"]),
    )


def read_ensembles(paths: Sequence[str | Path]) -> dict[float, TrainedEnsemble]:
    """Networks of many files by density, highest first, the seeds of each in order."""
    parts: dict[float, list[TrainedEnsemble]] = {}
    for path in paths:
        net = read_ensemble(path)
        parts.setdefault(net.density, []).append(net)
    return {
        density: join_ensembles(sorted(parts[density], key=lambda net: net.seeds))
        for density in sorted(parts, reverse=True)
    }
