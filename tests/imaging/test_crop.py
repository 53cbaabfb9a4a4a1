from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.ndimage import zoom as resize

from occamscope.errors import InputError
from occamscope.imaging.crop import CropSettings, cut_objects, prepare_crops
from occamscope.imaging.segment import SegmentationSettings

SETTINGS = CropSettings()
SEGMENTATION = SegmentationSettings()


@pytest.fixture(scope="module")
def page(ellipse, photograph):
    """uint16 page and its labels: 2 and 5 inside, 7 cut by the left border."""
    shape = (150, 200)
    labels = np.zeros(shape, np.int32)
    for label, place in {
        2: (50, 60, 28, 24), 5: (100.0, 140.0, 24, 9, 0.6), 7: (110, 2, 28, 24)
    }.items():  # fmt: skip
        labels[ellipse(shape, *place)] = label
    objects = [(labels == 2, 30), (labels == 5, 95), (labels == 7, 30)]
    return (20 * photograph(shape, objects)).astype(np.uint16), labels


def test_every_object_gets_one_crop_in_the_order_of_labels(page):
    crops = cut_objects(*page, 1.0, SETTINGS)
    assert crops.object_label.tolist() == [2, 5, 7] and len(crops) == 3
    assert crops.images.shape == crops.windows.shape == crops.masks.shape == (3, 64, 64)
    assert crops.y[:2] == pytest.approx([50, 100], abs=0.2)
    assert crops.x[:2] == pytest.approx([60, 140], abs=0.2)


def test_masks_keep_area_and_are_centred(page):
    crops = cut_objects(*page, 1.0, SETTINGS)
    areas = [(page[1] == k).sum() for k in (2, 5, 7)]
    assert crops.area_px == pytest.approx(areas, rel=0.08)
    for mask in crops.masks[:2]:
        assert [a.mean() for a in np.nonzero(mask)] == pytest.approx([31.5, 31.5], abs=0.4)


def test_dim_and_bright_nuclei_are_equally_white(page):
    crops = cut_objects(*page, 1.0, SETTINGS)
    assert crops.intensity_scale[1] > 2 * crops.intensity_scale[0]
    level = [np.percentile(i[m], 95) for i, m in zip(crops.images, crops.masks, strict=True)]
    assert level == pytest.approx([196] * 3, abs=8)
    assert crops.background == pytest.approx([2000] * 3, abs=30)
    assert crops.contrast_to_noise[0] == pytest.approx(10, rel=0.3)


def test_nuclei_at_the_border_are_flagged_and_padded(page):
    crops = cut_objects(*page, 1.0, SETTINGS)
    assert crops.touches_border.tolist() == [False, False, True]
    assert crops.padding[0] == 0 and crops.padding[2] > 0.3
    assert crops.windows[2][:, :20].max() == 0


@pytest.mark.parametrize("zoom", [0.5, 0.8, 1.3, 2.0])
def test_area_follows_the_zoom(page, zoom):
    crops = cut_objects(*page, zoom, SETTINGS)
    assert crops.area_px[0] == pytest.approx((page[1] == 2).sum() * zoom**2, rel=0.1)
    assert crops.y[0] == pytest.approx(50, abs=0.2)


def test_a_field_and_its_magnification_give_the_same_crops(page):
    image, labels = page
    large = resize(image.astype(np.float32), 2, order=1, grid_mode=True, mode="nearest")
    twice = cut_objects(large, np.kron(labels, np.ones((2, 2), np.int32)), 0.5, SETTINGS)
    once = cut_objects(image, labels, 1.0, SETTINGS)
    difference = twice.images[:2].astype(float) - once.images[:2]
    assert np.abs(difference).mean() < 3


def test_shrinking_a_page_does_not_alias(ellipse):
    labels = ellipse((300, 300), 150, 150, 120, 100).astype(np.int32)
    stripes = 100 + 50 * labels * (np.arange(300) % 2)
    crop = cut_objects(stripes.astype(np.uint16), labels, 0.27, replace(SETTINGS, blur_px=0))
    inside = crop.images[0][26:38, 26:38].astype(float)
    assert inside.std() < 0.05 * inside.mean()


def test_the_noise_of_a_page_is_that_of_its_background(ellipse):
    labels = np.kron(np.arange(1, 17).reshape(4, 4), ellipse((50, 50), 25, 25, 44, 44))
    rng = np.random.default_rng(0)
    page = rng.normal(100, 2, labels.shape) + (labels > 0) * rng.normal(60, 12, labels.shape)
    crops = cut_objects(page, labels.astype(np.int32), 1.0, SETTINGS)
    level = crops.intensity_scale / crops.contrast_to_noise
    assert level == pytest.approx([2.0] * 16, rel=0.1)


def test_a_touching_neighbour_does_not_shine_into_the_image(ellipse, photograph):
    labels = np.zeros((90, 90), np.int32)
    labels[ellipse((90, 90), 45, 30, 30, 30)] = 1
    labels[ellipse((90, 90), 45, 49, 8, 24) & (labels == 0)] = 2
    page = photograph((90, 90), [(labels == 1, 30), (labels == 2, 200)], blur=0.5)
    image = cut_objects(page, labels, 1.0, SETTINGS).images[0]
    assert image[:, 47:].max() < 130


