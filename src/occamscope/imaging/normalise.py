"""One crop: background subtracted, scaled to the nucleus' own brightness, masked, centred."""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from scipy.special import ndtr

from occamscope.errors import InputError
from occamscope.imaging.background import count_floor, noise_sd
from occamscope.imaging.padding import padding_mask
from occamscope.imaging.resample import raw_white
from occamscope.imaging.segment import check_plane
from occamscope.scale import CROP_SIZE, WHITE

# Pixels this near to a nucleus hold its blur and count as no background.
HALO_PX = 3.0
# Fewer background pixels than this say nothing about level and noise.
_ENOUGH_PX = 200
# The crop shows 0 .. 255 / WHITE; brighter pixels are clipped.
_BRIGHTEST = 255 / WHITE


@dataclass(frozen=True)
class CropSettings:
    """How a crop is prepared. Lengths in px of the finished crop."""

    size: int = CROP_SIZE  # width and height
    nucleus_diameter_px: float = 27.0  # typical nucleus, where the pixel size is unknown
    um_per_px: float | None = None  # scale of the crops, where the pixel size is known
    mask: bool = True  # background and neighbours to 0
    centre: bool = True  # centroid of the mask to the middle
    normalise: bool = True  # False: one fixed scale for all crops (brightness stays visible)
    raw_scale: float | None = None  # normalise=False: counts shown as 1.0; None = from the dtype
    soft_edge_px: float = 1.0  # sd of the mask's soft edge; 0 = hard
    dilate_px: float = 2.0  # the mask's edge lies this far outside the nucleus
    blur_px: float = 0.8  # sd of the Gaussian against pixel noise; 0 = none
    divisor_floor: float = 4.0  # a nucleus dimmer than this many noise sd is not brightened


@dataclass(frozen=True)
class PreparedCrop:
    """One crop, S = size; 196 = 1.0 = robust maximum of the nucleus."""

    image: np.ndarray  # (S, S) uint8, masked and centred
    window: np.ndarray  # (S, S) uint8, the same without masking
    mask: np.ndarray  # (S, S) bool
    intensity_scale: float  # counts above background shown as 1.0
    background: float  # counts
    contrast_to_noise: float  # (p95 of the nucleus - background) / noise sd; 0 without a nucleus
    padding: float  # fraction of the crop that is no data


@dataclass(frozen=True)
class Scene:
    """A window at the crop's scale and what is known about it; all arrays (H, W)."""

    counts: np.ndarray  # float32
    mask: np.ndarray  # bool, the nucleus
    valid: np.ndarray  # bool, real data; counts elsewhere may be anything
    others: np.ndarray  # bool, other nuclei
    noise: float  # sd of the background noise, counts
    white: float  # counts shown as 1.0 when not normalising


def prepare_window(window: np.ndarray, mask: np.ndarray, settings: CropSettings) -> PreparedCrop:
    """Make a crop of a window that is at the crop's scale already.

    Blur; subtract the local background; divide by the 95th percentile of the nucleus, or by
    ``divisor_floor`` noise sd if that is more (so a blank stays blank); move the mask's centroid
    to the middle; multiply by the dilated mask with a soft edge.

    Parameters
    ----------
    window : (H, W) real, in counts; any size, cut or filled up to ``settings.size``.
    mask : (H, W) bool, the nucleus; an empty one gives an empty image.
    settings : see :class:`CropSettings`.

    Raises
    ------
    InputError
        Window and mask differ in shape, or the window is no finite plane.
    """
    window = np.asarray(window)
    check_plane(window)
    if mask.shape != window.shape:
        raise InputError(f"mask {mask.shape} and window {window.shape} differ in shape")
    valid = ~padding_mask(window)
    scene = Scene(
        counts=window.astype(np.float32),
        mask=mask.astype(bool),
        valid=valid,
        others=np.zeros(mask.shape, dtype=bool),
        noise=background_noise(window, valid & (distance_outside(mask) > HALO_PX)),
        white=white_level(window, settings),
    )
    return prepare_scene(scene, settings)


def prepare_scene(scene: Scene, settings: CropSettings) -> PreparedCrop:
    """The steps of :func:`prepare_window` with noise, neighbours and padding known."""
    outside = distance_outside(scene.mask)
    smooth = np.where(scene.valid, scene.counts, 0)
    if settings.blur_px:
        smooth = _blur_valid(smooth, scene.valid, settings.blur_px)
    background = _background(smooth, scene, outside)
    contrast = _nucleus_level(smooth, scene) - background
    scale = max(contrast, settings.divisor_floor * scene.noise)
    if not settings.normalise:
        scale = scene.white
    shown = np.clip((smooth - background) / scale, 0, _BRIGHTEST)
    shown[~scene.valid] = 0
    soft = _soft_mask(outside, scene.others, settings) if settings.mask else np.ones_like(shown)
    layers = np.stack([shown, shown * soft, scene.mask, scene.valid]).astype(np.float32)
    window, image, mask, valid = _place(layers, _middle(scene.mask, settings), settings.size)
    return PreparedCrop(
        image=_to_uint8(image),
        window=_to_uint8(window),
        mask=mask >= 0.5,
        intensity_scale=float(scale),
        background=float(background),
        contrast_to_noise=float(contrast / scene.noise) if scene.mask.any() else 0.0,
        padding=float(np.mean(valid < 0.5)),
    )


