"""From source pixels to crop pixels: scale factors, anti-aliasing and sampling."""

import numpy as np
import scipy.ndimage as ndi

from occamscope.errors import InputError

_SMALLEST_ZOOM, _LARGEST_ZOOM = 1 / 32, 32.0


def check_zoom(zoom: float) -> None:
    """Raise InputError unless ``zoom`` (crop px per source px) is a usable number."""
    if not _SMALLEST_ZOOM <= zoom <= _LARGEST_ZOOM:
        raise InputError(
            f"resampling by a factor of {zoom:g} makes no sense; check the pixel size of the "
            "images and of the crops (um_per_px)"
        )


def smooth_for_zoom(image: np.ndarray, zoom: float) -> np.ndarray:
    """Low-pass (..., H, W) before shrinking by ``zoom`` < 1, so that fine grain cannot alias.

    Gaussian of sd (1/zoom - 1)/2 source px, as in scikit-image's ``resize``; float32.
    """
    image = image.astype(np.float32)
    if zoom >= 1:
        return image
    sd = (1 / zoom - 1) / 2
    return ndi.gaussian_filter(image, (0.0,) * (image.ndim - 2) + (sd, sd), truncate=3.0)


def sample(
    image: np.ndarray, y: float, x: float, zoom: float, shape: tuple[int, int]
) -> np.ndarray:
    """Rectangle of ``shape`` px around (y, x) of ``image`` (H, W) float32, magnified by ``zoom``.

    Linear interpolation; (y, x) lands in the middle, at ((h - 1)/2, (w - 1)/2). NaN where the
    rectangle leaves the image.
    """
    corner = (y - (shape[0] - 1) / 2 / zoom, x - (shape[1] - 1) / 2 / zoom)
    # Only the needed part: affine_transform copies its whole input.
    start = [max(int(c) - 1, 0) for c in corner]
    stop = [int(c + n / zoom) + 3 for c, n in zip(corner, shape, strict=True)]
    part = image[start[0] : max(stop[0], 0), start[1] : max(stop[1], 0)]
    if part.size == 0:
        return np.full(shape, np.nan, dtype=np.float32)
    return ndi.affine_transform(
        part,
        (1 / zoom, 1 / zoom),
        offset=[c - s for c, s in zip(corner, start, strict=True)],
        output_shape=shape,
        output=np.float32,
        order=1,
        cval=np.nan,
    )


def rescaled_shape(shape: tuple[int, int], zoom: float, largest: int) -> tuple[int, int]:
    """Shape of the largest rectangle that zooming an image of ``shape`` fills, at most a square."""
    height, width = (min(int((n - 1) * zoom + 1e-9) + 1, largest) for n in shape)
    return height, width


def saturation_level(page: np.ndarray) -> float:
    """Count at which the detector of ``page`` saturates; infinity where it cannot be known.

    The largest value of the integer type, or of a 10-, 12- or 14-bit camera stored in 16 bits if
    the brightest pixel lies exactly there.
    """
    if not np.issubdtype(page.dtype, np.integer):
        return float("inf")
    largest = int(page.max()) if page.size else 0
    for bits in (10, 12, 14):
        if page.dtype.itemsize > 1 and largest == 2**bits - 1:
            return float(largest)
    return float(np.iinfo(page.dtype).max)


def raw_white(page: np.ndarray) -> float:
    """Counts shown as 1.0 without normalisation: the dtype's maximum becomes 1.3 (white)."""
    if np.issubdtype(page.dtype, np.integer):
        return float(np.iinfo(page.dtype).max) / 1.3
    if page.size and float(page.max()) > 1.0:
        raise InputError(
            "floating-point images above 1.0 have no natural maximum; set raw_scale to the count "
            "that is to be shown as 1.0"
        )
    return 1 / 1.3
