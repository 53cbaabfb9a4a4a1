"""Background level, background surface and noise of a fluorescence image."""

import numpy as np
import scipy.ndimage as ndi

# Rounding to whole counts alone gives this standard deviation (uniform in +-1/2).
QUANTISATION_SD = 12.0**-0.5
_NORMAL_MAD = 1.4826  # median absolute deviation -> standard deviation of a normal
# White noise of sd 1, high-passed with the kernel of `high_pass`, has this sd: sqrt(sum k^2).
_HIGH_PASS_GAIN = 1.5


def high_pass(image: np.ndarray) -> np.ndarray:
    """Second difference along both axes, kernel [-1/2, 1, -1/2] x the same.

    Planes vanish, and straight edges along either axis, so that little is left of a nucleus.
    ``image`` is (H, W) float; the result (H - 2, W - 2) lacks the border.
    """
    rows = image[:, 1:-1] - 0.5 * (image[:, :-2] + image[:, 2:])
    return rows[1:-1] - 0.5 * (rows[:-2] + rows[2:])


def noise_sd(image: np.ndarray, where: np.ndarray | None = None, floor: float = 0.0) -> float:
    """Robust standard deviation of the pixel noise: MAD of the high-passed image.

    Parameters
    ----------
    image : (H, W) float, in counts.
    where : (H, W) bool, pixels to use (background); None uses all.
    floor : smallest value returned, e.g. ``QUANTISATION_SD`` for integer images.
    """
    residual = high_pass(image)
    values = np.abs(residual if where is None else residual[where[1:-1, 1:-1]])
    if values.size == 0:
        return floor
    return max(float(np.median(values)) * _NORMAL_MAD / _HIGH_PASS_GAIN, floor)


def count_floor(image: np.ndarray) -> float:
    """Smallest noise that an image of this dtype can show, in counts.

    Integers: the rounding error. Floats: a relative rounding error of 1e-5 of the largest value,
    so that numerical dust on a constant image never counts as signal.
    """
    if np.issubdtype(image.dtype, np.integer) or image.dtype == bool:
        return QUANTISATION_SD
    largest = float(np.abs(image).max()) if image.size else 0.0
    return max(1e-5 * largest, 1e-12)


def mode_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Background level (mode of the darker part) and the spread below it, in counts.

    Only the darker side of the mode is used, because the brighter side holds haze and nuclei.
    """
    low, high = np.percentile(values, [0.5, 60.0])
    if high <= low:
        return float(low), 0.0
    counts, edges = np.histogram(values, 80, (low, high))
    peak = int(np.argmax(ndi.gaussian_filter1d(counts.astype(float), 2.0)))
    mode = float(edges[peak] + edges[peak + 1]) / 2
    below = mode - values[values < mode]
    return mode, float(_NORMAL_MAD * np.median(below)) if below.size else 0.0


def background_surface(image: np.ndarray, width_px: float) -> np.ndarray:
    """Smooth surface under objects narrower than ``width_px``: opening of a reduced image.

    ``image`` is (H, W) float32, lightly smoothed; returns (H, W) float32.
    """
    step = max(1, int(width_px / 8))
    reduced = ndi.gaussian_filter(image, step / 2, truncate=3.0)[::step, ::step]
    size = max(3, round(width_px / step))
    opened = ndi.grey_opening(reduced, size=(size, size), mode="reflect")
    smooth = ndi.gaussian_filter(opened, size / 3)
    if step == 1:
        return smooth
    zoom = (image.shape[0] / smooth.shape[0], image.shape[1] / smooth.shape[1])
    return ndi.zoom(smooth, zoom, order=1, mode="nearest", grid_mode=True)


def otsu_threshold(values: np.ndarray, bins: int = 256) -> float:
    """Threshold of largest between-class variance (Otsu 1979); the value itself if all are equal."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return high
    counts, edges = np.histogram(values, bins, (low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    weighted = np.cumsum(counts * centres)
    gap = weighted / np.maximum(below, 1) - (weighted[-1] - weighted) / np.maximum(above, 1)
    return float(centres[np.argmax(below * above * gap**2)])
