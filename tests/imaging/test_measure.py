import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.imaging.measure import (
    COLUMNS,
    half_maximum_masks,
    measure_decoded,
    measure_shapes,
)


def ellipse(a, b, theta, size=64, y=31.5, x=31.5):
    """Mask of an ellipse; theta counter-clockwise with y up."""
    rows, columns = np.mgrid[0:size, 0:size]
    dx, dy = columns - x, y - rows
    u = np.cos(theta) * dx + np.sin(theta) * dy
    v = np.cos(theta) * dy - np.sin(theta) * dx
    return (u / a) ** 2 + (v / b) ** 2 <= 1


def rectangle(height, width, size=64):
    mask = np.zeros((size, size), bool)
    top, left = (size - height) // 2, (size - width) // 2
    mask[top : top + height, left : left + width] = True
    return mask


def one(mask, image=None):
    return measure_shapes(mask[None], None if image is None else image[None]).iloc[0]


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.floats(9, 25), st.floats(1.0, 2.0), st.floats(0, np.pi))
def test_ellipses_have_their_area_axes_and_angle(b, ratio, theta):
    row = one(ellipse(b * ratio, b, theta, size=128, y=63.2, x=64.1))
    e = (ratio - 1) / (ratio + 1)
    assert row.area_px == pytest.approx(np.pi * b * b * ratio, rel=0.03)
    assert row.axis_ratio == pytest.approx(ratio, rel=0.03)
    assert row.ellipticity == pytest.approx(e, abs=0.015)
    assert row.e_cos2theta == pytest.approx(e * np.cos(2 * theta), abs=0.015)
    assert row.e_sin2theta == pytest.approx(e * np.sin(2 * theta), abs=0.015)


@pytest.mark.parametrize(("height", "width"), [(4, 12), (9, 9), (1, 7), (20, 5)])
def test_rectangles_have_closed_form_moments(height, width):
    # A rectangle of unit squares has variances side^2 / 12, exactly.
    row = one(rectangle(height, width))
    long, short = max(height, width), min(height, width)
    assert row.area_px == height * width
    assert row.axis_ratio == pytest.approx(long / short, rel=1e-9)
    assert row.eccentricity == pytest.approx(np.sqrt(1 - (short / long) ** 2), abs=1e-7)
    assert row.extent == 1


def test_angle_counts_counter_clockwise_with_y_up():
    # Row index falls while the column index rises: the long axis points up to the right.
    mask = np.zeros((64, 64), bool)
    for k in range(-10, 11):
        mask[32 - k, 32 + k - 1 : 32 + k + 2] = True
    row = one(mask)
    assert 0.7 < row.theta_rad < 0.95
    assert row.e_sin2theta > 0.3


def test_a_tall_nucleus_has_a_negative_cosine_component():
    assert one(rectangle(20, 6)).e_cos2theta < -0.4
    assert one(rectangle(6, 20)).e_cos2theta > 0.4


def test_perimeter_of_a_disc_is_two_pi_r():
    assert one(ellipse(14, 14, 0)).perimeter_px == pytest.approx(2 * np.pi * 14, rel=0.02)


def test_solidity_tells_convex_from_concave():
    ring_sector = ellipse(15, 15, 0) & ~ellipse(10, 10, 0)
    ring_sector[:, 32:] = False
    assert one(ellipse(14, 9, 0.4)).solidity > 0.96
    assert one(ring_sector).solidity < 0.75
    assert one(rectangle(5, 9)).solidity == 1


def test_solidity_of_an_l_is_its_area_over_its_hull():
    mask = np.zeros((64, 64), bool)
    mask[10:50, 10:20] = True
    mask[40:50, 10:50] = True
    # Hull: square of 40 less the triangle cut off at the open corner.
    assert one(mask).solidity == pytest.approx(700 / (1600 - 30 * 30 / 2), rel=0.02)


def test_offset_is_the_distance_of_the_centroid_from_the_middle():
    assert one(ellipse(8, 8, 0)).offset_px == pytest.approx(0, abs=1e-9)
    assert one(ellipse(8, 8, 0, y=28.5, x=35.5)).offset_px == pytest.approx(5, abs=0.05)


def test_intensities_are_those_inside_the_mask():
    image = np.full((64, 64), 9.0)
    mask = rectangle(10, 10)
    image[mask] = np.tile([0.5, 1.0], 50)
    row = one(mask, image)
    assert row.intensity_mean == pytest.approx(0.75)
    assert row.intensity_sd == pytest.approx(0.25)
    assert row.intensity_max == 1


