"""Splits join crops by id, whatever the order of rows."""

from types import SimpleNamespace

import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.store.crop_parts import Identity, to_crop_set
from occamscope.store.crops import write_crops
from occamscope.store.splits import PARTS, read_split, write_split

PART = np.array(["train", "test", "validation", "train", "judge", "test"])


@pytest.fixture
def crops():
    n = len(PART)
    pixels = np.arange(n * 16, dtype=np.uint8).reshape(n, 4, 4)
    numbers = np.arange(n, dtype=float)
    prepared = SimpleNamespace(
        images=pixels,
        windows=pixels,
        masks=pixels > 3,
        intensity_scale=numbers,
        background=numbers,
        contrast_to_noise=numbers,
    )
    classes = ["i", "m", "m", "", "i", "i"]
    who = Identity(["a.tif"] * n, ["007"] * n, [0] * n, range(n), numbers, numbers, classes)
    return to_crop_set(prepared, who, {"negative": "i", "positive": "m"})


@pytest.fixture
def files(tmp_path, crops):
    write_crops(tmp_path / "crops.h5", [crops], {})
    write_split(tmp_path / "split.csv", crops, PART)
    return tmp_path / "split.csv", tmp_path / "crops.h5"


def test_parts_come_back(files, crops):
    split = read_split(*files)
    assert list(split.part) == list(PART)
    assert np.array_equal(split.crops.images, crops.images)


def test_parts_are_joined_by_id_not_by_row(tmp_path, files, crops):
    order = [4, 2, 0, 5, 3, 1]
    write_split(tmp_path / "shuffled.csv", crops.take(np.array(order)), PART[order])
    assert list(read_split(tmp_path / "shuffled.csv", files[1]).part) == list(PART)


def test_a_split_of_more_crops_serves_for_some_of_them(tmp_path, files, crops):
    write_crops(tmp_path / "few.h5", [crops.take(np.array([5, 1]))], {})
    assert list(read_split(files[0], tmp_path / "few.h5").part) == ["test", "test"]


def test_a_split_of_other_crops_is_refused_with_the_remedy(tmp_path, files, crops):
    write_split(tmp_path / "old.csv", crops.take(np.arange(5)), PART[:5])
    with pytest.raises(InputError, match=r"old\.csv lacks crop .* --forcerun split_crops"):
        read_split(tmp_path / "old.csv", files[1])


def test_rows_are_labelled_ones_unless_all_are_wanted(files):
    split = read_split(*files)
    assert list(split.rows("train")) == [0]
    assert list(split.rows("train", labelled=False)) == [0, 3]
    assert list(split.rows("test", "judge")) == [1, 4, 5]
    assert list(split.take("test").labels) == [1, 0]


def test_a_part_without_both_classes_gives_way_to_validation(files):
    split = read_split(*files)
    assert list(split.rows_or_validation("test")) == [1, 5]
    assert list(split.rows_or_validation("judge")) == [2]


def test_every_crop_is_in_one_part(files):
    split = read_split(*files, images=False)
    rows = [split.rows(part, labelled=False) for part in PARTS]
    assert sorted(np.concatenate(rows)) == list(range(len(PART)))
