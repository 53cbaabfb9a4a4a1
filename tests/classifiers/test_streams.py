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


def test_net_share_and_means_of_a_stream_by_hand(two_units):
    """z0: 2, 0, 4, 0; z0+z1: 3, 2, 0, 0 (without the bias of h1.1)."""
    rows = trace_streams(two_units, 0, X, Y).streams.set_index("stream")
    assert rows.loc["z0", ["mean_negative", "mean_positive"]].tolist() == [0, 3]
    assert rows.loc["z0+z1", ["mean_negative", "mean_positive"]].tolist() == [1, 1.5]
    assert rows.loc["z0", "net_share"] == pytest.approx(6 / 11)
    assert rows.loc["z0+z1", "latents"] == "z1 z0"


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


@pytest.mark.parametrize("seed", range(4))
def test_streams_share_what_their_paths_share(random_network, seed):
    net = random_network((6, 8, 7, 1), density=0.3, seed=seed)
    x = np.random.default_rng(seed).normal(size=(40, 6))
    found = trace_streams(net, 0, x, x[:, 0] > 0)
    columns = ["share", "share_negative", "share_positive", "mean_negative", "mean_positive"]
    summed = found.paths.groupby("stream")[columns].sum()
    table = found.streams.set_index("stream").loc[summed.index]
    np.testing.assert_allclose(table[columns], summed, rtol=1e-10, atol=1e-12)
    assert table["paths"].tolist() == found.paths.groupby("stream").size().tolist()


@pytest.mark.parametrize("seed", range(4))
def test_bundles_are_the_sums_of_their_paths(random_network, seed):
    net = random_network((6, 8, 7, 1), density=0.5, seed=seed)
    x = np.random.default_rng(seed).normal(size=(40, 6))
    y = x[:, 0] > 0
    grouped, single = (
        trace_streams(net, 0, x, y, groups=3, max_paths=10),
        trace_streams(net, 0, x, y),
    )
    units = grouped.streams.set_index("stream")["units"].str.split()
    stream_of = {unit: stream for stream, own in units.items() for unit in own}
    of_path = single.paths["path"].str.split(" > ").str[1].map(stream_of)
    columns = ["share", "share_negative", "share_positive", "mean_negative", "mean_positive"]
    groups = single.paths.assign(stream=of_path).groupby(["stream", "latent"])
    bundles = grouped.paths.set_index(["stream", "latent"]).sort_index()
    assert len(units) == 3 and bundles.index.equals(groups.size()[groups["share"].sum() > 0].index)
    summed = groups[columns].sum().loc[bundles.index]
    np.testing.assert_allclose(bundles[columns], summed, rtol=1e-10, atol=1e-12)
    assert bundles["paths"].tolist() == groups.size().loc[bundles.index].tolist()


def test_a_dense_network_is_taken_apart_in_groups(random_network):
    net = random_network((32, 64, 32, 1), 1, density=1.0)
    x = np.random.default_rng(0).normal(size=(100, 32))
    x[:, 30:] = 0
    found = trace_streams(net, 0, x, x[:, 0] > 0)
    assert 2 <= len(found.streams) <= 8
    assert found.streams["paths"].sum() == 32 * 64 * 32
    assert sum(len(u.split()) for u in found.streams["units"]) == 64
    for table in (found.streams, found.paths):
        shares = table[["share", "share_negative", "share_positive"]].sum()
        np.testing.assert_allclose(shares, 1)
    assert len(found.nodes) == 30 + len(found.streams) + 1  # muted latents carry nothing
    assert (
        len(found.edges) == 31 * len(found.streams)
        and len(found.paths) == len(found.edges) * 30 / 31
    )


def test_edges_into_a_group_add_up_to_the_edge_out_of_it(random_network):
    net = random_network((6, 30, 20, 1), 1, density=1.0)
    x = np.random.default_rng(0).normal(size=(50, 6))
    found = trace_streams(net, 0, x, x[:, 0] > 0, max_paths=100)
    columns = ["mean_negative", "mean_positive"]
    out = found.edges[found.edges["target"] == "output"].set_index("source")[columns]
    inward = found.edges[found.edges["target"] != "output"].groupby("target")[columns].sum()
    np.testing.assert_allclose(inward.loc[out.index], out)
    np.testing.assert_allclose(found.streams.sort_values("stream")[columns], out.sort_index())
    nodes = found.nodes.set_index("node").loc[out.index, columns]
    np.testing.assert_allclose(nodes, out)


def test_cutting_a_bundle_takes_its_contribution_away(network):
    """Grouped into one: z0 through both units is 3, -1, 4, 0 and z1 2, 3, 0, 0."""
    net = network([[[[1.0, 1.0], [0.0, 1.0]]], [[[2.0], [1.0]]]], [[[0.0, -1.0]], [[-0.5]]])
    found = trace_streams(net, 0, X, Y, groups=1, max_paths=2).paths.set_index("latent")
    assert found["path"].tolist() == ["z0 > group.1 > output", "z1 > group.1 > output"]
    # logits 3.5, .5, 3.5, -.5; without z0 .5, 1.5, -.5, -.5; without z1 1.5, -2.5, 3.5, -.5
    assert found["cut_balanced_accuracy"].tolist() == [-0.25, 0.25]
    assert found["weight"].tolist() == [(3 + 1 + 2 + 0) / 4, (1 + 1 + 0 + 0) / 4]
    assert found["open_share"].tolist() == [0.75, 0.5]
    assert found["share"].tolist() == pytest.approx([8 / 13, 5 / 13])


def test_a_network_without_paths_is_refused(network):
    net = network([[[[1.0]]], [[[0.0]]]], [np.zeros((1, 1)), np.zeros((1, 1))])
    with pytest.raises(InputError, match="0 paths"):
        path_contributions(net, 0, np.zeros((2, 1)))


def test_one_class_is_refused(two_units):
    with pytest.raises(InputError, match="both classes"):
        trace_streams(two_units, 0, X, np.ones(4))
