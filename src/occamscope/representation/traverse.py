"""What one latent changes in the decoded nucleus, the others held."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from occamscope.errors import InputError

MEASURED = (
    "area_px",
    "axis_ratio",
    "e_cos2theta",
    "e_sin2theta",
    "theta_rad",
    "intensity_mean",
    "texture",
    "rim_ratio",
    "offset_px",
)


def traverse(
    decode: Callable[[np.ndarray], np.ndarray],
    n_latents: int,
    units: Sequence[int],
    values: Sequence[float],
    base: np.ndarray | None = None,
) -> np.ndarray:
    """Decode codes in which one latent takes each of `values`.

    Parameters
    ----------
    decode : maps codes (m, n_latents) to images (m, 64, 64).
    units : latents to move, one after the other.
    values : in units of the prior's sd.
    base : code (n_latents,) of the latents that do not move; the prior's mean (0) by default.

    Returns
    -------
    float32 (units, values, 64, 64)
    """
    base = np.zeros(n_latents, np.float32) if base is None else np.asarray(base, np.float32)
    if base.shape != (n_latents,):
        raise InputError(f"base must have shape ({n_latents},), got {base.shape}")
    codes = np.tile(base, (len(units), len(values), 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values
    images = np.asarray(decode(codes.reshape(-1, n_latents)), np.float32)
    return images.reshape(len(units), len(values), *images.shape[1:])


def describe_traversals(
    decoded: np.ndarray,
    measure: Callable[[np.ndarray], pd.DataFrame],
    units: Sequence[int],
    values: Sequence[float],
) -> pd.DataFrame:
    """Measure every decoded nucleus of `traverse`.

    Parameters
    ----------
    decoded : (units, values, 64, 64).
    measure : maps images (m, 64, 64) to a table of m rows with at least the columns `MEASURED`.
    units, values : as given to `traverse`.

    Returns
    -------
    Table with the columns latent ("z3"), value, and `MEASURED` (lengths in px, angles in rad);
    NaN where nothing was decoded.
    """
    if decoded.shape[:2] != (len(units), len(values)):
        raise InputError(
            f"decoded is {decoded.shape[:2]}, but there are {len(units)} units and "
            f"{len(values)} values"
        )
    measured = measure(decoded.reshape(-1, *decoded.shape[2:]))[list(MEASURED)]
    measured = measured.reset_index(drop=True)
    measured.insert(0, "value", np.tile(np.asarray(values, float), len(units)))
    measured.insert(0, "latent", np.repeat([f"z{unit}" for unit in units], len(values)))
    return measured
