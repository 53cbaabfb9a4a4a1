"""Connections and moments while a network trains."""

import pytest
import torch

from occamscope.classifiers.batched_mlp import BatchedMLP
from occamscope.classifiers.rigl import RigLSettings, connection_counts
from occamscope.classifiers.sparse_training import (
    EnsembleSettings,
    SparseTraining,
    as_training_data,
)
from occamscope.errors import InputError

WIDTHS = (32, 16, 16, 1)
SETTINGS = EnsembleSettings(hidden=(16, 16), steps=100, batch=32)


@pytest.fixture
def start(shape_codes):
    """Function: a training of two members at density .1 and its network."""

    def begin(density=0.1, **rigl):
        generators = [torch.Generator().manual_seed(k) for k in (0, 1)]
        net = BatchedMLP(WIDTHS, generators)
        data = as_training_data(*shape_codes(200, noise=True), "cpu")
        chosen = RigLSettings(**{"update_every": 10, "warmup": "none"} | rigl)
        return net, SparseTraining(net, data, SETTINGS, chosen, generators, density)

    return begin


def counts(net):
    return [tuple(int(m[k].sum()) for m in net.masks) for k in range(net.members)]


def run(training, first, last):
    for step in range(first, last + 1):
        training.advance(step)


def test_masks_stand_still_between_updates_and_move_at_one(start):
    net, training = start()
    before = net.flat_mask.clone()
    run(training, 1, 9)
    assert torch.equal(net.flat_mask, before)
    run(training, 10, 10)
    assert not torch.equal(net.flat_mask, before)


def test_every_member_keeps_its_count_through_a_whole_training(start):
    net, training = start()
    expected = connection_counts(WIDTHS, 0.1)
    for step in range(1, 101):
        training.advance(step)
        assert counts(net) == [expected, expected]


def test_new_connections_start_at_zero_with_fresh_moments(start):
    net, training = start()
    run(training, 1, 9)
    before = net.flat_mask.clone()
    run(training, 10, 10)
    new = (net.flat_mask > 0) & (before == 0)
    moments = training.optimiser.state[net.flat]
    assert new.any() and (net.flat[new] == 0).all()
    assert (moments["exp_avg"][new] == 0).all() and (moments["exp_avg_sq"][new] == 0).all()


def test_an_update_leaves_surviving_weights_as_they_were(start):
    net, training = start()
    run(training, 1, 9)
    mask, flat = net.flat_mask.clone(), net.flat.clone()
    run(training, 10, 10)
    stay = (mask > 0) & (net.flat_mask > 0)
    assert torch.equal(net.flat[stay], flat[stay])


def test_missing_connections_stay_zero(start):
    net, training = start()
    run(training, 1, 35)
    assert (net.flat[net.flat_mask == 0] == 0).all()


def test_alpha_zero_never_moves_a_connection(start):
    net, training = start(alpha=0.0)
    before = net.flat_mask.clone()
    run(training, 1, 80)
    assert torch.equal(net.flat_mask, before)


def test_a_dense_warm_up_trains_all_weights_and_keeps_the_largest(start):
    net, training = start(warmup="dense", warmup_steps=20)
    run(training, 1, 19)
    assert (net.flat_mask == 1).all()
    run(training, 20, 20)
    assert counts(net) == [connection_counts(WIDTHS, 0.1)] * 2
    kept = net.weights[1][0][net.masks[1][0] > 0].abs()
    assert (kept > 0).all()


def test_the_dense_warm_up_prunes_by_magnitude(start):
    net, training = start(warmup="dense", warmup_steps=20)
    twin, other = start(warmup="dense", warmup_steps=21)
    run(training, 1, 20)
    run(other, 1, 20)
    kept = net.masks[0] > 0
    size = twin.weights[0].abs()  # the same steps, not yet pruned
    for k in range(2):
        assert size[k][kept[k]].min() >= size[k][~kept[k]].max()


def test_a_sparse_warm_up_delays_the_first_update(start):
    net, training = start(warmup="sparse", warmup_steps=20)
    before = net.flat_mask.clone()
    run(training, 1, 29)
    assert torch.equal(net.flat_mask, before) and (before == 0).any()
    run(training, 30, 30)
    assert not torch.equal(net.flat_mask, before)


def test_connections_are_frozen_after_t_end(start):
    net, training = start(t_end_fraction=0.5)
    run(training, 1, 50)
    before = net.flat_mask.clone()
    run(training, 51, 100)
    assert torch.equal(net.flat_mask, before)


def test_density_one_stays_dense(start):
    net, training = start(density=1.0)
    run(training, 1, 30)
    assert (net.flat_mask == 1).all()


def test_a_warm_up_as_long_as_the_training_is_refused(start):
    with pytest.raises(InputError, match="warm-up"):
        start(warmup="dense", warmup_steps=100)


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (torch.zeros(3, 2), [0, 1], "match"),
        (torch.zeros(3, 2), [0, 1, -1], "unlabelled"),
        (torch.zeros(3, 2), [1, 1, 1], "both"),
        (torch.full((2, 2), torch.nan), [0, 1], "NaN"),
    ],
    ids=["lengths", "unlabelled", "one class", "nan"],
)
def test_unsuitable_codes_are_refused(x, y, match):
    with pytest.raises(InputError, match=match):
        as_training_data(x, y, "cpu")
