"""Draw one simulated nucleus: the light that its chromatin sends, without noise."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, gamma, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from occamscope.imaging.nuclei import Body, Nucleus, body_frame

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """Light of a nucleus in photo-electrons; `row`, `column` of the first pixel in the field."""

    signal: Image
    row: int
    column: int


@dataclass(frozen=True)
class _Grid:
    """Pixel centres of a patch in um from the nucleus' centroid, y up."""

    x: Image
    y: Image
    um_per_px: float


def render_nucleus(
    nucleus: Nucleus,
    y_px: float,
    x_px: float,
    um_per_px: float,
    rng: np.random.Generator,
) -> Patch:
    """Draw a nucleus with its centroid at row `y_px`, column `x_px` of a field (no noise).

    What the factors leave open (nucleoli, outline, jagged edges, texture) is drawn from `rng`, so
    that neither area nor axes nor angle change at first order.
    """
    reach_um = max(nucleus.radius_um, nucleus.glow_radius_um if nucleus.glow > 0 else 0.0)
    half = ceil((1.15 * reach_um + 4 * nucleus.defocus_um) / um_per_px) + 2
    row, column = int(y_px) - half, int(x_px) - half
    pixels = np.arange(2 * half + 1, dtype=np.float32)
    x = (pixels + np.float32(column - x_px)) * np.float32(um_per_px)
    y = (pixels + np.float32(row - y_px)) * np.float32(-um_per_px)
    x_grid, y_grid = np.meshgrid(x, y)
    grid = _Grid(x_grid, y_grid, um_per_px)
    signal = nucleus.intensity * _RENDERERS[nucleus.cell_class](nucleus, grid, rng)
    if nucleus.glow > 0:
        signal += nucleus.glow * _cell_body(nucleus, grid, rng)
    signal = gaussian_filter(signal.astype(np.float32), nucleus.defocus_um / um_per_px, truncate=3)
    return Patch(signal, row, column)


