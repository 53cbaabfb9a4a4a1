"""What kind of pattern a latent adds to the nucleus, by its symmetry about the centre and the axes.

The change of the decoded picture is split into angular harmonics, ring by ring: cosines are even
across the x axis, sines odd. In a framed network the x axis is the nucleus' long axis, so that the
classes have names that a biologist would use:

==================== ======================================= ==============================
class                harmonics                               looks like
==================== ======================================= ==============================
ring                 0, mostly inside                        dim or bright centre
edge                 0, mostly at the outline                sharp or soft outline
polarity (long axis) cos 1                                   one end brighter
taper                cos 3, 5                                one end narrower
polarity (short axis) sin 1                                  one side brighter
bend                 sin 3, 5                                banana
waist                cos 2                                   two lobes, or thick in the middle
blunt ends           cos 4, 6                                box or lens
skew                 sin 2, 4, 6                             S or parallelogram
texture              what these do not hold                  grain, spots
==================== ======================================= ==============================
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occamscope.errors import InputError

CLASSES = {
    "ring": (), "edge": (),  # harmonic 0, told apart by where its energy lies
    "polarity (long axis)": (("cos", 1),),
    "taper": (("cos", 3), ("cos", 5)),
    "polarity (short axis)": (("sin", 1),),
    "bend": (("sin", 3), ("sin", 5)),
    "waist": (("cos", 2),),
    "blunt ends": (("cos", 4), ("cos", 6)),
    "skew": (("sin", 2), ("sin", 4), ("sin", 6)),
}  # fmt: skip
# Without a frame the axes are the image's: a class must not depend on how the nucleus lies.
WITHOUT_AXES = {
    "polarity (long axis)": "polarity",
    "polarity (short axis)": "polarity",
    "taper": "triangle",
    "bend": "triangle",
    "waist": "waist",
    "skew": "waist",
    "blunt ends": "corners",
}
ORDERS = 6
# Beyond this share of the nucleus' radius a change counts as one of its outline.
INSIDE = 0.75


def pattern_shares(
    changes: NDArray[np.floating], radii_px: NDArray[np.floating], has_axes: bool = True
) -> pd.DataFrame:
    """Split the energy of changes of a centred nucleus into classes of patterns.

    Parameters
    ----------
    changes : (n, height, width) differences of decoded pictures.
    radii_px : (n,) of the nuclei that change: of a disc of their area.
    has_axes : the nuclei's long axis lies along x. Otherwise classes that only turn into one
        another are one class (polarity, triangle, waist, corners).

    Returns
    -------
    Table of n rows, a column a class with its share of the sum of squares, 0..1; rows sum to 1, or
    are 0 where nothing changes.
    """
    changes = np.asarray(changes)
    if changes.ndim != 3 or len(changes) != len(radii_px):
        raise InputError(
            f"need changes (n, height, width) and n radii, got {changes.shape} and {len(radii_px)}"
        )
    height, width = changes.shape[1:]
    y, x = np.mgrid[:height, :width]
    y, x = (height - 1) / 2 - y, x - (width - 1) / 2
    radius, angle = np.hypot(x, y).ravel(), np.arctan2(y, x).ravel()
    ring = radius.astype(int)
    flat = changes.reshape(len(changes), -1).astype(np.float64)
    rows = []
    for change, nucleus in zip(flat, np.asarray(radii_px, float), strict=True):
        rows.append(_shares(change, ring, angle, nucleus))
    table = pd.DataFrame(rows, columns=[*CLASSES, "texture"])
    if has_axes:
        return table
    return table.T.groupby(lambda name: WITHOUT_AXES.get(name, name), sort=False).sum().T


def _shares(
    change: NDArray[np.float64], ring: NDArray[np.int64], angle: NDArray[np.float64], nucleus: float
) -> dict[str, float]:
    energy = float((change**2).sum())
    if energy == 0:
        return dict.fromkeys([*CLASSES, "texture"], 0.0)
    left, shares = change.copy(), {}
    outside = ring + 0.5 > INSIDE * nucleus
    # One harmonic after the other is taken off, so that what they share on a grid counts once.
    constant = _project(left, ring, np.ones_like(angle))
    left -= constant
    shares["ring"] = float((constant[~outside] ** 2).sum())
    shares["edge"] = float((constant[outside] ** 2).sum())
    found: dict[tuple[str, int], float] = {}
    for order in range(1, ORDERS + 1):
        for kind, wave in (("cos", np.cos(order * angle)), ("sin", np.sin(order * angle))):
            part = _project(left, ring, wave)
            left -= part
            found[kind, order] = float((part**2).sum())
    for name, harmonics in CLASSES.items():
        if harmonics:
            shares[name] = sum(found[harmonic] for harmonic in harmonics)
    total = sum(shares.values())
    shares["texture"] = max(energy - total, 0.0)
    scale = max(energy, total)
    return {name: share / scale for name, share in shares.items()}


def _project(
    values: NDArray[np.float64], ring: NDArray[np.int64], wave: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The multiple of a wave in each ring that fits values best."""
    product = np.bincount(ring, values * wave)
    norm = np.bincount(ring, wave * wave)
    factor = np.divide(product, norm, out=np.zeros_like(product), where=norm > 1e-9)
    return factor[ring] * wave
