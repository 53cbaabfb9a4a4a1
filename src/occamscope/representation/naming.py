"""Suggest a name for every latent from what its traversal changes, with the evidence.

The rule. Along a latent's traversal each quantity of `REFERENCE_CHANGES` covers some range; the
range divided by the reference change (about what the eye sees at a glance) is its effect. The
largest effect names the latent. The confidence is the product of

* clarity: largest effect / (largest + second largest);
* steadiness: correlation of the quantity with the latent's value, or with its absolute value for
  position, of which only the distance from the centre is measured;

and, where R2 on crops is given for size or elongation, the geometric mean of that product and R2.

When all effects are below 1, the latent is named after the class of patterns (`patterns`) that holds
the largest share of what it changes, with this share as confidence; without patterns it is "other".

A latent of elongation is named after the nearer pair of long-axis directions, 0/90 or 45/135
degrees. Two latents that share an ellipticity vector in a turned frame get one name each.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.errors import InputError

# Change from one end of a traversal to the other that counts as one effect.
REFERENCE_CHANGES = {
    "size": float(np.log(1.5)),  # log area
    "elongation": 0.2,  # length of the change of the ellipticity vector; .2 is a ratio of 1.5
    "brightness": float(np.log(1.25)),  # log mean intensity
    "texture": 0.1,
    "ring": 0.2,  # rim against inside
    "position": 3.0,  # px from the centre
}
UPRIGHT, DIAGONAL = "elongation (0/90 deg)", "elongation (45/135 deg)"
R2_FACTORS = {
    "size": ("area_px", "area_um2", "area"),
    "elongation": ("e_cos2theta", "e_sin2theta"),
}


@dataclass(frozen=True)
class _Effect:
    """Range over the traversal, the same in reference changes, and steadiness (0..1)."""

    change: float
    size: float
    steadiness: float


def _steadiness(values: np.ndarray, quantity: np.ndarray) -> float:
    if len(values) < 2 or np.ptp(values) == 0 or np.ptp(quantity) == 0:
        return 0.0
    return float(abs(np.corrcoef(values, quantity)[0, 1]))


def _direction(table: pd.DataFrame) -> np.ndarray:
    """Unit vector in the plane (e cos 2theta, e sin 2theta) along which the traversal runs."""
    vectors = table[["e_cos2theta", "e_sin2theta"]].to_numpy(float)
    return np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[2][0]


def _effects(table: pd.DataFrame) -> dict[str, _Effect]:
    """Effect of every quantity along one latent's traversal (rows without NaN)."""
    along = table[["e_cos2theta", "e_sin2theta"]].to_numpy(float) @ _direction(table)
    quantities = {
        "size": np.log(table["area_px"].to_numpy(float)),
        "elongation": along,
        "brightness": np.log(table["intensity_mean"].clip(lower=1e-3).to_numpy(float)),
        "texture": table["texture"].to_numpy(float),
        "ring": table["rim_ratio"].to_numpy(float),
        "position": table["offset_px"].to_numpy(float),
    }
    values = table["value"].to_numpy(float)
    effects = {}
    for name, quantity in quantities.items():
        change = float(np.ptp(quantity))
        steadiness = _steadiness(values, quantity)
        if name == "position":
            steadiness = max(steadiness, _steadiness(np.abs(values), quantity))
        effects[name] = _Effect(change, change / REFERENCE_CHANGES[name], steadiness)
    return effects


def _describe(effects: dict[str, _Effect], direction: np.ndarray) -> str:
    axis = np.degrees(np.arctan2(direction[1], direction[0])) / 2 % 90
    return (
        f"area x{np.exp(effects['size'].change):.2f}, "
        f"ellipticity changes by {effects['elongation'].change:.2f} "
        f"(long axis {axis:.0f}/{axis + 90:.0f} deg), "
        f"intensity x{np.exp(effects['brightness'].change):.2f}, "
        f"texture {effects['texture'].change:.2f}, ring {effects['ring'].change:.2f}, "
        f"position {effects['position'].change:.1f} px"
    )


def _crop_r2(r2: pd.DataFrame | None, latent: str, name: str) -> float | None:
    """R2 on crops with the factors of a name: size, or both components of ellipticity together."""
    if r2 is None or name not in R2_FACTORS:
        return None
    own = r2[(r2["latent"] == latent) & r2["factor"].isin(R2_FACTORS[name])]
    if own.empty:
        return None
    total = own["r2"].sum() if name == "elongation" else own["r2"].max()
    return float(min(total, 1.0))


