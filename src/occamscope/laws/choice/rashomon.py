"""The Rashomon set: all structurally different laws that are nearly as good as the best.

Where several laws fit the data almost equally well (Breiman, "Statistical modeling: the two
cultures", Statistical Science 2001, calls it the Rashomon effect), none of them is *the* law.
The set of them shows what is certain: variables that all laws use, cells on which all agree
(Semenova, Rudin and Parr, "On the existence of simpler machine learning models", FAccT 2022;
Fisher, Rudin and Dominici, "All models are wrong, but many are useful", JMLR 2019).

The set is as wide as the pool that it is drawn from (see `merging`); laws that no search met
are not in it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from occamscope.errors import InputError
from occamscope.laws.choice.choose import VALIDATION_COLUMNS, validation_columns
from occamscope.laws.choice.merging import decision_laws, merge_laws
from occamscope.laws.expressions.equivalence import effective_variables, terms_of
from occamscope.laws.expressions.expression import Expression
from occamscope.laws.front import Front

BALANCED = "validation_balanced_accuracy"
TABLE_COLUMNS = (
    "law", "cluster", "expression", "latex", "complexity", "output_scale", "output_offset",
    *VALIDATION_COLUMNS, "structure", "variables", "variants", "times_found", "found_by",
)  # fmt: skip
Array = NDArray[np.float64]
Decisions = NDArray[np.bool_]


@dataclass(frozen=True)
class RashomonSettings:
    """What counts as nearly as good, and how the laws of the set are compared."""

    # Balanced validation accuracy that a law may lose against the best one.
    epsilon: float = 0.02
    # Larger laws are not considered; None: all are.
    max_complexity: int | None = None
    # Laws less apart than this (0: same terms and decisions, 1: nothing in common) form a cluster.
    cluster_distance: float = 0.4
    # Points off the data: how many, and from where. "box": uniform in the data's ranges;
    # "gaussian": independent normal variables with the data's means and standard deviations.
    off_points: int = 5_000
    off_shape: Literal["box", "gaussian"] = "box"
    # Ranges or standard deviations are widened by this factor.
    off_spread: float = 1.5
    # Times that a variable's values are shuffled to see what the law loses.
    shuffles: int = 5
    # Start of the random streams.
    seed: int = 0


@dataclass(frozen=True)
class RashomonSet:
    """Structurally different laws of nearly the best validation accuracy.

    Attributes
    ----------
    table : one row a law, cluster by cluster, the best of each first: `law` (its number, 1 is
        the most accurate), `cluster`, `expression`, `latex` (of expression + offset / scale),
        `complexity`, `output_scale`, `output_offset`, the columns of
        `choose.VALIDATION_COLUMNS`, `structure`, `variables` (joined by blanks), `variants`
        (laws of that structure within epsilon), `times_found`, `found_by`
    names : variables in the order of the data's columns
    best, epsilon : the best law's balanced validation accuracy and what may be lost
    considered : distinct laws that the set was chosen from
    uses : (laws, variables) True where a law depends on a variable; only variables in use
    agreement, agreement_off : (laws, laws) share of rows on which two laws decide alike, of the
        validation data and of random points around them
    all_agree, all_agree_off : share of rows on which all laws decide alike
    importance : one row a variable in use: `laws` and `share` that depend on it, and the
        balanced accuracy that a law loses when its values are shuffled: `lowest`, `mean` and
        `highest` over the laws (the range is an estimate of model class reliance; Fisher et
        al. 2019, section 3)
    """

    table: pd.DataFrame
    names: tuple[str, ...]
    best: float
    epsilon: float
    considered: int
    uses: pd.DataFrame
    agreement: pd.DataFrame
    agreement_off: pd.DataFrame
    all_agree: float
    all_agree_off: float
    importance: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def laws(self) -> list[Expression]:
        """Return the laws in the order of the table, scale and offset included."""
        return decision_laws(self.table, self.names)

    def decisions(self, X: ArrayLike) -> Decisions:
        """Return (laws, n) whether each law calls each row positive; undefined is negative."""
        return _decide(self.laws(), np.asarray(X, dtype=np.float64))

    def __str__(self) -> str:
        shown = self._shown().to_string(index=False, float_format="{:.3f}".format)
        return f"{self.summary()}\n{shown}"

    def _repr_html_(self) -> str:
        shown = self._shown().assign(found_by=self.table["found_by"])
        table = shown.to_html(index=False, float_format="{:.3f}".format)
        return f"<p>{html.escape(self.summary())}</p>{table}"

    def _shown(self) -> pd.DataFrame:
        """Return what a reader wants first, constants rounded."""
        columns = self.table[["law", "cluster", "complexity", BALANCED]]
        columns = columns.rename(columns={BALANCED: "accuracy"})
        return columns.assign(expression=[law.to_text(digits=3) for law in self.laws()])

    def summary(self) -> str:
        """Say in a few sentences how many laws there are and what they share."""
        count, clusters = len(self), self.table["cluster"].nunique()
        always = self.importance.loc[self.importance["share"] == 1, "variable"]
        text = (
            f"{count} structurally different law{'s' * (count != 1)} in {clusters} "
            f"cluster{'s' * (clusters != 1)} within {self.epsilon:g} of the best balanced "
            f"validation accuracy {self.best:.3f} (of {self.considered} laws found). "
        )
        text += f"All use {', '.join(always)}. " if len(always) else "No variable is in all. "
        return text + (
            f"All agree on {self.all_agree:.1%} of the data and on {self.all_agree_off:.1%} of "
            "points off it."
        )


def rashomon_set(
    pools: Iterable[Front | pd.DataFrame | Sequence[str]],
    X: ArrayLike,
    labels: ArrayLike,
    feature_names: Sequence[str],
    settings: RashomonSettings | None = None,
) -> RashomonSet:
    """Find the structurally different laws of nearly the best validation accuracy.

    Equivalent laws are merged first. Of the laws of one structure (what decides in them is
    equal up to the values of constants, `equivalence.structure`) the most accurate one stands
    for all, of equally accurate ones the simplest.

    Parameters
    ----------
    pools : as in `merging.merge_laws`
    X, labels : (n, d) validation data, not used in the searches, and (n,) classes, 0/1 or -1/+1
    feature_names : names of the columns of X

    Raises
    ------
    InputError
        If there is no law (small enough), or labels or data do not fit.
    """
    settings = settings or RashomonSettings()
    _check(settings)
    X = np.asarray(X, dtype=np.float64)
    names = tuple(feature_names)
    merged = merge_laws(pools, names, X)
    if settings.max_complexity is not None:
        merged = merged[merged["complexity"] <= settings.max_complexity]
    if merged.empty:
        raise InputError(f"laws: no law has at most {settings.max_complexity} nodes")
    judged = _judge(merged, X, labels, names)
    best = float(judged[BALANCED].max())
    near = judged[judged[BALANCED] >= best - settings.epsilon - 1e-12]
    table = _one_a_structure(near)
    laws = decision_laws(table, names)
    uses = _uses(laws)
    decisions = _decide(laws, X)
    table = table.assign(
        cluster=_clusters(laws, uses, decisions, settings.cluster_distance),
        latex=[law.latex() for law in laws],
        variables=[" ".join(uses.columns[own]) for own in uses.to_numpy(dtype=bool)],
    )[list(TABLE_COLUMNS)]
    order = table.sort_values(["cluster", "law"], kind="stable").index.to_numpy()
    table, laws, decisions = table.loc[order], [laws[i] for i in order], decisions[order]
    off = _decide(laws, off_data(X, settings))
    uses = uses.iloc[order].set_axis(table["law"])
    return RashomonSet(
        table=table.reset_index(drop=True),
        names=names,
        best=best,
        epsilon=settings.epsilon,
        considered=len(merged),
        uses=uses,
        agreement=_agreement(decisions, table["law"]),
        agreement_off=_agreement(off, table["law"]),
        all_agree=_all_agree(decisions),
        all_agree_off=_all_agree(off),
        importance=_importance(laws, uses, X, labels, settings),
    )


def off_data(X: ArrayLike, settings: RashomonSettings | None = None) -> Array:
    """Draw points around the data in which its variables are independent.

    Parameters
    ----------
    X : (n, d) data
    """
    settings = settings or RashomonSettings()
    X = np.asarray(X, dtype=np.float64)
    random = np.random.default_rng(settings.seed)
    shape = (settings.off_points, X.shape[1])
    if settings.off_shape == "gaussian":
        spread = settings.off_spread * X.std(axis=0)
        return np.asarray(X.mean(axis=0) + spread * random.standard_normal(shape))
    middle, half = (X.max(axis=0) + X.min(axis=0)) / 2, (X.max(axis=0) - X.min(axis=0)) / 2
    return np.asarray(middle + settings.off_spread * half * random.uniform(-1, 1, shape))


def _check(settings: RashomonSettings) -> None:
    if not 0 <= settings.epsilon <= 1:
        raise InputError(f"laws: epsilon={settings.epsilon} must lie between 0 and 1")
    if settings.off_shape not in ("box", "gaussian"):
        raise InputError(f"laws: off_shape='{settings.off_shape}' is not 'box' or 'gaussian'")
    if settings.off_points < 1 or settings.shuffles < 1:
        raise InputError("laws: off_points and shuffles must be at least 1")


def _judge(rows: pd.DataFrame, X: Array, labels: ArrayLike, names: tuple[str, ...]) -> pd.DataFrame:
    """Add validation columns, scale and offset taken into account."""
    texts = [law.to_text() for law in decision_laws(rows, names)]
    judged = validation_columns(rows.assign(expression=texts, output_offset=0.0), X, labels, names)
    return judged.assign(expression=rows["expression"], output_offset=rows["output_offset"])


def _one_a_structure(near: pd.DataFrame) -> pd.DataFrame:
    """Keep the best law of each structure, numbered from the most accurate on."""
    order = near.sort_values(
        [BALANCED, "complexity", "validation_hinge", "expression"],
        ascending=[False, True, True, True],
        kind="stable",
    )
    variants = order.groupby("structure").size()
    table = order.drop_duplicates("structure").reset_index(drop=True)
    table.insert(0, "law", np.arange(1, len(table) + 1))
    return table.assign(variants=table["structure"].map(variants).astype(int))


def _decide(laws: Sequence[Expression], X: Array) -> Decisions:
    return np.stack([law.evaluate(X) > 0 for law in laws])


def _uses(laws: Sequence[Expression]) -> pd.DataFrame:
    """Tell for each law which of the variables in use it depends on."""
    used = [set(effective_variables(law)) for law in laws]
    names = [name for name in laws[0].names if any(name in own for own in used)]
    table = np.array([[name in own for name in names] for own in used], dtype=bool)
    return pd.DataFrame(table, columns=names)


def _clusters(
    laws: Sequence[Expression], uses: pd.DataFrame, decisions: Decisions, distance: float
) -> NDArray[np.int_]:
    """Number clusters by average linkage; the one with the most accurate law is 1.

    The distance of two laws is the mean of three, each from 0 to 1: the Jaccard distances of
    their sets of variables and of their sets of terms, and twice the share of rows on which
    they decide differently (1 from chance on).
    """
    if len(laws) == 1:
        return np.ones(1, dtype=int)
    from scipy.cluster.hierarchy import fcluster, linkage  # slow to import
    from scipy.spatial.distance import squareform

    variables = [set(uses.columns[own]) for own in uses.to_numpy(dtype=bool)]
    terms = [set(terms_of(law)) for law in laws]
    gaps = np.zeros((len(laws), len(laws)))
    for i in range(len(laws)):
        for j in range(i):
            apart = min(1.0, 2 * float(np.mean(decisions[i] != decisions[j])))
            parts = _jaccard(variables[i], variables[j]), _jaccard(terms[i], terms[j]), apart
            gaps[i, j] = gaps[j, i] = sum(parts) / 3
    found = fcluster(linkage(squareform(gaps), "average"), distance, "distance")
    numbers = {old: new for new, old in enumerate(dict.fromkeys(found), start=1)}
    return np.array([numbers[old] for old in found])


def _jaccard(a: set[str], b: set[str]) -> float:
    """1 - |a and b| / |a or b|; 0 for two empty sets."""
    return 1 - len(a & b) / len(a | b) if a | b else 0.0


def _agreement(decisions: Decisions, numbers: pd.Series) -> pd.DataFrame:
    """Share of rows on which two laws decide alike, for all pairs."""
    signs = np.where(decisions, 1.0, -1.0)
    share = (1 + signs @ signs.T / decisions.shape[1]) / 2
    return pd.DataFrame(share, index=numbers.to_numpy(), columns=numbers.to_numpy())


def _all_agree(decisions: Decisions) -> float:
    return float(np.mean((decisions == decisions[0]).all(axis=0)))


def _importance(
    laws: Sequence[Expression],
    uses: pd.DataFrame,
    X: Array,
    labels: ArrayLike,
    settings: RashomonSettings,
) -> pd.DataFrame:
    """Say what each variable is worth to each law: accuracy lost when it is shuffled."""
    positive = np.asarray(labels) > 0
    random = np.random.default_rng(settings.seed)
    orders = [random.permutation(len(X)) for _ in range(settings.shuffles)]
    whole = _balanced_accuracies(_decide(laws, X), positive)
    rows = []
    for name in uses.columns:
        column = laws[0].names.index(name)
        lost = np.zeros(len(laws))
        for order in orders:
            shuffled = X.copy()
            shuffled[:, column] = X[order, column]
            lost += whole - _balanced_accuracies(_decide(laws, shuffled), positive)
        lost /= len(orders)
        count = int(uses[name].sum())
        rows.append((name, count, count / len(laws), lost.min(), lost.mean(), lost.max()))
    columns = ["variable", "laws", "share", "lowest", "mean", "highest"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        ["laws", "mean", "variable"], ascending=[False, False, True], kind="stable"
    ).reset_index(drop=True)


def _balanced_accuracies(decisions: Decisions, positive: Decisions) -> Array:
    """Mean of both classes' accuracies, (laws,)."""
    right = decisions == positive
    return (right[:, positive].mean(axis=1) + right[:, ~positive].mean(axis=1)) / 2
