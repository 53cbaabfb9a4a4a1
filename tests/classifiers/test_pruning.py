"""Pruning: exact removal of dead paths, then weights while validation holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.classifiers.ensemble import EnsembleSettings, logits, train_ensemble
from occamscope.classifiers.pruning import (
    PruningSettings,
    count_parameters,
    count_weights,
    live_inputs,
    prune,
    remove_dead_paths,
)
from occamscope.classifiers.rigl import RigLSettings
from occamscope.classifiers.selection import pairwise_jaccard
from occamscope.errors import InputError


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), density=st.floats(0.05, 0.6))
def test_removing_dead_paths_changes_no_logit(random_network, seed, density):
    net = random_network(density=density, seed=seed)
    x = np.random.default_rng(seed).normal(size=(30, 6))
    slim = remove_dead_paths(net)
    np.testing.assert_allclose(logits(slim, x), logits(net, x), rtol=1e-4, atol=1e-5)
    assert (count_weights(slim) <= count_weights(net)).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), density=st.floats(0.05, 0.6))
def test_every_weight_left_lies_on_a_path(random_network, seed, density):
    slim = remove_dead_paths(random_network(density=density, seed=seed))
    for before, after in zip(slim.weights[:-1], slim.weights[1:], strict=True):
        fed, heard = (before != 0).any(axis=1), (after != 0).any(axis=2)
        np.testing.assert_array_equal(fed, heard)


def test_a_unit_without_inputs_becomes_a_bias(network):
    first = [[[1.0, 0.0]]]  # one input feeds unit 0; unit 1 is the constant relu(2)
    net = network([first, [[[1.0], [3.0]]]], [[[0.0, 2.0]], [[0.5]]])
    slim = remove_dead_paths(net)
    assert slim.biases[1][0, 0] == pytest.approx(0.5 + 3 * 2)
    assert count_weights(slim).tolist() == [2]


def test_parameters_are_weights_and_biases_of_live_units(network):
    """Units 0 and 1 reach the output, unit 2 does not: 5 weights, 2 hidden biases, 1 output."""
    first = [[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]
    net = network([first, [[[1.0], [1.0], [0.0]]]], [np.ones((1, 3)), np.ones((1, 1))])
    assert count_parameters(net).tolist() == [5 + 2 + 1]
    assert live_inputs(net).tolist() == [[True, True]]


def test_the_dense_reference_has_6337_parameters(random_network):
    assert count_parameters(random_network((32, 64, 64, 1), 2, density=1.0)).tolist() == [6337] * 2


def test_an_input_that_only_feeds_dead_units_is_not_live(network):
    net = network([[np.eye(2)], [[[0.0], [1.0]]]], [np.zeros((1, 2)), np.zeros((1, 1))])
    assert live_inputs(net).tolist() == [[False, True]]


@pytest.fixture(scope="module")
def trained(shape_codes):
    """Four networks on codes with pure-noise latents, and validation codes."""
    x, y = shape_codes(1500, noise=True)
    settings_ = EnsembleSettings(steps=800)
    net = train_ensemble(x, y, settings_, RigLSettings(warmup_steps=200), range(4), 0.02)
    return net, shape_codes(400, noise=True, seed=1)


def test_pruning_keeps_validation_accuracy_within_the_tolerance(trained, balanced):
    net, (x, y) = trained
    for tolerance in (0.0, 0.02):
        pruned = prune(net, x, y, PruningSettings(tolerance, 100.0))
        lost = balanced(logits(net, x), y) - balanced(logits(pruned, x), y)
        assert (lost <= tolerance + 1e-9).all()


def test_pruning_keeps_the_loss_within_its_tolerance(trained):
    net, (x, y) = trained

    def loss(n):
        terms = np.logaddexp(0, np.where(y == 1, -logits(n, x), logits(n, x)))
        return (terms[:, y == 1].mean(axis=1) + terms[:, y == 0].mean(axis=1)) / 2

    pruned = prune(net, x, y, PruningSettings(1.0, 0.05, 0.0))
    assert (loss(pruned) <= loss(net) * 1.05 + 1e-6).all()


def test_a_loss_near_zero_may_rise_by_the_slack(trained):
    net, (x, y) = trained
    strict = prune(net, x, y, PruningSettings(1.0, 0.0, 0.0))
    slack = prune(net, x, y, PruningSettings(1.0, 0.0, 0.05))
    assert (count_weights(slack) < count_weights(strict)).all()


def test_an_input_goes_whole_where_none_of_its_weights_can_go_alone(network):
    """relu(10 + a + b) - relu(10 + b) is a: without one of the two weights of b it is not."""
    first, second = [[[1.0, 0.0], [1.0, 1.0]]], [[[1.0], [-1.0]]]
    biases = [np.full((1, 2), 10.0), np.zeros((1, 1))]
    net = network([np.array(first), np.array(second)], biases)
    x = np.random.default_rng(0).uniform(-3, 3, (400, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    pruned = prune(net, x, y, PruningSettings(0.01, 0.05, 0.0))
    assert live_inputs(pruned).tolist() == [[True, False]]


def sum_of_inputs(network, first: list[float]):
    """A network whose logit is first @ x while that is above -10."""
    weights = [np.array([[[v] for v in first]]), np.array([[[1.0]]])]
    return network(weights, [np.array([[10.0]]), np.array([[-10.0]])])


@pytest.fixture
def half_needed(network):
    """sign(a) is asked for; the network says sign(a + b) with a small b, and misses some."""
    x = np.random.default_rng(0).uniform(-3, 3, (600, 2)).astype(np.float32)
    x[:, 1] *= 0.02
    return sum_of_inputs(network, [1.0, 1.0]), x, ((x[:, 0] + x[:, 1]) > 0).astype(int)


def test_a_network_tuned_on_fewer_inputs_is_taken_if_it_is_as_good(half_needed, network):
    net, x, y = half_needed
    strict = PruningSettings(0.0, 0.0, 0.0)
    assert live_inputs(prune(net, x, y, strict)).tolist() == [[True, True]]
    seen = []

    def tune(fewer):
        seen.append(live_inputs(fewer).tolist())
        return sum_of_inputs(network, [9.0, 9.0])  # better than the first one

    taken = prune(net, x, y, strict, tune)
    assert seen == [[[True, False]]]
    assert taken.weights[0].max() == 9.0


def test_a_network_that_tuning_leaves_worse_is_not_taken(half_needed, network):
    net, x, y = half_needed
    settings_ = PruningSettings(0.0, 0.0, 0.0)
    kept = prune(net, x, y, settings_, lambda fewer: sum_of_inputs(network, [-1.0, 0.0]))
    plain = prune(net, x, y, settings_)
    np.testing.assert_array_equal(kept.weights[0], plain.weights[0])


def test_pruning_removes_weights_and_nothing_more_can_go(trained):
    net, (x, y) = trained
    pruned = prune(net, x, y, PruningSettings(0.0, 10.0))
    assert (count_parameters(pruned) < 0.8 * count_parameters(net)).all()
    again = prune(pruned, x, y, PruningSettings(0.0, 0.0))
    assert (count_weights(again) <= count_weights(pruned)).all()


def test_only_existing_weights_are_left_untouched(trained):
    net, (x, y) = trained
    pruned = prune(net, x, y, PruningSettings())
    for before, after, mask in zip(net.weights, pruned.weights, pruned.masks, strict=True):
        np.testing.assert_array_equal(after[mask], before[mask])
        np.testing.assert_array_equal(mask, after != 0)


def test_members_are_pruned_independently(trained, network):
    net, (x, y) = trained
    pruned = prune(net, x, y, PruningSettings())
    alone = network([w[2:3] for w in net.weights], [b[2:3] for b in net.biases])
    alone = prune(alone, x, y, PruningSettings())
    assert count_weights(alone)[0] == count_weights(pruned)[2]
    np.testing.assert_array_equal(alone.weights[0][0], pruned.weights[0][2])


def test_muted_inputs_are_never_selected(shape_codes):
    """A weight to a latent that is always 0 changes nothing, so pruning takes it."""
    x, y = shape_codes(1000)
    net = train_ensemble(
        x, y, EnsembleSettings(steps=300), RigLSettings(warmup_steps=100), [0], 0.1
    )
    pruned = prune(net, *shape_codes(300, seed=1), PruningSettings())
    assert set(np.flatnonzero(live_inputs(pruned)[0])) <= {5, 11, 20}


def test_one_class_is_refused(random_network):
    with pytest.raises(InputError, match="both classes"):
        prune(random_network(), np.zeros((4, 6)), np.ones(4), PruningSettings())


def test_negative_tolerances_are_refused():
    with pytest.raises(InputError):
        PruningSettings(loss_tolerance=-0.1)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [False, True], ids=["muted", "noise"])
@pytest.mark.parametrize("density", [0.01, 0.02])
def test_two_percent_of_the_parameters_keep_the_accuracy_and_agree(
    shape_codes, balanced, noise, density
):
    """The aim of the project, over 16 seeds, on codes whose informative latents are known."""
    x, y = shape_codes(2500, noise)
    test, truth = shape_codes(3000, noise, seed=2)
    dense = train_ensemble(x, y, EnsembleSettings(), RigLSettings(), range(16), 1.0)
    sparse = train_ensemble(x, y, EnsembleSettings(), RigLSettings(), range(16), density)
    sparse = prune(sparse, *shape_codes(500, noise, seed=1), PruningSettings())
    share = count_parameters(sparse) / count_parameters(dense)
    ratio = balanced(logits(sparse, test), truth) / balanced(logits(dense, test), truth)
    assert share.max() <= 0.02
    assert ratio.mean() >= 0.99
    assert pairwise_jaccard(live_inputs(sparse)).mean() >= 0.9