def background_noise(window: np.ndarray, clear: np.ndarray) -> float:
    """Noise sd in counts from the background pixels ``clear``, or from all if they are few."""
    where = clear if clear.sum() >= _ENOUGH_PX else None
    return noise_sd(window.astype(np.float32), where, count_floor(window))


def white_level(window: np.ndarray, settings: CropSettings) -> float:
    """Counts shown as 1.0 when not normalising (1.0, unused, when normalising)."""
    if settings.normalise:
        return 1.0
    return settings.raw_scale if settings.raw_scale is not None else raw_white(window)


def distance_outside(mask: np.ndarray) -> np.ndarray:
    """Distance of every pixel to the nearest pixel of ``mask``, in px; infinite for an empty one."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return ndi.distance_transform_edt(~mask)


def _blur_valid(counts: np.ndarray, valid: np.ndarray, sd: float) -> np.ndarray:
    """Gaussian over the valid pixels only (normalised convolution)."""
    blurred = ndi.gaussian_filter(counts, sd)
    if valid.all():
        return blurred
    weight = ndi.gaussian_filter(valid.astype(np.float32), sd)
    return blurred / np.maximum(weight, 1e-6)


def _background(smooth: np.ndarray, scene: Scene, outside: np.ndarray) -> float:
    """Median of what is neither nucleus nor known neighbour.

    Where unknown neighbours fill much of the window, or no background is left, the 30th percentile
    of all takes over.
    """
    valid = smooth[scene.valid]
    if valid.size == 0:
        return 0.0
    dim = float(np.percentile(valid, 30))
    clear = smooth[scene.valid & ~scene.others & (outside > HALO_PX)]
    if clear.size < _ENOUGH_PX:
        return dim
    median = float(np.median(clear))
    return median if median <= dim + 3 * scene.noise else dim


def _nucleus_level(smooth: np.ndarray, scene: Scene) -> float:
    """Robust maximum: 95th percentile of the nucleus, or of the whole window without one."""
    values = smooth[scene.mask & scene.valid]
    if values.size == 0:
        values = smooth[scene.valid]
    return float(np.percentile(values, 95)) if values.size else 0.0


def _soft_mask(outside: np.ndarray, others: np.ndarray, settings: CropSettings) -> np.ndarray:
    """1 on the nucleus, falling to 0 around ``dilate_px`` outside it as a Gaussian edge.

    0 on other nuclei: a bright plate beside a dim nucleus would outshine it.
    """
    beyond = settings.dilate_px + 0.5 - outside
    soft = (beyond > 0).astype(np.float32)
    if settings.soft_edge_px > 0:
        edge = (outside > 0) & (np.abs(beyond) < 5 * settings.soft_edge_px)
        soft[edge] = ndtr(beyond[edge] / settings.soft_edge_px)
    soft[others] = 0
    return soft


def _middle(mask: np.ndarray, settings: CropSettings) -> tuple[float, float]:
    """Point of the window that comes to the middle of the crop."""
    if settings.centre and mask.any():
        rows, columns = np.nonzero(mask)
        return float(rows.mean()), float(columns.mean())
    return (mask.shape[0] - 1) / 2, (mask.shape[1] - 1) / 2


def _place(layers: np.ndarray, middle: tuple[float, float], size: int) -> np.ndarray:
    """Cut (k, size, size) around ``middle`` out of (k, H, W), linearly; 0 beyond the window."""
    corner = [m - (size - 1) / 2 for m in middle]
    whole = [int(np.floor(c)) for c in corner]
    down, right = (np.float32(c - w) for c, w in zip(corner, whole, strict=True))
    cut = np.zeros((len(layers), size + 1, size + 1), dtype=np.float32)
    target, source = zip(
        *(_overlap(w, size + 1, n) for w, n in zip(whole, layers.shape[1:], strict=True)),
        strict=True,
    )
    cut[:, *target] = layers[:, *source]
    rows = cut[:, :-1] * (1 - down) + cut[:, 1:] * down
    return rows[:, :, :-1] * (1 - right) + rows[:, :, 1:] * right


def _overlap(start: int, length: int, available: int) -> tuple[slice, slice]:
    """Slices (in the cut, in the window) of what [start, start + length) shares with the window."""
    low, high = max(start, 0), max(min(start + length, available), 0)
    low = min(low, high)
    return slice(low - start, high - start), slice(low, high)


def _to_uint8(shown: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(shown * np.float32(WHITE)), 0, 255).astype(np.uint8)
