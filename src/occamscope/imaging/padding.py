"""Padding that a crop already carries: constant rows and columns at its border."""

import numpy as np


def padding_mask(window: np.ndarray) -> np.ndarray:
    """True where ``window`` (H, W) was filled up beyond the edge of its image.

    Rows and columns without any variation are peeled off from the outside, until every side
    shows real pixels. A constant window is no padding: it has no inside to be told from.
    """
    padded = np.ones(window.shape, dtype=bool)
    top, bottom, left, right = 0, window.shape[0], 0, window.shape[1]
    while top < bottom and left < right:
        inside = window[top:bottom, left:right]
        if _constant(inside[0]):
            top += 1
        elif _constant(inside[-1]):
            bottom -= 1
        elif _constant(inside[:, 0]):
            left += 1
        elif _constant(inside[:, -1]):
            right -= 1
        else:
            padded[top:bottom, left:right] = False
            return padded
    return np.zeros(window.shape, dtype=bool)


def _constant(line: np.ndarray) -> bool:
    return bool((line == line[0]).all())
