"""Which crops are left out, and why. (Provisional: helper 2 owns and replaces this.)"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.imaging.crop import ObjectCrops


@dataclass(frozen=True)
class QualitySettings:
    """When a crop is left out."""

    min_area_px: float = 40.0
    max_area_px: float = 2600.0
    min_contrast_to_noise: float = 3.0
    max_saturated: float = 0.05


def exclude_crops(crops: ObjectCrops, settings: QualitySettings) -> pd.DataFrame:
    """Position and reason of every crop that is left out."""
    checks = {
        "empty": crops.area_px == 0,
        "touches_border": crops.touches_border,
        "too_small": crops.area_px < settings.min_area_px,
        "too_large": crops.area_px > settings.max_area_px,
        "saturated": crops.saturated > settings.max_saturated,
        "low_contrast": crops.contrast_to_noise < settings.min_contrast_to_noise,
    }
    rows = [(int(k), name) for name, bad in checks.items() for k in np.flatnonzero(bad)]
    return pd.DataFrame(rows, columns=["object", "reason"])
