"""Adversarial steps in latent space: smallest and confident flips of a decision, FGSM and PGD.

A decision function maps codes (..., n, d) to scores (..., n), differentiably; a score above 0 is
the positive class. All leading dimensions are a batch, so a stack of models can be attacked at
once. Distances are L2 and codes are unbounded: one unit is one sd of the latent prior.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from occamscope.errors import InputError
from occamscope.evaluation.flip_search import (
    TINY,
    Decision,
    Flips,
    FlipSearch,
    FlipSettings,
    checked_thresholds,
    unit,
    used_latents,
    value_and_gradient,
)


def smallest_flip(
    decision: Decision,
    z: np.ndarray | Tensor,
    pool: np.ndarray | Tensor,
    settings: FlipSettings | None = None,
    seed: int = 0,
) -> Flips:
    """Find the smallest L2 change of each code that flips the decision (an upper bound).

    The shortest of several searches: rays towards a first crossing (DeepFool [1]_), the nearest
    codes of the other side, random directions (the gradient of a law can vanish at a code) and
    the crossing of DDN [2]_; each ray is turned towards the boundary's normal for as long as that
    shortens it. At the optimum the change is parallel to the gradient.

    Parameters
    ----------
    decision : callable
        Tensor (..., n, d) -> Tensor (..., n).
    z : array or tensor, shape (..., n, d)
        Codes to flip, in the dtype that the decision expects.
    pool : array or tensor, shape (m, d) or (..., m, d)
        Codes of real cells, of both classes if possible.
    settings : FlipSettings, optional
    seed : int
        Seed of the random directions.

    Returns
    -------
    Flips

    References
    ----------
    .. [1] Moosavi-Dezfooli et al., DeepFool, CVPR 2016.
    .. [2] Rony et al., Decoupling direction and norm (DDN), CVPR 2019.
    """
    return confident_flip(decision, z, pool, 0.0, 0.0, settings, seed)


def confident_flip(
    decision: Decision,
    z: np.ndarray | Tensor,
    pool: np.ndarray | Tensor,
    upper: float | np.ndarray,
    lower: float | np.ndarray,
    settings: FlipSettings | None = None,
    seed: int = 0,
) -> Flips:
    """Find the smallest L2 change of each code after which the model is sure of the new class.

    `smallest_flip` ends a hair beyond the boundary, at a cell of which the model itself knows
    nothing; here a cell called negative must reach a score above `upper`, one called positive a
    score of at most `lower`. The search is the same. An undefined score (nan) is never sure.

    Parameters
    ----------
    decision, z, pool, settings, seed
        As for `smallest_flip`.
    upper, lower : float or array, shape (..., 1)
        Scores, at least and at most 0, e.g. of `confidence.confidence_thresholds`; one a model
        where models are stacked. Both 0 is `smallest_flip`.

    Returns
    -------
    Flips
        `reached` is False where no code of the needed score was found, e.g. since the decision
        is bounded.

    Raises
    ------
    InputError
        If a threshold lies on the wrong side of 0, is nan or differs between cells.
    """
    settings = settings or FlipSettings()
    z = torch.as_tensor(z).detach()
    pool = torch.as_tensor(pool, dtype=z.dtype).detach().expand(*z.shape[:-2], -1, -1)
    thresholds = checked_thresholds(upper, lower, z.dtype)
    generator = torch.Generator().manual_seed(seed)
    search = FlipSearch(decision, z, settings, used_latents(decision, z, pool), *thresholds)
    starts = [
        search.deepfool(),
        *search.neighbours(pool),
        *search.random_points(generator),
        search.ddn(generator),
    ]
    return search.shortest(starts)


def confined(decision: Decision, latents: np.ndarray) -> Decision:
    """Let a decision read some latents only, the others as 0, so that no attack moves those.

    Collapsed latents are set to 0 before a network is trained on codes, so its weights there are
    as they were drawn. An attack would use them although no cell and no image has them.

    Parameters
    ----------
    decision : callable
        Tensor (..., n, d) -> Tensor (..., n).
    latents : ndarray of bool, shape (d,)
        Latents that the decision may read, e.g. the active ones.

    Returns
    -------
    callable
        Of the same kind as `decision`.
    """
    kept = torch.as_tensor(np.asarray(latents, bool))
    return lambda x: decision(torch.where(kept, x, torch.zeros((), dtype=x.dtype)))


def fgsm(
    decision: Decision, z: np.ndarray | Tensor, epsilon: float, norm: str = "l2"
) -> np.ndarray:
    """Take one step of length `epsilon` against the present class (Goodfellow et al. 2015).

    Parameters
    ----------
    decision : callable
        Tensor (..., n, d) -> Tensor (..., n).
    z : array or tensor, shape (..., n, d)
    epsilon : float
        Length in sd of the prior, in the norm "l2" or "linf".

    Returns
    -------
    ndarray, shape (..., n, d)
        Codes; where the gradient vanishes the code stays.
    """
    z = torch.as_tensor(z).detach()
    value, gradient = value_and_gradient(decision, z)
    sign = torch.where(value > 0, 1.0, -1.0).to(z.dtype).unsqueeze(-1)
    return (z - epsilon * sign * _steepest(gradient, norm)).numpy()


def pgd(
    decision: Decision,
    z: np.ndarray | Tensor,
    epsilon: float,
    norm: str = "l2",
    steps: int = 40,
    relative_step: float = 0.1,
    restarts: int = 1,
    seed: int = 0,
) -> np.ndarray:
    """Take projected gradient steps within `epsilon` of each code (Madry et al. 2018).

    Starts at the code and at `restarts` random places of the ball; the first code seen across
    the boundary is kept, else the last of the first start.

    Parameters
    ----------
    decision, z, epsilon, norm
        As for `fgsm`.
    steps : int
        Gradient steps of `relative_step` times `epsilon`.

    Returns
    -------
    ndarray, shape (..., n, d)
    """
    z = torch.as_tensor(z).detach()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        positive = decision(z) > 0
    sign = torch.where(positive, 1.0, -1.0).to(z.dtype).unsqueeze(-1)
    flipped, result = torch.zeros_like(positive), z
    for start in range(restarts + 1):
        noise = torch.randn(z.shape, generator=generator, dtype=torch.float64).to(z.dtype)
        delta = _project(noise, epsilon, norm) if start else torch.zeros_like(z)
        for _ in range(steps):
            _, gradient = value_and_gradient(decision, z + delta)
            step = epsilon * relative_step * sign * _steepest(gradient, norm)
            delta = _project(delta - step, epsilon, norm)
            with torch.no_grad():
                across = (decision(z + delta) > 0) != positive
            new = across & ~flipped
            result = torch.where(new.unsqueeze(-1), z + delta, result)
            flipped = flipped | new
        if start == 0:
            result = torch.where(flipped.unsqueeze(-1), result, z + delta)
    return result.numpy()


def _steepest(gradient: Tensor, norm: str) -> Tensor:
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        return unit(gradient)
    raise InputError(f"unknown norm {norm!r}; choose 'l2' or 'linf'")


def _project(delta: Tensor, epsilon: float, norm: str) -> Tensor:
    if norm == "linf":
        return delta.clamp(-epsilon, epsilon)
    length = delta.norm(dim=-1, keepdim=True).clamp_min(TINY)
    return delta * (epsilon / length).clamp_max(1.0)


def attack_curve(
    decision: Decision,
    z: np.ndarray | Tensor,
    labels: np.ndarray,
    epsilons: tuple[float, ...],
    method: str = "pgd",
    norm: str = "l2",
    seed: int = 0,
) -> pd.DataFrame:
    """Measure the accuracy left under attacks of growing length.

    Parameters
    ----------
    decision : callable
        Tensor (n, d) -> Tensor (n,).
    z : array or tensor, shape (n, d)
    labels : ndarray of 0/1, shape (n,)
    epsilons : tuple of float
        Lengths in sd of the prior.
    method : {"fgsm", "pgd"}

    Returns
    -------
    DataFrame
        Columns ``method, norm, epsilon, n, accuracy, flipped``: the share of cells classed
        rightly whose class withstands, and the share of all cells whose class changed.
    """
    attack = {
        "fgsm": lambda epsilon: fgsm(decision, z, epsilon, norm),
        "pgd": lambda epsilon: pgd(decision, z, epsilon, norm, seed=seed),
    }
    if method not in attack:
        raise InputError(f"unknown attack {method!r}; choose 'fgsm' or 'pgd'")
    with torch.no_grad():
        before = (decision(torch.as_tensor(z)) > 0).numpy()
    correct = before == (np.asarray(labels) == 1)
    rows = []
    for epsilon in epsilons:
        with torch.no_grad():
            after = (decision(torch.as_tensor(attack[method](epsilon))) > 0).numpy()
        rows.append(_curve_row(method, norm, epsilon, correct, after != before))
    return pd.DataFrame(rows)


def flip_curve(
    distance: np.ndarray, correct: np.ndarray, epsilons: tuple[float, ...]
) -> pd.DataFrame:
    """Make the same curve from the smallest flips: a cell is lost once `epsilon` reaches it.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        `Flips.distance`.
    correct : ndarray of bool, shape (n,)
        Whether the model classes the unperturbed cell rightly.
    epsilons : tuple of float

    Returns
    -------
    DataFrame
        Columns of `attack_curve`.
    """
    rows = [_curve_row("smallest", "l2", e, correct, distance <= e) for e in epsilons]
    return pd.DataFrame(rows)


def _curve_row(
    method: str, norm: str, epsilon: float, correct: np.ndarray, flipped: np.ndarray
) -> dict:
    return {
        "method": method,
        "norm": norm,
        "epsilon": float(epsilon),
        "n": len(correct),
        "accuracy": float(np.mean(correct & ~flipped)),
        "flipped": float(np.mean(flipped)),
    }
