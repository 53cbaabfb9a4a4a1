import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from occamscope.errors import InputError
from occamscope.evaluation.image_quality import accuracy_by_quality, sharpness


def test_bins_hold_equal_counts_and_their_own_accuracy():
    quality = np.arange(100.0)
    labels = np.arange(100) % 2
    table = accuracy_by_quality(quality, quality >= 20, labels, "contrast_to_noise")
    assert table["n"].tolist() == [20] * 5
    assert table["accuracy"].tolist() == [0, 1, 1, 1, 1]
    assert table["balanced_accuracy"].tolist() == [0, 1, 1, 1, 1]
    assert (table["from"].tolist()[1], table["to"].tolist()[1]) == (20, 39)


def test_tied_qualities_share_a_bin():
    table = accuracy_by_quality(np.ones(10), np.ones(10, bool), np.zeros(10), "x")
    assert table["n"].tolist() == [10]
    assert np.isnan(table["balanced_accuracy"][0])


def test_cells_without_quality_are_left_out():
    quality = np.array([1.0, 2, np.nan])
    table = accuracy_by_quality(quality, np.ones(3, bool), np.array([0, 1, 1]), "x", bins=1)
    assert table["n"].tolist() == [2]
    with pytest.raises(InputError, match="finite x"):
        accuracy_by_quality(np.full(3, np.nan), np.ones(3, bool), np.zeros(3), "x")


def test_blur_lowers_sharpness_and_gain_does_not():
    y, x = np.mgrid[:64, :64] - 31.5
    mask = np.hypot(x, y) < 12
    disc = gaussian_filter(200.0 * (np.hypot(x, y) < 11), 1)
    stack = np.stack([disc, 0.3 * disc, gaussian_filter(disc, 3)])
    sharp = sharpness(stack, np.stack([mask] * 3))
    assert sharp[0] == pytest.approx(sharp[1])
    assert sharp[2] < 0.6 * sharp[0]
    assert np.isnan(sharpness(stack[:1], np.zeros((1, 64, 64), bool)))[0]
