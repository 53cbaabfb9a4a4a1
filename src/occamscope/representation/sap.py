"""Separated attribute predictability: does one latent alone predict a factor?"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occamscope.representation.factors import squared_correlations
from occamscope.representation.targets import Target, split_targets
from occamscope.representation.thresholds import balanced_accuracy, fit_cuts


@dataclass(frozen=True)
class SAP:
    """Scores of one representation.

    Attributes
    ----------
    scores : table (latents, factors), how well each latent alone predicts each factor (0..1). Rows
        are named z0, z1, ...
    factors : one row a factor: factor, kind ("continuous" or "discrete"), latent (the best), score
        (its), runner_up, runner_up_score, gap (score - runner_up_score). NaN, and no latent, for a
        factor that does not vary.
    mean : of the gaps of the factors that vary; NaN if none does.
    """

    scores: pd.DataFrame
    factors: pd.DataFrame
    mean: float


def _scores(target: Target, codes: np.ndarray) -> np.ndarray:
    """Score (latents,) of each latent alone for one factor."""
    if not target.varies:
        return np.full(codes.shape[1], np.nan)
    test = codes[target.test_rows]
    if not target.discrete:
        return squared_correlations(test, target.test[:, None])[:, 0]
    train = codes[target.train_rows]
    classes, labels = np.unique(target.train, return_inverse=True)
    predicted = classes[fit_cuts(train, labels).predict(test)]
    accuracy = balanced_accuracy(predicted, target.test)
    return np.where(np.ptp(train, axis=0) > 0, accuracy, 0.0)


def separated_attribute_predictability(
    codes: np.ndarray,
    factors: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    discrete: Collection[str] = (),
) -> SAP:
    """Gap between the two latents that predict a factor best (Kumar et al. 2018, section 3).

    1: one latent predicts the factor and no other says anything of it; 0: two predict it alike.
    The score of a latent is

    * for a continuous factor, the squared correlation (the R2 of a line) on the test rows;
    * for a discrete one, the balanced accuracy on the test rows of the thresholds that are best on
      the training rows (`fit_cuts`: at most one interval a class). Guessing scores 1 / classes.

    A latent that is constant scores 0, as in the paper, also for a discrete factor.

    Parameters
    ----------
    codes : (n, latents) posterior means, at least two latents; collapsed ones set to 0.
    factors : n rows; rows with NaN in a factor are left out of it. Columns named ``area...`` are
        compared by their logarithm.
    train, test : row numbers or masks (n,); no row in both.
    discrete : columns that hold classes; all others are continuous.

    Returns
    -------
    SAP

    Raises
    ------
    InputError
        If shapes, rows or names do not suit.
    """
    codes = np.asarray(codes, np.float64)
    names = [f"z{unit}" for unit in range(codes.shape[-1])]
    columns, rows = {}, []
    for target in split_targets(codes, factors, train, test, discrete):
        scores = columns[target.name] = _scores(target, codes)
        second, first = np.argsort(scores, kind="stable")[-2:]
        best, other = (names[first], names[second]) if target.varies else ("", "")
        gap = scores[first] - scores[second]
        rows.append((target.name, target.kind, best, scores[first], other, scores[second], gap))
    table = pd.DataFrame(
        rows,
        columns=["factor", "kind", "latent", "score", "runner_up", "runner_up_score", "gap"],
    )
    return SAP(pd.DataFrame(columns, index=names), table, float(table["gap"].mean()))
