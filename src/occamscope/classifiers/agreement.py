"""How far networks on the latents of different VAE seeds agree in what they listen to.

Latents of two VAEs carry no common numbers, so that their sets can only be compared by what they
mean: by the names that traversals suggest.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.selection import jaccard_matrix
from occamscope.errors import InputError

_DIRECTION = re.compile(r"\s*\([^()]*\)\s*$")


@dataclass(frozen=True)
class NameAgreement:
    """Jaccard index of the named meanings, over pairs of networks of different VAE seeds.

    Attributes
    ----------
    mean : over all such pairs, 0..1
    low, high : bootstrap interval over the networks of each VAE seed; it speaks of these VAE seeds
        and not of others, of which `table` shows the spread. With one network a VAE seed it has no
        width and says nothing.
    table : one row a pair of VAE seeds: first, second (their places), jaccard (mean over pairs of
        their networks)
    """

    mean: float
    low: float
    high: float
    table: pd.DataFrame


def name_agreement(
    live: Sequence[ArrayLike],
    names: Sequence[Sequence[str]],
    seed: int,
    strip_direction: bool = False,
    ignore: Collection[str] = ("inactive",),
    unnamed: Collection[str] = ("other",),
    level: float = 0.95,
    resamples: int = 2000,
) -> NameAgreement:
    """Compare what networks of different VAE seeds listen to, by the names of their latents.

    The meaning of a network is the set of names of its live latents; a name that several of them
    bear counts once. Two networks without any agree: 1.

    Parameters
    ----------
    live : for each VAE seed bool (S, d), from `pruning.live_inputs`; S and d may differ
    names : for each VAE seed the d names of its latents
    seed : start of the bootstrap's random stream
    strip_direction : whether what stands in brackets at the end is dropped, so that
        "elongation (0/90 deg)" and "elongation (45/135 deg)" are one name; their frame turns freely
        from one VAE seed to the next
    ignore : names that do not count as a meaning
    unnamed : names that say nothing: a latent so called counts, but as the same as no latent of
        another VAE seed
    level : of the interval
    resamples : of the bootstrap; networks are drawn within their VAE seed

    Raises
    ------
    InputError : if there are fewer than two VAE seeds, one without networks, or names do not match.
    """
    sets, vae = _meanings(live, names, strip_direction, set(ignore), set(unnamed))
    matrix = jaccard_matrix(sets)
    starts = np.searchsorted(vae, np.arange(len(live) + 1))
    blocks = [slice(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    pairs = list(combinations(range(len(live)), 2))
    table = pd.DataFrame(
        {
            "first": [a for a, _ in pairs],
            "second": [b for _, b in pairs],
            "jaccard": [matrix[blocks[a], blocks[b]].mean() for a, b in pairs],
        }
    )
    across = np.where(vae[:, None] < vae[None], matrix, 0.0)
    n_pairs = (vae[:, None] < vae[None]).sum()
    means = _resampled_sums(across, blocks, seed, resamples) / n_pairs
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return NameAgreement(float(across.sum() / n_pairs), float(low), float(high), table)


def _meanings(
    live: Sequence[ArrayLike],
    names: Sequence[Sequence[str]],
    strip_direction: bool,
    ignore: set[str],
    unnamed: set[str],
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which meanings each network has, bool (all networks, meanings), and its VAE seed's place."""
    if len(live) < 2 or len(live) != len(names):
        raise InputError(
            f"networks of {len(live)} VAE seeds and names of {len(names)}: "
            "give both for the same two or more"
        )
    column_of: dict[tuple[str, int], int] = {}
    found, vae = [], []
    for place, (table, words) in enumerate(zip(live, names, strict=True)):
        own = np.asarray(table, bool)
        if own.ndim != 2 or not len(own) or own.shape[1] != len(words):
            raise InputError(
                f"VAE seed {place}: selections {own.shape} and {len(words)} names do not match"
            )
        keys = [_meaning(word, place, strip_direction, unnamed) for word in words]
        counts = np.array([word not in ignore for word in words], bool)
        columns = np.array([column_of.setdefault(key, len(column_of)) for key in keys])
        for row in own & counts:
            found.append(set(columns[row].tolist()))
            vae.append(place)
    sets = np.zeros((len(found), len(column_of)), bool)
    for target, chosen in zip(sets, found, strict=True):
        target[list(chosen)] = True
    return sets, np.array(vae)


def _meaning(word: str, place: int, strip_direction: bool, unnamed: set[str]) -> tuple[str, int]:
    """What is compared: the name, and for one that says nothing also whose it is."""
    if word in unnamed:
        return word, place
    return (_DIRECTION.sub("", word) if strip_direction else word), -1


def _resampled_sums(
    across: NDArray[np.float64], blocks: Sequence[slice], seed: int, resamples: int
) -> NDArray[np.float64]:
    """Sums of `across` over pairs of networks drawn with replacement within each block."""
    rng = np.random.default_rng(seed)
    weight = np.zeros((resamples, len(across)))
    for block in blocks:
        size = block.stop - block.start
        weight[:, block] = rng.multinomial(size, np.full(size, 1 / size), resamples)
    return ((weight @ across) * weight).sum(axis=1)
