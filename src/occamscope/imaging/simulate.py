"""Simulated fields of nuclei with known factors: placing, background, camera."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from occamscope.errors import InputError
from occamscope.imaging.nuclei import CLASS_NAMES, Nucleus, sample_nucleus
from occamscope.imaging.rendering import Patch, render_nucleus


@dataclass(frozen=True)
class SimulationSettings:
    """Settings of simulated fields; the defaults look like H2B-GFP HeLa at 10x."""

    frames: int = 4  # pages of one file
    height: int = 512  # px
    width: int = 512  # px
    nuclei_per_frame: int = 36  # centroids inside the frame; those at its edge are cut
    um_per_px: float = 0.65  # nuclei are drawn in um, so this sets their size in px
    # Relative frequencies of the classes (normalised to sum 1).
    interphase: float = 0.5
    prometaphase: float = 0.0
    metaphase: float = 0.5
    anaphase: float = 0.0
    apoptosis: float = 0.0
    # Placing.
    gap_um: float = 1.3  # least distance between the circles around two nuclei
    near_neighbours: float = 0.35  # share of nuclei placed close beside another one
    # Camera.
    offset: float = 400.0  # ADU without light
    gain_adu: float = 8.0  # ADU per photo-electron
    read_noise: float = 6.0  # photo-electrons, sd
    # Light that does not come from the nuclei' focal plane.
    background: float = 60.0  # photo-electrons per pixel
    background_gradient: float = 0.15  # largest relative change from the middle to an edge
    haze: float = 0.06  # share of the light that is scattered widely
    haze_um: float = 3.9  # sd of the scattered light
    # Differences between files (plates), log sd.
    stain_variation: float = 0.18  # of the intensity of all nuclei of a file
    background_variation: float = 0.15  # of the background of all frames of a file


_NOT_NEGATIVE = (
    "gap_um", "near_neighbours", "offset", "read_noise", "background", "background_gradient",
    "haze", "haze_um", "stain_variation", "background_variation",
)  # fmt: skip


@dataclass(frozen=True)
class SimulatedField:
    """One file: `pages` uint16 (frames, height, width) in ADU, and a row of truth per nucleus.

    Columns of `truth`: `frame, y, x` (centroid; px, row and column), `class, area_um2, area_px,
    aspect_ratio, ellipticity, theta_rad, e_cos2theta, e_sin2theta` (of the sharp outline; anaphase
    and apoptosis: of all bodies together), `intensity` (ADU above the background, nominal level
    of the chromatin before blur), `texture_contrast` (sd relative to the intensity),
    `texture_grain_px` (sd of its smoothing), `background` (ADU, offset included, at the centroid),
    `defocus_px` (sd of the blur).
    """

    pages: NDArray[np.uint16]
    truth: pd.DataFrame


@dataclass(frozen=True)
class _Plate:
    """What the frames of one file share."""

    stain: float
    background: float  # photo-electrons
    slope: tuple[float, float]  # relative change of the background to the lower and right edge


def class_names() -> tuple[str, ...]:
    """Names of the simulated classes, in the order of their labels."""
    return CLASS_NAMES


def simulate_field(settings: SimulationSettings, seed: int) -> SimulatedField:
    """Simulate one multi-page file of nuclei with known factors.

    Pages are independent frames of one plate: they share stain, background and its gradient. The
    first pages do not change when `settings.frames` grows.

    Raises
    ------
    InputError
        If a setting is out of range or the nuclei do not fit into a frame.
    """
    _check(settings)
    plate = _sample_plate(settings, np.random.default_rng([seed, 0]))
    pages = np.empty((settings.frames, settings.height, settings.width), np.uint16)
    rows: list[dict[str, object]] = []
    for frame in range(settings.frames):
        rng = np.random.default_rng([seed, 1 + frame])
        nuclei = [sample_nucleus(name, rng) for name in _draw_classes(settings, rng)]
        places = place_nuclei(np.array([n.radius_um for n in nuclei]), settings, rng)
        level = _background(settings, plate)
        light = _light(nuclei, places, plate, settings, rng)
        pages[frame] = expose(level + light, settings, rng)
        rows += [
            {"frame": frame, **_truth(n, yx, level, plate, settings)}
            for n, yx in zip(nuclei, places, strict=True)
        ]
    return SimulatedField(pages, pd.DataFrame(rows))


def place_nuclei(
    radii_um: NDArray[np.float64], settings: SimulationSettings, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Place circles without overlap, some of them close beside another; their borders may be cut.

    Returns
    -------
    float (n, 2)
        Rows and columns of the centres in px, inside the frame.

    Raises
    ------
    InputError
        If a circle finds no place.
    """
    radii = np.asarray(radii_um) / settings.um_per_px
    gap = settings.gap_um / settings.um_per_px
    frame = np.array([settings.height - 1, settings.width - 1], float)
    places = np.empty((len(radii), 2))
    for i, radius in enumerate(radii):
        candidates = rng.uniform(0, 1, (400, 2)) * frame
        if i > 0 and rng.random() < settings.near_neighbours:
            near = rng.integers(0, i, 50)
            distance = radius + radii[near] + gap * rng.uniform(1, 5, 50)
            angle = rng.uniform(0, 2 * np.pi, 50)
            step = distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
            candidates = np.concatenate([places[near] + step, candidates])
        away = np.linalg.norm(candidates[:, None] - places[None, :i], axis=2)
        free = (away >= radius + radii[:i] + gap).all(1)
        free &= ((candidates >= 0) & (candidates <= frame)).all(1)
        if not free.any():
            raise InputError(
                f"{len(radii)} nuclei do not fit into {settings.height} x {settings.width} px: "
                "lower nuclei_per_frame or enlarge the frame"
            )
        places[i] = candidates[free.argmax()]
    return places


