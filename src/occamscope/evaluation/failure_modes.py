"""What models say of probes that hold no proper nucleus, and which terms of a law decide.

The probes are made by `occamscope.evaluation.probes.make_probes`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from occamscope.errors import InputError
from occamscope.evaluation.accuracy import wilson_interval

QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


def summarise_probes(
    kinds: np.ndarray,
    scores: pd.DataFrame,
    caught: np.ndarray,
    class_names: tuple[str, str] = ("negative", "positive"),
) -> pd.DataFrame:
    """Summarise class, margin and gate for each kind of probe and model.

    Parameters
    ----------
    kinds : ndarray of str, shape (m,)
        Kind of each probe; real crops may stand among them under a kind of their own ("real").
    scores : DataFrame, m rows
        One column of decision scores a model; above 0 is the positive class.
    caught : ndarray of bool, shape (m,)
        Whether the gate said "no nucleus here".
    class_names : tuple of str
        Names of the negative and the positive class.

    Returns
    -------
    DataFrame
        One row a kind and model, in order of appearance: ``probe, model, n, called`` (class of
        the majority), ``positive_share, positive_low, positive_high`` (Wilson, 95 %),
        ``margin_q05, margin_q25, margin_median, margin_q75, margin_q95`` (of the score),
        ``caught_share, caught_low, caught_high``.
    """
    rows = []
    for kind in dict.fromkeys(kinds):
        chosen = np.asarray(kinds) == kind
        n, n_caught = int(chosen.sum()), int(np.asarray(caught)[chosen].sum())
        caught_low, caught_high = wilson_interval(n_caught, n)
        for model in scores.columns:
            margin = scores[model].to_numpy(np.float64)[chosen]
            positive = int((margin > 0).sum())
            low, high = wilson_interval(positive, n)
            rows.append(
                {
                    "probe": kind,
                    "model": model,
                    "n": n,
                    "called": class_names[int(positive > n / 2)],
                    "positive_share": positive / n,
                    "positive_low": float(low),
                    "positive_high": float(high),
                    **{f"margin_{q}": float(np.quantile(margin, p)) for q, p in QUANTILES.items()},
                    "caught_share": n_caught / n,
                    "caught_low": float(caught_low),
                    "caught_high": float(caught_high),
                }
            )
    return pd.DataFrame(rows)


def deciding_terms(
    terms: Sequence[tuple[str, np.ndarray]],
    kinds: np.ndarray,
    real_terms: Sequence[tuple[str, np.ndarray]],
    real_labels: np.ndarray,
    class_names: tuple[str, str] = ("negative", "positive"),
) -> pd.DataFrame:
    """Rank the terms of a law by what they did to call each kind of probe as it was called.

    f is the sum of its terms, so what parts a probe from the average real cell of the class it
    was *not* called splits exactly into one difference a term; `pull` is that difference, positive
    towards the class that was called. A constant never pulls.

    Parameters
    ----------
    terms : sequence of (text, ndarray (m,))
        The law's additive terms and their values at the probes.
    kinds : ndarray of str, shape (m,)
    real_terms : sequence of (text, ndarray (n,))
        The same terms at real cells.
    real_labels : ndarray of 0/1, shape (n,)
    class_names : tuple of str

    Returns
    -------
    DataFrame
        One row a kind and term, the strongest pull first: ``probe, called, rank, term, mean,
        negative_mean, positive_mean`` (over the probes, over real cells of each class),
        ``from_negative, from_positive`` (differences to them), ``pull, share`` (of the sum of
        absolute pulls).

    Raises
    ------
    InputError
        If probes and real cells have different terms, or a class has no real cell.
    """
    names = [text for text, _ in terms]
    if names != [text for text, _ in real_terms]:
        raise InputError("the terms at the probes and at real cells differ; use one law for both")
    labels = np.asarray(real_labels)
    if not (labels == 0).any() or not (labels == 1).any():
        raise InputError("deciding terms need real cells of both classes for comparison")
    real = _stacked(real_terms)
    centres = (real[:, labels == 0].mean(1), real[:, labels == 1].mean(1))
    values = _stacked(terms)
    tables = [
        _decided(kind, names, values[:, np.asarray(kinds) == kind], centres, class_names)
        for kind in dict.fromkeys(kinds)
    ]
    return pd.concat(tables, ignore_index=True)


def _stacked(terms: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    return np.stack([np.asarray(values, np.float64) for _, values in terms])


def _decided(
    kind: str,
    names: list[str],
    values: np.ndarray,
    centres: tuple[np.ndarray, np.ndarray],
    class_names: tuple[str, str],
) -> pd.DataFrame:
    """Rank the terms (terms, probes) of one kind against the mean cell of either class."""
    negative, positive = centres
    called = int((values.sum(0) > 0).mean() > 0.5)
    mean = values.mean(1)
    pull = mean - negative if called else positive - mean
    table = pd.DataFrame(
        {
            "probe": kind,
            "called": class_names[called],
            "term": names,
            "mean": mean,
            "negative_mean": negative,
            "positive_mean": positive,
            "from_negative": mean - negative,
            "from_positive": mean - positive,
            "pull": pull,
            "share": pull / max(np.abs(pull).sum(), 1e-300),
        }
    ).sort_values("pull", ascending=False, kind="stable", ignore_index=True)
    table.insert(2, "rank", np.arange(1, len(names) + 1))
    return table
