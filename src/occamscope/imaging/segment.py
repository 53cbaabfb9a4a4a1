"""Find nuclei: all of them in a field, and the one that a crop is about."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from occamscope.errors import InputError
from occamscope.imaging.background import (
    background_surface,
    count_floor,
    mode_and_spread,
    noise_sd,
    otsu_threshold,
)
from occamscope.imaging.sisters import are_sisters, describe_plate, is_plate, join_sisters
from occamscope.imaging.touching import distance_inside, keep_large, split_at_necks

# White noise of sd 1 keeps this sd after the Gaussian of sigma 1 px: 1 / (2 sqrt(pi)).
_SMOOTHED_NOISE = 0.282
_SHALLOW_PX = 0.5  # no neck is shallower
_Window = tuple[slice, slice]


@dataclass(frozen=True)
class SegmentationSettings:
    """How nuclei are found. Relative lengths are in nucleus diameters."""

    nucleus_diameter_um: float | None = None  # fields: None = estimated from each image
    nucleus_diameter_px: float = 27.0  # crops: expected diameter at the scale of the window
    min_contrast: float = 4.0  # above the background, in sd of the smoothed background
    edge_fraction: float = 0.5  # a nucleus' edge lies at this fraction of its own brightness
    min_area: float = 0.08  # smallest object, as a fraction of the squared diameter
    neck_depth: float = 0.06  # touching nuclei: depth of the neck, relative to the half width
    thin: float = 0.28  # objects of a smaller half width are plates, not whole nuclei
    notch: float = 1.5  # depth in px that a notch in a plate may have without splitting it
    background_width: float = 4.0  # anything wider is background
    join_sisters: bool = True  # join the two plates of an anaphase into one object
    centre_radius: float = 0.45  # crops: disc in which the brightness of the nucleus is read


def segment_field(
    image: np.ndarray, settings: SegmentationSettings, um_per_px: float | None = None
) -> np.ndarray:
    """Label the nuclei of a fluorescence field, dim ones beside bright ones included.

    The background surface is subtracted; square roots compress the brightness so that one Otsu
    threshold finds dim interphase nuclei beside bright mitoses; touching nuclei are split where
    the distance map has a neck; then every nucleus gets its own edge, at a fraction of its own
    brightness.

    Parameters
    ----------
    image : (H, W) real, bright nuclei on a dark background, in counts.
    settings : see :class:`SegmentationSettings`.
    um_per_px : pixel size; used together with ``settings.nucleus_diameter_um`` only.

    Returns
    -------
    (H, W) int32; 0 = background, 1..k = nuclei.

    Raises
    ------
    InputError
        The image is not two-dimensional, is smaller than 16 px or holds NaN or infinity.
    """
    image = np.asarray(image)
    check_plane(image)
    floor = count_floor(image) * _SMOOTHED_NOISE
    smooth = ndi.gaussian_filter(image.astype(np.float32), 1.0, truncate=3.0)
    diameter = _field_diameter(smooth, floor, settings, um_per_px)
    labels = np.zeros(image.shape, dtype=np.int32)
    if diameter is None:
        return labels
    signal, spread = _flatten(smooth, settings.background_width * diameter, floor)
    signal = ndi.gaussian_filter(signal, max(0.03 * diameter, 0.5), truncate=3.0)
    count = 0
    for window, rough in _rough_objects(signal, spread, diameter, settings):
        for nucleus in _own_edges(signal[window], rough, diameter, settings):
            count += 1
            labels[window][nucleus] = count
    labels = keep_large(labels, settings.min_area * diameter**2)
    return join_sisters(labels, signal, diameter) if settings.join_sisters else labels


def segment_window(window: np.ndarray, settings: SegmentationSettings) -> np.ndarray:
    """Mask of the nucleus in the middle of a crop; empty where the middle holds none.

    Neighbours brighter than the middle are clipped to it before Otsu's threshold; the component
    with the largest central weight is kept, split at necks from what touches it, and joined with
    its sister plate if it is one half of an anaphase.

    Parameters
    ----------
    window : (H, W) real, in counts, nucleus near the middle, at the scale of
        ``settings.nucleus_diameter_px``.

    Returns
    -------
    (H, W) bool.

    Raises
    ------
    InputError
        As for :func:`segment_field`.
    """
    window = np.asarray(window)
    check_plane(window)
    raw = window.astype(np.float32)
    noise = noise_sd(raw, floor=count_floor(window)) * _SMOOTHED_NOISE
    smooth = ndi.gaussian_filter(raw, 1.0, truncate=3.0)
    radius = _distance_from_middle(window.shape)
    diameter = settings.nucleus_diameter_px
    dark, dim = np.percentile(smooth, [5.0, 30.0])
    middle = float(np.percentile(smooth[radius < settings.centre_radius * diameter], 90.0))
    if middle - dim < settings.min_contrast * noise:
        return np.zeros(window.shape, dtype=bool)
    clipped = np.clip(smooth, dark, middle)
    bright = ndi.binary_fill_holes(clipped > otsu_threshold(clipped))
    weight = np.exp(-0.5 * (radius / (0.3 * diameter)) ** 2)
    parts, chosen = _central_part(bright, weight, diameter, settings)
    mask = parts == chosen if chosen else np.zeros(window.shape, dtype=bool)
    if chosen and settings.join_sisters:
        mask = _with_sister(parts, chosen, smooth - dim, diameter)
    return mask


def segment_windows(windows: np.ndarray, settings: SegmentationSettings) -> np.ndarray:
    """Masks (n, H, W) bool of the nuclei in the middle of n windows; see :func:`segment_window`."""
    masks = [segment_window(window, settings) for window in windows]
    return np.stack(masks) if masks else np.zeros(windows.shape, bool)


def check_plane(image: np.ndarray) -> None:
    """Raise InputError unless ``image`` is a finite two-dimensional plane of at least 16 px."""
    if image.ndim != 2 or min(image.shape) < 16:
        raise InputError(
            f"an image of shape {image.shape} is no plane of at least 16 x 16 pixels; "
            "pass one channel of one frame"
        )
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        raise InputError("the image holds NaN or infinite values; replace them before this step")


def _field_diameter(
    smooth: np.ndarray, floor: float, settings: SegmentationSettings, um_per_px: float | None
) -> float | None:
    """Typical nucleus diameter in px: given, or estimated; None where nothing stands out."""
    if settings.nucleus_diameter_um is not None and um_per_px is not None:
        return settings.nucleus_diameter_um / um_per_px
    half = smooth[::2, ::2]
    signal, spread = _flatten(half, min(smooth.shape) / 8, floor)
    root = np.sqrt(np.maximum(signal, 0))
    bright = (root > otsu_threshold(root)) & (signal > settings.min_contrast * spread)
    bright = ndi.binary_fill_holes(ndi.binary_opening(bright))
    labels, count = ndi.label(bright)
    if count == 0:
        return None
    # Area-weighted median of the largest inscribed circle: neither specks nor clusters pull it.
    inscribed = np.zeros(count + 1)
    np.maximum.at(inscribed, labels[bright], distance_inside(bright)[bright])
    order = np.argsort(inscribed, kind="stable")
    share = np.cumsum(np.bincount(labels[bright], minlength=count + 1)[order])
    radius = inscribed[order][np.searchsorted(share, share[-1] / 2)]
    # Diameter = 2 radii, in a half-size image; 1.1: nuclei are longer than their inscribed circle.
    return float(np.clip(2 * 2 * 1.1 * radius, 6.0, min(smooth.shape) / 2))


def _flatten(smooth: np.ndarray, width_px: float, floor: float) -> tuple[np.ndarray, float]:
    """Subtract the background surface; returns the signal and the spread of the background."""
    signal = smooth - background_surface(smooth, width_px)
    mode, spread = mode_and_spread(signal[::2, ::2].ravel())
    return signal - np.float32(mode), max(spread, floor)


def _rough_objects(
    signal: np.ndarray, spread: float, diameter: float, settings: SegmentationSettings
) -> Iterator[tuple[_Window, np.ndarray]]:
    """Window and mask of everything above the global threshold, split at necks."""
    root = np.sqrt(np.maximum(signal, 0))
    bright = (root > otsu_threshold(root[::2, ::2])) & (signal > settings.min_contrast * spread)
    labels, _ = ndi.label(ndi.binary_fill_holes(bright))
    smallest = 0.5 * settings.min_area * diameter**2
    for label, window in enumerate(ndi.find_objects(labels), start=1):
        window = _grow(window, signal.shape)
        component = labels[window] == label
        if component.sum() < smallest:
            continue
        for part in _parts(component, diameter, settings):
            yield window, part


def _own_edges(
    signal: np.ndarray, rough: np.ndarray, diameter: float, settings: SegmentationSettings
) -> Iterator[np.ndarray]:
    """Masks of the nuclei in one rough object, each cut at a fraction of its own brightness.

    What a bright nucleus leaves over is a dim neighbour if it is thick enough, else its halo.
    """
    core = _above_own_level(signal, rough, settings.edge_fraction)
    yield from _components(core, diameter, settings)
    if core.sum() > 0.7 * rough.sum():
        return
    thickness = 0.17 * diameter
    rest = rough & ~core
    inner = distance_inside(rest) > thickness
    if not inner.any():
        return
    opened, count = ndi.label(rest & (distance_inside(~inner) <= thickness))
    for label in range(1, count + 1):
        dim = opened == label
        if dim.sum() >= 0.15 * diameter**2:
            dim = _above_own_level(signal, dim, settings.edge_fraction)
            yield from _components(dim, diameter, settings)


def _above_own_level(signal: np.ndarray, mask: np.ndarray, fraction: float) -> np.ndarray:
    """Part of ``mask`` brighter than a fraction of the mean of its brighter half, filled."""
    values = signal[mask]
    level = values[values >= values.mean()].mean()
    return ndi.binary_fill_holes(mask & (signal > fraction * level))


def _components(
    mask: np.ndarray, diameter: float, settings: SegmentationSettings
) -> Iterator[np.ndarray]:
    labels, count = ndi.label(mask)
    for label in range(1, count + 1):
        yield from _parts(labels == label, diameter, settings)


def _parts(
    component: np.ndarray, diameter: float, settings: SegmentationSettings
) -> Iterator[np.ndarray]:
    # Chromosome arms make a metaphase plate jagged: thin objects need a deeper neck.
    thin = distance_inside(component).max() < settings.thin * diameter
    deepest_notch = settings.notch if thin else _SHALLOW_PX
    labels = split_at_necks(component, settings.neck_depth, 0.04 * diameter, deepest_notch)
    for label in range(1, labels.max() + 1):
        yield labels == label


def _grow(window: _Window, shape: tuple[int, ...]) -> _Window:
    """One pixel of background around a window, but not beyond the image."""
    rows, columns = (
        slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(window, shape, strict=True)
    )
    return rows, columns


def _distance_from_middle(shape: tuple[int, ...]) -> np.ndarray:
    y, x = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape)
    return np.hypot(y[:, None], x[None, :])


def _central_part(
    bright: np.ndarray, weight: np.ndarray, diameter: float, settings: SegmentationSettings
) -> tuple[np.ndarray, int]:
    """Label image of all components, the central one split at its necks, and the central label."""
    labels, count = ndi.label(bright)
    if count == 0:
        return labels, 0
    chosen = _most_central(labels, weight)
    window = _grow(ndi.find_objects(labels)[chosen - 1], labels.shape)
    component = labels[window] == chosen
    parts = split_at_necks(component, settings.neck_depth, 0.04 * diameter, min_depth_px=1.0)
    if parts.max() > 1:
        labels[window][component] = parts[component] + count
        chosen = _most_central(labels, weight)
    return labels, chosen


def _most_central(labels: np.ndarray, weight: np.ndarray) -> int:
    total = np.bincount(labels.ravel(), weights=weight.ravel())
    total[0] = 0
    return int(total.argmax())


def _with_sister(parts: np.ndarray, chosen: int, signal: np.ndarray, diameter: float) -> np.ndarray:
    """Mask of the chosen part, with the sister plate nearest to it if it has one."""
    mask = parts == chosen
    plate = describe_plate(mask, signal)
    if not is_plate(plate, diameter):
        return mask
    best, nearest = 0, np.inf
    for label in range(1, parts.max() + 1):
        other = parts == label
        if label == chosen or not other.any():
            continue
        candidate = describe_plate(other, signal)
        distance = np.hypot(candidate.y - plate.y, candidate.x - plate.x)
        if distance < nearest and are_sisters(plate, candidate, diameter):
            best, nearest = label, distance
    return mask | (parts == best) if best else mask
