"""Which latents the sparse networks listen to, and how far the networks agree."""

from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError


def wilson_interval(
    hits: ArrayLike, n: int, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson (1927) score interval of a proportion: arrays low, high in 0..1."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = np.asarray(hits, float) / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # at 0 and n of n the bounds are 0 and 1 exactly; rounding would leave 1e-17
    low = np.where(p == 0, 0.0, np.maximum(centre - half, 0))
    return low, np.where(p == 1, 1.0, np.minimum(centre + half, 1))


def selection_frequencies(live: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """How often each latent is selected, over members that differ by seed.

    Parameters
    ----------
    live : bool (S, d), from `pruning.live_inputs`

    Returns
    -------
    DataFrame with latent ("z0"...), selected (count), seeds, frequency, low, high (Wilson)
    """
    live = np.asarray(live, bool)
    seeds, d = live.shape
    selected = live.sum(axis=0)
    low, high = wilson_interval(selected, seeds, level)
    return pd.DataFrame(
        {
            "latent": [f"z{j}" for j in range(d)],
            "selected": selected,
            "seeds": seeds,
            "frequency": selected / seeds,
            "low": low,
            "high": high,
        }
    )


def pairwise_jaccard(live: ArrayLike) -> NDArray[np.float64]:
    """Jaccard index of the selected latents for each pair of members, (S (S - 1) / 2,).

    Two members that select nothing agree: 1.
    """
    first, second = np.triu_indices(len(np.asarray(live)), k=1)
    return jaccard_matrix(live)[first, second]


def jaccard_matrix(live: ArrayLike) -> NDArray[np.float64]:
    """Jaccard index of the sets of each two members, (S, S), 1 where both are empty."""
    sets = np.asarray(live, bool).astype(float)
    both = sets @ sets.T
    size = sets.sum(axis=1)
    either = size[:, None] + size[None] - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def jaccard_interval(
    live: ArrayLike, seed: int, level: float = 0.95, resamples: int = 2000
) -> tuple[float, float, float]:
    """Mean pairwise Jaccard index with a bootstrap interval over members: value, low, high.

    Members are resampled, not pairs, because pairs share members; a member drawn twice is not
    paired with itself.
    """
    matrix = jaccard_matrix(live)
    members = len(matrix)
    if members < 2:
        raise InputError("agreement needs at least two networks: give more seeds")
    draws = np.random.default_rng(seed).integers(0, members, (resamples, members))
    first, second = np.triu_indices(members, k=1)
    means = []
    for draw in draws:
        a, b = draw[first], draw[second]
        means.append(matrix[a, b][a != b].mean() if (a != b).any() else np.nan)
    low, high = np.nanquantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return float(matrix[first, second].mean()), float(low), float(high)


def choose_latents(frequencies: pd.DataFrame, threshold: float = 0.5) -> list[int]:
    """Numbers of the latents that at least the share `threshold` of members select.

    Raises
    ------
    InputError : if no latent reaches the threshold.
    """
    chosen = np.flatnonzero(frequencies["frequency"].to_numpy() >= threshold)
    if not len(chosen):
        best = frequencies["frequency"].max()
        raise InputError(
            f"no latent is selected by {threshold:.0%} of the networks (most: {best:.0%}): "
            "lower the threshold or raise the density"
        )
    return [int(j) for j in chosen]
