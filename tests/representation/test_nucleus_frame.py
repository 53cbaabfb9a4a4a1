"""The frame's geometry: maps and their inverse, directions, rings, the blur."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.representation.augment import warp
from occamscope.representation.nucleus_frame import (
    blur,
    frame_to_image,
    image_to_frame,
    long_axis,
    radial_basis,
)

numbers = st.floats(-1.5, 1.5)


def maps(kind, log_scale: float, e: tuple[float, float], angle: float | None = None):
    stretch = torch.tensor([e], dtype=torch.float64)
    axis = long_axis(stretch) if angle is None else torch.tensor([angle], dtype=torch.float64)
    return kind(torch.tensor([log_scale], dtype=torch.float64), stretch, axis)[0]


@settings(deadline=None)
@given(numbers, numbers, numbers, st.floats(-4, 4))
def test_maps_are_inverse_to_each_other(log_scale, e1, e2, angle):
    there = maps(frame_to_image, log_scale, (e1, e2), angle)
    back = maps(image_to_frame, log_scale, (e1, e2), angle)
    torch.testing.assert_close(there @ back, torch.eye(2, dtype=torch.float64))


@settings(deadline=None)
@given(numbers, numbers, numbers)
def test_area_follows_the_scale_alone(log_scale, e1, e2):
    matrix = maps(frame_to_image, log_scale, (e1, e2))
    assert abs(float(torch.det(matrix))) == pytest.approx(math.exp(2 * log_scale))


@settings(deadline=None)
@given(numbers.filter(lambda v: abs(v) > 0.05), numbers)
def test_length_of_the_stretch_is_the_log_of_the_axis_ratio(e1, e2):
    singular = torch.linalg.svdvals(maps(frame_to_image, 0.3, (e1, e2)))
    assert math.log(singular[0] / singular[1]) == pytest.approx(math.hypot(e1, e2), rel=1e-6)


@pytest.mark.parametrize(
    ("e", "degrees"), [((1, 0), 0), ((0, 1), 45), ((-1, 0), 90), ((0, -1), -45)]
)
def test_long_axis_is_counter_clockwise_with_y_up(e, degrees):
    x, y_down = maps(frame_to_image, 0.0, e)[:, 0]  # where the frame's x axis points to
    assert math.degrees(math.atan2(-y_down, x)) % 180 == pytest.approx(degrees % 180, abs=1e-9)


def test_a_painted_disc_becomes_the_ellipse_that_was_asked_for(measure):
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    disc = (torch.hypot(x, y) < 14).double()[None, None]
    stretch = torch.tensor([[0.4, 0.5]], dtype=torch.float64)
    to_frame = image_to_frame(torch.zeros(1, dtype=torch.float64), stretch, long_axis(stretch))
    row = measure(warp(disc, to_frame, 64)[:, 0].numpy()).iloc[0]
    assert math.log(row["axis_ratio"]) == pytest.approx(math.hypot(0.4, 0.5), rel=0.03)
    assert row["e_sin2theta"] / row["e_cos2theta"] == pytest.approx(0.5 / 0.4, rel=0.06)
    assert row["area_px"] == pytest.approx(math.pi * 14**2, rel=0.06)


def test_the_gradient_at_a_round_nucleus_is_finite():
    stretch = torch.zeros(1, 2, requires_grad=True)
    frame_to_image(torch.zeros(1), stretch, torch.zeros(1)).sum().backward()
    assert torch.isfinite(stretch.grad).all()


def test_rings_interpolate_between_knots():
    basis, radii = radial_basis(32, 24)
    assert basis.shape == (1024, 24) and (basis >= 0).all()
    torch.testing.assert_close(basis.sum(dim=1), torch.ones(1024))
    ticks = torch.arange(32) - 15.5
    radius = torch.hypot(ticks[:, None], ticks[None]).reshape(-1)
    torch.testing.assert_close(basis @ radii, radius, rtol=1e-5, atol=1e-5)


def test_blur_is_scipys_gaussian_away_from_the_border():
    from scipy.ndimage import gaussian_filter

    image = np.zeros((48, 48), np.float32)
    image[20:29, 17:25] = np.random.default_rng(0).random((9, 8))
    mine = blur(torch.from_numpy(image)[None, None], torch.tensor(1.7))[0, 0].numpy()
    np.testing.assert_allclose(mine, gaussian_filter(image, 1.7, truncate=8), atol=1e-5)


def test_the_width_of_the_blur_has_a_gradient():
    sd = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    image = torch.rand(
        1, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert torch.autograd.gradcheck(lambda s: blur(image, s), sd)
