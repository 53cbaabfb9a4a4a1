"""First and second derivatives of the losses, kinks smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def loss_derivatives(
    prediction: Array, y: Array | float, loss: str, smooth: float
) -> tuple[Array, Array, Array]:
    """Slope and curvature of every row's (smoothed) loss in the prediction.

    Parameters
    ----------
    prediction, y, loss : as in `occamscope.laws.loss.elementwise_loss`
    smooth : for hinge, ramp and mae, how far from the kinks the smoothing reaches

    Returns
    -------
    slope, curvature : (n,) first and second derivative (ramp: the latter not below 0)
    bound : (n,) curvature of a parabola that touches the loss here and lies above it
    """
    error = prediction - y
    if loss == "mse":
        two = np.full_like(error, 2.0)
        return 2.0 * error, two, two
    if loss == "mae":
        root = 1.0 / np.sqrt(error * error + smooth * smooth)
        return error * root, (smooth * root) ** 2 * root, root
    margin = y * prediction
    if loss == "logistic":
        wrong = 0.5 * (1.0 - np.tanh(0.5 * margin))
        return -y * wrong, wrong * (1.0 - wrong), np.full_like(error, 0.25)
    short = 1.0 - margin
    if loss == "squared_hinge":
        inside = np.where(short > 0, 2.0, 0.0)
        return -y * inside * short, inside, np.full_like(error, 2.0)
    root = 1.0 / np.sqrt(short * short + smooth * smooth)
    slope, curvature = -0.5 * y * (short * root + 1.0), 0.5 * (smooth * root) ** 2 * root
    if loss == "ramp":
        beyond = short - 2.0
        second = 1.0 / np.sqrt(beyond * beyond + smooth * smooth)
        slope += 0.5 * y * (beyond * second + 1.0)
        curvature = np.maximum(curvature - 0.5 * (smooth * second) ** 2 * second, 0.0)
    return slope, curvature, 0.5 * root
