"""Random numbers inside the kernels: one stream per island, the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from occamscope.laws.evolution.compilation import FLOAT, STREAM, inlined, kernel

_U = np.uint64


def new_stream(seed: int, island: int) -> np.ndarray:
    """State (1,) uint64 of an island's stream."""
    return np.random.SeedSequence([seed, island]).generate_state(1, np.uint64)


@inlined
def uniform(state: Any) -> float:
    """Number in [0, 1): SplitMix64 (Steele, Lea and Flood 2014), upper 53 bits."""
    state[0] = state[0] + _U(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U(27))) * _U(0x94D049BB133111EB)
    z = z ^ (z >> _U(31))
    return np.float64(z >> _U(11)) * 1.1102230246251565e-16


@inlined
def below(state: Any, n: int) -> int:
    """Whole number in [0, n)."""
    return np.int64(uniform(state) * n)


@kernel(FLOAT(STREAM))
def normal(state: Any) -> float:
    """Standard normal number (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(state) + 1e-300))
    return radius * np.cos(6.283185307179586 * uniform(state))


@inlined
def draw(state: Any, weights: Any) -> int:
    """Index drawn with the given weights; -1 if they sum to nothing or to no number."""
    total = 0.0
    for weight in weights:
        total += weight
    if not 0.0 < total < np.inf:
        return -1
    u = uniform(state) * total
    last = -1
    for i, weight in enumerate(weights):
        if weight > 0.0:
            last = i
            if u < weight:
                return i
        u -= weight
    return last