def test_stored_crops_are_measured_on_the_unit_scale():
    mask = ellipse(10, 10, 0)
    row = one(mask, np.where(mask, 196, 0).astype(np.uint8))
    assert row.intensity_mean == pytest.approx(1)


def test_a_flat_nucleus_has_no_texture_and_a_speckled_one_has():
    mask = ellipse(12, 12, 0)
    checks = np.indices((64, 64)).sum(0) % 2
    assert one(mask, 0.8 * mask).texture == pytest.approx(0, abs=1e-5)
    assert one(mask, mask * (1 + 0.1 * (2 * checks - 1))).texture == pytest.approx(0.1, rel=0.05)


def test_texture_does_not_depend_on_brightness():
    mask = ellipse(12, 12, 0)
    image = mask * np.random.default_rng(0).uniform(0.5, 1, mask.shape)
    assert one(mask, image).texture == pytest.approx(one(mask, image / 3).texture, rel=1e-4)


def test_rim_ratio_tells_rings_from_solid_nuclei():
    mask = ellipse(12, 12, 0)
    hole = ellipse(6, 6, 0)
    assert one(mask, mask * 1.0).rim_ratio == pytest.approx(1, abs=0.02)
    assert one(mask, mask - 0.5 * hole).rim_ratio == pytest.approx(2, rel=0.1)
    assert one(mask & ~hole, 1.0 * (mask & ~hole)).rim_ratio > 2.5


def test_an_empty_mask_gives_a_row_of_nan():
    masks = np.stack([np.zeros((64, 64), bool), ellipse(9, 9, 0)])
    table = measure_shapes(masks, masks.astype(float))
    assert table.iloc[0].isna().all()
    assert table.iloc[1].notna().all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (64, 64)])
def test_tiny_and_full_masks_are_measured(shape):
    mask = rectangle(*shape)
    assert one(mask, mask * 0.7).notna().all()


def test_measures_do_not_depend_on_the_other_crops_of_a_stack():
    masks = np.stack([ellipse(5 + k % 9, 5, 0.1 * k) for k in range(1030)])
    table = measure_shapes(masks, masks.astype(np.float32))
    assert list(table.columns) == list(COLUMNS)
    alone = measure_shapes(masks[1025:1026], masks[1025:1026].astype(np.float32))
    np.testing.assert_allclose(table.iloc[1025], alone.iloc[0], rtol=1e-6)


def test_no_crops_give_an_empty_table():
    assert measure_shapes(np.zeros((0, 64, 64), bool)).shape == (0, len(COLUMNS))
    assert measure_decoded(np.zeros((0, 64, 64))).shape == (0, len(COLUMNS))


def test_without_images_the_intensities_are_unknown():
    row = one(ellipse(9, 9, 0))
    assert np.isnan(row.intensity_mean)
    assert np.isnan(row.texture)


def test_images_of_another_shape_are_refused():
    with pytest.raises(InputError, match="same shape"):
        measure_shapes(np.ones((2, 8, 8), bool), np.ones((2, 8, 9)))


def test_decoded_nuclei_are_measured_at_half_of_their_maximum():
    rows, columns = np.mgrid[0:64, 0:64] - 31.5
    gaussian = np.exp(-(columns**2 / 10**2 + rows**2 / 6**2) / 2)[None]
    row = measure_decoded(gaussian).iloc[0]
    # Half maximum of a Gaussian lies at sqrt(2 ln 2) sd; the mean of the top 30 is a bit below 1.
    assert row.area_px == pytest.approx(np.pi * 60 * 2 * np.log(2), rel=0.1)
    assert row.axis_ratio == pytest.approx(10 / 6, rel=0.03)


@pytest.mark.parametrize("level", [0.3, 1.0, 1.25])
def test_decoded_masks_follow_the_brightness(level):
    mask = ellipse(10, 8, 0.3)
    assert (half_maximum_masks(level * mask[None])[0] == mask).all()


def test_blank_and_speck_images_have_no_nucleus():
    speck = np.zeros((64, 64))
    speck[30, 30:34] = 1
    table = measure_decoded(np.stack([np.zeros((64, 64)), np.full((64, 64), 0.05), speck]))
    assert table.isna().all(axis=None)
