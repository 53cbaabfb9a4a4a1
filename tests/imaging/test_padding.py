import numpy as np

from occamscope.imaging.padding import padding_mask

WINDOW = np.random.default_rng(0).integers(50, 60, (20, 30))


def test_constant_rows_and_columns_at_the_border_are_padding():
    window = np.zeros((26, 34), int)
    window[4:24, 1:31] = WINDOW
    padded = padding_mask(window)
    assert not padded[4:24, 1:31].any() and padded.sum() == 26 * 34 - 20 * 30


def test_a_quarter_of_data_is_found():
    window = np.full((40, 60), 255)
    window[:20, :30] = WINDOW
    assert (~padding_mask(window)).sum() == 600


def test_real_data_and_constant_windows_have_none():
    assert not padding_mask(WINDOW).any() and not padding_mask(np.full((9, 9), 3)).any()