def _interphase(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Large smooth ellipse with texture, up to three nucleoli and a slightly dimmer rim."""
    (body,) = nucleus.bodies
    u, v = body_frame(grid.x, grid.y, body)
    depth = _depth(u, v, body, _ripple(u, v, body, 0.03, rng))
    light = 1 + nucleus.texture_contrast * _texture(nucleus, grid, rng)
    for _ in range(rng.integers(0, 4)):
        distance, angle = rng.uniform(0, 0.55), rng.uniform(0, 2 * pi)
        du = u - distance * body.semi_major_um * np.cos(angle)
        dv = v - distance * body.semi_minor_um * np.sin(angle)
        spot = np.exp(-(du**2 + dv**2) / 2 / rng.uniform(0.8, 1.8) ** 2)
        light *= 1 - 1.6 * nucleus.texture_contrast * spot
    slope = rng.normal(0, 0.009, 2)
    light *= 1 + slope[0] * grid.x + slope[1] * grid.y
    rim = 0.8 + 0.2 * np.clip(depth / 3, 0, 1)
    return expit(depth / 0.5) * np.clip(light, 0.1, 3) * rim


def _prometaphase(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Ring or clump of condensed chromosomes in a round outline, sometimes open on one side."""
    (body,) = nucleus.bodies
    ring, gap = rng.uniform(0, 1), rng.uniform(0, 2 * pi)
    angle = rng.uniform(0, 2 * pi, rng.integers(22, 40))
    in_gap = np.abs((angle - gap + pi) % (2 * pi) - pi) < 0.6
    angle = angle[~in_gap | (rng.random(len(angle)) > 0.6 * ring)]
    hole = 0.45 if ring > 0.6 else 0.0
    distance = 0.9 * np.sqrt(rng.uniform(hole**2, 1, len(angle)))
    u, v = body_frame(grid.x, grid.y, body)
    light = np.zeros(u.shape, np.float32)
    for du, dv in zip(distance * np.cos(angle), distance * np.sin(angle), strict=True):
        arm = Body(
            du * body.semi_major_um, dv * body.semi_minor_um,
            rng.uniform(1.3, 3.0), rng.uniform(0.8, 1.4), rng.uniform(0, pi),
        )  # fmt: skip
        light += rng.uniform(0.45, 1) * expit(_depth(*body_frame(u, v, arm), arm) / 0.45)
    base = expit((_depth(u, v, body, _ripple(u, v, body, 0.06, rng)) - 0.3) / 0.45)
    texture = 1 + 0.5 * nucleus.texture_contrast * _texture(nucleus, grid, rng)
    return np.minimum(0.3 * base + 0.55 * light, 1.9) / 1.3 * texture


def _metaphase(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Bright plate with blunt ends and jagged faces, at times with a lagging chromosome."""
    (body,) = nucleus.bodies
    plate = _plate(grid, body, rng, bend=rng.normal(0, 0.011))
    texture = 1 + 0.9 * nucleus.texture_contrast * _texture(nucleus, grid, rng)
    light = plate * np.clip(texture, 0.3, 2)
    if rng.random() < 0.3:
        u, v = body_frame(grid.x, grid.y, body)
        arm = Body(
            rng.uniform(-0.8, 0.8) * body.semi_major_um,
            rng.choice([-1, 1]) * rng.uniform(0.8, 1.3) * body.semi_minor_um,
            rng.uniform(1.3, 2.6), rng.uniform(0.8, 1.3), rng.uniform(0, pi),
        )  # fmt: skip
        light = np.maximum(light, 0.7 * expit(_depth(*body_frame(u, v, arm), arm) / 0.45))
    return light


def _anaphase(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Two parallel plates, their ends bent a little towards each other."""
    light = np.zeros(grid.x.shape, np.float32)
    for side, body in zip((1, -1), nucleus.bodies, strict=True):
        plate = _plate(grid, body, rng, bend=-side * rng.uniform(0, 0.03))
        light += body.brightness * plate
    return light * (1 + 0.6 * nucleus.texture_contrast * _texture(nucleus, grid, rng))


def _apoptosis(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Bright round fragments of unequal size."""
    light = np.zeros(grid.x.shape, np.float32)
    for body in nucleus.bodies:
        u, v = body_frame(grid.x, grid.y, body)
        depth = _depth(u, v, body, _ripple(u, v, body, 0.06, rng))
        light = np.maximum(light, body.brightness * expit(depth / 0.5))
    return light * (1 + nucleus.texture_contrast * _texture(nucleus, grid, rng))


_RENDERERS: dict[str, Callable[[Nucleus, _Grid, np.random.Generator], Image]] = {
    "interphase": _interphase,
    "prometaphase": _prometaphase,
    "metaphase": _metaphase,
    "anaphase": _anaphase,
    "apoptosis": _apoptosis,
}


def _depth(u: Image, v: Image, body: Body, ripple: Image | float = 0.0) -> Image:
    """Depth below the outline of a body in um, about the signed distance; positive inside."""
    radius = np.hypot(u / body.semi_major_um, v / body.semi_minor_um) * (1 + ripple)
    return (1 - radius) * sqrt(body.semi_major_um * body.semi_minor_um)


def _ripple(u: Image, v: Image, body: Body, size: float, rng: np.random.Generator) -> Image:
    """Relative waves of an outline.

    Harmonics start at 3: the first ones would shift, turn or stretch the nucleus against its truth.
    """
    angle = np.arctan2(v / body.semi_minor_um, u / body.semi_major_um)
    waves = np.zeros(u.shape, np.float32)
    for k in range(3, 7):
        waves += rng.normal() * (3 / k) ** 1.5 * np.cos(k * angle + rng.uniform(0, 2 * pi))
    return size * waves


def _plate(grid: _Grid, body: Body, rng: np.random.Generator, bend: float) -> Image:
    """A buckled plate: superellipse of the body's area and aspect ratio, thickness varying."""
    power = 3.6
    area = 4 * gamma(1 + 1 / power) ** 2 / gamma(1 + 2 / power)  # at unit semi-axes
    blunt = sqrt(pi / area)
    along = np.linspace(-body.semi_major_um, body.semi_major_um, 61)
    curve = bend * along**2 + _waves(along, (0.38, 0.77, 1.15), 0.15, rng)
    curve -= np.polyval(np.polyfit(along, curve, 1), along)  # neither shifted nor turned
    thickness = 1 + _waves(along, (0.54, 1.08, 1.7), 0.08, rng)
    u, v = body_frame(grid.x, grid.y, body)
    v = v - np.interp(u, along, curve)
    v = v / np.interp(u, along, thickness / thickness.mean())
    long, short = blunt * body.semi_major_um, blunt * body.semi_minor_um
    radius = ((np.abs(u) / long) ** power + (np.abs(v) / short) ** power) ** (1 / power)
    return expit((1 - radius) * sqrt(long * short) / 0.55).astype(np.float32)


def _waves(
    along: NDArray[np.float64],
    per_um: tuple[float, ...],
    size: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Sum of sines of given wave numbers (rad/um) with random phases and amplitudes."""
    return sum(
        (rng.normal(0, size) * np.sin(along * k + rng.uniform(0, 2 * pi)) for k in per_um),
        start=np.zeros_like(along),
    )


def _texture(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Band-passed Gaussian noise of unit sd; its grain is the sd of the smaller smoothing."""
    grain = nucleus.texture_grain_um / grid.um_per_px
    noise = rng.standard_normal(grid.x.shape, dtype=np.float32)
    fine = gaussian_filter(noise, grain, mode="wrap", truncate=3)
    # Smoothing twice adds the squares: the coarse scale is 2.2 times the grain.
    coarse = gaussian_filter(fine, grain * sqrt(2.2**2 - 1), mode="wrap", truncate=3)
    band = fine - 0.7 * coarse
    return band / band.std()


def _cell_body(nucleus: Nucleus, grid: _Grid, rng: np.random.Generator) -> Image:
    """Free histone in the rounded cell around mitotic chromatin."""
    radius = nucleus.glow_radius_um
    cell = Body(0, 0, radius, radius * rng.uniform(0.85, 1), rng.uniform(0, pi))
    return expit(_depth(*body_frame(grid.x, grid.y, cell), cell) / 1.6)
