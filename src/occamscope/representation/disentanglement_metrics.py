"""Scores of disentanglement for known factors."""

import numpy as np
import pandas as pd

from occamscope.errors import InputError


def _ranks_to_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Bin numbers with equal counts (ties share a bin); constant values are all in bin 0."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Mutual information in nats of two integer arrays (n,), from their joint histogram."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1)
    joint_entropy = _entropy(joint.ravel())
    return _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0)) - joint_entropy


def mutual_information_gap(
    codes: np.ndarray, factors: pd.DataFrame, bins: int = 20
) -> pd.DataFrame:
    """Mutual information gap of each factor (Chen et al. 2018, eq. 6).

    The two latents with the most information on a factor are compared: the difference divided by
    the factor's entropy. 1: one latent holds the factor and no other does; 0: two hold it alike.
    Codes and factors are cut into `bins` quantile bins.

    Parameters
    ----------
    codes : (n, latents) posterior means, at least two latents; collapsed ones set to 0.
    factors : n rows; NaN rows of a factor are left out.

    Returns
    -------
    Table with the columns factor, latent (the best), gap, information (of the best, in nats),
    entropy (of the binned factor, in nats).
    """
    if codes.shape[1] < 2 or len(codes) != len(factors):
        raise InputError(
            f"need codes (n, at least 2) and n rows of factors, got {codes.shape} and "
            f"{len(factors)} rows"
        )
    rows = []
    for name in factors.columns:
        values = factors[name].to_numpy(float)
        kept = np.isfinite(values)
        target = _ranks_to_bins(values[kept], bins)
        information = np.array(
            [mutual_information(_ranks_to_bins(c, bins), target) for c in codes[kept].T]
        )
        second, first = np.sort(information)[-2:]
        entropy = _entropy(np.bincount(target).astype(float))
        gap = (first - second) / entropy if entropy > 0 else 0.0
        best = f"z{int(information.argmax())}"
        rows.append((name, best, float(gap), float(first), entropy))
    return pd.DataFrame(rows, columns=["factor", "latent", "gap", "information", "entropy"])
