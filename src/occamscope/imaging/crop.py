"""Crops of nuclei out of fields and out of windows, all at one scale."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi

from occamscope.errors import InputError
from occamscope.imaging.normalise import (
    HALO_PX,
    CropSettings,
    PreparedCrop,
    Scene,
    background_noise,
    distance_outside,
    prepare_scene,
    prepare_window,
    white_level,
)
from occamscope.imaging.padding import padding_mask
from occamscope.imaging.resample import (
    check_zoom,
    rescaled_shape,
    sample,
    saturation_level,
    smooth_for_zoom,
)
from occamscope.imaging.segment import SegmentationSettings, check_plane, segment_window

__all__ = [
    "CropSettings",
    "ObjectCrops",
    "PreparedCrop",
    "cut_objects",
    "prepare_crops",
    "prepare_window",
]

# Windows are segmented with this much around the crop, so that centring loses nothing.
_MARGIN_PX = 16


@dataclass(frozen=True)
class ObjectCrops:
    """Crops of n nuclei, S = size. Intensities: 196 = 1.0 = robust maximum of the nucleus."""

    images: np.ndarray  # (n, S, S) uint8, masked and centred: what models see
    windows: np.ndarray  # (n, S, S) uint8, the same without masking
    masks: np.ndarray  # (n, S, S) bool
    object_label: np.ndarray  # (n,) int32, label in the page; position in the stack for windows
    y: np.ndarray  # (n,) float64, centroid row in the source, px
    x: np.ndarray  # (n,) float64, centroid column in the source, px
    area_px: np.ndarray  # (n,) int32, of the mask, px of the crop
    intensity_scale: np.ndarray  # (n,) float64, counts above background shown as 1.0
    background: np.ndarray  # (n,) float64, counts
    contrast_to_noise: np.ndarray  # (n,) float64, (p95 of the nucleus - background) / noise sd
    saturated: np.ndarray  # (n,) float64, fraction of the nucleus at the detector's maximum
    padding: np.ndarray  # (n,) float64, fraction of the crop that lies beyond the source
    touches_border: np.ndarray  # (n,) bool, nucleus cut by the border of the source or the crop

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class _Cut:
    """One crop and what only its source tells."""

    crop: PreparedCrop
    label: int
    y: float
    x: float
    saturated: float
    touches_border: bool


def cut_objects(
    page: np.ndarray, labels: np.ndarray, zoom: float, settings: CropSettings
) -> ObjectCrops:
    """Crops of all labelled nuclei of one page, in the order of their labels.

    Parameters
    ----------
    page : (H, W) real, in counts.
    labels : (H, W) integer, 0 = background.
    zoom : crop px per source px; below 1 the page is low-passed before it is sampled.
    settings : see :class:`CropSettings`.

    Raises
    ------
    InputError
        Shapes differ, the page is no finite plane, or the zoom makes no sense.
    """
    page = np.asarray(page)
    check_plane(page)
    check_zoom(zoom)
    if labels.shape != page.shape:
        raise InputError(f"label image {labels.shape} and page {page.shape} differ in shape")
    return _stack(_cut_each(page, labels, zoom, settings), settings.size)


def prepare_crops(
    windows: np.ndarray, zoom: float, segmentation: SegmentationSettings, settings: CropSettings
) -> ObjectCrops:
    """Crops of windows that each show one nucleus near the middle, segmented here.

    Parameters
    ----------
    windows : (n, H, W) real, in counts; any H and W, e.g. 80 x 80.
    zoom : crop px per source px.
    segmentation, settings : see their classes; the segmentation works at the crop's scale.

    Raises
    ------
    InputError
        The windows are no stack of finite planes, or the zoom makes no sense.
    """
    windows = np.asarray(windows)
    if windows.ndim != 3:
        raise InputError(f"crops must be a stack (n, height, width), got shape {windows.shape}")
    check_zoom(zoom)
    full = saturation_level(windows)
    cuts = (
        _prepare_one(window, index, full, zoom, segmentation, settings)
        for index, window in enumerate(windows)
    )
    return _stack(cuts, settings.size)


def _cut_each(
    page: np.ndarray, labels: np.ndarray, zoom: float, settings: CropSettings
) -> Iterator[_Cut]:
    halo = max(1, round(HALO_PX / zoom))
    clear = ~ndi.maximum_filter(labels > 0, size=2 * halo + 1)
    noise, white = background_noise(page, clear), white_level(page, settings)
    full, smooth = saturation_level(page), smooth_for_zoom(page, zoom)
    for label, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        inside = labels[box] == label
        rows, columns = np.nonzero(inside)
        y, x = float(rows.mean() + box[0].start), float(columns.mean() + box[1].start)
        counts = sample(smooth, y, x, zoom, (settings.size, settings.size))
        mask, others = _sample_labels(labels, label, y, x, zoom, settings.size)
        scene = Scene(counts, mask, np.isfinite(counts), others, noise, white)
        # The square is centred on the nucleus already.
        crop = prepare_scene(scene, replace(settings, centre=False))
        cut_off = any(s.start == 0 or s.stop == n for s, n in zip(box, page.shape, strict=True))
        saturated = float(np.mean(page[box][inside] >= full))
        yield _Cut(crop, label, y, x, saturated, cut_off or _on_frame(crop.mask))


def _sample_labels(
    labels: np.ndarray, label: int, y: float, x: float, zoom: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Masks (size, size) of one nucleus and of all others, in the square around (y, x)."""
    reach = int(size / 2 / zoom) + 3
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    near = labels[top : int(y) + reach + 1, left : int(x) + reach + 1]
    at = (y - top, x - left, zoom, (size, size))
    mask = sample((near == label).astype(np.float32), *at) >= 0.5
    others = sample(((near > 0) & (near != label)).astype(np.float32), *at) > 0
    return mask, others & ~mask


