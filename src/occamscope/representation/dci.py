"""Disentanglement, completeness and informativeness of codes for known factors.

Eastwood and Williams 2018, "A framework for the quantitative evaluation of disentangled
representations", section 2. A model that predicts each factor from all latents says how important
each latent is to it. R, of shape (latents, factors), holds these importances.

* Disentanglement of a latent: 1 minus the entropy of its row of R, as shares, to the base of the
  number of factors; 1 if it matters to one factor only.
* Completeness of a factor: 1 minus the entropy of its column, to the base of the number of latents;
  1 if one latent alone predicts it, 1 - log 2 / log latents if two do alike.
* Informativeness of a factor: how well it is predicted on rows held out.

The importances of a factor that cannot be predicted are shares of noise: read disentanglement and
completeness beside informativeness.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import entr
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from occamscope.errors import InputError
from occamscope.representation.targets import Target, split_targets

MODELS = ("boosting", "forest")
FOREST_TREES = 100


@dataclass(frozen=True)
class DCI:
    """Scores of one representation.

    Attributes
    ----------
    importance : table (latents, factors) of the models' importances; columns add up to 1, or to 0
        where no latent was of use. Rows are named z0, z1, ...
    latents : one row a latent: latent, disentanglement (0..1), weight (its share of all
        importance).
    factors : one row a factor: factor, kind ("continuous" or "discrete"), latent (the most
        important one), completeness (0..1), informativeness (R2 or accuracy, on the test rows).
        NaN, and no latent, for a factor that does not vary.
    disentanglement : mean over latents by their weights.
    completeness, informativeness : means over the factors that vary.
    """

    importance: pd.DataFrame
    latents: pd.DataFrame
    factors: pd.DataFrame
    disentanglement: float
    completeness: float
    informativeness: float


def _concentration(importance: np.ndarray) -> np.ndarray:
    """1 minus the entropy of each row's shares, to the base of its length; 0 for a row of zeros."""
    totals = importance.sum(axis=1, keepdims=True)
    shares = np.divide(importance, totals, out=np.zeros_like(importance), where=totals > 0)
    concentration = 1 - entr(shares).sum(axis=1) / np.log(importance.shape[1])
    return np.where(totals[:, 0] > 0, np.clip(concentration, 0.0, 1.0), 0.0)


def _checked(importance: np.ndarray) -> np.ndarray:
    importance = np.asarray(importance, float)
    suits = importance.ndim == 2 and min(importance.shape) >= 2 and np.isfinite(importance).all()
    if not suits or (importance < 0).any():
        raise InputError(
            "importances must be (at least 2 latents, at least 2 factors), finite and not "
            f"negative, got shape {importance.shape}; entropies to the base 1 do not exist"
        )
    return importance


def latent_disentanglement(importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disentanglement of each latent and its weight, from importances (latents, factors).

    Returns
    -------
    disentanglement : (latents,) in [0, 1]; 0 for a latent of no importance.
    weight : (latents,) share of all importance; all 0 if there is none.
    """
    importance = _checked(importance)
    total = importance.sum()
    weight = importance.sum(axis=1) / total if total > 0 else np.zeros(len(importance))
    return _concentration(importance), weight


def factor_completeness(importance: np.ndarray) -> np.ndarray:
    """Completeness (factors,) in [0, 1] from importances (latents, factors); 0 if none matters."""
    return _concentration(_checked(importance).T)


def _fit(target: Target, codes: np.ndarray, model: str, seed: int) -> tuple[np.ndarray, float]:
    """Importances (latents,) for one factor, and R2 or accuracy on the test rows."""
    estimator: (
        GradientBoostingClassifier
        | GradientBoostingRegressor
        | RandomForestClassifier
        | RandomForestRegressor
    )
    if model == "boosting":
        boosting = GradientBoostingClassifier if target.discrete else GradientBoostingRegressor
        estimator = boosting(random_state=seed)
    else:
        # Every split sees all latents: a split among latents that hold nothing of the factor would
        # give them importance.
        forest = RandomForestClassifier if target.discrete else RandomForestRegressor
        estimator = forest(FOREST_TREES, max_features=None, random_state=seed, n_jobs=1)
    estimator.fit(codes[target.train_rows], target.train)
    score = estimator.score(codes[target.test_rows], target.test)
    # Differences of equal impurities round to just below 0.
    return np.maximum(estimator.feature_importances_, 0.0), float(score)


def dci(
    codes: np.ndarray,
    factors: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
    discrete: Collection[str] = (),
    model: str = "boosting",
) -> DCI:
    """Disentanglement, completeness and informativeness (see the module's head).

    Parameters
    ----------
    codes : (n, latents) posterior means, at least two latents; collapsed ones set to 0. They count
        in the base of completeness.
    factors : n rows, at least two columns that vary; rows with NaN in a factor are left out of it.
        Columns named ``area...`` are predicted by their logarithm.
    train, test : row numbers or masks (n,); no row in both. Models are fitted on `train`;
        informativeness is measured on `test`.
    seed : of the models.
    discrete : columns that hold classes; they get classifiers, all others regressors.
    model : "boosting" (gradient boosted trees) or "forest" (random forest), with scikit-learn's
        settings. Importances are the mean decrease in impurity.

    Returns
    -------
    DCI

    Raises
    ------
    InputError
        If shapes, rows or names do not suit, or fewer than two factors vary in both parts.
    """
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}; choose among {', '.join(MODELS)}")
    codes = np.asarray(codes, np.float64)
    targets = split_targets(codes, factors, train, test, discrete)
    varying = [target for target in targets if target.varies]
    if len(varying) < 2:
        raise InputError("fewer than two factors vary in both parts; give more factors or rows")
    fits = {target.name: _fit(target, codes, model, seed) for target in varying}
    importance = np.stack([fit[0] for fit in fits.values()], axis=1)
    disentanglement, weight = latent_disentanglement(importance)
    complete = dict(zip(fits, factor_completeness(importance), strict=True))
    names = [f"z{unit}" for unit in range(codes.shape[1])]
    rows = []
    for target in targets:
        if target.name in fits:
            shares, score = fits[target.name]
            row = (names[int(shares.argmax())], complete[target.name], score)
        else:
            row = ("", float("nan"), float("nan"))
        rows.append((target.name, target.kind, *row))
    table = pd.DataFrame(
        rows, columns=["factor", "kind", "latent", "completeness", "informativeness"]
    )
    return DCI(
        importance=pd.DataFrame(importance, index=names, columns=list(fits)),
        latents=pd.DataFrame(
            {"latent": names, "disentanglement": disentanglement, "weight": weight}
        ),
        factors=table,
        disentanglement=float(weight @ disentanglement),
        completeness=float(table["completeness"].mean()),
        informativeness=float(table["informativeness"].mean()),
    )
