"""Objects of label images, and the scale chosen from them."""

import numpy as np
import pandas as pd
import pytest

from occamscope.errors import InputError
from occamscope.imaging.objects import locate_objects
from occamscope.imaging.zoom import choose_scale


def test_objects_are_located_by_frame_and_label():
    labels = np.zeros((2, 10, 12), np.int32)
    labels[0, 2:5, 3:7] = 4
    labels[1, 8, 9] = 1
    table = locate_objects(labels)
    assert table.to_numpy().tolist() == [[0, 4, 3, 4.5, 12], [1, 1, 8, 9, 1]]


def test_an_empty_page_gives_an_empty_table_with_the_same_columns():
    table = locate_objects(np.zeros((1, 5, 5), int))
    assert table.empty and list(table) == ["frame", "object_label", "y", "x", "area_px"]


def objects(sizes):
    area = np.pi * 27**2  # a disc of radius 27: diameter 54
    return pd.DataFrame({"file": list("ab"), "area_px": area, "um_per_px": sizes})


def test_known_pixel_sizes_give_each_file_its_own_zoom():
    scale = choose_scale(objects([0.65, 0.325]), 0.65, 27)
    assert scale.zoom == {"a": 1.0, "b": 0.5} and scale.um_per_px == 0.65


def test_unknown_pixel_sizes_scale_the_median_nucleus():
    scale = choose_scale(objects([np.nan, np.nan]), 0.65, 27)
    assert scale.um_per_px is None
    assert scale.zoom["a"] == pytest.approx(0.5) and "unknown" in scale.message


def test_files_with_and_without_a_pixel_size_are_a_conflict():
    with pytest.raises(InputError, match=r"as b: set input\.fields\.um_per_px"):
        choose_scale(objects([0.65, np.nan]), 0.65, 27)


def test_no_nucleus_at_all_is_an_error():
    with pytest.raises(InputError, match="no nucleus"):
        choose_scale(objects([1, 1]).iloc[:0], 0.65, 27)
