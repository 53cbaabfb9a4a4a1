"""What identifies a search: a checkpoint continues the one that it came from, no other."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_of(
    X: NDArray[np.float64], y: NDArray[Any], weight: NDArray[np.float64], *settings: object
) -> str:
    """Return what identifies data and settings, as far as the result depends on them."""
    known = hashlib.sha256(repr(settings).encode())
    for array in (X, y, weight):
        known.update(repr((array.shape, array.dtype.str)).encode())
        known.update(np.ascontiguousarray(array).tobytes())
    return known.hexdigest()