def expose(
    light: NDArray[np.floating], settings: SimulationSettings, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Camera: Poisson noise of the photo-electrons, read noise, gain and offset, 16 bit."""
    electrons = rng.poisson(np.maximum(light, 0)) + rng.normal(0, settings.read_noise, light.shape)
    counts = settings.offset + settings.gain_adu * electrons
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _draw_classes(settings: SimulationSettings, rng: np.random.Generator) -> list[str]:
    """Classes of the nuclei of a frame, in random order.

    Systematic sampling: counts differ from their expectation by less than one, without bias for
    rare classes.
    """
    shares = np.array([getattr(settings, name) for name in CLASS_NAMES], float)
    n = settings.nuclei_per_frame
    steps = (np.arange(n) + rng.random()) / n
    index = np.searchsorted(np.cumsum(shares) / shares.sum(), steps, side="right")
    last = np.flatnonzero(shares)[-1]  # a step may round up to 1
    return [CLASS_NAMES[i] for i in rng.permutation(np.minimum(index, last))]


def _sample_plate(settings: SimulationSettings, rng: np.random.Generator) -> _Plate:
    """Draw what the frames of a file share."""
    angle = rng.uniform(0, 2 * np.pi)
    steep = settings.background_gradient * rng.uniform(0.3, 1)
    return _Plate(
        stain=float(np.exp(rng.normal(0, settings.stain_variation))),
        background=settings.background * np.exp(rng.normal(0, settings.background_variation)),
        slope=(steep * np.sin(angle), steep * np.cos(angle)),
    )


def _background(settings: SimulationSettings, plate: _Plate) -> NDArray[np.float32]:
    """Background light (height, width) in photo-electrons: a slanted plane."""
    rows = np.linspace(-1, 1, settings.height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, settings.width, dtype=np.float32)
    slant = 1 + plate.slope[0] * rows + plate.slope[1] * columns
    return (plate.background * slant).astype(np.float32)


def _light(
    nuclei: list[Nucleus],
    places: NDArray[np.float64],
    plate: _Plate,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Light of all nuclei (height, width) in photo-electrons, with its haze."""
    light = np.zeros((settings.height, settings.width), np.float32)
    for nucleus, (y, x) in zip(nuclei, places, strict=True):
        _add(light, render_nucleus(nucleus, y, x, settings.um_per_px, rng))
    haze = gaussian_filter(light, settings.haze_um / settings.um_per_px)
    return np.float32(plate.stain) * (light + np.float32(settings.haze) * haze)


def _add(light: NDArray[np.float32], patch: Patch) -> None:
    """Add a patch to the field in place; what lies beyond the border is lost."""
    height, width = patch.signal.shape
    top, left = max(patch.row, 0), max(patch.column, 0)
    bottom = min(patch.row + height, light.shape[0])
    right = min(patch.column + width, light.shape[1])
    light[top:bottom, left:right] += patch.signal[
        top - patch.row : bottom - patch.row, left - patch.column : right - patch.column
    ]


def _truth(
    nucleus: Nucleus,
    place: NDArray[np.float64],
    level: NDArray[np.float32],
    plate: _Plate,
    settings: SimulationSettings,
) -> dict[str, object]:
    """The row of the truth table of one nucleus, without its frame."""
    e, theta = nucleus.ellipticity, nucleus.theta_rad
    y, x = place
    local = float(level[round(y), round(x)])
    return {
        "y": y,
        "x": x,
        "class": nucleus.cell_class,
        "area_um2": nucleus.area_um2,
        "area_px": nucleus.area_um2 / settings.um_per_px**2,
        "aspect_ratio": nucleus.aspect_ratio,
        "ellipticity": e,
        "theta_rad": theta,
        "e_cos2theta": e * np.cos(2 * theta),
        "e_sin2theta": e * np.sin(2 * theta),
        "intensity": settings.gain_adu * plate.stain * nucleus.intensity,
        "texture_contrast": nucleus.texture_contrast,
        "texture_grain_px": nucleus.texture_grain_um / settings.um_per_px,
        "background": settings.offset + settings.gain_adu * local,
        "defocus_px": nucleus.defocus_um / settings.um_per_px,
    }


def _check(settings: SimulationSettings) -> None:
    """Refuse settings that cannot be simulated."""
    shares = [getattr(settings, name) for name in CLASS_NAMES]
    if min(shares) < 0 or sum(shares) <= 0:
        raise InputError(
            f"class frequencies of the simulation must be >= 0 and not all 0, not {shares}"
        )
    for name in ("frames", "height", "width", "nuclei_per_frame", "um_per_px", "gain_adu"):
        if not getattr(settings, name) > 0:
            raise InputError(
                f"{name} of the simulation must be above 0, not {getattr(settings, name)}"
            )
    for name in _NOT_NEGATIVE:
        if not getattr(settings, name) >= 0:
            raise InputError(
                f"{name} of the simulation must not be negative, but is {getattr(settings, name)}"
            )
