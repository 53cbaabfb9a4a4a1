import numpy as np
import pandas as pd
import pytest
import torch

from occamscope.classifiers.ensemble import TrainedEnsemble

INFORMATIVE = (5, 11, 20)  # size, and the two components of the ellipticity


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shape_codes():
    """Function: n codes of 32 latents and labels; label 1 = small and elongated, with overlap.

    The latents that say nothing are exactly 0 (muted), or pure noise.
    """

    def make(n, noise=False, seed=0):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, n)
        z = rng.normal(size=(n, 32)) if noise else np.zeros((n, 32))
        stretch = np.where(y == 1, rng.normal(1.7, 0.4, n), abs(rng.normal(0.4, 0.4, n)))
        angle = rng.uniform(0, 2 * np.pi, n)
        z[:, 5] = np.where(y == 1, rng.normal(1.1, 0.55, n), rng.normal(-0.5, 0.7, n))
        z[:, 11], z[:, 20] = stretch * np.cos(angle), stretch * np.sin(angle)
        return z.astype(np.float32), y

    return make


@pytest.fixture(scope="session")
def network():
    """Function: a `TrainedEnsemble` from lists of weights [S, in, out] and biases [S, out]."""

    def build(weights, biases):
        weights = tuple(np.asarray(w, np.float32) for w in weights)
        return TrainedEnsemble(
            weights=weights,
            biases=tuple(np.asarray(b, np.float32) for b in biases),
            masks=tuple(w != 0 for w in weights),
            seeds=tuple(range(len(weights[0]))),
            density=0.5,
            history=pd.DataFrame(columns=["step", "seed", "loss"]),
        )

    return build


@pytest.fixture(scope="session")
def random_network(network):
    """Function: a random sparse network of given widths, members and share of connections."""

    def build(widths=(6, 8, 7, 1), members=3, density=0.4, seed=0):
        rng = np.random.default_rng(seed)
        shapes = [(members, i, o) for i, o in zip(widths[:-1], widths[1:], strict=True)]
        weights = [rng.normal(size=s) * (rng.random(s) < density) for s in shapes]
        return network(weights, [rng.normal(size=(s[0], s[2])) for s in shapes])

    return build


@pytest.fixture(scope="session")
def balanced():
    """Function: balanced accuracy (S,) of logits (S, n) for labels (n,)."""

    def score(logits, y):
        called = logits > 0
        return (called[:, y == 1].mean(axis=1) + (~called[:, y == 0]).mean(axis=1)) / 2

    return score
