"""How each stream answers when one of its latents moves and all others stay."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.ensemble import TrainedEnsemble
from occamscope.classifiers.held_gates import hold_gates
from occamscope.classifiers.stream_contributions import both_classes, split_logit
from occamscope.errors import InputError

VALUES = tuple(np.linspace(-3, 3, 61).round(10).tolist())  # as far as traversals go


def stream_responses(
    net: TrainedEnsemble,
    member: int,
    x: ArrayLike,
    y: ArrayLike,
    streams: Mapping[str, NDArray[np.int64]],
    values: Sequence[float] = VALUES,
) -> pd.DataFrame:
    """Trace the contribution of every stream along each latent that it listens to.

    The other latents stay at their medians over the crops of a class, once for each class. Gates
    are those of the probed codes, so that they open and shut on the way.

    Parameters
    ----------
    x : (n, d) codes
    y : (n,) 0 or 1
    streams : first-layer units of each stream, from `stream_units`
    values : of the moved latent

    Returns
    -------
    DataFrame
        stream, class ("negative", "positive"), latent, value, contribution (logits fed by latents,
        as in `stream_contributions`; it jumps where a gate opens, because the bias that offsets the
        jump is not in it), with_bias (and by the biases of the stream's first-layer units: without
        jump at their gates), logit (of the whole network)

    Raises
    ------
    InputError : if y lacks a class, there are no values, or streams miss or share a unit.
    """
    positive, codes = both_classes(y), np.asarray(x, float)
    if not len(values):
        raise InputError("no values to move a latent to")
    first = net.weights[0][member]
    tables = []
    for name, chosen in (("negative", ~positive), ("positive", positive)):
        medians = np.median(codes[chosen], axis=0)
        for latent in range(codes.shape[1]):
            heard = [(first[latent, units] != 0).any() for units in streams.values()]
            if not any(heard):
                continue
            probe = np.tile(medians, (len(values), 1))
            probe[:, latent] = values
            held = hold_gates(net, member, probe)
            parts = split_logit(held, streams)
            tables += [
                pd.DataFrame(
                    {
                        "stream": parts.streams[k],
                        "class": name,
                        "latent": f"z{latent}",
                        "value": np.asarray(values, float),
                        "contribution": parts.contribution[:, k],
                        "with_bias": parts.contribution[:, k] + parts.own_bias[:, k],
                        "logit": held.logit,
                    }
                )
                for k in np.flatnonzero(heard)
            ]
    rank = {stream: k for k, stream in enumerate(streams)}
    table = pd.concat(tables, ignore_index=True)
    order = table["stream"].map(rank).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)
