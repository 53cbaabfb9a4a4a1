"""Fine-tuning: places stay, the loss falls, members depend on themselves alone."""

import dataclasses

import numpy as np
import pytest

from occamscope.classifiers.ensemble import logits, train_ensemble
from occamscope.classifiers.fine_tuning import fine_tune
from occamscope.classifiers.rigl import RigLSettings
from occamscope.classifiers.sparse_training import EnsembleSettings

SETTINGS = EnsembleSettings(steps=400)


@pytest.fixture(scope="module")
def data(shape_codes):
    return shape_codes(1000)


@pytest.fixture(scope="module")
def net(data):
    return train_ensemble(*data, SETTINGS, RigLSettings(warmup_steps=100), range(3), 0.05)


def loss(net, x, y) -> np.ndarray:
    return np.logaddexp(0, np.where(y == 1, -logits(net, x), logits(net, x))).mean(axis=1)


def test_connections_stay_where_they_are(net, data):
    tuned = fine_tune(net, *data, SETTINGS, steps=50)
    for weight, mask, before in zip(tuned.weights, net.masks, net.weights, strict=True):
        assert not weight[~mask].any()
        assert (weight[mask] != before[mask]).any()
    assert tuned.seeds == net.seeds and tuned.history.equals(net.history)


def test_the_loss_of_a_damaged_network_falls(net, data):
    damaged = dataclasses.replace(net, weights=(net.weights[0] * 0.5, *net.weights[1:]))
    assert (
        loss(fine_tune(damaged, *data, SETTINGS, steps=300), *data) < loss(damaged, *data)
    ).all()


def test_a_member_is_tuned_as_if_it_were_alone(net, data):
    alone = dataclasses.replace(
        net,
        weights=tuple(w[1:2] for w in net.weights),
        biases=tuple(b[1:2] for b in net.biases),
        masks=tuple(m[1:2] for m in net.masks),
        seeds=net.seeds[1:2],
    )
    together, single = (fine_tune(n, *data, SETTINGS, steps=40) for n in (net, alone))
    for a, b in zip(
        together.weights + together.biases, single.weights + single.biases, strict=True
    ):
        assert np.array_equal(a[1], b[0])


def test_same_seeds_give_the_same_bytes(net, data):
    first, again = (fine_tune(net, *data, SETTINGS, steps=40) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))
