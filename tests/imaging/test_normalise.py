from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.imaging.normalise import CropSettings, prepare_window
from occamscope.scale import WHITE

SETTINGS = CropSettings()


@pytest.fixture(scope="module")
def scene(ellipse, photograph):
    """A nucleus of 60 counts off the middle, and a neighbour of 150."""
    shape = (64, 64)
    mask, neighbour = ellipse(shape, 28, 36, 26, 20, 0.5), ellipse(shape, 8, 8, 26, 20)
    return photograph(shape, [(mask, 60), (neighbour, 150)]), mask


def test_the_robust_maximum_of_the_nucleus_is_white_and_the_background_black(scene):
    crop = prepare_window(*scene, SETTINGS)
    assert np.percentile(crop.image[crop.mask], 95) == pytest.approx(WHITE, abs=6)
    assert np.median(crop.image[:8]) == 0 and crop.image.dtype == np.uint8
    assert crop.background == pytest.approx(100, abs=1.5)
    assert crop.intensity_scale == pytest.approx(60, abs=6)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.1, 200), offset=st.floats(0, 3e4))
def test_gain_and_offset_change_no_crop(gain, offset):
    rng = np.random.default_rng(5)
    mask = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 13
    window = rng.normal(100, 3, (64, 64)) + 60 * mask
    one, other = (
        prepare_window(w, mask, SETTINGS).image.astype(int)
        for w in (window, window * gain + offset)
    )
    assert np.abs(one - other).max() <= 1


def test_the_centroid_comes_to_the_middle(scene):
    crop = prepare_window(*scene, SETTINGS)
    assert [axis.mean() for axis in np.nonzero(crop.mask)] == pytest.approx([31.5, 31.5], abs=0.3)
    stays = prepare_window(*scene, replace(SETTINGS, centre=False))
    assert (stays.mask == scene[1]).all()


def test_the_neighbour_is_masked_in_the_image_and_visible_in_the_window(scene):
    crop = prepare_window(*scene, SETTINGS)
    far = np.hypot(*(np.mgrid[:64, :64] - 31.5)) > 22
    assert crop.image[far].max() == 0 and crop.window[far].max() == 255
    unmasked = prepare_window(*scene, replace(SETTINGS, mask=False))
    assert (unmasked.image == crop.window).all()


def test_the_background_is_the_median_around_the_nucleus(ellipse, photograph):
    mask = ellipse((64, 64), 32, 32, 26, 20)
    crop = prepare_window(photograph((64, 64), [(mask, 60)]), mask, SETTINGS)
    assert crop.background == pytest.approx(100, abs=0.3)


def test_unknown_neighbours_all_around_do_not_raise_the_background(ellipse, photograph):
    mask = ellipse((64, 64), 32, 32, 24, 20)
    crowd = ~ellipse((64, 64), 32, 32, 52, 48)
    crop = prepare_window(photograph((64, 64), [(mask, 60), (crowd, 150)]), mask, SETTINGS)
    assert crop.background < 120


def test_the_soft_edge_lies_outside_the_nucleus(scene):
    crop = prepare_window(*scene, replace(SETTINGS, centre=False))
    assert (crop.image[crop.mask] == crop.window[crop.mask]).all()
    hard = prepare_window(*scene, replace(SETTINGS, centre=False, soft_edge_px=0, dilate_px=0))
    assert hard.image[~hard.mask].max() == 0


@pytest.mark.parametrize(
    "window",
    [np.zeros((64, 64), np.uint8), np.full((64, 64), 400, np.uint16), np.full((64, 64), 0.3)],
)
def test_a_constant_window_gives_an_image_of_zeros(window):
    mask = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 13
    for m in (mask, np.zeros_like(mask)):
        crop = prepare_window(window, m, SETTINGS)
        assert not crop.image.any() and not crop.window.any() and crop.contrast_to_noise == 0


@pytest.mark.parametrize(("dtype", "sd"), [(np.uint8, 3), (np.uint16, 200), (float, 0.01)])
def test_noise_is_not_brightened_to_a_nucleus_whatever_the_dtype(dtype, sd):
    window = (np.random.default_rng(0).normal(30 * sd, sd, (64, 64))).astype(dtype)
    mask = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 13
    crop = prepare_window(window, mask, SETTINGS)
    assert np.percentile(crop.image[crop.mask], 95) < 0.35 * WHITE
    assert crop.contrast_to_noise < 2


def test_an_empty_mask_gives_an_empty_image(scene):
    crop = prepare_window(scene[0], np.zeros((64, 64), bool), SETTINGS)
    assert not crop.image.any() and not crop.mask.any() and crop.window.any()


def test_contrast_to_noise_has_its_closed_form(scene):
    crop = prepare_window(*scene, SETTINGS)
    assert crop.contrast_to_noise == pytest.approx(60 / 3, rel=0.15)


def test_without_normalisation_brightness_stays(scene):
    window, mask = scene
    raw = replace(SETTINGS, normalise=False, raw_scale=150.0)
    dim = prepare_window(window, mask, raw)
    bright = prepare_window(100 + 2 * (window - 100), mask, raw)
    level = [np.median(c.image[c.mask]) for c in (dim, bright)]
    assert level[1] == pytest.approx(2 * level[0], rel=0.05)
    assert dim.intensity_scale == 150


def test_the_raw_scale_follows_the_dtype(scene):
    raw = replace(SETTINGS, normalise=False)
    crop = prepare_window(scene[0].astype(np.uint8), scene[1], raw)
    assert crop.intensity_scale == pytest.approx(255 / 1.3)
    with pytest.raises(InputError, match="raw_scale"):
        prepare_window(scene[0], scene[1], raw)


@pytest.mark.parametrize("size", [48, 64, 90])
def test_windows_of_any_size_fill_the_crop(scene, size):
    window, mask = (np.pad(a, 13, mode="reflect")[:size, :size] for a in scene)
    crop = prepare_window(window, mask, SETTINGS)
    assert crop.image.shape == crop.window.shape == crop.mask.shape == (64, 64)


def test_padding_is_no_background(scene):
    window, mask = scene
    padded = window.copy()
    padded[48:], padded[:, 58:] = 0, 0
    crop, whole = (prepare_window(w, mask, SETTINGS) for w in (padded, window))
    assert crop.background == pytest.approx(whole.background, abs=2)
    assert crop.padding > whole.padding + 0.2
    assert np.abs(crop.image.astype(int) - whole.image).max() < 12


def test_masks_and_windows_must_match():
    with pytest.raises(InputError, match="differ in shape"):
        prepare_window(np.zeros((64, 64)), np.zeros((64, 63), bool), SETTINGS)
