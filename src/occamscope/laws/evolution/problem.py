"""The data of a search in one block of memory, as the kernels read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from occamscope.laws.evolution.compilation import ADDRESS, FLAGS, FLOAT, INDICES, INT, MEMORY
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
# The reciprocal of a column is offered if none of its values is smaller than this, relative to
# their mean size.
_AWAY_FROM_ZERO = 1e-3
# Rows whose float64 copy is in memory at the same time.
_ROWS_AT_ONCE = 8192


class Problem(NamedTuple):
    """Data, scratch space and what to minimise.

    `memory` (float32) holds, each `rows` long and at the offset named: the columns of the
    data from 0 on, targets, weights (their sum is 1, so that sums are means), the rows' own
    summand of f (`base`, for the logistic loss), margins y f, and for guided insertion the
    derivatives with respect to a node and the node's value; then 1/x, x^2 and 1/x^2 of the
    columns, if terms may have them (0 where a column comes too near to 0), `2 capacity + 3`
    scratch blocks, one of ones and one for products. Rows are padded to whole blocks with
    copies of the last row that weigh 0. `address` is where the memory lies: the kernels hand it
    on instead of the array. `columns` counts the factors of terms: variables and powers. The
    last fields are room for a program's layout: left operands, blocks of the nodes and of
    derivatives, and which nodes matter.
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
    powers: int
    scratch: int
    columns: int
    capacity: int
    loss: int
    free_scale: int
    free_offset: int
    has_base: int
    smooth: float
    left: Any
    slot: Any
    column: Any
    needed: Any


PROBLEM = types.NamedTuple([MEMORY, ADDRESS, *[INT] * 17, FLOAT, *[INDICES] * 3, FLAGS], Problem)


def pack_problem(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    loss: str,
    free_scale: bool,
    capacity: int,
    free_offset: bool = False,
    base: NDArray[np.float64] | None = None,
    powers: bool = False,
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
    powers : provide 1/x, x^2 and 1/x^2 of the columns, as factors of terms
    """
    n, d = X.shape
    rows = -(-n // BLOCK) * BLOCK
    columns = [*X.T, y, weight / weight.sum(), np.zeros(n) if base is None else base]
    extra = 3 * d if powers else 0
    table = np.zeros((d + 7 + extra, rows), dtype=np.float32)
    for k, column in enumerate(columns):
        table[k, :n] = column
        table[k, n:] = column[-1]
    table[d + 1, n:] = 0.0
    if powers:
        away = np.abs(X).min(axis=0) > _AWAY_FROM_ZERO * np.abs(X).mean(axis=0)
        x = table[:d].astype(np.float64)
        inverse = np.divide(1.0, x, out=np.zeros_like(x), where=away[:, None])
        table[d + 7 :] = np.concatenate([inverse, x**2, inverse**2])
    scratch = np.zeros((2 * capacity + 3) * BLOCK, dtype=np.float32)
    ones_and_products = np.ones(2 * BLOCK, dtype=np.float32)
    memory = np.concatenate([table.ravel(), scratch, ones_and_products])
    offsets = [k * rows for k in (*range(d, d + 8), d + 7 + extra)]
    return Problem(
        memory, memory.ctypes.data, rows, d, *offsets, d + extra, capacity, LOSS_CODES[loss],
        int(free_scale), int(free_scale and free_offset), int(bool(np.any(columns[-1]))),
        _smoothing(y, weight, loss), *_room(capacity),
    )  # fmt: skip


def copy_problem(problem: Problem) -> Problem:
    """Return the same problem in memory of its own, for another thread."""
    memory = problem.memory.copy()
    left, slot, column, needed = _room(problem.capacity)
    return problem._replace(
        memory=memory, address=memory.ctypes.data, left=left, slot=slot, column=column,
        needed=needed,
    )  # fmt: skip


def _room(capacity: int) -> tuple[NDArray[Any], ...]:
    """Return arrays for the kernels that evaluate a program: allocating there takes time."""
    indices = [np.zeros(capacity + 2, np.int64) for _ in range(3)]
    return (*indices, np.zeros(capacity + 2, np.bool_))


def sort_rows(problem: Problem, order: NDArray[np.int64]) -> None:
    """Sort the rows of a problem without powers in place: row i becomes what row order[i] was."""
    for start, columns in [(0, problem.features), (problem.target, 3)]:
        for k in range(columns):
            column = problem.memory[start + k * problem.rows : start + (k + 1) * problem.rows]
            column[:] = column[order]


def hardest_first(
    problem: Problem, law: Callable[[NDArray[Any]], NDArray[Any]], scale: float, offset: float
) -> NDArray[np.int64]:
    """Order of the rows by their share of the loss of s f + b, the largest first.

    Parameters
    ----------
    law : f, a function of (n, d) features
    """
    rows = problem.rows
    X = problem.memory[: problem.features * rows].reshape(problem.features, rows).T
    y, weight, base = problem.memory[problem.target : problem.target + 3 * rows].reshape(3, rows)
    parts = range(0, rows, _ROWS_AT_ONCE)
    values = [law(X[i : i + _ROWS_AT_ONCE].astype(np.float64)) for i in parts]
    f = scale * np.concatenate(values) + offset + base
    loss = np.abs(f - y) if problem.loss in (MSE, MAE) else np.maximum(1.0 - y * f, 0.0)
    return np.argsort(-weight * loss, kind="stable")


def _smoothing(y: NDArray[np.float64], weight: NDArray[np.float64], loss: str) -> float:
    """Blur of the loss's kink for the optimiser of constants."""
    if loss != "mae":
        return HINGE_SMOOTH
    deviation = np.average(np.abs(y - np.median(y)), weights=weight)
    return MAE_SMOOTH * max(float(deviation), 1e-12)
