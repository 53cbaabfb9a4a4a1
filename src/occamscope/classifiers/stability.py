"""Stability selection: latents that networks trained on random halves of the crops keep selecting.

Meinshausen and Buehlmann (2010, J. R. Stat. Soc. B 72, 417-473) train on many random halves, at
every density of a region, and keep the latents whose frequency of selection reaches a threshold
above 1/2 at one density or more. The expected number of false ones among them is bounded by

    E(V) <= q^2 / ((2 threshold - 1) p)

with p latents to choose from and q, the mean number that one half selects at any density of the
region. Networks that differ by their seed only and see the same crops are not half-samples: they
agree on what these crops hold, chance included, and no bound follows from their agreement.

When the bound holds
--------------------
Always: the halves are drawn at random from crops (or whole groups, see `half_samples`) that are
independent of one another, and the selection uses nothing else that depends on the labels of the
other half. Encoder, choice of active latents and a validation part that all networks are pruned on
are taken as given; what chance they hold is outside the bound. q is the expected number; its mean
over the halves stands in for it.

- Meinshausen and Buehlmann, theorem 1: V counts the noise latents in the stable set. It needs that
  the selections of the noise latents are exchangeable and that a network does not select worse
  than at random (noise latents not oftener than the others). Frequencies are over all halves.
- Shah and Samworth (2013, J. R. Stat. Soc. B 75, 55-80), theorem 1, the same number for any count
  of complementary pairs, without both assumptions: V counts the stable latents that one half
  selects with a probability of at most q / p, that of the average latent.
- Their theorem 2, `unimodal_bound`: smaller, if besides, for each of these latents, the share of
  pairs of which both halves select it has a unimodal distribution.

The number p of latents
-----------------------
p counts latents that could be selected. An inactive latent has the same code in every crop; no
pruned network listens to it, so that it is not exchangeable with an active latent of pure noise,
and counting it makes the bound too small by its share. p is therefore the number of ACTIVE latents,
chosen without looking at labels and once for all halves. With p of about ten the bound is only
useful for very sparse networks: q = 3 of p = 10 gives 0.9 / (2 threshold - 1), above 0.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.classifiers.selection import wilson_interval
from occamscope.errors import InputError

SHAPES = ("any", "unimodal")


@dataclass(frozen=True)
class StableSet:
    """Latents selected again and again, and how many of them may be false.

    Attributes
    ----------
    table : one row a latent: latent ("z0"...), active, density (where it is selected most, the
        first of equals), selected (count there), subsamples, frequency, low, high (Wilson: how
        well this many halves tell the frequency over all halves of these crops; neither new crops
        nor the choice among densities are in it), stable
    threshold : frequency that a stable latent has at least, one that so many halves can give
    q : mean number of active latents that one half selects at any density
    p : active latents
    bound : of the expected number of false latents in the set
    shape : "any" or "unimodal", what was assumed
    """

    table: pd.DataFrame
    threshold: float
    q: float
    p: int
    bound: float
    shape: str

    @property
    def latents(self) -> list[int]:
        """Numbers of the stable latents."""
        return [int(j) for j in np.flatnonzero(self.table["stable"])]


def worst_case_bound(q: float, p: int, threshold: float) -> float:
    """Bound q^2 / ((2 threshold - 1) p) of the expected number of falsely stable latents.

    Meinshausen and Buehlmann (2010), theorem 1; Shah and Samworth (2013), theorem 1.

    Parameters
    ----------
    q : mean number of selected latents, 0..p
    p : latents that could be selected
    threshold : smallest frequency of a stable latent, in (.5, 1]

    Raises
    ------
    InputError : if a value lies outside its range.
    """
    _check_numbers(q, p, threshold)
    return q**2 / ((2 * threshold - 1) * p)


def unimodal_bound(q: float, p: int, threshold: float, pairs: int) -> float:
    """Bound of Shah and Samworth (2013), theorem 2, for complementary pairs.

    C q^2 / p with C = 1 / (2 (2 threshold - 1 - 1 / (2 pairs))) up to a threshold of 3/4 and
    C = 4 (1 - threshold + 1 / (2 pairs)) / (1 + 1 / pairs) above.

    Parameters
    ----------
    q, p : as in `worst_case_bound`
    threshold : as there, and a multiple of 1 / (2 pairs), as all frequencies are
    pairs : complementary pairs, each of two halves

    Raises
    ------
    InputError : if a value lies outside its range, q / p exceeds 1 / sqrt(3), or the threshold
        does not exceed both 1/2 + 1 / (2 pairs) and the smaller of 1/2 + (q / p)^2 and
        1/2 + 1 / (2 pairs) + 3/4 (q / p)^2: the theorem is silent there.
    """
    _check_numbers(q, p, threshold)
    if pairs < 1 or abs(threshold * 2 * pairs - round(threshold * 2 * pairs)) > 1e-6:
        raise InputError(f"threshold {threshold} is no multiple of 1 / {2 * pairs} (halves)")
    theta, step = q / p, 1 / (2 * pairs)
    lowest = max(0.5 + step, min(0.5 + theta**2, 0.5 + step + 0.75 * theta**2))
    if theta > 1 / np.sqrt(3) or threshold <= lowest + 1e-9:
        raise InputError(
            f"no unimodal bound for q / p = {theta:.3g} at threshold {threshold:.3g} (it needs "
            f"q / p <= 0.577 and a threshold above {lowest:.3g}): take the shape 'any'"
        )
    if threshold <= 0.75:
        factor = 1 / (2 * (2 * threshold - 1 - step))
    else:
        factor = 4 * (1 - threshold + step) / (1 + 2 * step)
    return factor * q**2 / p


def stable_set(
    live: ArrayLike,
    threshold: float | None = None,
    max_false: float | None = None,
    active: ArrayLike | None = None,
    densities: Sequence[float] | None = None,
    shape: str = "any",
    level: float = 0.95,
) -> StableSet:
    """Find the stable latents and bound the number of false ones (the module's head says when).

    Parameters
    ----------
    live : bool (halves, densities, d), or (halves, d) for one density, from
        `pruning.live_inputs` of networks trained on `half_samples`; rows 2j and 2j + 1 are a pair
    threshold : smallest frequency of a stable latent, in (.5, 1]
    max_false : instead of it, the largest bound allowed; the smallest threshold that keeps to it is
        taken
    active : bool (d,), latents that could be selected; all unless given. Others are left out.
    densities : names the densities in the table; their numbers 0, 1, ... unless given
    shape : "any" or, with complementary pairs only, "unimodal" for the smaller bound
    level : of the Wilson intervals

    Raises
    ------
    InputError : if shapes do not match, there are fewer than two halves, threshold and max_false
        are both given or both missing, or no threshold gives the bound asked for.
    """
    sets = _as_sets(live)
    halves, n_densities, d = sets.shape
    candidates = np.ones(d, bool) if active is None else np.asarray(active)
    if candidates.shape != (d,) or candidates.dtype != bool or not candidates.any():
        raise InputError(f"active must be {d} truth values, one a latent, not all false")
    if densities is not None and len(densities) != n_densities:
        raise InputError(f"{len(densities)} names for {n_densities} densities")
    if shape not in SHAPES:
        raise InputError(f"shape {shape!r}: choose one of {SHAPES}")
    if shape == "unimodal" and halves % 2:
        raise InputError(f"{halves} halves do not make complementary pairs: give an even number")
    q = float((sets.any(axis=1) & candidates).sum(axis=1).mean())
    p = int(candidates.sum())
    needed, bound = _threshold(q, p, halves, shape, threshold, max_false)
    counts = sets.sum(axis=0)  # (densities, d)
    best = counts.argmax(axis=0)
    selected = counts.max(axis=0)
    low, high = wilson_interval(selected, halves, level)
    table = pd.DataFrame(
        {
            "latent": [f"z{j}" for j in range(d)],
            "active": candidates,
            "density": best if densities is None else np.asarray(densities)[best],
            "selected": selected,
            "subsamples": halves,
            "frequency": selected / halves,
            "low": low,
            "high": high,
            "stable": candidates & (selected >= needed),
        }
    )
    return StableSet(table, needed / halves, q, p, bound, shape)


def _threshold(
    q: float,
    p: int,
    halves: int,
    shape: str,
    threshold: float | None,
    max_false: float | None,
) -> tuple[int, float]:
    """How many halves must select a stable latent, and the bound at that frequency."""
    if (threshold is None) == (max_false is None):
        raise InputError("give either a threshold or max_false, the largest bound allowed")
    if threshold is not None:
        _check_numbers(q, p, threshold)
        needed = int(np.ceil(threshold * halves - 1e-9))
        return needed, _bound(q, p, needed, halves, shape)
    if max_false is None or not max_false > 0:
        raise InputError(f"max_false {max_false} must be above 0")
    bound = np.inf
    for needed in range(halves // 2 + 1, halves + 1):
        try:
            bound = _bound(q, p, needed, halves, shape)
        except InputError:  # the theorem is silent at low thresholds
            continue
        if bound <= max_false * (1 + 1e-12):
            return needed, bound
    reached = f"the bound at frequency 1 is {bound:.3g}" if np.isfinite(bound) else "none exists"
    raise InputError(
        f"no threshold bounds the false latents by {max_false:g} with q = {q:.3g} of p = {p}: "
        f"{reached}. Train sparser networks, fewer densities, or allow more"
    )


def _bound(q: float, p: int, needed: int, halves: int, shape: str) -> float:
    if shape == "any":
        return worst_case_bound(q, p, needed / halves)
    return unimodal_bound(q, p, needed / halves, halves // 2)


def _as_sets(live: ArrayLike) -> NDArray[np.bool_]:
    sets = np.asarray(live)
    if sets.dtype != bool:
        raise InputError(f"selections of type {sets.dtype}: give truth values")
    if sets.ndim == 2:
        sets = sets[:, None]
    if sets.ndim != 3 or sets.shape[0] < 2 or 0 in sets.shape:
        raise InputError(
            f"selections of shape {np.shape(live)}: give (halves, densities, latents), two halves "
            "or more"
        )
    return sets


def _check_numbers(q: float, p: int, threshold: float) -> None:
    if p < 1 or not 0 <= q <= p:
        raise InputError(f"q = {q}, p = {p}: q must lie in 0..p and p be at least 1")
    if not 0.5 < threshold <= 1:
        raise InputError(f"threshold {threshold} must lie in 0.5 < threshold <= 1")
