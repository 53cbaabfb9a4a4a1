"""From prepared nuclei to rows: stable ids, labels, and nothing lost on the way."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.store.crop_parts import (
    QUALITY_COLUMNS,
    Identity,
    crop_id,
    files_left_out,
    no_crops,
    quality_table,
    reasons_of,
    require_classes,
    split_off,
    to_crop_set,
)
from occamscope.store.crops import COLUMNS, read_crops, write_crops

TASK = {"negative": "inter", "positive": "meta"}


def make(classes=("inter", "meta", "", "ana")):
    n = len(classes)
    pixels = np.random.default_rng(n).integers(0, 255, (n, 8, 8), dtype=np.uint8)
    prepared = SimpleNamespace(
        images=pixels,
        windows=pixels + 1,
        masks=pixels > 99,
        intensity_scale=np.arange(n) + 0.5,
        background=np.arange(n) * 2.0,
        contrast_to_noise=np.full(n, 9.0),
    )
    who = Identity(["a.tif"] * n, ["p"] * n, [3] * n, range(1, n + 1), np.arange(n), np.arange(n),
                   list(classes))  # fmt: skip
    return to_crop_set(prepared, who, TASK)


def test_crop_ids_are_the_same_for_ever():
    assert crop_id("plate/a.tif", 2, 17) == "20a954fe7424b4a8"


@given(
    first=st.tuples(st.text("ab/0.", max_size=6), st.integers(0, 99), st.integers(0, 99)),
    second=st.tuples(st.text("ab/0.", max_size=6), st.integers(0, 99), st.integers(0, 99)),
)
def test_crop_ids_differ_where_any_part_differs(first, second):
    assert (crop_id(*first) == crop_id(*second)) == (first == second)


def test_classes_of_the_task_become_labels_and_others_none():
    table = make().table
    assert list(table["label"]) == [0, 1, -1, -1]
    assert list(table["class_name"]) == ["inter", "meta", "", "ana"]
    assert list(table.columns) == list(COLUMNS)
    assert table["crop_id"].iloc[1] == crop_id("a.tif", 3, 2)


def test_split_off_parts_pixels_and_rows_alike():
    crops = make()
    usable, excluded = split_off(crops, ["", "empty", "", "too_small"])
    assert np.array_equal(usable.images, crops.images[[0, 2]])
    assert list(usable.table["crop_id"]) == list(crops.table["crop_id"].iloc[[0, 2]])
    assert list(excluded["reason"]) == ["empty", "too_small"]
    assert list(excluded["object_label"]) == [2, 4] and list(excluded) == list(QUALITY_COLUMNS)


@given(st.lists(st.sampled_from(["", "empty", "saturated"]), min_size=1, max_size=9))
def test_split_off_loses_nothing(reasons):
    usable, excluded = split_off(make(["meta"] * len(reasons)), reasons)
    assert len(usable) + len(excluded) == len(reasons)
    assert len(excluded) == sum(reason != "" for reason in reasons)


def test_the_first_reason_of_a_crop_counts():
    rows = pd.DataFrame({"object": [2, 0, 2], "reason": ["empty", "too_small", "saturated"]})
    assert reasons_of(rows, 4) == ["too_small", "", "empty", ""]


def test_a_set_of_no_crops_is_written_and_read(tmp_path):
    write_crops(tmp_path / "none.h5", [no_crops(64)], {})
    back = read_crops(tmp_path / "none.h5")
    assert len(back) == 0 and back.images.shape == (0, 64, 64) and back.masks.dtype == bool
    write_crops(tmp_path / "some.h5", [no_crops(8), make(), no_crops(8)], {})
    assert np.array_equal(read_crops(tmp_path / "some.h5").images, make().images)


def test_a_quality_table_has_its_columns_also_where_nothing_is_excluded():
    assert list(quality_table([])) == list(QUALITY_COLUMNS)
    _, excluded = split_off(make(), ["", "empty", "", ""])
    empty = split_off(make(), [""] * 4)[1]
    assert len(quality_table([empty, excluded, excluded])) == 2


def test_quarantined_files_stand_in_the_quality_table():
    inputs = pd.DataFrame(
        {"file": ["a", "b"], "status": ["ok", "quarantined"], "message": ["", "b: torn"]}
    )
    rows = files_left_out(inputs)
    assert list(rows["source"]) == ["b"] and list(rows["reason"]) == ["b: torn"]
    assert list(rows) == list(QUALITY_COLUMNS)


NOTHING = pd.DataFrame(columns=list(QUALITY_COLUMNS))


def left_out(names, reasons):
    return NOTHING.reindex(range(len(names))).assign(class_name=names, reason=reasons)


@pytest.mark.parametrize(
    ("usable", "excluded", "words"),
    [
        (["", ""], NOTHING, ["none of the 2 nuclei has a class", "input.fields.labels"]),
        (["meta"], NOTHING, ["no nucleus has the class inter", "task.negative", "meta"]),
        (["inter", "Meta"], NOTHING, ["class meta", "nearest: 'Meta'", "task.positive"]),
        (
            ["inter"],
            left_out(["meta"] * 3, ["empty", "too_small", "empty"]),
            ["all 3 nuclei of the class meta", "2 empty, 1 too_small"],
        ),
        ([], left_out(["meta", "inter"], ["empty"] * 2), ["all 1 nuclei of the class inter"]),
    ],
)
def test_a_missing_class_is_explained(usable, excluded, words):
    with pytest.raises(InputError) as caught:
        require_classes(TASK, pd.Series(usable, dtype=object), excluded)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_two_classes_are_enough():
    require_classes(TASK, pd.Series(["inter", "meta", ""]), NOTHING)
