"""How well single latents follow the known or measured factors of the nuclei."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.errors import InputError

ANGLE_STEPS = 360  # over half a turn; a finer grid changes no R2 in the fourth digit
BOOTSTRAP_REPEATS = 2000


@dataclass(frozen=True)
class EllipticityPair:
    """Two latents that hold the ellipticity vector.

    Attributes
    ----------
    units : the first and the second latent.
    angle_rad : rotation of the plane (e cos 2theta, e sin 2theta) after which the first unit
        follows the first component and the second the second; in [0, pi). A unit's long axis
        turns by half of it. Signs are free.
    r2 : squared correlation of each unit with its component.
    """

    units: tuple[int, int]
    angle_rad: float
    r2: tuple[float, float]


def squared_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared Pearson correlation of each column of x (n, d) with each of y (n, k); shape (d, k).

    Rows with a NaN are left out; 0 where a column is constant.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    x, y = x[kept] - x[kept].mean(axis=0), y[kept] - y[kept].mean(axis=0)
    norms = np.linalg.norm(x, axis=0)[:, None] * np.linalg.norm(y, axis=0)[None]
    products = x.T @ y
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0) ** 2


def factor_values(name: str, column: pd.Series) -> np.ndarray:
    """A factor's values; areas by their logarithm, since the code is a Gaussian of log scales."""
    values = column.to_numpy(float)
    if not name.startswith("area"):
        return values
    return np.log(np.where(values > 0, values, np.nan))


def factor_r2(codes: np.ndarray, factors: pd.DataFrame) -> pd.DataFrame:
    """R2 (squared Pearson correlation) of every latent with every factor.

    Parameters
    ----------
    codes : (n, latents) posterior means, collapsed latents set to 0.
    factors : n rows; columns named ``area...`` are compared by their logarithm. NaN rows of a
        factor are left out.

    Returns
    -------
    Table with the columns latent ("z3"), factor, r2.
    """
    if len(codes) != len(factors):
        raise InputError(f"{len(codes)} codes but {len(factors)} rows of factors")
    latents = [f"z{unit}" for unit in range(codes.shape[1])]
    tables = []
    for name in factors.columns:
        r2 = squared_correlations(codes, factor_values(name, factors[name])[:, None])[:, 0]
        tables.append(pd.DataFrame({"latent": latents, "factor": name, "r2": r2}))
    return pd.concat(tables, ignore_index=True)


def size_unit(codes: np.ndarray, areas: np.ndarray) -> tuple[int, float]:
    """The latent that follows log area best, and its R2."""
    r2 = squared_correlations(codes, factor_values("area", pd.Series(areas))[:, None])[:, 0]
    return int(r2.argmax()), float(r2.max())


def ellipticity_pair(codes: np.ndarray, e_cos: np.ndarray, e_sin: np.ndarray) -> EllipticityPair:
    """The two latents that hold the ellipticity vector, after a common rotation of its plane.

    The vector's axes are a convention (x and y of the image), so an encoder is free to hold it in
    a turned frame. The turn is the one at which the worse of the two R2 is best.

    Parameters
    ----------
    codes : (n, latents).
    e_cos, e_sin : (n,) components e cos 2theta and e sin 2theta.

    Raises
    ------
    InputError
        If there are fewer than two latents.
    """
    if codes.shape[1] < 2:
        raise InputError("an ellipticity pair needs at least two latents")
    vector = np.stack([e_cos, e_sin], axis=1)
    explained = squared_correlations(codes, vector).sum(axis=1)
    first, second = np.sort(np.argsort(-explained, kind="stable")[:2])
    angles = np.arange(ANGLE_STEPS) * np.pi / ANGLE_STEPS
    turned = vector[:, :1] * np.cos(angles) + vector[:, 1:] * np.sin(angles)
    across = vector[:, 1:] * np.cos(angles) - vector[:, :1] * np.sin(angles)
    r2 = np.stack(
        [
            squared_correlations(codes[:, [first]], turned)[0],
            squared_correlations(codes[:, [second]], across)[0],
        ]
    )
    best = int(r2.min(axis=0).argmax())
    a, b = r2[:, best]
    return EllipticityPair((int(first), int(second)), float(angles[best]), (float(a), float(b)))


def ellipticity_components(
    e_cos: np.ndarray, e_sin: np.ndarray, angle_rad: float
) -> tuple[np.ndarray, np.ndarray]:
    """The vector's components in the frame turned by `angle_rad` (see `EllipticityPair`)."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return cos * e_cos + sin * e_sin, cos * e_sin - sin * e_cos


def r2_interval(
    x: np.ndarray, y: np.ndarray, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the squared correlation of x (n,) and y (n,)."""
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = np.asarray(x, float)[kept], np.asarray(y, float)[kept]
    rng = np.random.default_rng(seed)
    r2 = np.empty(BOOTSTRAP_REPEATS)
    for k in range(BOOTSTRAP_REPEATS):
        rows = rng.integers(0, len(x), len(x))
        r2[k] = squared_correlations(x[rows, None], y[rows, None])[0, 0]
    low, high = np.quantile(r2, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
