"""Shapes and factors of single simulated nuclei, five classes, in micrometres.

Every nucleus is made of elliptical bodies of chromatin (`Body`), so that its true area, axis ratio
and orientation are known before anything is drawn; `rendering.py` draws them.
The distributions were set by eye against MitoCheck H2B-GFP HeLa crops (Neumann et al. 2010).
Angles are counter-clockwise from the x axis with y UP.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("interphase", "prometaphase", "metaphase", "anaphase", "apoptosis")


@dataclass(frozen=True)
class Body:
    """One body of chromatin, nominally an ellipse; its centre counts from the nucleus' centroid."""

    x_um: float
    y_um: float  # upwards
    semi_major_um: float
    semi_minor_um: float
    theta_rad: float
    brightness: float = 1.0


@dataclass(frozen=True)
class Nucleus:
    """The known factors of one nucleus.

    `area_um2` is that of all bodies together, `aspect_ratio` (>= 1) and `theta_rad` (0..pi) are
    those of the ellipse with the same second moments: for a single body its nominal ellipse.
    `intensity` and `glow` (the cell body around mitotic chromatin) are photo-electrons per pixel.
    """

    cell_class: str
    bodies: tuple[Body, ...]
    area_um2: float
    aspect_ratio: float
    theta_rad: float
    intensity: float
    texture_contrast: float
    texture_grain_um: float
    defocus_um: float
    glow: float
    glow_radius_um: float

    @property
    def ellipticity(self) -> float:
        """(a - b) / (a + b) of the semi-axes."""
        return (self.aspect_ratio - 1) / (self.aspect_ratio + 1)

    @property
    def radius_um(self) -> float:
        """Radius of the circle around the centroid that holds all bodies."""
        return max(np.hypot(b.x_um, b.y_um) + b.semi_major_um for b in self.bodies)


@dataclass(frozen=True)
class _Range:
    """Distribution of the factors of one class."""

    area_um2: float  # median of a log-normal; anaphase: one plate; apoptosis: the cell's remains
    log_area_sd: float
    area_limits_um2: tuple[float, float]
    log_aspect: float  # mean and sd of a normal, folded at 0
    log_aspect_sd: float
    log_aspect_limits: tuple[float, float]
    intensity: float  # photo-electrons per pixel, median of a log-normal
    log_intensity_sd: float
    texture: tuple[float, float]  # sd of the texture relative to the body, lowest and highest


_RANGES = {
    "interphase": _Range(321, 0.36, (118, 718), 0.20, 0.16, (0, 0.75), 290, 0.25, (0.04, 0.20)),
    "prometaphase": _Range(237, 0.22, (120, 470), 0.15, 0.12, (0, 0.60), 850, 0.22, (0.05, 0.20)),
    "metaphase": _Range(86.6, 0.22, (43, 173), 0.88, 0.18, (0.35, 1.3), 950, 0.30, (0.05, 0.22)),
    "anaphase": _Range(44.4, 0.22, (22, 88), 0.85, 0.20, (0.3, 1.3), 800, 0.30, (0.05, 0.20)),
    "apoptosis": _Range(71.8, 0.30, (29, 176), 0.0, 0.0, (0, 0), 1050, 0.35, (0.02, 0.10)),
}


def sample_nucleus(cell_class: str, rng: np.random.Generator) -> Nucleus:
    """Draw the factors of one nucleus of a class of `CLASS_NAMES`."""
    ranges = _RANGES[cell_class]
    area = np.exp(rng.normal(np.log(ranges.area_um2), ranges.log_area_sd))
    log_aspect = abs(rng.normal(ranges.log_aspect, ranges.log_aspect_sd))
    mitotic = cell_class != "interphase"
    # Condensed chromatin looks a little sharper in real crops.
    defocus = np.clip(np.exp(rng.normal(-0.23, 0.25)), 0.45, 1.7) * (0.9 if mitotic else 1.0)
    return make_nucleus(
        cell_class,
        area_um2=float(np.clip(area, *ranges.area_limits_um2)),
        aspect_ratio=float(np.exp(np.clip(log_aspect, *ranges.log_aspect_limits))),
        theta_rad=rng.uniform(0, np.pi),
        rng=rng,
        intensity=ranges.intensity * np.exp(rng.normal(0, ranges.log_intensity_sd)),
        texture_contrast=rng.uniform(*ranges.texture),
        texture_grain_um=rng.uniform(0.52, 1.43),
        defocus_um=defocus,
        glow=rng.uniform(15, 50) if mitotic else 0.0,
        glow_radius_um=rng.uniform(11, 15),
    )


