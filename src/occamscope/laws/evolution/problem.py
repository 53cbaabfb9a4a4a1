"""The data of a search in one block of memory, as the kernels read it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from occamscope.laws.evolution.compilation import FLOAT, INT, MEMORY
from occamscope.laws.evolution.operators import BLOCK

HINGE, SQUARED_HINGE, LOGISTIC, MSE, MAE = range(5)
LOSS_CODES = {
    "hinge": HINGE, "squared_hinge": SQUARED_HINGE, "logistic": LOGISTIC, "mse": MSE, "mae": MAE,
}  # fmt: skip
# The optimiser of constants sees |x| as sqrt(x^2 + smooth^2): a majoriser's curvature at the
# kink would be infinite. For the hinge x is the shortfall of the margin, whose unit is 1; for
# mae the error, in units of the mean absolute deviation of the targets.
HINGE_SMOOTH, MAE_SMOOTH = 0.2, 0.05


class Problem(NamedTuple):
    """Data, scratch space and what to minimise.

    `memory` (float32) holds, each `rows` long and at the offset named: the columns of the
    data from 0 on, targets, weights (their sum is 1, so that sums are means), margins
    y f, and for guided insertion the derivatives with respect to a node and the node's value;
    then `2 capacity + 2` scratch blocks. Rows are padded to whole blocks with copies of the
    last row that weigh 0.
    """

    memory: Any
    rows: int
    features: int
    target: int
    weight: int
    margin: int
    node_gradient: int
    node_curvature: int
    node_value: int
    scratch: int
    capacity: int
    loss: int
    free_scale: int
    smooth: float


PROBLEM = types.NamedTuple([MEMORY, *[INT] * 12, FLOAT], Problem)


def pack_problem(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    loss: str,
    free_scale: bool,
    capacity: int,
) -> Problem:
    """Lay out the data of a search for the kernels.

    Parameters
    ----------
    X : (n, d) finite features
    y : (n,) targets, -1/+1 for the margin losses
    weight : (n,) positive weights of the rows
    loss : one of `LOSS_CODES`
    free_scale : the loss of f is its minimum over s > 0 of the loss of s f (margin losses)
    capacity : most nodes of a program
    """
    n, d = X.shape
    rows = -(-n // BLOCK) * BLOCK
    columns = [*X.T, y, weight / weight.sum()]
    table = np.empty((d + 6, rows), dtype=np.float32)
    for k, column in enumerate(columns):
        table[k, :n] = column
        table[k, n:] = column[-1]
    table[d + 1, n:] = 0.0
    table[d + 2 :] = 0.0
    scratch = np.zeros((2 * capacity + 2) * BLOCK, dtype=np.float32)
    memory = np.concatenate([table.ravel(), scratch])
    offsets = [k * rows for k in range(d, d + 7)]
    return Problem(
        memory, rows, d, *offsets, capacity, LOSS_CODES[loss], int(free_scale),
        _smoothing(y, weight, loss),
    )  # fmt: skip


def _smoothing(y: NDArray[np.float64], weight: NDArray[np.float64], loss: str) -> float:
    """Blur of the loss's kink for the optimiser of constants."""
    if loss != "mae":
        return HINGE_SMOOTH
    deviation = np.average(np.abs(y - np.median(y)), weights=weight)
    return MAE_SMOOTH * max(float(deviation), 1e-12)
