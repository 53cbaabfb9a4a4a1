"""One row of numbers a model: how long its flips are, what they change and how they look."""

from collections.abc import Callable

import numpy as np

from occamscope.errors import InputError
from occamscope.evaluation.code_spread import CodeSpread
from occamscope.evaluation.domain_appropriateness import JudgedFlips, energy_share
from occamscope.evaluation.flip_search import Flips

# Values that are drawn at once.
BATCH = 1_000_000


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable[..., np.ndarray],
    seed: int,
    level: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """Return a statistic of values and its percentile bootstrap interval (value, low, high).

    Parameters
    ----------
    values : ndarray, shape (n,)
        One a cell; may hold inf, not nan.
    statistic : callable
        Of an array along `axis`, e.g. `numpy.median`.
    seed : int
    level : float
        Coverage.
    resamples : int

    Returns
    -------
    tuple of float
        nan without values.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng(seed)
    block = max(1, BATCH // len(values))
    drawn = [
        statistic(values[rng.integers(len(values), size=(count, len(values)))], axis=1)
        for count in np.diff(np.append(np.arange(0, resamples, block), resamples))
    ]
    ends = [(1 - level) / 2, (1 + level) / 2]
    # "nearest": no interpolation between a finite and an infinite median.
    low, high = np.quantile(np.concatenate(drawn), ends, method="nearest")
    return float(statistic(values, axis=0)), float(low), float(high)


def summarise_flips(
    z: np.ndarray,
    smallest: Flips,
    confident: Flips,
    judged_smallest: JudgedFlips,
    judged_confident: JudgedFlips,
    shape_latents: np.ndarray | list[int],
    spread: CodeSpread,
    seed: int,
    resamples: int = 2000,
) -> dict[str, float]:
    """Gather what the flips of one model say of its domain-appropriateness, with intervals.

    All intervals are of 95 %, over cells: percentile bootstrap of medians and means, Wilson of
    the judge's shares.

    Parameters
    ----------
    z : ndarray, shape (n, d)
        Codes before the flips.
    smallest, confident : Flips, of n cells
        From `attacks.smallest_flip` and `attacks.confident_flip`, or steps to compare them with.
    judged_smallest, judged_confident : JudgedFlips, of n cells
        From `judge_flips` of the two, decoded.
    shape_latents : list of int
        Latents that carry size and shape.
    spread : CodeSpread
        From `fit_spread`.
    seed : int
        Seed of the bootstrap.
    resamples : int

    Returns
    -------
    dict
        ``n`` cells; ``judge_accuracy`` on unperturbed reconstructions; ``real_farther_out``, the
        median of `CodeSpread.farther_out` before the flip (about 0.5). For the smallest flips,
        and with the prefix ``confident_`` for the others: ``n_reached``; ``distance_median`` in
        sd of the prior over all cells, inf where more than half were not reached;
        ``shape_energy_share``, the mean share of a step's squared length in `shape_latents`, and
        ``farther_out``, the median share of held-out real cells that lie farther out than the
        flipped code, both over cells reached; ``n_counted``, ``new_class_share``,
        ``judge_shift`` as in `JudgedFlips`. All but the counts and the shift have ``_low``
        and ``_high``.

    Raises
    ------
    InputError
        If the parts are of different cells.
    """
    z = np.asarray(z)
    pairs = {"": (smallest, judged_smallest), "confident_": (confident, judged_confident)}
    for flips, judged in pairs.values():
        if flips.codes.shape != z.shape or len(judged.cells) != len(z):
            raise InputError(
                f"flips {flips.codes.shape} and {len(judged.cells)} judged cells for codes "
                f"{z.shape}; give the parts of one model and the same cells"
            )

    def measured(name: str, values: np.ndarray, statistic: Callable[..., np.ndarray]) -> dict:
        found = bootstrap_interval(values, statistic, seed, resamples=resamples)
        return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))

    row: dict[str, float] = {"n": len(z)} | _of_judge("judge_accuracy", judged_smallest)
    row |= measured("real_farther_out", spread.farther_out(z), np.median)
    for prefix, (flips, judged) in pairs.items():
        reached = np.asarray(flips.reached, bool)
        energy = energy_share(flips.codes[reached] - z[reached], shape_latents)
        farther_out = spread.farther_out(flips.codes[reached])
        distance = np.where(reached, flips.distance, np.inf)
        part: dict[str, float] = {"n_reached": int(reached.sum())}
        part |= measured("distance_median", distance, np.median)
        part |= measured("shape_energy_share", energy[~np.isnan(energy)], np.mean)
        part |= measured("farther_out", farther_out, np.median)
        part |= {"n_counted": judged.summary["n_counted"]} | _of_judge("new_class_share", judged)
        part["judge_shift"] = judged.summary["judge_shift"]
        row |= {prefix + name: value for name, value in part.items()}
    return row


def _of_judge(name: str, judged: JudgedFlips) -> dict[str, float]:
    return {key: judged.summary[key] for key in (name, f"{name}_low", f"{name}_high")}
