"""The forest reads shape features only and gives clipped log-odds."""

import numpy as np
import pandas as pd
import pytest

from occamscope.classifiers.forest import (
    MAX_LOG_ODDS,
    SHAPE_FEATURES,
    count_nodes,
    forest_scores,
    train_forest,
)
from occamscope.errors import InputError

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 120)
TABLE = pd.DataFrame(
    {
        "crop_id": [f"c{k}" for k in range(120)],
        "y": LABELS * 100.0,  # the answer, in a column that must not be read
        "offset_px": LABELS * 3.0,
        "theta_rad": LABELS * 1.0,
        "area_px": np.where(LABELS, 200, 700) + RNG.normal(0, 40, 120),
        "axis_ratio": np.where(LABELS, 2.4, 1.2) + RNG.normal(0, 0.1, 120),
    }
)


@pytest.fixture(scope="module")
def forest():
    return train_forest(TABLE, LABELS, seed=0)


def test_identifiers_positions_and_orientation_are_never_read(forest):
    assert forest.features == ("area_px", "axis_ratio")
    moved = TABLE.assign(y=-1.0, offset_px=0.0, theta_rad=9.0, crop_id="x")
    np.testing.assert_array_equal(forest_scores(forest, moved), forest_scores(forest, TABLE))


@pytest.mark.parametrize(
    "column",
    ["crop_id", "y", "x", "frame", "object_label", "group", "offset_px", "theta_rad",
     "e_cos2theta", "e_sin2theta"],
)  # fmt: skip
def test_no_identifier_or_position_is_a_shape_feature(column):
    assert column not in SHAPE_FEATURES


def test_the_positive_class_has_positive_scores(forest):
    assert ((forest_scores(forest, TABLE) > 0) == LABELS).mean() > 0.98


def test_scores_are_clipped_log_odds(forest):
    scores = forest_scores(forest, TABLE)
    p = forest.model.predict_proba(TABLE[["area_px", "axis_ratio"]].to_numpy())[:, 1]
    inner = (p > 0.01) & (p < 0.99)
    np.testing.assert_allclose(scores[inner], np.log(p[inner] / (1 - p[inner])))
    assert np.isfinite(scores).all() and abs(scores).max() <= MAX_LOG_ODDS


def test_a_seed_gives_one_forest_whatever_the_global_state(forest):
    np.random.seed(7)  # noqa: NPY002
    again = train_forest(TABLE, LABELS, seed=0)
    np.testing.assert_array_equal(forest_scores(again, TABLE), forest_scores(forest, TABLE))


def test_column_order_does_not_matter(forest):
    turned = TABLE[TABLE.columns[::-1]]
    np.testing.assert_array_equal(forest_scores(forest, turned), forest_scores(forest, TABLE))


def test_an_empty_mask_gets_a_score(forest):
    empty = pd.DataFrame({"area_px": [np.nan], "axis_ratio": [np.inf]})
    assert np.isfinite(forest_scores(forest, empty)).all()


def test_nodes_are_counted_over_all_trees(forest):
    assert count_nodes(forest) >= 3 * len(forest.model.estimators_)


@pytest.mark.parametrize(
    ("table", "labels"),
    [(TABLE[["y"]], LABELS), (TABLE, np.ones(120)), (TABLE, LABELS[:-1])],
    ids=["no feature", "one class", "lengths"],
)
def test_unsuitable_tables_are_refused(table, labels):
    with pytest.raises(InputError):
        train_forest(table, labels, seed=0)


def test_another_seed_gives_another_forest():
    noisy = np.where(RNG.random(120) < 0.3, 1 - LABELS, LABELS)
    first, second = (forest_scores(train_forest(TABLE, noisy, k), TABLE) for k in (0, 1))
    assert not np.array_equal(first, second)
