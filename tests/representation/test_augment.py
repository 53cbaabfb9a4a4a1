"""The random affine maps: geometry, limits, distribution."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from occamscope.representation.augment import (
    AffinePrior,
    draw_maps,
    halve_aliasing,
    random_affine,
    reflect_log_scale,
    stretch_matrices,
    warp,
)

STILL = AffinePrior(log_scale_sd=0.0, stretch_sd=0.0, rotate=False)
TICKS = torch.arange(64) - 31.5


def ellipse(a: float, b: float) -> torch.Tensor:
    """A soft ellipse of semi-axes a (along x) and b, (1, 1, 64, 64)."""
    radius = torch.sqrt((TICKS[None] / a) ** 2 + (TICKS[:, None] / b) ** 2)
    return torch.sigmoid((1 - radius) * math.sqrt(a * b) / 0.7)[None, None]


def second_moments(x: torch.Tensor) -> tuple[float, float]:
    weight = x[0, 0] / x.sum()
    return (
        float((weight * TICKS[None] ** 2).sum()),
        float((weight * TICKS[:, None] ** 2).sum()),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_randomness_leaves_the_image_as_it_is():
    x = ellipse(12, 8)
    torch.testing.assert_close(random_affine(x, torch.tensor([300.0]), generator(), STILL), x)


def test_scale_multiplies_the_area_by_its_square():
    x = ellipse(10, 10)
    larger = warp(x, torch.eye(2)[None] / 1.5, 64)
    assert float(larger.sum() / x.sum()) == pytest.approx(1.5**2, rel=0.02)


def test_stretch_keeps_the_area_and_sets_the_axis_ratio():
    x = ellipse(10, 10)
    stretched = warp(x, stretch_matrices(torch.tensor([[-0.8, 0.0]])), 64)
    across, down = second_moments(stretched)
    assert float(stretched.sum() / x.sum()) == pytest.approx(1.0, rel=0.01)
    assert math.sqrt(across / down) == pytest.approx(math.exp(0.8), rel=0.03)


@given(st.tuples(st.floats(-2, 2), st.floats(-2, 2)).filter(lambda s: math.hypot(*s) > 1e-3))
def test_stretch_matrices_keep_area_with_axis_ratio_exp_of_length(stretch):
    matrix = stretch_matrices(torch.tensor([stretch], dtype=torch.float64))[0]
    small, large = torch.linalg.eigvalsh(matrix)
    assert float(small * large) == pytest.approx(1.0, rel=1e-6)
    assert float(large / small) == pytest.approx(math.exp(math.hypot(*stretch)), rel=1e-6)


@given(st.floats(-5, 5), st.floats(1, 4000))
def test_scaled_area_stays_within_its_limits(log_scale, area):
    prior = AffinePrior()
    areas = torch.tensor([area], dtype=torch.float64)
    scale = reflect_log_scale(torch.tensor([log_scale], dtype=torch.float64), areas, prior)
    scaled = area * math.exp(2 * float(scale))
    low, high = min(area, prior.area_min_px), max(area, prior.area_max_px)
    assert low * (1 - 1e-9) <= scaled <= high * (1 + 1e-9)


def test_blank_crops_of_area_zero_get_finite_maps():
    assert torch.isfinite(draw_maps(torch.zeros(8), generator(), AffinePrior())).all()


def test_scales_and_stretches_have_the_set_spread():
    prior = AffinePrior(area_min_px=1e-3, area_max_px=1e9)
    maps = draw_maps(torch.full((20000,), 500.0), generator(), prior).double()
    values = torch.linalg.svdvals(maps)
    log_scale = -values.log().mean(1)
    log_ratio = (values[:, 0] / values[:, 1]).log()
    assert float(log_scale.std()) == pytest.approx(prior.log_scale_sd, rel=0.03)
    assert float(log_ratio.square().mean().sqrt()) == pytest.approx(
        prior.stretch_sd * math.sqrt(2), rel=0.03
    )


def test_half_of_the_maps_are_reflections_and_all_angles_occur():
    prior = AffinePrior(log_scale_sd=0.0, stretch_sd=0.0)
    maps = draw_maps(torch.full((4000,), 500.0), generator(), prior)
    assert float((torch.linalg.det(maps) < 0).float().mean()) == pytest.approx(0.5, abs=0.03)
    angles = torch.atan2(maps[:, 1, 0], maps[:, 1, 1])
    counts = np.histogram(angles, bins=8, range=(-math.pi, math.pi))[0]
    assert counts.min() > 400


def test_same_generator_state_gives_the_same_images():
    x, areas = ellipse(12, 8).expand(4, -1, -1, -1), torch.full((4,), 300.0)
    first = random_affine(x, areas, generator(5), AffinePrior())
    assert torch.equal(first, random_affine(x, areas, generator(5), AffinePrior()))
    assert not torch.equal(first, random_affine(x, areas, generator(6), AffinePrior()))


def test_half_size_sampling_equals_pooling_where_nothing_turns():
    x = (ellipse(12, 8) * 255).round().to(torch.uint8)
    halved = warp(halve_aliasing(x[:, 0])[:, None].float(), torch.eye(2)[None], 32)
    pooled = torch.nn.functional.avg_pool2d(x.float(), 2)
    assert float((halved - pooled).abs().max()) <= 0.5 + 1e-3  # rounding to uint8


def test_half_size_sampling_is_close_to_warping_then_pooling():
    x = (ellipse(14, 9) * 196).round().to(torch.uint8)
    maps = draw_maps(torch.tensor([400.0]), generator(2), AffinePrior())
    halved = warp(halve_aliasing(x[:, 0])[:, None].float(), maps, 32)
    pooled = torch.nn.functional.avg_pool2d(warp(x.float(), maps, 64), 2)
    assert float((halved - pooled).abs().max()) < 12  # of 196
    assert float((halved - pooled).abs().mean()) < 0.3


def test_warp_of_a_batch_maps_each_image_by_its_own_matrix():
    x = ellipse(12, 6).expand(2, -1, -1, -1)
    quarter_turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    out = warp(x, torch.stack([torch.eye(2), quarter_turn]), 64)
    torch.testing.assert_close(out[0], x[0])
    torch.testing.assert_close(out[1, 0], x[1, 0].T, rtol=0, atol=1e-5)
