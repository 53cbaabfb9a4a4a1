import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from occamscope.errors import InputError
from occamscope.evaluation import flip_grid
from occamscope.evaluation.attacks import confident_flip, smallest_flip
from occamscope.evaluation.flip_grid import GridFlips, compare_with_grid, grid_flip
from occamscope.evaluation.flip_search import FlipSettings

torch.set_num_threads(1)


def codes(n=30, d=6, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def product_law(z):
    return z[..., 0] * (z[..., 1] ** 2 + z[..., 2] ** 2) - 1


def round_distance(z0):
    """From z1 = z2 = 0, where the law has no gradient, to z0 rho^2 = 1."""
    # The distance squared, (a - z0)^2 + 1/a, has one minimum: 2 (a - z0) = 1/a^2.
    a = brentq(lambda a: 2 * (a - z0) * a**2 - 1, 1e-9, 50)
    return np.sqrt((a - z0) ** 2 + 1 / a)


@given(st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_distance_to_a_plane_lies_between_the_two_lengths(count, seed):
    w, z = codes(1, 6, seed)[0], codes(3, 6, seed + 1)
    variables = [5, 2, 0, 3][:count]
    direction = w[variables]
    decision = lambda x: x[..., variables] @ direction - 0.3  # noqa: E731
    truth = ((z[:, variables] @ direction - 0.3).abs() / direction.norm()).numpy()
    steps = 8
    found = grid_flip(decision, z, variables, 1.6 * truth, steps)
    # The nearest corner across lies within a diagonal; some ray runs near the normal.
    assert (found.least <= truth + 1e-9).all()
    assert (found.distance >= truth - 1e-9).all()
    assert (found.distance <= 1.1 * truth).all()
    assert (found.bound <= 1.6 * truth * count**0.5 / steps + 1e-9).all()


def test_one_variable_is_exact():
    z = codes()
    found = grid_flip(lambda x: x[..., 4] - 0.7, z, [4], 6.0, 50)
    np.testing.assert_allclose(found.distance, (z[:, 4] - 0.7).abs(), atol=1e-6)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_sphere_is_reached_radially_from_both_sides(count):
    z = codes()
    length = z[:, :count].norm(dim=-1).numpy()
    decision = lambda x: x[..., :count].square().sum(-1) - 1.5**2  # noqa: E731
    found = grid_flip(decision, z, range(count), 4.0)
    truth = np.abs(length - 1.5)
    assert (found.distance >= truth - 1e-9).all()
    assert (found.least <= truth).all()
    assert np.median(found.distance - truth) < 0.01


def test_a_law_without_gradient_at_the_code():
    z = codes()
    z[:, 1:3] = 0
    truth = np.array([round_distance(z0) for z0 in z[:, 0].numpy()])
    found = grid_flip(product_law, z, [0, 1, 2], 1.25 * truth)
    assert (found.least <= truth).all()
    np.testing.assert_allclose(found.distance, truth, rtol=3e-3)
    assert (found.distance >= truth - 1e-7).all()


def test_the_search_is_not_beaten_on_laws_but_half_a_search_is():
    z = codes(60)
    z[:20, 1:3] = 0
    full = smallest_flip(product_law, z, z).distance
    weak = FlipSettings(neighbours=0, random_starts=0, turns=0, best_turns=0, ddn_steps=5)
    half = smallest_flip(product_law, z, z, weak).distance
    grid = grid_flip(product_law, z, [0, 1, 2], 1.25 * full, 20)
    found = compare_with_grid(full, grid)
    assert found["beaten_share"] == 0
    assert found["below_share"] == 0
    assert found["largest_excess"] < 1e-3 * full.max()
    assert compare_with_grid(half, grid)["beaten_share"] > 0.3


def test_confident_flips_are_checked_with_their_thresholds():
    z = codes()
    flips = confident_flip(product_law, z, z, 1.5, -0.8)
    grid = grid_flip(product_law, z, [0, 1, 2], 1.25 * flips.distance, 20, 1.5, -0.8)
    found = compare_with_grid(flips.distance, grid)
    assert found["beaten_share"] == found["below_share"] == 0
    np.testing.assert_allclose(grid.distance, flips.distance, rtol=0.01)


def test_beyond_the_radius_nothing_is_found_but_a_least_length():
    z = codes(4)
    found = grid_flip(lambda x: x[..., 0] - 9.0, z, [0, 1], 2.0, 40)
    assert np.isinf(found.distance).all()
    np.testing.assert_allclose(found.least, 2 - 2 * np.sqrt(2) / 40)


def test_a_radius_of_its_own_for_each_cell():
    z = torch.zeros(3, 2, dtype=torch.float64)
    found = grid_flip(lambda x: x[..., 1] - 1.0, z, [0, 1], np.array([0.5, 1.5, 3.0]), 30)
    assert np.isinf(found.distance[0])
    np.testing.assert_allclose(found.distance[1:], 1, rtol=1e-6)


def test_the_walk_does_not_depend_on_how_much_is_done_at_once(monkeypatch):
    z = codes(20)
    once = grid_flip(product_law, z, [0, 1, 2], 3.0, 12)
    monkeypatch.setattr(flip_grid, "BATCH", 500)
    monkeypatch.setattr(flip_grid, "CELLS", 7)
    parts = grid_flip(product_law, z, [0, 1, 2], 3.0, 12)
    np.testing.assert_array_equal(once.distance, parts.distance)
    np.testing.assert_array_equal(once.least, parts.least)


def test_a_part_thinner_than_the_grid_is_missed_and_noticed():
    decision = lambda x: torch.maximum(1e-4 - (x[..., 0] - 0.55).abs(), x[..., 0] - 1.5)  # noqa: E731
    z = torch.zeros(1, 2, dtype=torch.float64)
    grid = grid_flip(decision, z, [0], 2.0, 10)
    np.testing.assert_allclose(grid.distance, 1.5, rtol=1e-6)
    found = compare_with_grid(np.array([0.55]), grid)
    assert (found["below_share"], found["beaten_share"]) == (1, 0)


def test_shorter_flips_of_the_grid_are_counted():
    grid = GridFlips(np.array([1.0, 1.0, 2.0, np.inf, np.inf]), np.array([0.9, 0.9, 1.9, 4, 4]))
    found = compare_with_grid(np.array([1.0005, 1.3, 1.95, np.inf, 5.0]), grid)
    assert found["n"] == 5
    assert found["beaten_share"] == 0.2
    assert found["largest_excess"] == pytest.approx(0.3)
    assert found["beaten_share_low"] < 0.2 < found["beaten_share_high"]
    assert compare_with_grid(np.array([np.inf] * 5), grid)["largest_excess"] == np.inf


@pytest.mark.parametrize(
    ("variables", "radius", "steps", "message"),
    [
        ([0, 1, 2, 3, 4], 1.0, None, "5 variables"),
        ([], 1.0, None, "0 variables"),
        ([0, 1], 1.0, None, "not among"),
        ([0, 1, 2], 1.0, 500, "choose 1 to 135"),
        ([0, 1, 2], 0.0, None, "radius"),
        ([0, 1, 2], np.inf, None, "radius"),
    ],
)
def test_grids_that_cannot_be_walked_are_refused(variables, radius, steps, message):
    with pytest.raises(InputError, match=message):
        grid_flip(product_law, codes(3), variables, radius, steps)
