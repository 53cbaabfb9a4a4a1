import numpy as np
import pytest

from occamscope.errors import InputError
from occamscope.imaging.resample import (
    check_zoom,
    raw_white,
    rescaled_shape,
    sample,
    saturation_level,
    smooth_for_zoom,
)


def test_a_plane_is_sampled_exactly():
    y, x = np.mgrid[:40, :50].astype(np.float32)
    out = sample(2 * y - x, 20.3, 24.1, 1.5, (9, 11))
    rows, columns = (np.arange(9) - 4) / 1.5 + 20.3, (np.arange(11) - 5) / 1.5 + 24.1
    assert out == pytest.approx(2 * rows[:, None] - columns[None], abs=1e-3)


def test_beyond_the_image_there_is_nothing():
    image = np.ones((30, 30), np.float32)
    out = sample(image, 2, 15, 1.0, (21, 21))
    assert np.isnan(out[:8]).all() and (out[8:] == 1).all()
    assert np.isnan(sample(image, -100, 500, 1.0, (5, 5))).all()


def test_shrinking_does_not_alias():
    stripes = np.tile(np.array([0, 100], np.float32), (64, 32))
    out = sample(smooth_for_zoom(stripes, 0.25), 31.5, 31.5, 0.25, (14, 14))
    assert np.ptp(out) < 20 and out.mean() == pytest.approx(50, abs=5)
    assert (smooth_for_zoom(stripes, 1.0) == stripes).all()


@pytest.mark.parametrize("zoom", [0.3, 0.77, 1.0, 1.31, 2.0])
def test_the_rescaled_shape_stays_inside_the_image(zoom):
    shape = rescaled_shape((64, 80), zoom, 500)
    out = sample(np.ones((64, 80), np.float32), 31.5, 39.5, zoom, shape)
    assert np.isfinite(out).all()
    assert abs(shape[0] - 64 * zoom) < 1 + zoom and rescaled_shape((64, 80), zoom, 20) <= (20, 20)


@pytest.mark.parametrize(
    ("values", "dtype", "level"),
    [
        ([0, 90], np.uint8, 255),
        ([0, 4095], np.uint16, 4095),
        ([0, 4000], np.uint16, 65535),
        ([0, 1023], np.uint16, 1023),
        ([0.0, 1.0], np.float32, np.inf),
    ],
)
def test_the_saturation_level_follows_the_detector(values, dtype, level):
    assert saturation_level(np.array(values, dtype)) == level


def test_the_raw_white_of_floats_above_one_is_unknown():
    assert raw_white(np.array([0.0, 1.0])) == pytest.approx(1 / 1.3)
    with pytest.raises(InputError, match="raw_scale"):
        raw_white(np.array([0.0, 7.0]))


@pytest.mark.parametrize("zoom", [0.0, -1.0, 1e3, float("nan")])
def test_senseless_zooms_are_refused(zoom):
    with pytest.raises(InputError, match="um_per_px"):
        check_zoom(zoom)
