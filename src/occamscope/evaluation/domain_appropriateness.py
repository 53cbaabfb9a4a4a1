"""Do the smallest flips of a model look like the other class to an independent judge?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.evaluation.accuracy import wilson_interval


@dataclass(frozen=True)
class JudgedFlips:
    """What the judge says of the flips of one model.

    Attributes
    ----------
    cells : DataFrame, one row a cell
        Columns ``label, model_class`` (before the flip), ``reached, judge_before, judge_after``
        (logits), ``counted, new_class`` (the judge calls the flipped image the new class).
    summary : dict
        ``n`` cells, ``n_reached``, ``judge_accuracy`` on unperturbed reconstructions with
        ``_low, _high``, ``n_counted``, ``new_class_share`` of the counted cells with ``_low,
        _high`` (Wilson, 95 %), and ``judge_shift``, the median change of the judge's logit
        towards the new class.
    """

    cells: pd.DataFrame
    summary: dict


def judge_flips(
    judge: Callable[[np.ndarray], np.ndarray],
    reconstructions: np.ndarray,
    flipped: np.ndarray,
    labels: np.ndarray,
    model_class: np.ndarray,
    reached: np.ndarray,
) -> JudgedFlips:
    """Ask a judge whether flipped cells, decoded to images, show the new class.

    A cell counts where the model was right before the flip, the flip was reached, and the judge
    calls the unperturbed reconstruction by its true class: then both agree on where the cell
    comes from. The judge must share no data with any other model.

    Parameters
    ----------
    judge : callable
        Images (n, height, width) -> logits (n,), positive class above 0.
    reconstructions, flipped : ndarray, shape (n, height, width)
        Decoded codes before and after the flip.
    labels : ndarray of 0/1, shape (n,)
    model_class : ndarray of 0/1, shape (n,)
        The attacked model's class before the flip.
    reached : ndarray of bool, shape (n,)

    Returns
    -------
    JudgedFlips
    """
    labels, model_class = np.asarray(labels), np.asarray(model_class)
    reached = np.asarray(reached, bool)
    before, after = np.asarray(judge(reconstructions)), np.asarray(judge(flipped))
    agrees = (before > 0) == (labels == 1)
    counted = agrees & reached & (model_class == labels)
    new_class = (after > 0) != (labels == 1)
    cells = pd.DataFrame(
        {
            "label": labels,
            "model_class": model_class,
            "reached": reached,
            "judge_before": before,
            "judge_after": after,
            "counted": counted,
            "new_class": new_class,
        }
    )
    towards = np.where(labels == 1, -1, 1) * (after - before)
    summary: dict[str, float] = {"n": len(labels), "n_reached": int(reached.sum())}
    summary |= _share("judge_accuracy", agrees)
    summary |= {"n_counted": int(counted.sum())} | _share("new_class_share", new_class[counted])
    summary["judge_shift"] = float(np.median(towards[counted])) if counted.any() else np.nan
    return JudgedFlips(cells, summary)


def _share(name: str, hits: np.ndarray) -> dict[str, float]:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    share = float(hits.mean()) if len(hits) else np.nan
    return {name: share, f"{name}_low": float(low), f"{name}_high": float(high)}


def energy_share(delta: np.ndarray, units: list[int] | np.ndarray) -> np.ndarray:
    """Return the share of each step's squared length that lies in some latents.

    Parameters
    ----------
    delta : ndarray, shape (n, d)
        Steps in latent space.
    units : list of int
        E.g. the latents that carry size and shape.

    Returns
    -------
    ndarray, shape (n,)
        0..1; nan for a step of length 0.
    """
    energy = np.asarray(delta, np.float64) ** 2
    with np.errstate(invalid="ignore"):
        return energy[:, units].sum(1) / energy.sum(1)


def energy_by_latent(delta: np.ndarray) -> np.ndarray:
    """Return the mean share of the squared length in each latent, shape (d,); sums to 1."""
    energy = np.asarray(delta, np.float64) ** 2
    moved = energy[energy.sum(1) > 0]
    if len(moved) == 0:
        return np.full(energy.shape[1], np.nan)
    return (moved / moved.sum(1, keepdims=True)).mean(0)


def random_steps(
    z: np.ndarray, distance: np.ndarray, seed: int, latents: np.ndarray | None = None
) -> np.ndarray:
    """Move each code by its own distance in a random direction, the control for `judge_flips`.

    Parameters
    ----------
    z : ndarray, shape (n, d)
    distance : ndarray, shape (n,)
        Lengths of the flips; where not finite the code stays.
    seed : int
    latents : ndarray of bool, shape (d,), optional
        Latents that may move, those that the flips could use; all where not given. A step that
        is spread over collapsed latents changes no image, and is no control.
    """
    direction = np.random.default_rng(seed).normal(size=z.shape)
    if latents is not None:
        direction *= np.asarray(latents, bool)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.where(np.isfinite(distance), distance, 0.0)
    return (z + length[:, None] * direction).astype(z.dtype)
