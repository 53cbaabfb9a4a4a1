"""What each latent of a model changes, in a form in which models can be compared.

The effect of a latent is the covariance M of what is decoded while it follows its prior N(0, 1) and
the others stay: of the pixels, or of measured quantities. It is taken over the values of a
traversal, weighted by the prior's density, and does not depend on the latent's sign or on the
picture at 0. Two latents are alike by the RV coefficient of their covariances (Robert and Escoufier
1976),

    tr(M1 M2) / sqrt(tr(M1 M1) tr(M2 M2)),

which is 1 for covariances that are equal up to a factor and 0 for changes at right angles. For two
latents that each move the picture along one straight line it is the squared cosine of the angle
between the lines.

Direction pairs. Which way x and y point is a convention, so a model is free to hold a vector that
turns with the picture (an offset, the ellipticity vector, a triangle's direction) in any frame of
its plane. The frames of two seeds differ, and single latents then look unlike although both models
hold the same. Two latents are such a pair if turning the picture changes the effect of the one into
that of the other: by 90 degrees for an offset, 45 for ellipticity, 30 for a triangle. Only these
planes are free. Two latents that mix size with texture are no pair, and disagree with a model that
keeps the two apart. A pair's effect is the sum of its two covariances, each with a trace of 1: in
whichever frame the pair holds the vector, the sum is the same to first order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import rotate

from occamscope.errors import InputError
from occamscope.representation.naming import REFERENCE_CHANGES

# Turns that change one component of a vector into the other: offset, ellipticity, triangle.
TURNS_DEG = (90.0, 45.0, 30.0)
LEAST_CONTRAST = 0.5  # halfway between no pair (0) and two components at right angles (1)


@dataclass(frozen=True)
class Effects:
    """Effects of the latents of one model.

    Attributes
    ----------
    units : the latents.
    changes : float64 (units, values, features), from the mean along the traversal, times the root
        of a value's weight; scaled to a sum of squares of 1, or 0 throughout where nothing changes.
    pairs : rows of `changes` that form a direction pair; no row is in two pairs.
    """

    units: tuple[int, ...]
    changes: np.ndarray
    pairs: tuple[tuple[int, int], ...]


def _unit_changes(features: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """The `changes` of `Effects` from features (units, values, features); NaN rows become 0."""
    kept = np.isfinite(features).all(axis=2, keepdims=True)
    weights = np.where(kept, np.exp(-(np.asarray(values, float) ** 2) / 2)[:, None], 0.0)
    filled = np.where(kept, features, 0.0)
    totals = weights.sum(axis=1, keepdims=True)
    sums = (weights * filled).sum(axis=1, keepdims=True)
    means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    changes = np.sqrt(weights) * (filled - means)
    norms = np.sqrt((changes**2).sum(axis=(1, 2), keepdims=True))
    return np.divide(changes, norms, out=np.zeros_like(changes), where=norms > 0)


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """tr(M1 M2) of all latents of two models, from their changes; each M has a trace of 1."""
    products = np.tensordot(first, second, axes=(2, 2))  # unit, value, other unit, other value
    return (products**2).sum(axis=(1, 3))


def similarity(
    first: np.ndarray,
    second: np.ndarray,
    first_groups: np.ndarray | None = None,
    second_groups: np.ndarray | None = None,
) -> np.ndarray:
    """RV coefficients of all latents, or groups of latents, of two models.

    Parameters
    ----------
    first, second : changes (units, values, features) of the models; as many features in both.
    first_groups, second_groups : (groups, units) of 0 and 1; a group's covariance is the sum of its
        latents'. Each latent on its own by default.

    Returns
    -------
    (groups of the first, groups of the second) in [0, 1]; 0 where there is no effect.
    """
    a = np.eye(len(first)) if first_groups is None else first_groups
    b = np.eye(len(second)) if second_groups is None else second_groups
    shared = a @ _overlaps(first, second) @ b.T
    own_a = np.diagonal(a @ _overlaps(first, first) @ a.T)
    own_b = np.diagonal(b @ _overlaps(second, second) @ b.T)
    norms = np.sqrt(own_a[:, None] * own_b)
    return np.clip(np.divide(shared, norms, out=np.zeros_like(shared), where=norms > 0), 0.0, 1.0)


def direction_pairs(
    changes: np.ndarray, turned: Sequence[np.ndarray]
) -> tuple[tuple[int, int], ...]:
    """Latents that hold a vector in some frame (see the module's head).

    Two are a pair if, for one of the turns, each turned latent is like the other and neither like
    itself nor, unturned, like the other: the least of the first similarities exceeds the largest of
    the others by `LEAST_CONTRAST`. The clearest are taken first.

    Parameters
    ----------
    changes : (units, values, features).
    turned : the same changes after each turn.
    """
    plain = similarity(changes, changes)
    contrast = np.zeros_like(plain)
    for turn in turned:
        alike = similarity(changes, turn)
        itself = np.diagonal(alike)
        unlike = np.maximum(plain, np.maximum(itself[:, None], itself))
        contrast = np.maximum(contrast, np.minimum(alike, alike.T) - unlike)
    candidates = np.argwhere(np.triu(contrast >= LEAST_CONTRAST, 1))
    order = np.argsort(-contrast[tuple(candidates.T)], kind="stable")
    pairs: list[tuple[int, int]] = []
    for i, j in candidates[order].tolist():
        if not {i, j} & {unit for pair in pairs for unit in pair}:
            pairs.append((i, j))
    return tuple(sorted(pairs))


def image_effects(decoded: np.ndarray, units: Sequence[int], values: Sequence[float]) -> Effects:
    """Effects of latents on decoded images.

    Parameters
    ----------
    decoded : (units, values, height, width) of `traverse`, with the active latents only: one that
        changes next to nothing counts as much as any. Models that are to be compared need images
        of one size, and should be traversed over the same values.
    units : as given to `traverse`.

    Raises
    ------
    InputError
        If shapes do not suit or the images are not finite.
    """
    decoded = np.asarray(decoded, np.float64)
    if decoded.ndim != 4 or decoded.shape[:2] != (len(units), len(values)):
        raise InputError(
            f"decoded must be ({len(units)} units, {len(values)} values, height, width), got "
            f"{decoded.shape}"
        )
    if not np.isfinite(decoded).all():
        raise InputError("decoded images hold NaN or infinity; train the model again")
    n_units, n_values, height, width = decoded.shape
    changes = _unit_changes(decoded.reshape(n_units, n_values, height * width), values)
    images = changes.reshape(decoded.shape)
    turned = [
        rotate(images, angle, axes=(3, 2), reshape=False, order=1).reshape(changes.shape)
        for angle in TURNS_DEG
    ]
    return Effects(tuple(int(u) for u in units), changes, direction_pairs(changes, turned))


def measured_effects(traversals: pd.DataFrame) -> Effects:
    """Effects of latents on measured quantities, each in its `REFERENCE_CHANGES`.

    Parameters
    ----------
    traversals : the table of `describe_traversals`, with the active latents only. Rows with NaN
        (nothing decoded) are left out. Only ellipticity can make a direction pair, since an offset
        is measured without its direction.

    Raises
    ------
    InputError
        If the latents do not follow one another, each over the same values.
    """
    latents, values = traversals["latent"].unique(), traversals["value"].unique().tolist()
    rows = pd.MultiIndex.from_product([latents, values])
    if not rows.equals(pd.MultiIndex.from_frame(traversals[["latent", "value"]])):
        raise InputError("each latent must be traversed over the same values, one after the other")
    quantities = {
        "size": np.log(traversals["area_px"].where(traversals["area_px"] > 0)),
        "brightness": np.log(traversals["intensity_mean"].clip(lower=1e-3)),
        "texture": traversals["texture"],
        "ring": traversals["rim_ratio"],
        "position": traversals["offset_px"],
    }
    scaled = [column / REFERENCE_CHANGES[name] for name, column in quantities.items()]
    vector = traversals[["e_cos2theta", "e_sin2theta"]] / REFERENCE_CHANGES["elongation"]
    features = np.column_stack([vector, *scaled]).astype(float)
    changes = _unit_changes(features.reshape(len(latents), len(values), features.shape[1]), values)
    turned = changes.copy()
    turned[..., 0], turned[..., 1] = -changes[..., 1], changes[..., 0]
    units = tuple(int(str(name).removeprefix("z")) for name in latents)
    return Effects(units, changes, direction_pairs(changes, [turned]))
