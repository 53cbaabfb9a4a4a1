"""Touching nuclei apart: watershed on the distance map, shallow necks closed again."""

import numpy as np
import scipy.ndimage as ndi
from skimage.segmentation import watershed

_EIGHT = np.ones((3, 3), dtype=bool)


def distance_inside(mask: np.ndarray) -> np.ndarray:
    """Distance of every pixel of ``mask`` (H, W) to the nearest pixel outside, in px, float32.

    The image border is no outside: a nucleus cut by it keeps its width.
    """
    return ndi.distance_transform_edt(mask).astype(np.float32)


def split_at_necks(
    mask: np.ndarray, depth: float, smooth_px: float, min_depth_px: float = 0.5
) -> np.ndarray:
    """Label one connected ``mask`` (H, W); split where the distance map has a neck.

    Two maxima of the smoothed distance map are two nuclei when the neck between them is narrower
    (as a half width) than the lower of the two by at least ``depth`` times the largest half width
    of the mask, or ``min_depth_px``.
    Returns int32 labels, 1..k, with all pixels of the mask assigned.
    """
    distance = ndi.gaussian_filter(distance_inside(mask), smooth_px, truncate=3.0)
    distance[~mask] = 0
    peaks = (ndi.maximum_filter(distance, size=3) == distance) & mask
    markers, count = ndi.label(peaks, _EIGHT)
    if count <= 1:
        return mask.astype(np.int32)
    peak = np.zeros(count + 1)
    peak[markers[peaks]] = distance[peaks]
    basins = watershed(-distance, markers, mask=mask)
    return _close_shallow_necks(basins, distance, peak, max(depth * peak.max(), min_depth_px))


def keep_large(labels: np.ndarray, min_area_px: float) -> np.ndarray:
    """Drop labels below ``min_area_px`` pixels and number the rest 1..k in their order."""
    areas = np.bincount(labels.ravel())
    keep = areas >= min_area_px
    keep[0] = False
    renumber = np.zeros(len(areas), dtype=np.int32)
    renumber[keep] = np.arange(1, keep.sum() + 1)
    return renumber[labels]


def _close_shallow_necks(
    basins: np.ndarray, distance: np.ndarray, peak: np.ndarray, height: float
) -> np.ndarray:
    """Merge two basins where the lower peak rises less than ``height`` above the pass between.

    ``basins`` (H, W) numbered 1..n, ``peak`` (n + 1,) their largest distance. Passes are taken
    from the highest down, so a peak is compared with the pass to the first higher peak: its
    dynamics (Grimaud 1992), the h-maxima transform without its reconstruction of the image.
    """
    root = np.arange(len(peak))
    for level, a, b in _passes(basins, distance):
        a, b = root[a], root[b]
        low, high = (a, b) if peak[a] < peak[b] else (b, a)
        if peak[low] - level < height:
            root[root == low] = high
    return np.unique(root, return_inverse=True)[1].astype(np.int32)[basins]


def _passes(basins: np.ndarray, distance: np.ndarray) -> list[tuple[float, int, int]]:
    """Highest pass between each two neighbouring basins, as (height, a, b), highest first."""
    highest: dict[tuple[int, int], float] = {}
    for near, far in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        a, b = basins[near], basins[far]
        edge = (a != b) & (a > 0) & (b > 0)
        level = np.minimum(distance[near][edge], distance[far][edge])
        for one, other, value in zip(
            a[edge].tolist(), b[edge].tolist(), level.tolist(), strict=True
        ):
            pair = (min(one, other), max(one, other))
            highest[pair] = max(highest.get(pair, 0.0), value)
    return sorted(((value, *pair) for pair, value in highest.items()), reverse=True)
