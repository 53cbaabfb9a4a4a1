"""How well scores separate two classes, with intervals, and comparisons on the same cells."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm, rankdata

from occamscope.errors import InputError

METRICS = ("accuracy", "sensitivity", "specificity", "balanced_accuracy", "auc")


def wilson_interval(
    count: np.ndarray | int, n: np.ndarray | int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Wilson score interval of a share `count` / `n`, elementwise; nan for n = 0.

    Wilson, JASA 22:209 (1927).
    """
    count, n = np.asarray(count, np.float64), np.asarray(n, np.float64)
    z = norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = count / n
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # Rounding may leave the exact ends 0 and 1 outside.
    low = np.where(count == 0, 0.0, centre - half)
    high = np.where(count == n, 1.0, centre + half)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def balanced_interval(
    hits: np.ndarray, totals: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean of the classes' recalls and its interval (value, low, high).

    The Wilson intervals of the recalls are combined by squaring and adding (MOVER; Zou and
    Donner, Stat. Med. 27:1693, 2008), which stays honest at recalls of 1.

    Parameters
    ----------
    hits, totals : ndarray, shape (classes,)
        Cells classed rightly and cells, by class.
    """
    low, high = wilson_interval(hits, totals, level)
    recall = np.asarray(hits, np.float64) / np.asarray(totals)
    value = recall.mean()
    down = np.sqrt(((recall - low) ** 2).sum()) / len(recall)
    up = np.sqrt(((high - recall) ** 2).sum()) / len(recall)
    return float(value), float(value - down), float(value + up)


def auc_interval(
    scores: np.ndarray, labels: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its interval (value, low, high).

    DeLong's variance (Biometrics 44:837, 1988; by midranks, Sun and Xu 2014) on the logit scale.
    Where it is 0, at perfect separation, the score interval of Newcombe (method 5, Stat. Med.
    25:559, 2006) stands in, which does not shrink to a point.
    """
    positive, negative = scores[labels == 1], scores[labels == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n  # share of negatives below each positive
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    auc = float(above.mean())
    variance = 0.0
    if min(m, n) > 1:
        variance = above.var(ddof=1) / m + below.var(ddof=1) / n
    if variance <= 0 or auc in (0.0, 1.0):
        return auc, *_newcombe_auc(auc, m, n, level)
    half = norm.ppf((1 + level) / 2) * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-half, half]))))
    return auc, float(low), float(high)


def _newcombe_auc(auc: float, m: int, n: int, level: float) -> tuple[float, float]:
    """Areas whose Hanley-McNeil z test does not reject `auc`, found on a fine grid."""
    theta = np.linspace(0, 1, 100_001)
    mean = (m + n) / 2 - 1
    variance = theta * (1 - theta) * (1 + mean * ((1 - theta) / (2 - theta) + theta / (1 + theta)))
    inside = (theta - auc) ** 2 <= norm.ppf((1 + level) / 2) ** 2 * variance / (m * n)
    return float(theta[inside].min()), float(theta[inside].max())


def binary_metrics(scores: np.ndarray, labels: np.ndarray, level: float = 0.95) -> dict:
    """Measure a classifier whose score above 0 means the positive class.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    labels : ndarray of 0/1, shape (n,)
    level : float
        Coverage of the intervals.

    Returns
    -------
    dict
        ``n, n_positive``, and ``x, x_low, x_high`` for accuracy, sensitivity, specificity
        (Wilson), balanced_accuracy (Wilson combined) and auc (DeLong). With one class only, what
        needs both is nan.

    Raises
    ------
    InputError
        If lengths differ, there are no cells, labels are not 0/1 or a score is nan.
    """
    scores, labels = _checked(scores, labels)
    correct = (scores > 0) == (labels == 1)
    totals = np.array([(labels == 0).sum(), (labels == 1).sum()])
    hits = np.array([correct[labels == 0].sum(), correct[labels == 1].sum()])
    low, high = wilson_interval(np.append(hits, hits.sum()), np.append(totals, totals.sum()), level)
    shares = [hits[k] / totals[k] if totals[k] else np.nan for k in (0, 1)]
    result: dict[str, float] = {"n": len(labels), "n_positive": int(totals[1])}
    result |= _triple("accuracy", correct.mean(), low[2], high[2])
    result |= _triple("sensitivity", shares[1], low[1], high[1])
    result |= _triple("specificity", shares[0], low[0], high[0])
    both = bool(totals.all())
    nothing = (np.nan, np.nan, np.nan)
    result |= _triple(
        "balanced_accuracy", *(balanced_interval(hits, totals, level) if both else nothing)
    )
    return result | _triple("auc", *(auc_interval(scores, labels, level) if both else nothing))


