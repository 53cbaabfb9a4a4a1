"""Shared by the tests of the representation: one thread, and a measure of decoded ellipses."""

import numpy as np
import pandas as pd
import pytest
import torch

# Results are promised for one thread; two would also fight over the cores of a small machine.
torch.set_num_threads(1)

Y, X = np.mgrid[:64, :64] - 31.5
Y = -Y  # up


def draw_ellipse(area: float, e: tuple[float, float] = (0.0, 0.0), **look: float) -> np.ndarray:
    """One soft ellipse (64, 64) of an area in px and an ellipticity vector (y up)."""
    size, theta = np.hypot(*e), 0.5 * np.arctan2(e[1], e[0])
    ratio = (1 + size) / (1 - size)
    long, short = np.sqrt(area * ratio / np.pi), np.sqrt(area / ratio / np.pi)
    dx, dy = X - look.get("shift", 0.0), Y
    u = (np.cos(theta) * dx + np.sin(theta) * dy) / long
    v = (-np.sin(theta) * dx + np.cos(theta) * dy) / short
    radius = np.hypot(u, v)
    inside = 1 / (1 + np.exp(-np.clip((1 - radius) * np.sqrt(long * short) / 0.5, -30, 30)))
    body = 1 + look.get("grain", 0.0) * np.sign(np.sin(X * 2.1) * np.sin(Y * 2.1))
    body = body - look.get("hollow", 0.0) * (radius < 0.6)
    return look.get("light", 1.0) * inside * body


def measure_ellipses(images: np.ndarray) -> pd.DataFrame:
    """Moments of the pixels above half of the maximum, one row per image."""
    rows = []
    for image in images:
        mask = image > 0.3 * image.max()
        if not mask.any():
            rows.append({})
            continue
        x, y, values = X[mask], Y[mask], image[mask]
        covariance = np.cov(x, y) + np.eye(2) / 12
        small, large = np.sqrt(np.linalg.eigvalsh(covariance))
        e = (large - small) / (large + small)
        double = np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
        radius = np.hypot(x - x.mean(), y - y.mean())
        inner = radius < 0.6 * radius.max()
        rows.append(
            {
                "area_px": float(mask.sum()),
                "axis_ratio": large / small,
                "e_cos2theta": e * np.cos(double),
                "e_sin2theta": e * np.sin(double),
                "theta_rad": double / 2,
                "intensity_mean": values.mean(),
                "texture": values[inner].std() / values.mean(),
                "rim_ratio": values[~inner].mean() / values[inner].mean(),
                "offset_px": np.hypot(x.mean(), y.mean()),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def ellipse():
    """The function that draws one ellipse."""
    return draw_ellipse


@pytest.fixture(scope="session")
def measure():
    """The function that measures images of ellipses."""
    return measure_ellipses
