"""Sister chromatid plates of one anaphase: recognised by their shape, joined into one object."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.ndimage as ndi


@dataclass(frozen=True)
class SisterSettings:
    """When two objects are the two plates of one anaphase."""

    max_area_ratio: float = 2.0  # larger / smaller area
    max_brightness_ratio: float = 1.35  # brighter / dimmer mean above background
    min_axis_ratio: float = 1.4  # both are elongated
    max_angle_deg: float = 33.0  # between the long axes
    max_skew_deg: float = 33.0  # line of centres against the normal of the long axes
    max_distance: float = 1.25  # between centroids, in nucleus diameters
    max_area: float = 0.45  # of one plate, in areas of a round nucleus of one diameter


@dataclass(frozen=True)
class Plate:
    """Moments of one object: centroid and axes in px, angle in radians, area in px."""

    y: float
    x: float
    area: float
    long_px: float
    short_px: float
    angle: float  # of the long axis, from x towards +row
    brightness: float  # mean above background, counts

    @property
    def axis_ratio(self) -> float:
        return self.long_px / self.short_px


def describe_plate(mask: np.ndarray, signal: np.ndarray, y0: int = 0, x0: int = 0) -> Plate:
    """Moments of ``mask`` (H, W) bool whose corner lies at (y0, x0); ``signal`` above background."""
    rows, columns = np.nonzero(mask)
    y, x = rows.mean(), columns.mean()
    # 1/12: the second moment of the pixel itself, so that a one-pixel line has a width.
    yy = np.mean((rows - y) ** 2) + 1 / 12
    xx = np.mean((columns - x) ** 2) + 1 / 12
    xy = np.mean((rows - y) * (columns - x))
    spread = np.hypot((xx - yy) / 2, xy)
    long_px = 4 * np.sqrt((xx + yy) / 2 + spread)
    short_px = 4 * np.sqrt(max((xx + yy) / 2 - spread, 1 / 12))
    return Plate(
        y=float(y) + y0,
        x=float(x) + x0,
        area=float(rows.size),
        long_px=float(long_px),
        short_px=float(short_px),
        angle=float(np.arctan2(2 * xy, xx - yy) / 2),
        brightness=float(signal[rows, columns].mean()),
    )


def is_plate(
    plate: Plate, nucleus_diameter_px: float, settings: SisterSettings | None = None
) -> bool:
    """Whether an object is small and elongated enough to be half of an anaphase."""
    s = settings or SisterSettings()
    round_area = np.pi / 4 * nucleus_diameter_px**2
    return plate.area <= s.max_area * round_area and plate.axis_ratio >= s.min_axis_ratio


def are_sisters(
    a: Plate, b: Plate, nucleus_diameter_px: float, settings: SisterSettings | None = None
) -> bool:
    """Whether two plates are near, alike in size and brightness, elongated, parallel, face to face.

    An interphase neighbour fails by its size, its dimness or its roundness; two plates end to end
    fail by the skew.
    """
    s = settings or SisterSettings()
    if not (is_plate(a, nucleus_diameter_px, s) and is_plate(b, nucleus_diameter_px, s)):
        return False
    distance = np.hypot(a.y - b.y, a.x - b.x)
    dimmer, brighter = sorted((a.brightness, b.brightness))
    small, large = sorted((a.area, b.area))
    if (
        large > s.max_area_ratio * small
        or brighter > s.max_brightness_ratio * dimmer
        or distance > s.max_distance * nucleus_diameter_px
    ):
        return False
    if _angle_between(a.angle, b.angle) > np.radians(s.max_angle_deg):
        return False
    centres = np.arctan2(b.y - a.y, b.x - a.x)
    skew = [np.pi / 2 - _angle_between(centres, plate.angle) for plate in (a, b)]
    return max(skew) <= np.radians(s.max_skew_deg)


def _angle_between(a: float, b: float) -> float:
    """Angle between two undirected lines, 0..pi/2."""
    turn = abs(a - b) % np.pi
    return min(turn, np.pi - turn)


def join_sisters(labels: np.ndarray, signal: np.ndarray, nucleus_diameter_px: float) -> np.ndarray:
    """Give both plates of an anaphase one label; nearest pairs first, each plate at most once.

    ``labels`` (H, W) int32 numbered 1..k; ``signal`` (H, W) above background. Returns labels
    renumbered 1..m.
    """
    largest = SisterSettings().max_area * np.pi / 4 * nucleus_diameter_px**2
    areas = np.bincount(labels.ravel())
    plates = {
        label: describe_plate(labels[w] == label, signal[w], w[0].start, w[1].start)
        for label, w in enumerate(ndi.find_objects(labels), start=1)
        if areas[label] <= largest
    }
    pairs = sorted(
        (np.hypot(plates[a].y - plates[b].y, plates[a].x - plates[b].x), a, b)
        for a, b in combinations(plates, 2)
        if are_sisters(plates[a], plates[b], nucleus_diameter_px)
    )
    partner = np.arange(len(areas))
    joined: set[int] = set()
    for _, a, b in pairs:
        if not joined & {a, b}:
            partner[b] = a
            joined |= {a, b}
    numbers = np.unique(partner)
    return np.searchsorted(numbers, partner)[labels].astype(np.int32)
