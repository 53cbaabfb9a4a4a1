"""Which first-layer units form a stream: those that listen to the same, or to similar, latents."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from occamscope.classifiers.ensemble import TrainedEnsemble
from occamscope.classifiers.held_gates import HeldGates, hold_gates, ways_onward
from occamscope.errors import InputError

MAX_PATHS = 20_000  # a pruned network has tens; more cannot be read anyway
MAX_GROUPS = 8

StreamUnits = dict[str, NDArray[np.int64]]


def stream_units(
    net: TrainedEnsemble,
    member: int,
    x: ArrayLike,
    groups: int = MAX_GROUPS,
    max_paths: int = MAX_PATHS,
) -> StreamUnits:
    """First-layer units of each stream of one member.

    With at most `max_paths` paths a stream is all units that listen to the same latents, named
    after them ("z3+z17"). A larger network has nearly as many such sets as units; its units are
    then clustered by how much of what they hear each latent makes, mean |value x weight| over the
    crops (average linkage of cosine distances), and named "group 1", "group 2"... by falling share
    of the decision. Signs do not matter, and neither does the size of a unit's weights.

    Parameters
    ----------
    x : (n, d) codes
    groups : most groups
    max_paths : most paths of a network that is not grouped

    Raises
    ------
    InputError : if no path leads from a latent to the output or `groups` is below 1.
    """
    return assign_streams(hold_gates(net, member, x), groups, max_paths)


def assign_streams(held: HeldGates, groups: int, max_paths: int) -> StreamUnits:
    """As `stream_units`."""
    if groups < 1:
        raise InputError(f"{groups} groups: ask for at least one")
    units = live_units(held)
    if not len(units):
        raise InputError("no path leads from a latent to the output: choose another member")
    first = held.weights[0]
    if unit_paths(held).sum() <= max_paths:
        names = ["+".join(f"z{j}" for j in np.flatnonzero(first[:, u])) for u in units]
        return {name: units[[n == name for n in names]] for name in dict.fromkeys(names)}
    heard = np.abs(held.activations[0]).mean(axis=0)[:, None] * np.abs(first)[:, units]
    # Units that hear nothing on these crops still have a place, by their weights.
    profiles = np.where(heard.any(axis=0), heard, np.abs(first)[:, units]).T
    labels = cluster_profiles(profiles, groups)
    size = (np.abs(held.activations[0]) @ np.abs(first) * held.slope_sizes()).mean(axis=0)[units]
    totals = np.bincount(labels, size)
    order = np.argsort(-totals, kind="stable")
    return {f"group {k}": units[labels == g] for k, g in enumerate(order, 1)}


def cluster_profiles(profiles: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Number the clusters 0, 1, ... of the rows (m, d) >= 0, at most `most` of them."""
    if len(profiles) == 1:
        return np.zeros(1, int)
    tree = linkage(profiles, "average", metric="cosine")
    return np.unique(fcluster(tree, most, criterion="maxclust"), return_inverse=True)[1]


def live_units(held: HeldGates) -> NDArray[np.int64]:
    """First-layer units that lie on a path from a latent to the output."""
    return np.flatnonzero(unit_paths(held) > 0)


def unit_paths(held: HeldGates) -> NDArray[np.float64]:
    """Number of paths through each first-layer unit."""
    return (held.weights[0] != 0).sum(axis=0) * ways_onward(held.weights)[1]


def check_streams(held: HeldGates, streams: Mapping[str, NDArray[np.int64]]) -> None:
    """Make sure that streams share no unit and leave no live one out.

    Raises
    ------
    InputError : if they do.
    """
    given = np.concatenate([np.asarray(units, int) for units in streams.values()])
    if len(set(given.tolist())) < len(given):
        raise InputError("a first-layer unit belongs to two streams")
    missing = np.setdiff1d(live_units(held), given)
    if len(missing):
        raise InputError(
            f"first-layer units {missing.tolist()} belong to no stream: take them from stream_units"
        )
