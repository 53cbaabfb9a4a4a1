"""The numbers of the law figure: which latents, where f is computed, how it is coloured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from occamscope.figures.style import latent_number

Evaluate = Callable[[NDArray[np.float64]], NDArray[np.float64]]

REACH = 3.0  # prior sd: axes run from -3 to 3
STRIP = np.linspace(-REACH, REACH, 7)
GRID = 81  # points along each axis of the map
PAPER_LIMIT = 3.0  # colours are clipped here where f has that order of size


def strongest_variables(
    evaluate: Evaluate, codes: ArrayLike, variables: Sequence[str], seed: int = 0
) -> list[str]:
    """Sort a law's latents by the mean absolute change of f when one is permuted over cells.

    f is clipped to its 2nd to 98th percentile first, so that a few huge values do not decide.

    Parameters
    ----------
    evaluate : codes (n, d) -> f (n,)
    codes : (n, d) codes of real cells, column j is latent "zj"
    variables : latents that occur in the law
    seed : of the permutations

    Returns
    -------
    The latents, the strongest first
    """
    z = np.asarray(codes, float)
    values = np.asarray(evaluate(z), float)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [2, 98]) if len(finite) else (0.0, 0.0)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(z)) for _ in range(5)]
    changes = {}
    for latent in variables:
        moved = [_permuted(z, latent_number(latent), order) for order in orders]
        f = np.stack([np.clip(evaluate(m), low, high) for m in moved])
        change = np.abs(f - np.clip(values, low, high))
        known = change[np.isfinite(change)]
        changes[latent] = float(known.mean()) if len(known) else 0.0
    return sorted(variables, key=lambda latent: -changes[latent])


def base_code(base: Mapping[str, float] | ArrayLike | None, codes: ArrayLike) -> NDArray:
    """Code (d,) that the latents off the axes keep: the medians of the codes unless given."""
    code = np.median(np.asarray(codes, float), axis=0)
    if base is None:
        return code
    if isinstance(base, Mapping):
        for latent, value in base.items():
            code[latent_number(latent)] = value
        return code
    return np.array(base, float)


def codes_along(base: NDArray, latent: str, values: ArrayLike) -> NDArray[np.float64]:
    """Codes (n, d) in which one latent takes each of `values`."""
    values = np.asarray(values, float)
    codes = np.tile(base, (len(values), 1))
    codes[:, latent_number(latent)] = values
    return codes


def decision_map(evaluate: Evaluate, base: NDArray, x: str, y: str) -> pd.DataFrame:
    """Values of f on a square grid over two latents, the others at the base.

    Returns
    -------
    latent_x, x, latent_y, y, f; rows of y (from -3 upwards), each from x = -3 to 3
    """
    grid = np.linspace(-REACH, REACH, GRID)
    at_x, at_y = np.meshgrid(grid, grid)
    codes = np.tile(base, (GRID * GRID, 1))
    codes[:, latent_number(x)], codes[:, latent_number(y)] = at_x.ravel(), at_y.ravel()
    f = np.asarray(evaluate(codes), float)
    return pd.DataFrame(
        {"latent_x": x, "x": at_x.ravel(), "latent_y": y, "y": at_y.ravel(), "f": f}
    )


def curve(evaluate: Evaluate, base: NDArray, latent: str, n: int = 121) -> pd.DataFrame:
    """Values of f along one latent, the others at the base: latent_x, x, f."""
    x = np.linspace(-REACH, REACH, n)
    f = np.asarray(evaluate(codes_along(base, latent, x)), float)
    return pd.DataFrame({"latent_x": latent, "x": x, "f": f})


def colour_limit(values: ArrayLike) -> float:
    """Limit of the symmetric colours: 3 as in the paper if f is of that size, else its own.

    Its own is the 80th percentile of |f|, rounded to 1, 2 or 5 times a power of ten.
    """
    f = np.abs(np.asarray(values, float))
    f = f[np.isfinite(f)]
    robust = float(np.percentile(f, 80)) if len(f) else 0.0
    if robust <= 0:
        return 1.0
    if PAPER_LIMIT / 2 <= robust <= 4 * PAPER_LIMIT:
        return PAPER_LIMIT
    scale = 10.0 ** np.floor(np.log10(robust))
    step = min((1, 2, 5, 10), key=lambda s: abs(np.log(s * scale / robust)))
    return float(step * scale)


def cell_table(
    codes: ArrayLike,
    labels: ArrayLike,
    evaluate: Evaluate,
    class_names: Sequence[str],
    most: int = 150,
) -> pd.DataFrame:
    """Choose at most `most` labelled cells of each class, evenly spread over the rows.

    Returns
    -------
    cell (row of `codes`), label, class, f, called (f > 0)
    """
    z, y = np.asarray(codes, float), np.asarray(labels)
    rows = []
    for label in (0, 1):
        own = np.flatnonzero(y == label)
        rows.append(own[np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)])
    chosen = np.concatenate(rows).astype(int)
    names = [class_names[int(label)] for label in y[chosen]]
    f = np.asarray(evaluate(z[chosen]), float) if len(chosen) else np.zeros(0)
    return pd.DataFrame(
        {"cell": chosen, "label": y[chosen], "class": names, "f": f, "called": f > 0}
    )


def sign_labels(table: pd.DataFrame, cells: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Choose where to write "f > 0" and "f < 0" on a map: far from the boundary and the cells.

    Colours alone do not tell the signs apart in grey.

    Returns
    -------
    x, y, words; a sign that covers less than a fiftieth of the map has none
    """
    f = table["f"].to_numpy().reshape(GRID, GRID)
    inside = cells[cells["inside"]]
    columns, rows = (
        ((inside[axis] + REACH) / (2 * REACH) * (GRID - 1)).round().astype(int) for axis in "xy"
    )
    grid = np.linspace(-REACH, REACH, GRID)
    labels = []
    for sign, words in ((1, "f > 0"), (-1, "f < 0")):
        free = sign * np.nan_to_num(f) > 0
        if free.mean() < 0.02:
            continue
        free[rows, columns] = False
        depth = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        labels.append((float(grid[column]), float(grid[row]), words))
    return labels


def _permuted(codes: NDArray, column: int, order: NDArray) -> NDArray:
    moved = codes.copy()
    moved[:, column] = codes[order, column]
    return moved