def test_saturated_nuclei_are_measured(page):
    image = page[0].copy()
    image[page[1] == 5] = 65535
    assert cut_objects(image, page[1], 1.0, SETTINGS).saturated.tolist() == [0, 1, 0]


def test_a_page_without_objects_gives_empty_columns(page):
    crops = cut_objects(page[0], np.zeros_like(page[1]), 1.0, SETTINGS)
    assert len(crops) == 0 and crops.images.shape == (0, 64, 64) and crops.images.dtype == np.uint8


def test_bad_pages_are_refused(page):
    image, labels = page
    with pytest.raises(InputError, match="differ in shape"):
        cut_objects(image, labels[1:], 1.0, SETTINGS)
    with pytest.raises(InputError, match="NaN"):
        cut_objects(np.full(image.shape, np.nan), labels, 1.0, SETTINGS)
    with pytest.raises(InputError, match="factor"):
        cut_objects(image, labels, 0.0, SETTINGS)


@pytest.fixture(scope="module")
def windows(ellipse, photograph):
    """Three windows of 80 x 80 uint8: off the middle, with a neighbour, at the border."""
    shape, neighbour = (80, 80), ellipse((80, 80), 8, 70, 28, 24)
    places = [(40, 46, 28, 22, 0.4), (38, 38, 26, 10, 1.0), (40, 74, 28, 24)]
    stacks = [
        photograph(shape, [(ellipse(shape, *p), 60), (neighbour, b)], seed=k)
        for k, (p, b) in enumerate(zip(places, (0, 120, 0), strict=True))
    ]
    return np.stack(stacks).astype(np.uint8)


def test_windows_of_80_px_become_centred_crops_of_64(windows):
    crops = prepare_crops(windows[:2], 1.0, SEGMENTATION, SETTINGS)
    assert crops.images.shape == (2, 64, 64) and crops.object_label.tolist() == [0, 1]
    assert (crops.y[0], crops.x[0]) == pytest.approx((40, 46), abs=0.4)
    for mask in crops.masks:
        assert [a.mean() for a in np.nonzero(mask)] == pytest.approx([31.5, 31.5], abs=0.4)
    assert crops.padding.max() == 0


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_windows_are_resampled(windows, zoom):
    once = prepare_crops(windows[:2], 1.0, SEGMENTATION, SETTINGS)
    crops = prepare_crops(windows[:2], zoom, SEGMENTATION, SETTINGS)
    assert crops.area_px == pytest.approx(once.area_px * zoom**2, rel=0.15)
    assert crops.x == pytest.approx(once.x, abs=0.5)


def test_a_nucleus_cut_by_its_window_is_flagged(windows):
    cut = prepare_crops(windows[2:, 18:62, 46:], 1.0, SEGMENTATION, SETTINGS)
    whole = prepare_crops(windows[:2], 1.0, SEGMENTATION, SETTINGS)
    assert cut.area_px[0] > 300 and cut.touches_border[0] and not whole.touches_border.any()


def test_a_nucleus_cut_by_padding_is_flagged(windows):
    padded = windows[:1].copy()
    padded[:, :, 52:] = 0
    assert prepare_crops(padded, 1.0, SEGMENTATION, SETTINGS).touches_border[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_dtype_changes_no_crop(windows, dtype):
    factor = {np.uint8: 1, np.uint16: 200, np.float32: 1 / 255}[dtype]
    crops = prepare_crops(
        (windows.astype(float) * factor).astype(dtype), 1.0, SEGMENTATION, SETTINGS
    )
    once = prepare_crops(windows, 1.0, SEGMENTATION, SETTINGS)
    assert np.abs(crops.images.astype(int) - once.images).max() <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_blank_windows_give_images_of_zeros(dtype):
    crops = prepare_crops(np.full((2, 80, 80), 90, dtype), 0.8, SEGMENTATION, SETTINGS)
    assert not crops.images.any() and not crops.windows.any() and not crops.area_px.any()


def test_crops_do_not_depend_on_their_company(windows):
    together = prepare_crops(windows, 1.0, SEGMENTATION, SETTINGS)
    alone = prepare_crops(windows[1:2], 1.0, SEGMENTATION, SETTINGS)
    for field in fields(alone):
        if field.name != "object_label":
            assert (getattr(alone, field.name)[0] == getattr(together, field.name)[1]).all()


def test_a_stack_is_needed():
    with pytest.raises(InputError, match="stack"):
        prepare_crops(np.zeros((64, 64)), 1.0, SEGMENTATION, SETTINGS)


def test_raw_crops_keep_the_difference_of_brightness(page):
    crops = cut_objects(*page, 1.0, replace(SETTINGS, normalise=False, raw_scale=2500.0))
    level = [np.median(i[m]) for i, m in zip(crops.images, crops.masks, strict=True)]
    assert level[1] > 2 * level[0] and set(crops.intensity_scale) == {2500.0}


def test_real_crops_are_white_and_centred(mitocheck):
    crops = prepare_crops(mitocheck["Metaphase"], 1.0, SEGMENTATION, SETTINGS)
    level = [np.percentile(i[m], 95) for i, m in zip(crops.images, crops.masks, strict=True)]
    assert np.median(level) == pytest.approx(196, abs=6) and crops.contrast_to_noise.min() > 20
    weight = crops.images.mean(0)
    assert (weight * np.arange(64)).sum() / weight.sum() == pytest.approx(31.5, abs=0.5)
