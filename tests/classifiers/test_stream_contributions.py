"""Contributions of streams: exact, and the same as their paths add up to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.held_gates import hold_gates
from occamscope.classifiers.stream_contributions import stream_contributions
from occamscope.classifiers.stream_units import live_units, stream_units
from occamscope.classifiers.streams import path_contributions
from occamscope.errors import InputError


def plain_logit(net, member, x):
    """The network in float64, layer by layer."""
    h = x
    for k, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        h = h @ weight[member].astype(float) + bias[member]
        h = h if k == len(net.weights) - 1 else np.maximum(h, 0)
    return h[:, 0]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(1, 3),
    most=st.sampled_from([1, 10**6]),
    density=st.sampled_from([0.4, 1.0]),
)
def test_streams_and_bias_add_up_to_the_logit(random_network, seed, depth, most, density):
    net = random_network((6, *[8] * depth, 1), 1, density=density, seed=seed)
    x = 10 * np.random.default_rng(seed).normal(size=(20, 6))
    if not len(live_units(hold_gates(net, 0, x))):
        return
    parts = stream_contributions(net, 0, x, stream_units(net, 0, x, 3, most))
    size = parts.size.sum(axis=1).max() + np.abs(parts.bias).max() + 1
    total = parts.contribution.sum(axis=1) + parts.bias
    np.testing.assert_allclose(total, plain_logit(net, 0, x), rtol=0, atol=1e-14 * size)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([1, 10**6]))
def test_a_stream_is_the_sum_of_its_paths(random_network, seed, most):
    net = random_network((6, 8, 7, 5, 1), 1, density=0.5, seed=seed)
    x = np.random.default_rng(seed).normal(size=(20, 6))
    if not len(live_units(hold_gates(net, 0, x))):
        return
    streams = stream_units(net, 0, x, 3, most)
    parts, paths = stream_contributions(net, 0, x, streams), path_contributions(net, 0, x)
    for k, units in enumerate(streams.values()):
        own = paths.contribution[:, np.isin(paths.paths[:, 1], units)]
        close = {"rtol": 1e-10, "atol": 1e-10}
        np.testing.assert_allclose(parts.contribution[:, k], own.sum(axis=1), **close)
        np.testing.assert_allclose(parts.size[:, k], np.abs(own).sum(axis=1), **close)


def test_own_biases_by_hand(network):
    """logit = 2 relu(z0 - 1) + relu(z0 + z1 + 3) - .5"""
    net = network([[[[1.0, 1.0], [0.0, 1.0]]], [[[2.0], [1.0]]]], [[[-1.0, 3.0]], [[-0.5]]])
    parts = stream_contributions(net, 0, [[2.0, 1.0], [0.0, 1.0]], {"a": [0], "b": [1]})
    assert parts.contribution.tolist() == [[4, 3], [0, 1]]
    assert parts.own_bias.tolist() == [[-2, 3], [0, 3]]
    assert parts.bias.tolist() == [0.5, 2.5]


@pytest.mark.parametrize(
    ("streams", "match"),
    [({"a": [0]}, r"units \[1\]"), ({"a": [0, 1], "b": [1]}, "two streams")],
)
def test_streams_that_miss_or_share_a_unit_are_refused(network, streams, match):
    net = network([[[[1.0, 1.0]]], [[[2.0], [1.0]]]], [[[0.0, 0.0]], [[0.0]]])
    with pytest.raises(InputError, match=match):
        stream_contributions(net, 0, [[1.0]], streams)