def _name_pattern(row: dict, latent: str, patterns: pd.DataFrame) -> dict:
    """The name of the class of patterns with the largest share."""
    own: pd.Series = patterns.T[latent]
    shares = own.sort_values(ascending=False, kind="stable")
    text = ", ".join(f"{name} {share:.2f}" for name, share in shares[:3].items())
    evidence = f"{row['evidence']}; pattern {text}"
    return {
        **row,
        "name": shares.index[0],
        "confidence": float(shares.iloc[0]),
        "evidence": evidence,
    }


def _name_one(
    latent: str, table: pd.DataFrame, r2: pd.DataFrame | None, patterns: pd.DataFrame | None
) -> dict:
    table = table.dropna()
    if len(table) < 2:
        evidence = "no nucleus decoded along the traversal"
        return {"latent": latent, "name": "other", "confidence": 0.0, "evidence": evidence}
    effects, direction = _effects(table), _direction(table)
    ranked = sorted(effects, key=lambda name: -effects[name].size)
    best, second = effects[ranked[0]], effects[ranked[1]]
    row = {"latent": latent, "evidence": _describe(effects, direction)}
    if best.size < 1.0 and patterns is not None and patterns.loc[latent].sum() > 0:
        return _name_pattern(row, latent, patterns)
    if best.size < 1.0:
        return {**row, "name": "other", "confidence": 1.0 - best.size}
    confidence = best.size / (best.size + second.size) * best.steadiness
    crop_r2 = _crop_r2(r2, latent, ranked[0])
    if crop_r2 is not None:
        confidence = float(np.sqrt(confidence * crop_r2))
        row["evidence"] += f"; R2 {crop_r2:.2f} with {ranked[0]} on crops"
    # Doubled angle: 0 and 90 degrees lie on the first axis of the plane, 45 and 135 on the second.
    upright = abs(direction[0]) >= abs(direction[1])
    name = ranked[0] if ranked[0] != "elongation" else (UPRIGHT if upright else DIAGONAL)
    return {**row, "name": name, "confidence": confidence, "direction": direction}


def _tell_pair_apart(rows: list[dict]) -> None:
    """Give the two latents of an ellipticity vector in a turned frame one direction each."""
    pair = [row for row in rows if row["name"] in (UPRIGHT, DIAGONAL)]
    if len(pair) != 2 or pair[0]["name"] != pair[1]["name"]:
        return
    a, b = (row["direction"] for row in pair)
    if abs(a @ b) > np.sqrt(0.5):
        return  # both change the same component: one name for both is right
    first_is_upright = abs(a[0]) >= abs(b[0])
    pair[0]["name"], pair[1]["name"] = (
        (UPRIGHT, DIAGONAL) if first_is_upright else (DIAGONAL, UPRIGHT)
    )


def name_latents(
    traversals: pd.DataFrame,
    active: np.ndarray,
    r2: pd.DataFrame | None = None,
    patterns: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Suggest a name for every latent (the module's head gives the rule).

    Parameters
    ----------
    traversals : the table of `describe_traversals`, with all active latents.
    active : bool (latents,).
    r2 : the table of `factor_r2`, with factors named area_px (or area_um2), e_cos2theta and
        e_sin2theta.
    patterns : the table of `patterns.pattern_shares`, indexed by latent ("z3"), with all active
        latents.

    Returns
    -------
    Table with one row per latent: latent, name (size, elongation (0/90 deg), elongation (45/135
    deg), brightness, texture, ring, position, a class of patterns, other, inactive), confidence
        (0..1), evidence.

    Raises
    ------
    InputError
        If an active latent was not traversed.
    """
    rows: list[dict] = []
    for unit, is_active in enumerate(active):
        latent = f"z{unit}"
        if not is_active:
            evidence = "its code hardly varies over the training crops"
            row = {"latent": latent, "name": "inactive", "confidence": 1.0, "evidence": evidence}
            rows.append(row)
            continue
        table = traversals[traversals["latent"] == latent]
        if table.empty:
            raise InputError(f"latent {latent} is active but was not traversed; traverse it too")
        rows.append(_name_one(latent, table, r2, patterns))
    _tell_pair_apart(rows)
    return pd.DataFrame(rows, columns=["latent", "name", "confidence", "evidence"])
