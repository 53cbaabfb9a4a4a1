"""Do two trainings hold the same latents?

Latents of two models are matched one to one so that the sum of their similarities is largest; what
a latent does to the decoded picture is compared, not its number or sign. A direction pair (see
`effects`) may be matched as a whole to one of the other model: both latents then get the similarity
of the two planes, whatever the frames. The agreement is the mean similarity over all matches, where
each latent that the other model lacks counts as a match of 0. 1: the same latents; 0: nothing alike.

Every latent gets the best partner there is, so unrelated models do not agree by 0 either: see what
else stands in the table of similarities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from occamscope.errors import InputError
from occamscope.representation.effects import Effects, similarity
from occamscope.representation.factors import ellipticity_pair, squared_correlations

# A direction pair is matched as a whole only if that adds more than this: equal frames need no turn.
LEAST_GAIN = 1e-4


@dataclass(frozen=True)
class Agreement:
    """How well the latents of two models agree.

    Attributes
    ----------
    matches : one row a match: first, second (latents, "z3"; "" for none), similarity (0..1), pair
        (number of the direction pair that was matched as a whole, from 0; -1 for a latent on its
        own). Rows follow the first model's latents; those that only the second has are last.
    similarity : table (latents of the first, latents of the second) in [0, 1], of single latents.
    """

    matches: pd.DataFrame
    similarity: pd.DataFrame

    @property
    def score(self) -> float:
        """Mean similarity, unmatched latents as 0; 0 if neither model has a latent."""
        return float(self.matches["similarity"].mean()) if len(self.matches) else 0.0


def _members(effects: Effects) -> np.ndarray:
    """Direction pairs as (pairs, units) of 0 and 1."""
    members = np.zeros((len(effects.pairs), len(effects.units)))
    for row, pair in enumerate(effects.pairs):
        members[row, list(pair)] = 1
    return members


def _best_matches(single: np.ndarray, joint: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """Which matches make the largest sum: of single latents (a, b) and of direction pairs (p, q).

    Without pairs this is the linear assignment problem. A pair takes two latents of each model at
    once, so it is solved as an integer programme instead.

    Returns
    -------
    bool (a * b + p * q,), single latents first.
    """
    (a, b), (p, q) = single.shape, joint.shape
    uses_first = [np.repeat(np.eye(a), b, axis=0), np.repeat(members[0], q, axis=0)]
    uses_second = [np.tile(np.eye(b), (a, 1)), np.tile(members[1], (p, 1))]
    gains = np.concatenate([single.ravel(), 2 * joint.ravel() - LEAST_GAIN])
    # All latents of the smaller model are matched, those of the larger at most once.
    limits = [
        LinearConstraint(np.concatenate(uses).T, lb=float(own <= other), ub=1)
        for uses, own, other in ((uses_first, a, b), (uses_second, b, a))
    ]
    found = milp(
        -gains,
        integrality=np.ones(len(gains)),
        bounds=Bounds(0, 1),
        constraints=limits,
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise RuntimeError(f"the matching was not solved: {found.message}")
    return found.x > 0.5


def _side_by_side(
    own: tuple[int, int], other: tuple[int, int], single: np.ndarray
) -> list[tuple[int, int]]:
    """The latents of two pairs, each beside the one that is more like it."""
    straight, crossed = list(zip(own, other, strict=True)), list(zip(own, other[::-1], strict=True))
    alike = [sum(single[i, j] for i, j in pairs) for pairs in (straight, crossed)]
    return straight if alike[0] >= alike[1] else crossed


def agreement(first: Effects, second: Effects) -> Agreement:
    """Match the latents of two models by their effects (see the module's head).

    Parameters
    ----------
    first, second : of `image_effects` or of `measured_effects`, the same in both, with the active
        latents only. Images have one size.

    Raises
    ------
    InputError
        If the effects have different numbers of features.
    """
    if first.changes.shape[2] != second.changes.shape[2]:
        raise InputError(
            f"effects have {first.changes.shape[2]} and {second.changes.shape[2]} features; compare "
            "images of one size, or tables with tables"
        )
    single = similarity(first.changes, second.changes)
    members = [_members(first), _members(second)]
    joint = similarity(first.changes, second.changes, *members)
    names = [[f"z{unit}" for unit in effects.units] for effects in (first, second)]
    partners: dict[str, tuple[str, float, int]] = {}
    if single.size:
        chosen = _best_matches(single, joint, members)
        for i, j in np.argwhere(chosen[: single.size].reshape(single.shape)).tolist():
            partners[names[0][i]] = (names[1][j], single[i, j], -1)
        whole = np.argwhere(chosen[single.size :].reshape(joint.shape)).tolist()
        for number, (p, q) in enumerate(whole):
            for i, j in _side_by_side(first.pairs[p], second.pairs[q], single):
                partners[names[0][i]] = (names[1][j], joint[p, q], number)
    rows = [(name, *partners.get(name, ("", 0.0, -1))) for name in names[0]]
    met = {partner for partner, _, _ in partners.values()}
    rows += [("", name, 0.0, -1) for name in names[1] if name not in met]
    return Agreement(
        pd.DataFrame(rows, columns=["first", "second", "similarity", "pair"]),
        pd.DataFrame(single, index=names[0], columns=names[1]),
    )


def pairwise_agreement(models: Mapping[str, Effects]) -> pd.DataFrame:
    """Agreement of every two of several models.

    Parameters
    ----------
    models : names and effects of at least two models.

    Returns
    -------
    Table with one row per two models: first, second (names), agreement (0..1), first_latents,
    second_latents (their numbers), pairs (direction pairs that were matched as a whole).

    Raises
    ------
    InputError
        If there are fewer than two models, or their effects do not suit each other.
    """
    if len(models) < 2:
        raise InputError(
            f"agreement needs at least two models, got {len(models)}; train more seeds"
        )
    rows = []
    for a, b in combinations(models, 2):
        found = agreement(models[a], models[b])
        pairs = int(found.matches["pair"].max() + 1) if len(found.matches) else 0
        counts = len(models[a].units), len(models[b].units)
        rows.append((a, b, found.score, *counts, pairs))
    columns = ["first", "second", "agreement", "first_latents", "second_latents", "pairs"]
    return pd.DataFrame(rows, columns=columns)


def codes_agreement(matches: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> pd.DataFrame:
    """Squared correlation of matched latents' codes on the same crops.

    A latent that was matched on its own is compared as it is. In a direction pair that was matched
    as a whole the first model's two codes are turned in their plane by one angle first, as in
    `ellipticity_pair`: that at which the worse of the two R2 is best.

    Parameters
    ----------
    matches : of `Agreement`.
    first, second : (n, latents) codes of both models for the same n crops, all latents.

    Returns
    -------
    The matches with a column r2 (0..1), 0 for unmatched latents. Its mean is the agreement of the
    codes.

    Raises
    ------
    InputError
        If the codes are not of the same crops or lack a latent.
    """
    if len(first) != len(second):
        raise InputError(f"{len(first)} and {len(second)} codes; encode the same crops with both")
    units = {}
    for side, codes in (("first", first), ("second", second)):
        units[side] = matches[side].str.removeprefix("z").replace("", "-1").astype(int).to_numpy()
        if (units[side] >= codes.shape[1]).any():
            raise InputError(f"z{units[side].max()} is not among the {side} model's codes")
    r2 = np.zeros(len(matches))
    own, other = units["first"], units["second"]
    for row in np.flatnonzero((own >= 0) & (other >= 0) & (matches["pair"] < 0)):
        r2[row] = squared_correlations(first[:, [own[row]]], second[:, [other[row]]])[0, 0]
    for number in range(int(matches["pair"].max() + 1) if len(matches) else 0):
        rows = np.flatnonzero(matches["pair"] == number)
        plane = first[:, own[rows]].astype(float)
        r2[rows] = ellipticity_pair(second[:, other[rows]], *plane.T).r2
    return matches.assign(r2=r2)
