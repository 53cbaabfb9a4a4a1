from dataclasses import replace

import numpy as np
import pytest

from occamscope.imaging.sisters import Plate, are_sisters, describe_plate, join_sisters

DIAMETER = 27.0
PLATE = Plate(y=30, x=20, area=150, long_px=20, short_px=9, angle=np.pi / 2, brightness=90)


def sisters(**changes):
    return are_sisters(PLATE, replace(PLATE, **({"x": 40} | changes)), DIAMETER)


def test_two_parallel_plates_face_to_face_are_sisters():
    assert sisters() and sisters(angle=np.pi / 2 + 0.4, brightness=75, area=200)


@pytest.mark.parametrize(
    "change",
    [
        {"area": 550},
        {"area": 320},
        {"brightness": 40},
        {"brightness": -1},
        {"short_px": 17},
        {"angle": 0.2},
        {"x": 70},
        {"x": 20, "y": 54},
    ],
    ids=["interphase", "double", "dim", "dark", "round", "crossed", "far", "end to end"],
)
def test_a_neighbour_is_no_sister(change):
    assert not sisters(**change)


def test_sisterhood_is_mutual():
    other = replace(PLATE, x=38, area=210, angle=1.3)
    assert are_sisters(PLATE, other, DIAMETER) == are_sisters(other, PLATE, DIAMETER)


def test_moments_of_an_ellipse(ellipse):
    mask = ellipse((60, 70), 28, 33, 30, 12, 0.5)
    plate = describe_plate(mask, np.full(mask.shape, 7.0), y0=100, x0=200)
    assert (plate.y, plate.x) == pytest.approx((128, 233), abs=0.2)
    assert plate.long_px == pytest.approx(30, rel=0.03)
    assert plate.short_px == pytest.approx(12, rel=0.05)
    assert plate.angle == pytest.approx(0.5, abs=0.03)
    assert plate.brightness == 7 and plate.area == mask.sum()


def test_plates_in_a_label_image_are_joined_and_renumbered(ellipse):
    shape = (80, 120)
    labels = np.zeros(shape, np.int32)
    labels[ellipse(shape, 20, 20, 30, 28)] = 1
    labels[ellipse(shape, 50, 60, 20, 8, np.pi / 2)] = 2
    labels[ellipse(shape, 50, 75, 20, 8, np.pi / 2)] = 3
    labels[ellipse(shape, 20, 100, 30, 28)] = 4
    joined = join_sisters(labels, np.where(labels > 0, 50.0, 0.0), DIAMETER)
    assert joined[50, 60] == joined[50, 75] == 2 and joined[20, 100] == 3 and joined[20, 20] == 1


def test_of_three_plates_the_nearest_two_are_joined(ellipse):
    shape = (60, 120)
    labels = np.zeros(shape, np.int32)
    for label, x in enumerate((20, 46, 60), start=1):
        labels[ellipse(shape, 30, x, 20, 8, np.pi / 2)] = label
    joined = join_sisters(labels, np.ones(shape), DIAMETER)
    assert joined[30, 46] == joined[30, 60] != joined[30, 20]
