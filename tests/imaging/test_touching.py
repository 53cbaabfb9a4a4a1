import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from occamscope.imaging.touching import distance_inside, keep_large, split_at_necks


def pair(ellipse, distance, diameter=24):
    shape = (60, 90)
    left = ellipse(shape, 30, 30, diameter, diameter)
    return left | ellipse(shape, 30, 30 + distance, diameter, diameter)


def test_touching_discs_are_split_in_the_middle(ellipse):
    mask = pair(ellipse, 20)
    labels = split_at_necks(mask, 0.06, 1.0)
    areas = np.bincount(labels.ravel())[1:]
    assert len(areas) == 2 and areas.min() / areas.max() > 0.9
    assert labels[30, 38] == labels[30, 30] != labels[30, 50] == labels[30, 42]


def test_one_disc_and_one_long_ellipse_stay_whole(ellipse):
    for mask in (ellipse((60, 90), 30, 40, 24, 24), ellipse((60, 90), 30, 40, 60, 14, 0.3)):
        assert split_at_necks(mask, 0.06, 1.0).max() == 1


def test_a_shallow_neck_is_closed_by_a_larger_depth(ellipse):
    mask = pair(ellipse, 16)
    assert split_at_necks(mask, 0.02, 1.0, min_depth_px=0.1).max() == 2
    assert split_at_necks(mask, 0.9, 1.0).max() == 1


def test_three_in_a_row_are_three(ellipse):
    shape = (40, 100)
    mask = sum(ellipse(shape, 20, x, 24, 24) for x in (20, 42, 64)) > 0
    assert split_at_necks(mask, 0.06, 1.0).max() == 3


def test_a_dent_beside_a_deep_neck_is_no_neck(ellipse):
    mask = pair(ellipse, 22)
    mask[29:32, 18:20] = False
    labels = split_at_necks(mask, 0.1, 1.0)
    assert labels.max() == 2


def test_the_image_border_is_no_outside():
    mask = np.zeros((20, 20), bool)
    mask[:, :5] = True
    assert distance_inside(mask)[10, 0] == 5


def test_small_labels_go_and_the_rest_is_renumbered():
    labels = np.zeros((4, 10), np.int32)
    labels[:, :4], labels[0, 5], labels[:, 6:] = 1, 2, 3
    kept = keep_large(labels, 5)
    assert np.unique(kept).tolist() == [0, 1, 2] and kept[0, 5] == 0 and kept[0, 9] == 2


def test_nothing_stays_nothing():
    assert not keep_large(np.zeros((5, 5), np.int32), 1).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_every_pixel_of_the_mask_gets_a_label_and_no_other(seed):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(40, 40)), 3)
    mask = label(noise > 0)[0] == 1
    labels = split_at_necks(mask, 0.06, 1.0)
    assert ((labels > 0) == mask).all()
    assert np.unique(labels[mask]).tolist() == list(range(1, labels.max() + 1))
