"""Which crops are left out, and why."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.imaging.crop import ObjectCrops


@dataclass(frozen=True)
class QualitySettings:
    """When a crop is left out."""

    min_area_px: float = 40.0  # smaller is debris; a small anaphase plate has about 90
    max_area_px: float = 2600.0  # larger does not fit into a 64 px crop, or is no nucleus
    min_contrast_to_noise: float = 6.0  # background without a nucleus reaches about 5
    max_saturated: float = 0.2  # fraction of the nucleus at the detector's maximum
    allow_border: bool = False  # keep nuclei that are cut by the border


def exclude_crops(crops: ObjectCrops, settings: QualitySettings) -> pd.DataFrame:
    """Crops to be left out: one row each, with the first reason that holds.

    Returns
    -------
    DataFrame
        ``object`` (position in ``crops``), ``reason`` (empty, touches_border, too_small,
        too_large, saturated or low_contrast, tried in this order) and ``value``, the number that
        decided (area in px, saturated fraction, contrast to noise; NaN for the first two).
    """
    nothing = np.full(len(crops), np.nan)
    area, contrast = crops.area_px, crops.contrast_to_noise
    border = crops.touches_border & (not settings.allow_border)
    checks = [
        ("empty", area == 0, nothing),
        ("touches_border", border, nothing),
        ("too_small", area < settings.min_area_px, area),
        ("too_large", area > settings.max_area_px, area),
        ("saturated", crops.saturated > settings.max_saturated, crops.saturated),
        ("low_contrast", contrast < settings.min_contrast_to_noise, contrast),
    ]
    seen = np.zeros(len(crops), dtype=bool)
    rows = []
    for reason, bad, value in checks:
        rows += [(int(k), reason, float(value[k])) for k in np.flatnonzero(bad & ~seen)]
        seen |= bad
    table = pd.DataFrame(rows, columns=["object", "reason", "value"])
    return table.sort_values("object", ignore_index=True)
