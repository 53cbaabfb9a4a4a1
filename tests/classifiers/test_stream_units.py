"""Streams of first-layer units, by their latents or by clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.held_gates import hold_gates
from occamscope.classifiers.stream_contributions import stream_contributions
from occamscope.classifiers.stream_units import cluster_profiles, live_units, stream_units
from occamscope.errors import InputError


@pytest.fixture
def three_kinds(network):
    """Dense; units 0 and 3 listen to z0, 1, 4 and 5 to z1 and z2, 2 to z3, all else is weak.

    Signs and sizes of the weights differ within a kind.
    """
    rng = np.random.default_rng(0)
    first = rng.uniform(0.01, 0.03, (4, 6))
    first[0, [0, 3]] = 3.0, -1.0
    first[1, [1, 4, 5]] = first[2, [1, 4, 5]] = 1.0, -2.0, 0.5
    first[3, 2] = 5.0
    second, third = rng.uniform(0.5, 1.5, (6, 7)), rng.uniform(0.5, 1.5, (7, 1))
    biases = [np.full((1, n), 0.1) for n in (6, 7, 1)]
    return network([first[None], second[None], third[None]], biases)


X = np.random.default_rng(1).normal(size=(200, 4))


def as_sets(streams):
    return {frozenset(units.tolist()) for units in streams.values()}


def test_units_of_the_same_latents_are_a_stream(network):
    first = [[[1.0, 0.0, 2.0, 0.0, 1.0], [0.0, 3.0, 0.0, 0.0, 1.0]]]
    second = [[[1.0], [1.0], [-1.0], [1.0], [0.0]]]  # the fourth is a constant, the fifth unheard
    net = network([first, second], [np.zeros((1, 5)), np.zeros((1, 1))])
    streams = stream_units(net, 0, np.ones((3, 2)))
    assert {name: units.tolist() for name, units in streams.items()} == {"z0": [0, 2], "z1": [1]}


def test_units_of_similar_latents_are_clustered(three_kinds):
    streams = stream_units(three_kinds, 0, X, groups=3, max_paths=100)
    assert list(streams) == ["group 1", "group 2", "group 3"]
    assert as_sets(streams) == {frozenset({0, 3}), frozenset({1, 4, 5}), frozenset({2})}


def test_groups_are_numbered_by_share(three_kinds):
    streams = stream_units(three_kinds, 0, X, groups=3, max_paths=100)
    size = stream_contributions(three_kinds, 0, X, streams).size.mean(axis=0)
    assert (np.diff(size) < 0).all()


def test_a_latent_that_is_always_zero_does_not_decide(three_kinds):
    """z3 muted: unit 2 is left with its weak weights, whatever the 5 to z3 says."""
    x = X.copy()
    x[:, 3] = 0
    streams = stream_units(three_kinds, 0, x, groups=2, max_paths=100)
    with_z3 = stream_units(three_kinds, 0, X, groups=3, max_paths=100)
    assert frozenset({2}) in as_sets(with_z3) and frozenset({2}) not in as_sets(streams)


def test_units_that_hear_nothing_keep_a_place(three_kinds):
    streams = stream_units(three_kinds, 0, np.zeros((5, 4)), groups=3, max_paths=100)
    assert as_sets(streams) == {frozenset({0, 3}), frozenset({1, 4, 5}), frozenset({2})}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), groups=st.integers(1, 12), most=st.sampled_from([1, 10**6]))
def test_every_live_unit_has_one_stream(random_network, seed, groups, most):
    net = random_network((5, 9, 6, 1), 1, density=0.5, seed=seed)
    x = np.random.default_rng(seed).normal(size=(20, 5))
    live = live_units(hold_gates(net, 0, x))
    if not len(live):
        return
    streams = stream_units(net, 0, x, groups, most)
    assert sorted(np.concatenate(list(streams.values())).tolist()) == live.tolist()
    assert most > 1 or len(live) == 1 or len(streams) <= groups
    again = stream_units(net, 0, x, groups, most)
    assert list(again) == list(streams) and as_sets(again) == as_sets(streams)


def test_clusters_do_not_depend_on_the_size_of_profiles():
    profiles = np.array([[1.0, 0.0], [0.0, 2.0], [50.0, 1.0], [0.1, 9.0]])
    assert cluster_profiles(profiles, 2).tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert cluster_profiles(profiles[:1], 3).tolist() == [0]
    assert cluster_profiles(profiles, 1).tolist() == [0] * 4


def test_a_network_without_paths_is_refused(network):
    net = network([[[[1.0]]], [[[0.0]]]], [np.zeros((1, 1)), np.zeros((1, 1))])
    with pytest.raises(InputError, match="no path"):
        stream_units(net, 0, np.zeros((2, 1)))


def test_no_group_is_refused(three_kinds):
    with pytest.raises(InputError, match="0 groups"):
        stream_units(three_kinds, 0, X, groups=0)
