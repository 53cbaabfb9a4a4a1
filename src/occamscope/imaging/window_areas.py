"""Size of the nuclei in windows of which nobody knows the pixel size."""

import numpy as np

from occamscope.errors import InputError
from occamscope.imaging.crop import CropSettings, prepare_crops
from occamscope.imaging.segment import SegmentationSettings

# A window is cut to this many crop widths when it is segmented; a larger one is shrunk to it.
_SEEN = 1.5


def window_areas(
    windows: np.ndarray, segmentation: SegmentationSettings, settings: CropSettings
) -> np.ndarray:
    """Area of the nucleus in the middle of each window, found at the windows' own scale.

    Parameters
    ----------
    windows : (n, H, W) real, in counts.
    segmentation, settings : as for `crop.prepare_crops`.

    Returns
    -------
    (n,) float64, px of the windows; 0 where there is none, or where windows are too narrow.
    """
    zoom = min(1.0, _SEEN * settings.size / max(windows.shape[1:]))
    try:
        prepared = prepare_crops(windows, zoom, segmentation, settings)
    except InputError:
        return np.zeros(len(windows))
    return prepared.area_px / zoom**2
