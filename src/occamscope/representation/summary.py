"""How well one latent holds size and two hold the ellipticity vector, in a few numbers."""

import numpy as np
import pandas as pd

from occamscope.representation.factors import (
    ellipticity_components,
    ellipticity_pair,
    r2_interval,
    size_unit,
)


def summarise_shape(codes: np.ndarray, factors: pd.DataFrame, seed: int) -> pd.DataFrame:
    """R2 of size and ellipticity by single latents, with bootstrap intervals over crops.

    Parameters
    ----------
    codes : (n, latents), collapsed latents set to 0.
    factors : n rows with area_px, e_cos2theta, e_sin2theta; rows with NaN are left out.

    Returns
    -------
    Table of three rows
        quantity ("size": log area; "e_cos2theta", "e_sin2theta": the ellipticity vector in a frame
        turned by angle_rad, the same for both), latent, r2, low, high (95 %), n (crops), angle_rad.
    """
    kept = factors[["area_px", "e_cos2theta", "e_sin2theta"]].notna().all(axis=1).to_numpy()
    codes, factors = codes[kept], factors[kept]
    areas = factors["area_px"].to_numpy(float)
    e_cos, e_sin = (factors[f"e_{kind}2theta"].to_numpy(float) for kind in ("cos", "sin"))
    pair = ellipticity_pair(codes, e_cos, e_sin)
    turned = ellipticity_components(e_cos, e_sin, pair.angle_rad)
    unit, r2 = size_unit(codes, areas)
    found = [("size", unit, r2, np.log(areas), 0.0)]
    for name, latent, value, target in zip(
        ("e_cos2theta", "e_sin2theta"), pair.units, pair.r2, turned, strict=True
    ):
        found.append((name, latent, value, target, pair.angle_rad))
    rows = []
    for name, latent, value, target, angle in found:
        low, high = r2_interval(codes[:, latent], target, seed)
        rows.append((name, f"z{latent}", value, low, high, len(codes), angle))
    columns = ["quantity", "latent", "r2", "low", "high", "n", "angle_rad"]
    return pd.DataFrame(rows, columns=columns)


def turned_ellipticity(factors: pd.DataFrame, angle_rad: float) -> pd.DataFrame:
    """The ellipticity vector in the frame in which the pair of latents holds it.

    Returns
    -------
    Table of n rows with e_cos2theta_turned and e_sin2theta_turned.
    """
    turned = ellipticity_components(
        factors["e_cos2theta"].to_numpy(float), factors["e_sin2theta"].to_numpy(float), angle_rad
    )
    names = ("e_cos2theta_turned", "e_sin2theta_turned")
    return pd.DataFrame(dict(zip(names, turned, strict=True)), index=factors.index)


def size_range(traversals: pd.DataFrame, latent: str) -> dict[str, float]:
    """How far the size latent moves the area between its ends, and what it does to shape.

    Returns
    -------
    dict
        `area_ratio`: largest over smallest decoded area along the traversal;
        `largest_axis_ratio`: of the decoded nuclei along it. NaN where nothing was decoded.
    """
    rows = traversals[traversals["latent"] == latent].dropna(subset=["area_px"])
    areas = rows["area_px"].to_numpy(float)
    return {
        "area_ratio": float(areas.max() / areas.min()) if len(areas) else float("nan"),
        "largest_axis_ratio": float(rows["axis_ratio"].max()),
    }


def reconstruction_r2(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Share of the pixel variance about the mean image that reconstructions explain."""
    images = np.asarray(images, np.float64)
    residual = ((images - reconstructions) ** 2).sum()
    return float(1 - residual / ((images - images.mean(axis=0)) ** 2).sum())
