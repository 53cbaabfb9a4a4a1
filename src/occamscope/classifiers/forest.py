"""Random forest on measured shape features: the plain baseline that every model must face."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier

from occamscope.errors import InputError

# Shape and brightness only. Identifiers, positions (y, x, frame, offset_px) and the orientation of
# a nucleus say nothing about its state, but a forest would happily learn a plate from them.
SHAPE_FEATURES = (
    "area_px",
    "axis_ratio",
    "ellipticity",
    "solidity",
    "perimeter_px",
    "eccentricity",
    "extent",
    "intensity_mean",
    "intensity_sd",
    "intensity_max",
    "texture",
    "rim_ratio",
)
TREES = 500
MAX_LOG_ODDS = float(np.log(2 * TREES - 1))  # half a tree's vote short of certainty


@dataclass(frozen=True)
class TrainedForest:
    """A forest and the feature columns that it reads, in order."""

    model: RandomForestClassifier
    features: tuple[str, ...]


def train_forest(features: pd.DataFrame, labels: ArrayLike, seed: int) -> TrainedForest:
    """Train on those of `SHAPE_FEATURES` that the table has; other columns are never read.

    Parameters
    ----------
    features : one row a crop; NaN (an empty mask) is allowed
    labels : (n,) 0 or 1; classes are weighted to count the same

    Raises
    ------
    InputError : if no shape feature is present or the labels do not suit.
    """
    columns = tuple(name for name in SHAPE_FEATURES if name in features)
    target = np.asarray(labels)
    if not columns:
        raise InputError(f"no shape feature in the table: it needs some of {SHAPE_FEATURES}")
    if len(target) != len(features) or set(np.unique(target).tolist()) != {0, 1}:
        raise InputError("labels must be 0 and 1, both present, one for each row")
    model = RandomForestClassifier(
        TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
    )
    return TrainedForest(model.fit(_matrix(features, columns), target), columns)


def forest_scores(forest: TrainedForest, features: pd.DataFrame) -> NDArray[np.float64]:
    """Log-odds (n,) of the positive class, clipped to +-`MAX_LOG_ODDS`; > 0 means positive."""
    p = forest.model.predict_proba(_matrix(features, forest.features))[:, 1]
    with np.errstate(divide="ignore"):
        odds = np.log(p) - np.log1p(-p)
    return np.clip(odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)


def _matrix(features: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.float64]:
    matrix = features[list(columns)].to_numpy(float)
    return np.where(np.isfinite(matrix), matrix, np.nan)


def count_nodes(forest: TrainedForest) -> int:
    """Nodes of all trees, the forest's size beside the parameters of a network."""
    return sum(tree.tree_.node_count for tree in forest.model.estimators_)
