"""Shape, intensity and texture of masked nuclei, vectorised over crops.

Angles are counter-clockwise from the x axis with y UP; lengths are in px of the crop.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull

from occamscope.errors import InputError
from occamscope.scale import WHITE

Masks = NDArray[np.bool_]
Images = NDArray[np.float32]

COLUMNS = (
    "area_px", "axis_ratio", "ellipticity", "theta_rad", "e_cos2theta", "e_sin2theta", "solidity",
    "perimeter_px", "eccentricity", "extent", "intensity_mean", "intensity_sd", "intensity_max",
    "texture", "rim_ratio", "offset_px",
)  # fmt: skip
_CHUNK = 1024  # crops at once: keeps the working arrays in some ten MiB


def measure_shapes(masks: NDArray[np.bool_], images: NDArray | None = None) -> pd.DataFrame:
    """Measure the nuclei of a stack of masks.

    The axes are those of the ellipse with the mask's second moments, each pixel counted as a unit
    square (hence 1/12 added to its variances; Jähne, Digital Image Processing, ch. 19).

    Parameters
    ----------
    masks : bool (n, H, W)
    images : (n, H, W), optional
        uint8 on the scale of stored crops (196 = 1.0) or floats (1.0 = robust maximum of the
        nucleus). Without images the columns of intensity and texture are NaN.

    Returns
    -------
    DataFrame with n rows; NaN where a mask is empty
        `area_px`; `axis_ratio` a/b >= 1; `ellipticity` (a - b)/(a + b); `theta_rad` of the long
        axis in [0, pi); `e_cos2theta`, `e_sin2theta`; `solidity` area / convex hull; `perimeter_px`
        (Crofton, 4 directions); `eccentricity` sqrt(1 - b^2/a^2); `extent` area / bounding box;
        `intensity_mean`, `intensity_sd`, `intensity_max` inside the mask; `texture` (high-pass sd
        relative to the mean); `rim_ratio` (mean of the outer / the inner ellipse); `offset_px`
        (centroid from the middle of the crop).

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    masks = np.asarray(masks, bool)
    images = None if images is None else np.asarray(images)
    if masks.ndim != 3 or (images is not None and np.shape(images) != masks.shape):
        raise InputError(
            f"masks must be a stack (n, H, W) and images of the same shape, not {masks.shape}"
            + ("" if images is None else f" and {np.shape(images)}")
        )
    parts = []
    for start in range(0, max(len(masks), 1), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        parts.append(_measure_chunk(masks[chunk], None if images is None else images[chunk]))
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS)).astype(float)
    table.loc[~masks.any((1, 2))] = np.nan
    return table


def measure_decoded(images: NDArray[np.floating]) -> pd.DataFrame:
    """Measure decoded crops, which have no masks: at half of the nucleus' robust maximum.

    Parameters
    ----------
    images : float (n, H, W), 1.0 = robust maximum of a nucleus

    Returns
    -------
    DataFrame as from `measure_shapes`; NaN where fewer than 8 px are bright
    """
    images = np.asarray(images, np.float32)
    return measure_shapes(half_maximum_masks(images), images)


def half_maximum_masks(
    images: NDArray[np.floating], floor: float = 0.1, least_px: int = 8
) -> NDArray[np.bool_]:
    """Pixels above half of the robust maximum of each image (n, H, W).

    The maximum is the mean of the 30 brightest pixels, at most 1.0; for an image whose 99.8th
    percentile is below 0.6, that percentile. Pixels up to `floor` never count; masks of fewer than
    `least_px` are emptied.
    """
    n, height, width = np.shape(images)
    pixels = height * width
    flat = np.asarray(images, np.float32).reshape(n, pixels)
    keep = min(pixels, max(30, int(0.002 * pixels) + 2))
    bright = np.sort(np.partition(flat, pixels - keep, axis=1)[:, pixels - keep :], axis=1)
    mean_top = bright[:, -30:].mean(1)
    top = bright[:, round(0.998 * (pixels - 1)) - (pixels - keep)]
    level = 0.5 * np.where(top < 0.6, top, np.minimum(mean_top, 1))
    masks = flat > np.maximum(level, floor)[:, None]
    masks[masks.sum(1) < least_px] = False
    return masks.reshape(np.shape(images))


