"""Slopes with gates held, against automatic differentiation."""

import numpy as np
import pytest
import torch

from occamscope.classifiers.ensemble import logits
from occamscope.classifiers.held_gates import hold_gates, ways_onward


@pytest.mark.parametrize("widths", [(6, 8, 1), (6, 8, 7, 1), (6, 8, 7, 5, 1)])
def test_slopes_are_the_gradient_in_the_first_layer(random_network, widths):
    net, x = random_network(widths, density=0.6), np.random.default_rng(0).normal(size=(30, 6))
    held = hold_gates(net, 1, x)
    inputs = torch.from_numpy(x @ held.weights[0] + held.biases[0]).requires_grad_()
    h = inputs
    for weight, bias in zip(held.weights[1:], held.biases[1:], strict=True):
        h = h.relu() @ torch.from_numpy(weight) + torch.from_numpy(bias)
    h.sum().backward()
    np.testing.assert_allclose(held.slopes(), inputs.grad, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(held.logit, h.detach()[:, 0], rtol=1e-12)
    np.testing.assert_allclose(held.logit, logits(net, x)[1], rtol=1e-4, atol=1e-4)


def test_slope_sizes_do_not_cancel(network):
    """Two ways from the only unit, +2 x 1 and -1 x 2: slope 0, size 4."""
    weights = [[[[1.0]]], [[[2.0, -1.0]]], [[[1.0], [2.0]]]]
    held = hold_gates(network(weights, [[[0.0]], [[0.0, 9.0]], [[0.0]]]), 0, [[1.0], [-1.0]])
    assert held.slopes().tolist() == [[0.0], [0.0]]
    assert held.slope_sizes().tolist() == [[4.0], [0.0]]


def test_silenced_units_are_as_units_without_outputs(random_network):
    net, x = random_network(), np.random.default_rng(1).normal(size=(9, 6))
    without = [w.copy() for w in net.weights]
    without[1][:, [0, 3]] = 0
    expected = hold_gates(type(net)(**{**vars(net), "weights": tuple(without)}), 2, x).logit
    assert np.array_equal(hold_gates(net, 2, x).logit_without(np.array([0, 3])), expected)


def test_ways_by_hand(network):
    first, second = [[[1.0, 2.0], [0.0, 1.0]]], [[[1.0], [-1.0]]]
    held = hold_gates(network([first, second], [[[0.0, 0.0]], [[0.0]]]), 0, np.zeros((1, 2)))
    assert [w.tolist() for w in ways_onward(held.weights)] == [[2, 1], [1, 1], [1]]
