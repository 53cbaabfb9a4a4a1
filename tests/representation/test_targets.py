"""Which rows and values of a factor the scores are made from."""

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.representation.targets import split_targets

CODES = np.arange(12.0).reshape(6, 2)
TRAIN, TEST = np.array([0, 1, 2]), np.array([4, 5])


def targets(factors: dict, discrete=(), train=TRAIN, test=TEST, codes=CODES):
    return split_targets(codes, pd.DataFrame(factors), train, test, discrete)


def test_rows_without_a_value_are_left_out_of_that_factor_only():
    holes = [1.0, np.nan, 3.0, 4.0, np.nan, 6.0]
    a, b = targets({"a": holes, "b": np.arange(6.0)})
    assert a.train_rows.tolist() == [0, 2] and a.train.tolist() == [1.0, 3.0]
    assert a.test_rows.tolist() == [5] and a.test.tolist() == [6.0]
    assert b.train.tolist() == [0, 1, 2] and b.test.tolist() == [4, 5]


def test_masks_mean_the_same_as_row_numbers():
    rows = np.arange(6)
    one = targets({"a": rows})[0]
    other = targets({"a": rows}, train=np.isin(rows, TRAIN), test=np.isin(rows, TEST))[0]
    assert one.train.tolist() == other.train.tolist() and one.test.tolist() == other.test.tolist()


def test_classes_may_be_text_and_are_numbered_alike_in_both_parts():
    [a] = targets({"a": ["meta", "inter", None, "inter", "meta", "inter"]}, ["a"])
    assert a.train_rows.tolist() == [0, 1]
    assert a.train.tolist() == [1, 0] and a.test.tolist() == [1, 0]
    assert a.kind == "discrete" and a.varies


def test_areas_are_taken_by_their_logarithm_unless_they_are_classes():
    areas = np.array([1.0, 0.0, 100.0, 1.0, 10.0, 1.0])
    [a] = targets({"area_px": areas})
    assert a.train_rows.tolist() == [0, 2]
    np.testing.assert_allclose(a.train, np.log([1, 100]))
    assert targets({"area_px": areas}, ["area_px"])[0].train.tolist() == [1, 0, 3]


@pytest.mark.parametrize("values", [[1, 1, 1, 0, 1, 2], [1, 2, 3, 0, 5, 5]])
def test_a_factor_that_is_constant_in_one_part_does_not_vary(values):
    assert not targets({"a": values})[0].varies
    assert not targets({"a": values}, ["a"])[0].varies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": CODES[:, :1]}, "at least 2"),
        ({"codes": CODES[:5]}, "6 rows"),
        ({"codes": CODES * np.nan}, "finite"),
        ({"discrete": ["b"]}, "no factor 'b'"),
        ({"test": np.array([2, 4])}, "row 2"),
        ({"test": np.array([4, 6])}, "below 6"),
        ({"test": np.array([4, -1])}, "test must"),
        ({"train": np.array([1, 1])}, "train must"),
        ({"train": np.zeros(6, bool)}, "at least one"),
        ({"train": np.array([0.0, 1.0])}, "row numbers"),
        ({"factors": {"a": list("abcdef")}}, "discrete"),
    ],
)
def test_what_does_not_suit_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        targets(**{"factors": {"a": np.arange(6.0)}, **change})
