"""Probes that hold no proper nucleus, made from real windows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, label, shift

from occamscope.errors import InputError
from occamscope.scale import WHITE

GAP = 1.1  # two nuclei: distance of the centres in sums of the two equivalent radii
DEFOCUS_PX = 4.0


@dataclass(frozen=True)
class Probes:
    """Artificial windows that no class fits.

    Attributes
    ----------
    windows : ndarray, float32, shape (m, height, width)
        On the scale of stored windows (196 = 1.0), not yet segmented, masked or normalised;
        camera noise reaches below 0, as it does about a subtracted background.
    kind : ndarray of str, shape (m,)
        A key of `MAKERS`.
    variant : ndarray of str, shape (m,)
        What was done within the kind, e.g. "exact zeros" against "camera noise".
    source : ndarray of int, shape (m,)
        Row of the real window that the probe was made from (for "blank", "constant" and "noise"
        only the level of its noise was taken).
    """

    windows: np.ndarray
    kind: np.ndarray
    variant: np.ndarray
    source: np.ndarray


def make_probes(
    windows: np.ndarray, n_each: int, seed: int, kinds: tuple[str, ...] | None = None
) -> Probes:
    """Make `n_each` probes of every kind from real windows.

    The kinds: "blank" (camera noise or exact zeros), "constant" (one level, with or without
    noise), "noise" (white or correlated, as strong as a nucleus), "half_blank" (half of a real
    window set to 0, a vignette), "two_nuclei" (two real nuclei side by side about the centre),
    "defocus" (blurred with sigma 4 px), "saturated" (3 to 6 times too bright, clipped) and
    "inverted" (dark nucleus on a bright ground). Probes must pass through the same segmentation
    and normalisation as real crops.

    Parameters
    ----------
    windows : ndarray, uint8 or float, shape (n, height, width)
        Real windows, 196 = 1.0, background near 0, nucleus in the centre.
    n_each : int
        Probes of each kind.
    seed : int
        Seed of all random choices; each kind has its own stream.
    kinds : tuple of str, optional
        Kinds to make; all by default.

    Returns
    -------
    Probes

    Raises
    ------
    InputError
        If there are no windows, or a kind is unknown.
    """
    chosen = tuple(MAKERS) if kinds is None else kinds
    unknown = sorted(set(chosen) - set(MAKERS))
    if unknown:
        raise InputError(f"unknown probe kind {unknown[0]!r}; choose among {', '.join(MAKERS)}")
    if len(windows) == 0:
        raise InputError("no real windows to make probes from; include at least one test crop")
    images, names, variants, sources = [], [], [], []
    for kind in chosen:
        rng = np.random.default_rng([seed, list(MAKERS).index(kind)])
        for number in range(n_each):
            row = int(rng.integers(len(windows)))
            image, variant = MAKERS[kind](windows, row, number, rng)
            images.append(image.astype(np.float32))
            names.append(kind)
            variants.append(variant)
            sources.append(row)
    stack = np.stack(images) if images else np.zeros((0, *windows.shape[1:]), np.float32)
    return Probes(stack, np.array(names, str), np.array(variants, str), np.array(sources, int))


def noise_level(window: np.ndarray) -> float:
    """Sd of a window's background, in grey values of the window.

    Half of the background is clipped at 0 in stored windows, so the sd is read off the upper
    half: 84th minus 50th percentile. Background is what is darker than a quarter of a nucleus.
    """
    dark = window[gaussian_filter(window.astype(np.float32), 1.0) < WHITE / 4]
    if dark.size == 0:
        return 0.0
    middle, upper = np.percentile(dark, [50, 84.13])
    return float(upper - middle)


def central_nucleus(window: np.ndarray) -> np.ndarray:
    """Mask of the object nearest to the centre, at half the nucleus level."""
    parts, n = label(gaussian_filter(window.astype(np.float32), 1.0) > WHITE / 2)
    if n == 0:
        return np.zeros(window.shape, bool)
    y, x = np.indices(window.shape)
    away = np.hypot(y - (window.shape[0] - 1) / 2, x - (window.shape[1] - 1) / 2)
    away[parts == 0] = np.inf
    return parts == parts.flat[int(away.argmin())]


def _blank(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    if number % 2:
        return np.zeros(windows.shape[1:]), "exact zeros"
    return rng.normal(0, noise_level(windows[row]), windows.shape[1:]), "camera noise"


def _constant(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    level = np.full(windows.shape[1:], rng.uniform(0.1, 1.3) * WHITE)
    if number % 2:
        return level, "exact"
    return level + rng.normal(0, noise_level(windows[row]), level.shape), "camera noise"


def _noise(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    grain_px = 0.0 if number % 2 else rng.uniform(0.7, 4.0)
    field = rng.normal(size=windows.shape[1:])
    field = gaussian_filter(field, grain_px, mode="wrap")
    # Mean +- 2 sd then spans 0 to the level of a nucleus.
    field = WHITE * (0.5 + 0.25 * field / field.std())
    return field, "correlated" if grain_px else "white"


def _half_blank(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    image = windows[row].astype(float)
    cut = image.shape[0] // 2 + int(rng.integers(-3, 4))
    turns = number % 4
    turned = np.rot90(image, turns).copy()
    turned[:cut] = 0
    return np.rot90(turned, -turns), ("top", "right", "bottom", "left")[turns]


def _two_nuclei(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    other = int(rng.integers(len(windows)))
    masks = [central_nucleus(windows[r]) for r in (row, other)]
    gap_px = GAP * sum(np.sqrt(m.sum() / np.pi) for m in masks)
    angle = rng.uniform(0, np.pi)
    image = rng.normal(0, noise_level(windows[row]), windows.shape[1:])
    for side, r, mask in ((-0.5, row, masks[0]), (0.5, other, masks[1])):
        move = (side * gap_px * np.sin(angle), side * gap_px * np.cos(angle))
        cut = np.where(binary_dilation(mask, iterations=3), windows[r].astype(float), 0)
        image = np.maximum(image, shift(cut, move, order=1))
    return image, "side by side"


def _defocus(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    blurred = gaussian_filter(windows[row].astype(float), DEFOCUS_PX)
    # The camera's noise comes after the optics and is not blurred.
    return blurred + rng.normal(0, noise_level(windows[row]), blurred.shape), "sigma 4 px"


def _saturated(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    return np.minimum(windows[row] * rng.uniform(3, 6), 255.0), "3 to 6 times too bright"


def _inverted(
    windows: np.ndarray, row: int, number: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    return 255.0 - windows[row].astype(float), "255 minus the window"


Maker = Callable[[np.ndarray, int, int, np.random.Generator], tuple[np.ndarray, str]]
MAKERS: dict[str, Maker] = {
    "blank": _blank,
    "constant": _constant,
    "noise": _noise,
    "half_blank": _half_blank,
    "two_nuclei": _two_nuclei,
    "defocus": _defocus,
    "saturated": _saturated,
    "inverted": _inverted,
}
