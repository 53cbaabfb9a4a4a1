"""Complementary halves of the crops, each to train one network for stability selection."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError


def half_samples(
    n: int,
    pairs: int,
    seed: int,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Draw pairs of disjoint random halves (Shah and Samworth 2013, section 2).

    Parameters
    ----------
    n : number of crops
    pairs : pairs B to draw, each independently of the others; 50 is usual
    seed : start of the random stream
    groups : (n,) plate, movie or field of each crop; halves are then made of whole groups. Crops of
        one group resemble one another, so halves that share a group are not independent, and the
        error bounds of `stability` fail.
    strata : (n,) label of each crop; each half then gets half of the crops (or groups) of every
        label. A rare class would otherwise be missing from some halves.

    Returns
    -------
    bool (2 pairs, n)
        Rows 2j and 2j + 1 are the halves of pair j. Each holds floor(m / 2) of the m crops, or of
        the m groups however large they are, of a stratum: with odd m, one is in neither.

    Raises
    ------
    InputError : if n or pairs is below 1, lengths differ, a group lies in two strata, or a stratum
        holds fewer than two crops or groups.
    """
    if n < 1 or pairs < 1:
        raise InputError(f"{n} crops, {pairs} pairs of halves: both must be at least 1")
    unit_of = np.arange(n) if groups is None else _numbers(groups, n, "groups")
    stratum_of = np.zeros(n, int) if strata is None else _numbers(strata, n, "strata")
    stratum = _stratum_of_units(unit_of, stratum_of)
    kind = "crops" if groups is None else "groups"
    sizes = np.bincount(stratum)
    if sizes.min() < 2:
        raise InputError(
            f"{sizes.min()} {kind} in one stratum cannot be halved: give at least two"
            + (", or halve by crops" if groups is not None else "")
        )
    rng = np.random.default_rng(seed)
    halves = np.zeros((pairs, 2, len(stratum)), bool)
    members = [np.flatnonzero(stratum == s) for s in range(len(sizes))]
    for pair in halves:
        for own in members:
            order, half = rng.permutation(own), len(own) // 2
            pair[0, order[:half]] = True
            pair[1, order[half : 2 * half]] = True
    return halves.reshape(2 * pairs, -1)[:, unit_of]


def _numbers(labels: ArrayLike, n: int, what: str) -> NDArray[np.int64]:
    """Number the distinct values 0, 1, ... in sorted order."""
    values = np.asarray(labels)
    if values.shape != (n,):
        raise InputError(f"{what} of shape {values.shape}: give one for each of {n} crops")
    return np.unique(values, return_inverse=True)[1]


def _stratum_of_units(
    unit_of: NDArray[np.int64], stratum_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    pairs = np.unique(np.column_stack([unit_of, stratum_of]), axis=0)
    if len(pairs) > unit_of.max() + 1:
        raise InputError(
            "a group holds crops of more than one stratum: leave the strata out, "
            "whole groups cannot be halved within each"
        )
    return pairs[:, 1]