def _triple(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def _checked(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if scores.shape != labels.shape or scores.ndim != 1 or len(scores) == 0:
        raise InputError(
            f"{scores.shape} scores for {labels.shape} labels; give one score for each of at "
            "least one cell"
        )
    if np.isnan(scores).any():
        raise InputError("some scores are nan; a model must give each cell a number")
    if not np.isin(labels, (0, 1)).all():
        raise InputError("labels must be 0 or 1; leave unlabelled cells out")
    return scores, labels


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> dict:
    """Test whether two models err equally often on the same cells (exact McNemar test).

    Parameters
    ----------
    correct_a, correct_b : ndarray of bool, shape (n,)

    Returns
    -------
    dict
        ``a_only`` and ``b_only`` (cells that one model alone classes rightly), ``p_value``
        (two-sided, binomial).
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    a_only, b_only = int((a & ~b).sum()), int((b & ~a).sum())
    total = a_only + b_only
    p_value = float(binomtest(a_only, total).pvalue) if total else 1.0
    return {"a_only": a_only, "b_only": b_only, "p_value": p_value}


def ratio_interval(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    seed: int,
    level: float = 0.95,
    labels: np.ndarray | None = None,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """Return accuracy of a / accuracy of b on the same cells (value, low, high).

    Percentile interval of a paired bootstrap over cells. The four outcomes (both right, a alone,
    b alone, none) of resampled cells are multinomial, so no cell is copied. Where no pair
    disagrees the interval shrinks to a point.

    Parameters
    ----------
    correct_a, correct_b : ndarray of bool, shape (n,)
    seed : int
    level : float
    labels : ndarray, shape (n,), optional
        If given, balanced accuracies are compared and cells are drawn within their class.
    resamples : int

    Returns
    -------
    tuple of float
        nan where b is never right.
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    strata = [a >= 0] if labels is None else [labels == c for c in np.unique(labels)]
    rng = np.random.default_rng(seed)
    drawn, value = np.zeros((2, resamples)), np.zeros(2)
    for stratum in strata:
        n = int(stratum.sum())
        counts = np.bincount(2 * a[stratum] + b[stratum], minlength=4)
        outcome = rng.multinomial(n, counts / n, size=resamples)
        drawn += np.stack([outcome[:, 2] + outcome[:, 3], outcome[:, 1] + outcome[:, 3]]) / n
        value += np.array([counts[2] + counts[3], counts[1] + counts[3]]) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = drawn[0] / drawn[1]
        ratio = value[0] / value[1]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(ratio), float(low), float(high)


def accuracy_table(
    models: pd.DataFrame, scores: np.ndarray, labels: np.ndarray, split: str, seed: int
) -> pd.DataFrame:
    """Measure many models on the same cells, and against the black box and the dense network.

    Parameters
    ----------
    models : DataFrame, m rows
        Columns ``model`` (unique text), ``kind`` (black_box, forest, dense, sparse, law) and
        ``seed``; further columns (density, parameters, complexity) are passed on.
    scores : ndarray, shape (m, n)
    labels : ndarray of 0/1, shape (n,)
    split : str
        Part of the split, written into the table.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        The columns of `models`, ``split``, those of `binary_metrics`, and for the black box and
        the dense network ``ratio_to_x`` (accuracies) and ``balanced_ratio_to_x``, each with
        ``_low, _high``, and ``mcnemar_p_to_x``. The reference is the model of that kind
        with the same seed, else its first; nan where there is none.
    """
    labels = np.asarray(labels)
    correct = (np.asarray(scores) > 0) == (labels == 1)
    rows = []
    for i, model in enumerate(models.to_dict("records")):
        row = {**model, "split": split, **binary_metrics(scores[i], labels)}
        for kind in ("black_box", "dense"):
            j = _reference(models, kind, model["seed"])
            row |= _against(kind, correct[i], None if j is None else correct[j], labels, seed)
        rows.append(row)
    return pd.DataFrame(rows)


def _reference(models: pd.DataFrame, kind: str, seed: object) -> int | None:
    of_kind = np.flatnonzero(models["kind"].to_numpy() == kind)
    if of_kind.size == 0:
        return None
    same = of_kind[models["seed"].to_numpy()[of_kind] == seed]
    return int(same[0] if same.size else of_kind[0])


def _against(
    kind: str, correct: np.ndarray, reference: np.ndarray | None, labels: np.ndarray, seed: int
) -> dict[str, float]:
    nothing = (np.nan,) * 3
    ratio, balanced, p_value = nothing, nothing, np.nan
    if reference is not None:
        ratio = ratio_interval(correct, reference, seed)
        balanced = ratio_interval(correct, reference, seed, labels=labels)
        p_value = mcnemar(correct, reference)["p_value"]
    name = f"ratio_to_{kind}"
    result = _triple(name, *ratio) | _triple(f"balanced_{name}", *balanced)
    return result | {f"mcnemar_p_to_{kind}": p_value}
