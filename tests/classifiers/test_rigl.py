"""Topology updates: counts, what is dropped and grown, densities, schedule."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.rigl import (
    RigLSettings,
    connection_counts,
    drop_fraction,
    erk_densities,
    is_update_step,
    random_mask,
    strongest,
    update_masks,
)
from occamscope.errors import InputError

WIDTHS = (32, 64, 64, 1)


def layer(seed, members=3, shape=(8, 5), count=12):
    """A random layer: weights stored as 0 where the mask says so, mask, dense gradient."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.stack([random_mask(*shape, count, generator) for _ in range(members)])
    weight = torch.randn(members, *shape, generator=generator) * mask
    return weight, mask, torch.randn(members, *shape, generator=generator)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), fraction=st.floats(0, 1), count=st.integers(1, 40))
def test_masks_keep_their_count_at_an_update(seed, fraction, count):
    new = update_masks(*layer(seed, count=count), fraction)
    assert new.dtype == torch.bool
    assert new.sum((1, 2)).tolist() == [count] * 3


def test_a_mask_changes_at_an_update():
    weight, mask, gradient = layer(0)
    new = update_masks(weight, mask, gradient, 0.5)
    assert ((new & ~mask).sum((1, 2)) > 0).all()


def test_drop_fraction_zero_is_the_identity():
    weight, mask, gradient = layer(1)
    assert torch.equal(update_masks(weight, mask, gradient, 0.0), mask)


def test_the_smallest_weights_make_room_for_the_largest_gradients():
    weight = torch.tensor([[[0.9, 0.1, -0.5, 0.2, 0.0, 0.0, 0.0, 0.0]]])
    gradient = torch.tensor([[[9.0, 0.0, 9.0, 0.0, 0.1, -3.0, 2.0, 0.2]]])
    new = update_masks(weight, weight != 0, gradient, 0.5)
    assert new[0, 0].nonzero().flatten().tolist() == [0, 2, 5, 6]


def test_a_share_of_a_connection_is_not_dropped():
    weight = torch.tensor([[[0.3, 0.1, 0.2, 0.0]]])
    new = update_masks(weight, weight != 0, torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]), 0.6)
    assert new[0, 0].tolist() == [True, False, True, True]  # 1.8 of 3: one goes


def test_a_dropped_connection_with_the_largest_gradient_comes_back():
    weight = torch.tensor([[[0.9, 0.1, 0.0]]])
    gradient = torch.tensor([[[0.0, 5.0, 1.0]]])
    assert torch.equal(update_masks(weight, weight != 0, gradient, 0.5), weight != 0)


def test_one_member_does_not_change_anothers_update():
    weight, mask, gradient = layer(2)
    alone = [update_masks(weight[k : k + 1], mask[k : k + 1], gradient[k : k + 1], 0.4) for k in
             range(3)]  # fmt: skip
    assert torch.equal(update_masks(weight, mask, gradient, 0.4), torch.cat(alone))


def test_strongest_takes_the_first_of_equal_scores():
    assert strongest(torch.zeros(1, 2, 3), 2)[0].flatten().tolist() == [1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("density", [0.005, 0.01, 0.02, 0.05, 0.2, 0.5, 0.9])
def test_erk_total_equals_the_uniform_total_within_rounding(density):
    erk = sum(connection_counts(WIDTHS, density, "erk"))
    uniform = density * (32 * 64 + 64 * 64 + 64)
    assert abs(erk - uniform) <= 2


def test_erk_keeps_the_proportions_of_the_layers():
    """(in + out) / (in out) for each layer while none is full."""
    first, second, last = erk_densities(WIDTHS, 0.01)
    assert first / second == pytest.approx((96 / 2048) / (128 / 4096))
    assert last / first == pytest.approx((65 / 64) / (96 / 2048))


def test_erk_fills_a_small_layer_and_shares_out_the_rest():
    densities = erk_densities(WIDTHS, 0.2)
    assert densities[2] == 1 and max(densities[:2]) < 1


@pytest.mark.parametrize("distribution", ["erk", "uniform"])
def test_the_first_layer_is_sparsified_too(distribution):
    assert connection_counts(WIDTHS, 0.02, distribution)[0] < 0.05 * 32 * 64


def test_density_one_is_dense():
    assert connection_counts(WIDTHS, 1.0) == (32 * 64, 64 * 64, 64)


def test_a_random_mask_has_its_exact_count_and_its_own_places():
    first, second = (random_mask(9, 7, 20, torch.Generator().manual_seed(k)) for k in (0, 1))
    assert first.sum() == second.sum() == 20
    assert not torch.equal(first, second)


def test_drop_fraction_falls_as_a_cosine_after_the_warm_up():
    rigl = RigLSettings(alpha=0.3, t_end_fraction=0.75, warmup="sparse", warmup_steps=100)
    assert drop_fraction(100 + 100, 400, rigl) == pytest.approx(0.15)
    assert drop_fraction(250, 400, rigl) == pytest.approx(0.15 * (1 + math.cos(0.75 * math.pi)))
    assert drop_fraction(300, 400, rigl) == 0


@pytest.mark.parametrize(
    ("warmup", "steps"),
    [("none", [100, 200]), ("sparse", [150, 250]), ("dense", [150, 250])],
)
def test_updates_come_after_the_warm_up_and_stop_at_t_end(warmup, steps):
    rigl = RigLSettings(warmup=warmup, warmup_steps=50)
    assert [s for s in range(401) if is_update_step(s, 400, rigl)] == steps


@pytest.mark.parametrize("density", [0, -0.1, 1.1])
def test_a_density_outside_its_range_is_refused(density):
    with pytest.raises(InputError, match="density"):
        connection_counts(WIDTHS, density)


@pytest.mark.parametrize(
    "wrong",
    [{"warmup": "wet"}, {"distribution": "er"}, {"alpha": 2}, {"update_every": 0},
     {"warmup_steps": -1}],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError):
        RigLSettings(**wrong)