def make_nucleus(
    cell_class: str,
    area_um2: float,
    aspect_ratio: float,
    theta_rad: float,
    rng: np.random.Generator,
    intensity: float = 500.0,
    texture_contrast: float = 0.1,
    texture_grain_um: float = 0.9,
    defocus_um: float = 0.65,
    glow: float = 0.0,
    glow_radius_um: float = 13.0,
) -> Nucleus:
    """Make a nucleus of given factors; `rng` lays out sister plates and fragments.

    Area, aspect ratio and angle describe one body: a whole nucleus, one of the two plates of an
    anaphase, the remains that an apoptosis breaks into. The factors of the nucleus are then those
    of all its bodies together.
    """
    minor = np.sqrt(area_um2 / np.pi / aspect_ratio)
    body = Body(0.0, 0.0, minor * aspect_ratio, minor, theta_rad)
    nucleus = Nucleus(
        cell_class, (body,), area_um2, aspect_ratio, theta_rad % np.pi, intensity,
        texture_contrast, texture_grain_um, defocus_um, glow, glow_radius_um,
    )  # fmt: skip
    if cell_class == "anaphase":
        return _of_bodies(nucleus, _sister_plates(body, rng))
    if cell_class == "apoptosis":
        return _of_bodies(nucleus, _fragments(body, rng))
    return nucleus


def _sister_plates(plate: Body, rng: np.random.Generator) -> list[Body]:
    """Two parallel plates, 7 to 16 um apart along the normal of the plate."""
    half = rng.uniform(7, 16) / 2
    dx, dy = -np.sin(plate.theta_rad) * half, np.cos(plate.theta_rad) * half
    return [
        replace(plate, x_um=s * dx, y_um=s * dy, brightness=rng.uniform(0.85, 1.1)) for s in (1, -1)
    ]


def _fragments(whole: Body, rng: np.random.Generator) -> list[Body]:
    """Three to eight round bodies strewn around the place of the nucleus, the first the largest."""
    count = rng.integers(3, 9)
    radius = np.sqrt(whole.semi_major_um * whole.semi_minor_um)
    distance = rng.uniform(0, 1, count) ** 0.7 * radius * 1.9
    angle = rng.uniform(0, 2 * np.pi, count)
    semi_minor = radius * rng.uniform(0.18, 0.55, count)
    semi_minor[0] *= 1.25
    columns = (
        distance * np.cos(angle),
        distance * np.sin(angle),
        semi_minor * rng.uniform(1.0, 1.5, count),
        semi_minor,
        rng.uniform(0, np.pi, count),
        rng.uniform(0.55, 1.25, count),
    )
    return [Body(*(float(value) for value in row)) for row in zip(*columns, strict=True)]


def _of_bodies(nucleus: Nucleus, bodies: list[Body]) -> Nucleus:
    """The nucleus made of these bodies: centred on their centroid, with the factors of the union."""
    area, centre, covariance = _union_moments(bodies)
    moved = tuple(replace(b, x_um=b.x_um - centre[0], y_um=b.y_um - centre[1]) for b in bodies)
    (low, high), axes = np.linalg.eigh(covariance)
    return replace(
        nucleus,
        bodies=moved,
        area_um2=area,
        aspect_ratio=float(np.sqrt(high / low)),
        theta_rad=float(np.arctan2(axes[1, 1], axes[0, 1]) % np.pi),
    )


def _union_moments(
    bodies: list[Body], step_um: float = 0.25
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Area, centroid (x, y) and covariance of a union of ellipses, on a grid fine against them."""
    reach = max(np.hypot(b.x_um, b.y_um) + b.semi_major_um for b in bodies)
    axis = np.arange(-reach, reach + step_um, step_um)
    x, y = np.meshgrid(axis, axis)
    inside = np.zeros(x.shape, bool)
    for body in bodies:
        u, v = body_frame(x, y, body)
        inside |= (u / body.semi_major_um) ** 2 + (v / body.semi_minor_um) ** 2 <= 1
    points = np.stack([x[inside], y[inside]])
    return inside.sum() * step_um**2, points.mean(1), np.cov(points, bias=True)


def body_frame(
    x_um: NDArray[np.floating], y_um: NDArray[np.floating], body: Body
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Coordinates along the long and the short axis of a body."""
    cos, sin = np.cos(body.theta_rad), np.sin(body.theta_rad)
    dx, dy = x_um - body.x_um, y_um - body.y_um
    return cos * dx + sin * dy, cos * dy - sin * dx
