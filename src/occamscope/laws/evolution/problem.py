"""The data of a search in one block of memory, as the kernels read it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from occamscope.laws.evolution.compilation import ADDRESS, FLOAT, INT, MEMORY
from occamscope.laws.evolution.operators import BLOCK

HINGE, SQUARED_HINGE, LOGISTIC, RAMP, MSE, MAE = range(6)
LOSS_CODES = {
    "hinge": HINGE, "squared_hinge": SQUARED_HINGE, "logistic": LOGISTIC, "ramp": RAMP,
    "mse": MSE, "mae": MAE,
}  # fmt: skip
# Derivatives see |x| as sqrt(x^2 + smooth^2), for at the kink there are none. For hinge and
# ramp x is the shortfall of the margin, whose unit is 1; for mae the error, in units of the mean absolute
# deviation of the targets.
HINGE_SMOOTH, MAE_SMOOTH = 0.2, 0.05


class Problem(NamedTuple):
    """Data, scratch space and what to minimise.

    `memory` (float32) holds, each `rows` long and at the offset named: the columns of the
    data from 0 on, targets, weights (their sum is 1, so that sums are means), the rows' own
    summand of f (`base`, for the logistic loss), margins y f, and for guided insertion the
    derivatives with respect to a node and the node's value; then `2 capacity + 3` scratch
    blocks, one of ones and one for products. Rows are padded to whole blocks with copies of
    the last row that weigh 0. `address` is where the memory lies: the kernels hand it on
    instead of the array.
    """

    memory: Any
    address: int
    rows: int
    features: int
    target: int
    weight: int
    base: int
    margin: int
    node_gradient: int
    node_curvature: int
    node_value: int
    scratch: int
    capacity: int
    loss: int
    free_scale: int
    free_offset: int
    has_base: int
    smooth: float


PROBLEM = types.NamedTuple([MEMORY, ADDRESS, *[INT] * 15, FLOAT], Problem)


def pack_problem(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    loss: str,
    free_scale: bool,
    capacity: int,
    free_offset: bool = False,
    base: NDArray[np.float64] | None = None,
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
    free_offset : with `free_scale`, the minimum over s > 0 and b of the loss of s f + b
    base : (n,) added to s f + b before the logistic loss
    """
    n, d = X.shape
    rows = -(-n // BLOCK) * BLOCK
    columns = [*X.T, y, weight / weight.sum(), np.zeros(n) if base is None else base]
    table = np.zeros((d + 7, rows), dtype=np.float32)
    for k, column in enumerate(columns):
        table[k, :n] = column
        table[k, n:] = column[-1]
    table[d + 1, n:] = 0.0
    scratch = np.zeros((2 * capacity + 3) * BLOCK, dtype=np.float32)
    ones_and_products = np.ones(2 * BLOCK, dtype=np.float32)
    memory = np.concatenate([table.ravel(), scratch, ones_and_products])
    offsets = [k * rows for k in range(d, d + 8)]
    return Problem(
        memory, memory.ctypes.data, rows, d, *offsets, capacity, LOSS_CODES[loss],
        int(free_scale), int(free_scale and free_offset), int(bool(np.any(columns[-1]))),
        _smoothing(y, weight, loss),
    )  # fmt: skip


def copy_problem(problem: Problem) -> Problem:
    """Return the same problem in memory of its own, for another thread."""
    memory = problem.memory.copy()
    return problem._replace(memory=memory, address=memory.ctypes.data)


def _smoothing(y: NDArray[np.float64], weight: NDArray[np.float64], loss: str) -> float:
    """Blur of the loss's kink for the optimiser of constants."""
    if loss != "mae":
        return HINGE_SMOOTH
    deviation = np.average(np.abs(y - np.median(y)), weights=weight)
    return MAE_SMOOTH * max(float(deviation), 1e-12)
