"""The gate "no nucleus here": what is caught before any class is given."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_gradient_magnitude

from occamscope.errors import InputError
from occamscope.scale import WHITE

MIN_MASK_PX = 5


@dataclass(frozen=True)
class GateSettings:
    """How the limits of the gate follow from real crops; all columns are taken as ratios."""

    # Columns whose low values are suspect, and whose high values are. A caller may add columns of
    # its own, e.g. "reconstruction_error" to `high`. The area is left out: it tells cells from
    # other cells, not nuclei from none.
    low: tuple[str, ...] = ("edge_ratio", "contrast")
    high: tuple[str, ...] = ("border_share",)
    # Share of the training crops beyond the outer quantile of one column.
    tail: float = 0.005
    # A limit lies this factor beyond the outer quantile.
    factor: float = 2.0
    # Largest share of calibration crops that may be caught; the factor grows until it holds.
    max_share: float = 0.005
    # Largest factor: one crop without a nucleus in a small calibration part may not open the gate.
    max_factor: float = 4.0
    # No factor lets an edge ratio below this pass: noise of any grain stays below it.
    edge_floor: float = 2.3
    # The outer quantile of the share of the outline on the border counts as at least this.
    border_share: float = 0.15


@dataclass(frozen=True)
class Limit:
    """One side of one column: a crop beyond `threshold` is caught."""

    feature: str
    side: str  # "low" or "high"
    threshold: float

    def excess(self, values: np.ndarray) -> np.ndarray:
        """Return by how much values lie beyond the limit (> 0: caught; nan: not measurable)."""
        return self.threshold - values if self.side == "low" else values - self.threshold


@dataclass(frozen=True)
class Gate:
    """Limits on measurements of a crop; see `fit_gate`.

    Attributes
    ----------
    limits : tuple of Limit
    factor : float
        `GateSettings.factor`, or the larger one that the calibration crops asked for.
    n_training, n_calibration : int
        Crops that the limits were taken from.
    """

    limits: tuple[Limit, ...]
    factor: float = 1.0
    n_training: int = 0
    n_calibration: int = 0

    def catches(self, features: pd.DataFrame) -> np.ndarray:
        """Return which crops hold no nucleus, bool (n,); a missing value (nan) is caught."""
        return self.reasons(features) != ""

    def reasons(self, features: pd.DataFrame) -> np.ndarray:
        """Return why each crop is caught, str (n,): "low edge_ratio"..., "" where it passes."""
        found = np.full(len(features), "", dtype=object)
        for limit in reversed(self.limits):
            excess = limit.excess(_column(features, limit.feature))
            found[~(excess <= 0)] = f"{limit.side} {limit.feature}"
        return found

    def to_dict(self) -> dict:
        """Return plain numbers and texts, fit for JSON."""
        return {
            "limits": [vars(limit).copy() for limit in self.limits],
            "factor": self.factor,
            "n_training": self.n_training,
            "n_calibration": self.n_calibration,
        }

    @classmethod
    def from_dict(cls, data: Mapping) -> "Gate":
        """Rebuild a gate from `to_dict`."""
        limits = tuple(Limit(**limit) for limit in data["limits"])
        return cls(limits, data["factor"], data["n_training"], data["n_calibration"])


def gate_features(windows: np.ndarray, masks: np.ndarray) -> pd.DataFrame:
    """Measure whether a mask outlines an object or a chance blob of noise.

    The mask must come from the same segmentation *inside the window* for every crop that is to be
    compared, real ones and probes.

    Parameters
    ----------
    windows : ndarray, shape (n, height, width)
        Unmasked windows, 196 = 1.0.
    masks : ndarray of bool, shape (n, height, width)

    Returns
    -------
    DataFrame
        ``edge_ratio``: median gradient along the outline over the typical gradient outside. In a
        field without structure a contour line is as steep as any other place (about 1); the edge
        of a nucleus is 10 to 100 times steeper than its background.
        ``contrast``: mean inside minus median of a ring outside, 1.0 = a normalised nucleus.
        ``area_px``: pixels of the mask.
        ``border_share``: share of the outline that lies on the window's border.
        All nan for masks of less than 5 px or without an outside.
    """
    rows = [_measure(w.astype(np.float64), m) for w, m in zip(windows, masks, strict=True)]
    return pd.DataFrame(rows, columns=["edge_ratio", "contrast", "area_px", "border_share"])


def _measure(window: np.ndarray, mask: np.ndarray) -> tuple[float, float, float, float]:
    outside = ~binary_dilation(mask, iterations=3)
    ring = binary_dilation(mask, iterations=7) & ~binary_dilation(mask, iterations=2)
    if mask.sum() < MIN_MASK_PX or not outside.any() or not ring.any():
        return (np.nan,) * 4
    gradient = gaussian_gradient_magnitude(window, 1.0)
    outline = binary_dilation(mask) & ~binary_erosion(mask)
    contrast = (window[mask].mean() - np.median(window[ring])) / WHITE
    rim = mask & ~binary_erosion(mask)
    on_border = int(rim[[0, -1], :].sum() + rim[1:-1, [0, -1]].sum())
    ratio = float(np.median(gradient[outline])) / _background_gradient(gradient[outside])
    return ratio, float(contrast), float(mask.sum()), on_border / rim.sum()


def _background_gradient(gradients: np.ndarray) -> float:
    """Median of the gradients outside, without padding, whose gradient is exactly 0.

    Neighbours hold less than half of what is outside. In noise of any grain (0 to 6 px) the edge
    ratio is then 1.2 in the median, 2.0 at most in 99 % of windows; a mean of the lower three
    quarters in place of the median gave 2.4 and separated no better.
    """
    moving = gradients[gradients > 0]
    return max(float(np.median(moving)) if moving.size else 0.0, WHITE / 1000)


def fit_gate(
    features: pd.DataFrame, calibration: pd.DataFrame, settings: GateSettings | None = None
) -> Gate:
    """Set the limits of the gate from real crops alone; no probe is used.

    Parameters
    ----------
    features : DataFrame
        Measurements of training crops, from `gate_features` (and further columns).
    calibration : DataFrame
        The same for the calibration part; may be empty.
    settings : GateSettings, optional

    Returns
    -------
    Gate

    Raises
    ------
    InputError
        If a column is missing or no training crop can be measured.
    """
    settings = settings or GateSettings()
    sides = [(name, "low") for name in settings.low] + [(name, "high") for name in settings.high]
    outer = {(name, side): _outer_quantile(features, name, side, settings) for name, side in sides}
    factor = settings.factor
    if len(calibration):
        needed = [
            _needed_factor(calibration, name, side, outer[name, side]) for name, side in sides
        ]
        allowed = int(settings.max_share * len(calibration))
        # The crop that may just not be caught sets the factor.
        wanted = float(np.sort(np.max(needed, axis=0))[::-1][allowed]) * (1 + 1e-9)
        factor = float(np.clip(wanted, factor, settings.max_factor))
    limits = []
    for name, side in sides:
        threshold = outer[name, side] * (factor if side == "high" else 1 / factor)
        if name == "edge_ratio" and side == "low":
            threshold = max(threshold, settings.edge_floor)
        limits.append(Limit(name, side, threshold))
    return Gate(tuple(limits), factor, len(features), len(calibration))


def _outer_quantile(table: pd.DataFrame, feature: str, side: str, settings: GateSettings) -> float:
    values = _column(table, feature)
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise InputError(
            f"no training crop has a finite {feature!r}: the gate cannot be set; check the "
            "segmentation of the training crops"
        )
    outer = float(np.quantile(values, settings.tail if side == "low" else 1 - settings.tail))
    return max(outer, settings.border_share) if feature == "border_share" else outer


def _needed_factor(table: pd.DataFrame, feature: str, side: str, outer: float) -> np.ndarray:
    """Factor at which each crop just passes; inf where none helps (value <= 0)."""
    values = _column(table, feature)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = outer / values if side == "low" else values / outer
    # A crop that cannot be measured is caught at any factor and must not set it.
    return np.where((values > 0) & (ratio > 0), ratio, 1.0)


def _column(table: pd.DataFrame, feature: str) -> np.ndarray:
    if feature not in table.columns:
        raise InputError(f"the gate needs the column {feature!r}; measure it for every crop")
    return table[feature].to_numpy(np.float64)
