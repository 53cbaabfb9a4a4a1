import numpy as np
import pytest

from occamscope.imaging.background import (
    QUANTISATION_SD,
    background_surface,
    count_floor,
    high_pass,
    mode_and_spread,
    noise_sd,
    otsu_threshold,
)


def test_noise_of_known_sd_is_measured():
    rng = np.random.default_rng(0)
    image = rng.normal(50, 4, (200, 200))
    assert noise_sd(image) == pytest.approx(4, rel=0.03)


def test_noise_is_measured_through_slopes_and_a_nucleus(ellipse, photograph):
    image = photograph((128, 128), [(ellipse((128, 128), 60, 60, 40, 30), 90)], noise=2.0)
    slope = np.linspace(0, 300, 128)[:, None]
    assert noise_sd(image + slope) == pytest.approx(2, rel=0.05)


def test_noise_is_measured_where_asked():
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1, (100, 100))
    image[50:] *= 10
    upper = np.zeros((100, 100), bool)
    upper[:48] = True
    assert noise_sd(image, upper) == pytest.approx(1, rel=0.1)


def test_a_constant_image_has_the_noise_of_the_floor():
    assert noise_sd(np.full((20, 20), 7.0), floor=0.25) == 0.25
    assert noise_sd(np.zeros((20, 20)), np.zeros((20, 20), bool), floor=0.5) == 0.5


def test_planes_vanish_under_the_high_pass():
    y, x = np.mgrid[:10, :12].astype(float)
    assert np.abs(high_pass(3 * y - 2 * x + 5)).max() < 1e-12


def test_the_floor_follows_the_dtype():
    assert count_floor(np.zeros(3, np.uint16)) == QUANTISATION_SD
    assert count_floor(np.array([0.0, 1000.0])) == pytest.approx(0.01)
    assert count_floor(np.zeros(3)) > 0


def test_the_mode_is_the_background_and_not_the_mean():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(10, 2, 8000), rng.normal(60, 5, 2000)])
    mode, spread = mode_and_spread(values)
    assert mode == pytest.approx(10, abs=0.6) and spread == pytest.approx(2, rel=0.25)


def test_the_mode_of_a_constant_has_no_spread():
    assert mode_and_spread(np.full(50, 3.0)) == (3.0, 0.0)


def test_the_surface_follows_a_gradient_but_not_nuclei(ellipse):
    gradient = np.tile(np.linspace(100, 200, 256, dtype=np.float32), (256, 1))
    nuclei = sum(ellipse((256, 256), y, x, 24, 20) for y in (60, 180) for x in (60, 180))
    surface = background_surface(gradient + 80 * nuclei.astype(np.float32), 96)
    assert surface.shape == (256, 256)
    assert np.abs(surface - gradient)[30:-30, 30:-30].max() < 12


def test_otsu_parts_two_levels():
    threshold = otsu_threshold(np.repeat([1.0, 9.0], [70, 30]))
    assert 1 < threshold < 9
    assert otsu_threshold(np.full(5, 2.0)) == 2.0
