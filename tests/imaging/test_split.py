from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.imaging.split import PARTS, SplitSettings, split_groups

SETTINGS = SplitSettings()


def split(labels, groups=None, sources=None, frames=None, fold=0, seed=0, settings=SETTINGS):
    n = len(labels)
    groups = np.full(n, "") if groups is None else np.asarray(groups).astype(str)
    sources = np.arange(n) if sources is None else np.asarray(sources)
    frames = np.zeros(n) if frames is None else np.asarray(frames)
    return split_groups(
        np.asarray(labels), groups, sources.astype(str), frames, settings, fold, seed
    )


def share(part, labels, label):
    return {p: np.mean(part[labels == label] == p) for p in PARTS}


@st.composite
def grouped(draw):
    """Labels -1, 0, 1 of 150 .. 400 crops in 12 .. 40 groups of uneven size."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, k = draw(st.integers(150, 400)), draw(st.integers(12, 40))
    groups = rng.choice(k, n, p=rng.dirichlet(np.full(k, 2.0)))
    labels = rng.choice([-1, 0, 1], n, p=[0.3, 0.4, 0.3])
    return labels, groups, draw(st.integers(0, 3))


@settings(max_examples=25, deadline=None)
@given(grouped(), st.integers(0, 4))
def test_groups_are_never_divided_and_every_part_holds_both_classes(data, fold):
    labels, groups, seed = data
    result = split(labels, groups, fold=fold, seed=seed)
    assert result.unit == "group" and set(result.part) <= set(PARTS)
    assert max(len(set(result.part[groups == g])) for g in np.unique(groups)) == 1
    for part in set(result.part):
        assert {0, 1} <= set(labels[result.part == part])


@settings(max_examples=15, deadline=None)
@given(grouped())
def test_test_parts_of_the_folds_are_disjoint_and_hold_every_crop(data):
    labels, groups, seed = data
    tests = [split(labels, groups, fold=k, seed=seed).part == "test" for k in range(5)]
    assert (np.sum(tests, axis=0) == 1).all()


@settings(max_examples=15, deadline=None)
@given(grouped())
def test_the_same_seed_gives_the_same_split(data):
    labels, groups, seed = data
    one, other = (split(labels, groups, seed=seed) for _ in range(2))
    assert (one.part == other.part).all() and one.warnings == other.warnings


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_class_counts_are_close_to_the_shares(seed, fold):
    rng = np.random.default_rng(seed)
    labels, groups = rng.choice([0, 1], 1200, p=[0.7, 0.3]), rng.integers(0, 40, 1200)
    part = split(labels, groups, fold=fold).part
    for label in (0, 1):
        for name, value in share(part, labels, label).items():
            assert value == pytest.approx(getattr(SETTINGS, name), abs=0.05)


def test_unlabelled_crops_follow_their_group():
    labels = np.tile([0, 1, -1, -1], 60)
    groups = np.repeat(np.arange(24), 10)
    part = split(labels, groups).part
    for g in range(24):
        assert len(set(part[groups == g])) == 1 and (labels[groups == g] == -1).any()


# Cells of interphase and metaphase in the 20 plates of the MitoCheck crops that have any.
PLATES = {
    "109_38": (99, 0), "043_48": (26, 13), "047_27": (20, 0), "144_01": (19, 0),
    "098_13": (18, 2), "026_22": (12, 0), "039_45": (11, 0), "042_10": (11, 3),
    "101_01": (10, 3), "048_13": (9, 5), "048_14": (9, 5), "038_27": (7, 0),
    "044_36": (5, 0), "046_19": (5, 0), "089_01": (3, 0), "091_30": (3, 0),
    "027_44": (1, 5), "065_04": (1, 0), "030_17": (0, 4), "013_42": (0, 2),
}  # fmt: skip


@pytest.mark.parametrize("fold", range(5))
def test_the_plates_of_mitocheck_fill_all_parts(fold):
    labels = np.concatenate([[0] * a + [1] * b for a, b in PLATES.values()])
    groups = np.concatenate([[name] * (a + b) for name, (a, b) in PLATES.items()])
    result = split(labels, groups, fold=fold)
    assert result.unit == "group" and set(result.part) == set(PARTS)
    for part in PARTS:
        assert {0, 1} == set(labels[result.part == part])
    assert share(result.part, labels, 1)["train"] > 0.35


@pytest.mark.parametrize("fold", range(5))
def test_the_few_mdck_crops_are_split_singly_with_loud_warnings(fold):
    labels = np.repeat([0, 1, -1], [11, 8, 57])
    result = split(labels, fold=fold)
    assert result.unit == "crop" and "SINGLE CROPS" in result.warnings[0]
    assert "very few cells" in result.warnings[1]
    for part in PARTS:
        assert {0, 1} <= set(labels[result.part == part])


def test_few_groups_fall_back_to_blocks_of_source_and_time():
    frames = np.tile(np.arange(100), 3)
    sources = np.repeat([0, 1, 2], 100)
    labels = np.random.default_rng(0).integers(0, 2, 300)
    result = split(labels, sources, sources, frames)
    assert result.unit == "source_block" and "neighbouring frames" in result.warnings[0]
    changes = sum((np.diff((result.part == "test")[sources == s]) != 0).sum() for s in range(3))
    assert 0 < changes <= 12


def test_sources_are_blocks_where_groups_are_missing():
    sources = np.repeat(np.arange(30), 10)
    result = split(np.tile([0, 1], 150), None, sources)
    assert result.unit == "source_block" and "no group" in result.warnings[0]
    assert max(len(set(result.part[sources == s])) for s in range(30)) == 1


def test_crops_without_a_group_follow_their_source():
    sources = np.repeat(np.arange(20), 10)
    groups = np.where(sources < 10, "", np.char.add("g", sources.astype(str)))
    part = split(np.tile([0, 1], 100), groups, sources)
    assert part.unit == "group" and "100 crops have no group" in part.warnings[0]
    assert max(len(set(part.part[sources == s])) for s in range(20)) == 1
    assert len(set(part.part[sources < 10])) > 1


def test_too_few_groups_for_all_parts_join_calibration_to_validation():
    groups = np.repeat(np.arange(5), 40)
    result = split(np.tile([0, 1], 100), groups)
    assert result.unit == "group" and set(result.part) == {"train", "validation", "judge", "test"}
    assert "calibration joined validation" in result.warnings[0]


def test_the_unit_is_the_same_in_all_folds():
    labels = np.r_[np.zeros(60, int), np.ones(12, int)]
    groups = np.r_[np.arange(60) % 6, np.arange(12) % 3]  # one test part takes 2 of the 3
    two = replace(SETTINGS, folds=2)
    units = {split(labels, groups, groups, np.arange(72), k, 0, two).unit for k in range(2)}
    assert len(units) == 1 and units != {"group"}


def test_one_fold_is_a_single_split_with_the_share_of_test():
    labels, groups = np.tile([0, 1], 300), np.repeat(np.arange(60), 10)
    single = SplitSettings(train=0.4, validation=0.1, calibration=0.1, judge=0.1, test=0.3, folds=1)
    result = split(labels, groups, settings=single)
    assert np.mean(result.part == "test") == pytest.approx(0.3, abs=0.02) and not result.warnings


def test_a_test_share_that_does_not_fit_the_folds_is_said():
    labels, groups = np.tile([0, 1], 300), np.repeat(np.arange(60), 10)
    result = split(labels, groups, settings=replace(SETTINGS, folds=3))
    assert np.mean(result.part == "test") == pytest.approx(1 / 3, abs=0.02)
    assert "1/3" in result.warnings[0]


@pytest.mark.parametrize("labels", [[0] * 30, [1] * 30 + [-1] * 5, [-1] * 9])
def test_one_class_is_refused(labels):
    with pytest.raises(InputError, match="two classes"):
        split(labels)


@pytest.mark.parametrize(("folds", "needed"), [(1, 3), (2, 4), (3, 3), (5, 5)])
def test_too_few_cells_are_refused_and_the_number_needed_suffices(folds, needed):
    few = replace(SETTINGS, folds=folds)
    with pytest.raises(InputError, match=f"has {needed - 1} cells.* at least {needed} of each"):
        split([0] * 50 + [1] * (needed - 1), settings=few)
    labels = np.array([0] * 50 + [1] * needed)
    for fold in range(folds):
        part = split(labels, settings=few, fold=fold).part
        for name in ("train", "validation", "test"):
            assert {0, 1} == set(labels[part == name])


def test_messages_name_the_class():
    with pytest.raises(InputError, match="class metaphase has 2 cells"):
        labels = np.array([0] * 20 + [1] * 2)
        empty = np.full(22, "")
        split_groups(
            labels, empty, empty, labels, SETTINGS, class_names=["interphase", "metaphase"]
        )


@pytest.mark.parametrize("change", [{"train": 0}, {"judge": -0.1}, {"test": 0}])
def test_senseless_shares_are_refused(change):
    with pytest.raises(InputError, match="shares"):
        split([0, 1] * 20, settings=replace(SETTINGS, **change))


def test_a_fold_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="fold 5"):
        split([0, 1] * 20, fold=5)
