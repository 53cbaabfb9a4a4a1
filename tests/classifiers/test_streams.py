"""Streams: the decomposition is exact, and shares and cuts are what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.ensemble import logits
from occamscope.classifiers.pruning import remove_dead_paths
from occamscope.classifiers.streams import path_contributions, trace_streams
from occamscope.errors import InputError

X = np.array([[1.0, 2.0], [-1.0, 3.0], [2.0, -1.0], [-3.0, 1.0]])
Y = np.array([1, 0, 1, 0])


@pytest.fixture
def two_units(network):
    """logit = 2 relu(z0) + relu(z0 + z1 - 1) - 0.5"""
    first = [[[1.0, 1.0], [0.0, 1.0]]]
    return network([first, [[[2.0], [1.0]]]], [[[0.0, -1.0]], [[-0.5]]])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 3))
def test_contributions_and_bias_add_up_to_the_logit(random_network, seed, depth):
    net = random_network((6, *[8] * depth, 1), density=0.7, seed=seed)
    x = np.random.default_rng(seed).normal(size=(20, 6))
    for member in range(net.members):
        parts = path_contributions(net, member, x)
        total = parts.contribution.sum(axis=1) + parts.bias
        np.testing.assert_allclose(total, logits(net, x)[member], rtol=1e-4, atol=1e-4)


def test_paths_by_hand(two_units):
    parts = path_contributions(two_units, 0, X)
    assert parts.paths.tolist() == [[0, 0, 0], [0, 1, 0], [1, 1, 0]]
    np.testing.assert_allclose(parts.weight, [2, 1, 1])
    np.testing.assert_allclose(parts.contribution[0], [2, 1, 2])  # both gates open
    np.testing.assert_allclose(parts.contribution[2], [4, 0, 0])  # 2 - 1 - 1 = 0: gate shut
    np.testing.assert_allclose(parts.bias, [-1.5, -1.5, -0.5, -0.5])
    np.testing.assert_allclose(parts.open_share, [0.5, 0.5, 0.5])


def test_streams_are_the_latents_of_first_layer_units(two_units):
    table = trace_streams(two_units, 0, X, Y).streams
    assert sorted(table["stream"]) == ["z0", "z0+z1"]
    assert table.set_index("stream").loc["z0+z1", "units"] == "h1.1"
    assert table.set_index("stream").loc["z0+z1", "paths"] == 2


def test_shares_sum_to_one_for_all_crops_and_each_class(two_units):
    streams = trace_streams(two_units, 0, X, Y)
    for table in (streams.paths, streams.streams):
        assert table[["share", "share_negative", "share_positive"]].sum().tolist() == [1, 1, 1]


def test_share_of_a_path_by_hand(two_units):
    """Mean |contribution|: z0>h0 (2 + 4)/4, z0>h1 (1 - 1)... |1| + |-1|, z1>h1 |2| + |3|."""
    paths = trace_streams(two_units, 0, X, Y).paths.set_index("path")
    total = 6 + 2 + 5
    assert paths.loc["z0 > h1.0 > output", "share"] == pytest.approx(6 / total)
    assert paths.loc["z0 > h1.1 > output", "share"] == pytest.approx(2 / total)
    assert paths.loc["z1 > h1.1 > output", "mean_negative"] == pytest.approx(1.5)


def test_cutting_a_stream_silences_its_units(two_units):
    """Without h1.1 the logits 3.5, .5, 3.5, -.5 become 1.5, -.5, 3.5, -.5: one more is right."""
    row = trace_streams(two_units, 0, X, Y).streams.set_index("stream").loc["z0+z1"]
    np.testing.assert_allclose(logits(two_units, X)[0], [3.5, 0.5, 3.5, -0.5])
    assert row["cut_logit_positive"] == pytest.approx(-1.0)
    assert row["cut_logit_negative"] == pytest.approx(-0.5)
    assert row["cut_balanced_accuracy"] == pytest.approx(0.25)


def test_cutting_a_path_takes_its_contribution_away(two_units):
    row = trace_streams(two_units, 0, X, Y).paths.set_index("path").loc["z1 > h1.1 > output"]
    assert row["cut_balanced_accuracy"] == pytest.approx(0.25)  # .5 - 3 < 0


def test_nodes_and_edges_are_those_of_the_paths(two_units):
    streams = trace_streams(two_units, 0, X, Y)
    assert streams.nodes["node"].tolist() == ["z0", "z1", "h1.0", "h1.1", "output"]
    edges = streams.edges.set_index(["source", "target"])
    assert len(edges) == 5 and edges.loc[("h1.0", "output"), "weight"] == 2
    assert edges.loc[("h1.0", "output"), "flow"] == pytest.approx((2 + 4) / 4)
    hidden = streams.nodes.set_index("node").loc["h1.1"]
    assert hidden["bias"] == -1 and hidden["active_share"] == 0.5
    assert hidden["mean_negative"] == pytest.approx(0.5)


def test_dead_branches_make_no_path(random_network):
    net = random_network(density=0.2, seed=4)
    x = np.random.default_rng(0).normal(size=(10, 6))
    before, after = (path_contributions(n, 0, x) for n in (net, remove_dead_paths(net)))
    np.testing.assert_array_equal(before.paths, after.paths)
    np.testing.assert_allclose(before.contribution, after.contribution)


def test_a_dense_network_has_too_many_paths(random_network):
    dense = random_network((32, 64, 64, 1), 1, density=1.0)
    with pytest.raises(InputError, match="131072 paths"):
        path_contributions(dense, 0, np.zeros((2, 32)))


def test_a_network_without_paths_is_refused(network):
    net = network([[[[1.0]]], [[[0.0]]]], [np.zeros((1, 1)), np.zeros((1, 1))])
    with pytest.raises(InputError, match="0 paths"):
        path_contributions(net, 0, np.zeros((2, 1)))


def test_one_class_is_refused(two_units):
    with pytest.raises(InputError, match="both classes"):
        trace_streams(two_units, 0, X, np.ones(4))
