"""Label tables meet label images."""

import numpy as np
import pandas as pd

from occamscope.imaging.named_objects import CONFLICT, name_objects

LABELS = np.zeros((40, 40), int)
LABELS[5:15, 5:15] = 3
LABELS[25:35, 25:35] = 7


def named(*rows, objects=(3, 7)):
    points = pd.DataFrame(
        list(rows), columns=["y", "x", "class_name"], index=range(10, 10 + len(rows))
    )
    return name_objects(LABELS, np.array(objects), points)


def test_a_point_inside_names_its_object():
    found = named((9.6, 9, "a"), (30, 30, "b"))
    assert found.class_name.tolist() == ["a", "b"] and found.row.tolist() == [10, 11]


def test_a_point_beside_names_the_nearest_object_within_the_tolerance():
    found = named((17, 10, "a"))
    assert found.class_name.tolist() == ["a", ""] and found.row.tolist() == [10, -1]


def test_a_point_far_away_is_counted_and_names_nothing():
    found = named((22, 5, "a"))
    assert found.unmatched == 1 and found.class_name.tolist() == ["", ""]


def test_a_point_inside_wins_over_one_beside():
    assert named((17, 10, "b"), (10, 10, "a")).class_name[0] == "a"


def test_different_classes_inside_one_object_are_a_conflict_for_it():
    found = named((8, 8, "a"), (12, 12, "b"), (30, 30, "c"), (31, 31, "c"))
    assert found.conflict.tolist() == [True, False]
    assert found.add_conflicts(["", ""]) == [CONFLICT, ""]
    assert found.add_conflicts(["too small", ""]) == ["too small", ""]


def test_no_objects_and_no_points_are_no_error():
    nothing = pd.DataFrame(columns=["y", "x", "class_name"])
    assert name_objects(LABELS, np.array([3]), nothing).row.tolist() == [-1]
    empty = name_objects(
        LABELS * 0, np.array([], int), pd.DataFrame({"y": [1], "x": [1], "class_name": "a"})
    )
    assert empty.unmatched == 1