def _prepare_one(
    window: np.ndarray,
    index: int,
    full: float,
    zoom: float,
    segmentation: SegmentationSettings,
    settings: CropSettings,
) -> _Cut:
    check_plane(window)
    padded = padding_mask(window)
    filled = window.astype(np.float32)
    if padded.any():
        filled[padded] = np.percentile(filled[~padded], 30)
    counts = _rescale(smooth_for_zoom(filled, zoom), zoom, settings.size)
    valid = _rescale((~padded).astype(np.float32), zoom, settings.size) > 0.99
    mask = segment_window(counts, segmentation) & valid
    in_source = _to_source(mask, window.shape, zoom)
    noise = background_noise(window, ~padded & (distance_outside(in_source) > HALO_PX / zoom))
    none = np.zeros_like(mask)
    scene = Scene(counts, mask, valid, none, noise, white_level(window, settings))
    crop = prepare_scene(scene, settings)
    y, x = _centroid(in_source)
    inside = window[in_source]
    saturated = float(np.mean(inside >= full)) if inside.size else 0.0
    cut_off = bool((mask & ndi.binary_dilation(~valid, border_value=1)).any())
    return _Cut(crop, index, y, x, saturated, cut_off or _on_frame(crop.mask))


def _rescale(window: np.ndarray, zoom: float, size: int) -> np.ndarray:
    """``window`` at the crop's scale, cut to the crop and a margin around its middle."""
    shape = rescaled_shape(window.shape, zoom, size + 2 * _MARGIN_PX)
    if zoom == 1 and shape == window.shape:
        return window
    y, x = ((n - 1) / 2 for n in window.shape)
    return sample(window, y, x, zoom, shape)


def _to_source(mask: np.ndarray, shape: tuple[int, int], zoom: float) -> np.ndarray:
    """A mask at the crop's scale back in the pixels of its window."""
    if zoom == 1 and mask.shape == shape:
        return mask
    y, x = ((n - 1) / 2 for n in mask.shape)
    return sample(mask.astype(np.float32), y, x, 1 / zoom, shape) >= 0.5


def _centroid(mask: np.ndarray) -> tuple[float, float]:
    """Mean row and column of a mask; the middle of an empty one."""
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return (mask.shape[0] - 1) / 2, (mask.shape[1] - 1) / 2
    return float(rows.mean()), float(columns.mean())


def _on_frame(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _stack(cuts: Iterable[_Cut], size: int) -> ObjectCrops:
    """Columns of many crops; keeps uint8 only, so that thousands fit into memory."""
    cuts = list(cuts)
    crops = [c.crop for c in cuts]
    n = len(cuts)

    def pictures(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
        return np.stack(arrays) if n else np.zeros((0, size, size), dtype=dtype)

    masks = pictures([c.mask for c in crops], bool)
    return ObjectCrops(
        images=pictures([c.image for c in crops], np.uint8),
        windows=pictures([c.window for c in crops], np.uint8),
        masks=masks,
        object_label=np.array([c.label for c in cuts], dtype=np.int32),
        y=np.array([c.y for c in cuts], dtype=np.float64),
        x=np.array([c.x for c in cuts], dtype=np.float64),
        area_px=masks.sum(axis=(1, 2)).astype(np.int32),
        intensity_scale=np.array([c.intensity_scale for c in crops], dtype=np.float64),
        background=np.array([c.background for c in crops], dtype=np.float64),
        contrast_to_noise=np.array([c.contrast_to_noise for c in crops], dtype=np.float64),
        saturated=np.array([c.saturated for c in cuts], dtype=np.float64),
        padding=np.array([c.padding for c in crops], dtype=np.float64),
        touches_border=np.array([c.touches_border for c in cuts], dtype=bool),
    )