def _measure_chunk(masks: Masks, images: NDArray | None) -> pd.DataFrame:
    """All columns of a chunk; rows of empty masks hold NaN or nonsense."""
    with np.errstate(invalid="ignore", divide="ignore"):
        columns, ellipse = _moments(masks)
        columns["perimeter_px"] = _crofton_perimeter(masks)
        columns["solidity"] = np.minimum(columns["area_px"] / _hull_areas(masks), 1)
        if images is not None:
            columns |= _intensities(masks, _unit_scale(images), ellipse)
    return pd.DataFrame(columns)


def _unit_scale(images: NDArray) -> Images:
    """Images as float32 with 1.0 at the robust maximum of a nucleus."""
    scale = WHITE if images.dtype == np.uint8 else 1.0
    return np.asarray(images, np.float32) / np.float32(scale)


def _pixel_grid(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y (up) of the pixels, flat, from the middle of the crop."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return (x - (width - 1) / 2).ravel(), ((height - 1) / 2 - y).ravel()


def _moments(masks: Masks) -> tuple[dict[str, NDArray], NDArray[np.float64]]:
    """Columns from the moments, and (x, y, xx, xy, yy) of every mask: centroid and covariance."""
    x, y = _pixel_grid(*masks.shape[1:])
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
    flat = masks.reshape(len(masks), masks.shape[1] * masks.shape[2])
    area, *sums = (flat.astype(float) @ basis).T
    mx, my, xx, xy, yy = (s / area for s in sums)
    xx, xy, yy = xx - mx**2 + 1 / 12, xy - mx * my, yy - my**2 + 1 / 12
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    major, minor = np.sqrt(middle + spread), np.sqrt(middle - spread)
    e = (major - minor) / (major + minor)
    double = np.arctan2(2 * xy, xx - yy)
    columns = {
        "area_px": area,
        "axis_ratio": major / minor,
        "ellipticity": e,
        "theta_rad": (double / 2) % np.pi,
        "e_cos2theta": e * np.cos(double),
        "e_sin2theta": e * np.sin(double),
        "eccentricity": np.sqrt(1 - (minor / major) ** 2),
        "extent": area / _box_areas(masks),
        "offset_px": np.hypot(mx, my),
    }
    return columns, np.stack([mx, my, xx, xy, yy])


def _box_areas(masks: Masks) -> NDArray[np.int64]:
    """Areas of the bounding boxes in px."""

    def length(line: Masks) -> NDArray[np.int64]:
        return line.shape[1] - line.argmax(1) - line[:, ::-1].argmax(1)

    return length(np.any(masks, axis=2)) * length(np.any(masks, axis=1))


def _crofton_perimeter(masks: Masks) -> NDArray[np.float64]:
    """Perimeter from crossings of the outline with lines in 4 directions (Crofton's formula).

    Unbiased for outlines of all directions alike (circle: 1 %); axis-aligned squares lose 5 %.
    """
    m = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    pairs = (
        (m[:, :, 1:], m[:, :, :-1], 1.0),
        (m[:, 1:], m[:, :-1], 1.0),
        (m[:, 1:, 1:], m[:, :-1, :-1], np.sqrt(0.5)),
        (m[:, 1:, :-1], m[:, :-1, 1:], np.sqrt(0.5)),
    )
    crossings = [(a ^ b).sum((1, 2)) * spacing for a, b, spacing in pairs]
    return np.pi / 8 * np.sum(crossings, axis=0)


def _hull_areas(masks: Masks) -> NDArray[np.float64]:
    """Areas of the convex hulls of the pixels' edge midpoints; NaN for empty masks."""
    areas = np.full(len(masks), np.nan)
    rows, columns = _line_ends(masks), _line_ends(masks.transpose(0, 2, 1))
    for i in np.flatnonzero(masks.any((1, 2))):
        points = np.concatenate([_end_points(*(part[i] for part in rows)),
                                 _end_points(*(part[i] for part in columns))[:, ::-1]])  # fmt: skip
        areas[i] = ConvexHull(points).volume  # in two dimensions `volume` is the area
    return areas


def _line_ends(masks: Masks) -> tuple[Masks, NDArray[np.float64], NDArray[np.float64]]:
    """For each row of each mask: whether it holds pixels, and the outer edges of its ends."""
    width = masks.shape[2]
    first, last = masks.argmax(2) - 0.5, width - 0.5 - masks[:, :, ::-1].argmax(2)
    return np.any(masks, axis=2), first, last


def _end_points(
    holds: Masks, first: NDArray[np.float64], last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points (row, edge) of the rows of one mask that hold pixels."""
    row = np.flatnonzero(holds).astype(float)
    return np.stack([np.tile(row, 2), np.concatenate([first[holds], last[holds]])], 1)


def _intensities(
    masks: Masks, images: Images, ellipse: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Columns of intensity and texture."""
    mean, sd = _masked_mean_sd(images, masks)
    return {
        "intensity_mean": mean,
        "intensity_sd": sd,
        "intensity_max": np.where(masks, images, -np.inf).max((1, 2)),
        "texture": _high_pass_sd(masks, images) / mean,
        "rim_ratio": _rim_ratio(images, ellipse, mean),
    }


def _masked_mean_sd(
    images: Images, masks: Masks
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and sd of each image inside its mask."""
    count = masks.sum((1, 2))
    mean = np.where(masks, images, 0).sum((1, 2), dtype=float) / count
    square = np.where(masks, images - mean[:, None, None], 0) ** 2
    return mean, np.sqrt(square.sum((1, 2), dtype=float) / count)


def _high_pass_sd(masks: Masks, images: Images, sigma_px: float = 2.0) -> NDArray[np.float64]:
    """Sd of image minus smoothed image, 2 px inside the outline (small masks: in all of it).

    Smoothing is normalised by the mask, so that the outline itself is no texture.
    """
    sigma = (0, sigma_px, sigma_px)
    weight = masks.astype(np.float32)
    smooth = gaussian_filter(images * weight, sigma, truncate=3)
    smooth /= np.maximum(gaussian_filter(weight, sigma, truncate=3), 1e-6)
    inner = _erode(masks, 2)
    inner = np.where((inner.sum((1, 2)) < 9)[:, None, None], masks, inner)
    return _masked_mean_sd(images - smooth, inner)[1]


def _erode(masks: Masks, radius: int) -> Masks:
    """Masks without the pixels within `radius` px (as a square) of the outside."""
    height, width = masks.shape[1:]
    padded = np.pad(masks, ((0, 0), (radius, radius), (radius, radius)))
    span = range(2 * radius + 1)
    rows = np.logical_and.reduce([padded[:, k : k + height] for k in span])
    return np.logical_and.reduce([rows[:, :, k : k + width] for k in span])


def _rim_ratio(
    images: Images, ellipse: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean between half and all of the second-moment ellipse over the mean within half of it.

    Counts pixels outside the mask too: the hole of a ring is what it looks for. The divisor is at
    least 5 % of the nucleus' mean; 1 for nuclei too small to have a middle.
    """
    x, y = _pixel_grid(*images.shape[1:])
    mx, my, xx, xy, yy = ellipse.astype(np.float32)[:, :, None]
    dx, dy = x.astype(np.float32) - mx, y.astype(np.float32) - my
    # Squared radius relative to the outline: semi-axes are twice the standard deviations.
    radius2 = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / (4 * (xx * yy - xy**2))
    flat = images.reshape(len(images), x.size)
    inner, outer = radius2 < 0.25, (radius2 >= 0.25) & (radius2 <= 1)
    centre = np.where(inner, flat, 0).sum(1) / inner.sum(1)
    rim = np.where(outer, flat, 0).sum(1) / outer.sum(1)
    ratio = rim / np.maximum(centre, 0.05 * mean)
    return np.where(inner.any(1) & outer.any(1), ratio, 1.0)
