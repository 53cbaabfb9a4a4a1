"""The written-out gradient against autograd, and members that do not mix."""

import pytest
import torch
from torch.nn import functional

from occamscope.classifiers.batched_mlp import BatchedMLP, class_weights


def generators(members):
    return [torch.Generator().manual_seed(k) for k in range(members)]


def batch(net, rows=11, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(net.members, rows, net.widths[0], generator=g)
    y = (torch.rand(net.members, rows, generator=g) < 0.4).float()
    return x, y, torch.rand(net.members, rows, generator=g) + 0.5


def reference_loss(weights, biases, x, y, sample_weight):
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.relu(x @ w + b)
    logit = (x @ weights[-1] + biases[-1])[..., 0]
    loss = functional.binary_cross_entropy_with_logits(logit, y, sample_weight, reduction="none")
    return loss.mean(1)


@pytest.mark.parametrize("widths", [(4, 6, 1), (4, 6, 5, 1), (3, 5, 4, 6, 1)], ids=str)
def test_gradients_equal_autograd(widths):
    net = BatchedMLP(widths, generators(3))
    x, y, weight = batch(net)
    leaves = [p.clone().requires_grad_() for p in [*net.weights, *net.biases]]
    layers = len(net.weights)
    reference_loss(leaves[:layers], leaves[layers:], x, y, weight).sum().backward()
    net.forward(x)
    net.gradients(y, weight)
    for leaf, gradient in zip(leaves, [*net.weight_gradients, *net.bias_gradients], strict=True):
        torch.testing.assert_close(gradient, leaf.grad, rtol=1e-4, atol=1e-6)


def test_gradients_are_dense_where_a_weight_is_masked():
    """What RigL grows by: the derivative at a connection that does not exist."""
    net = BatchedMLP((4, 6, 1), generators(1))
    net.set_mask(1, torch.arange(6).view(1, 6, 1) < 3)
    x, y, weight = batch(net, rows=64)
    net.forward(x)
    net.gradients(y, weight)
    assert (net.weights[1][0, 3:] == 0).all()
    assert (net.weight_gradients[1][0, 3:] != 0).all()


def test_loss_is_the_weighted_logistic_loss():
    net = BatchedMLP((4, 6, 1), generators(2))
    x, y, weight = batch(net)
    net.forward(x)
    expected = reference_loss(net.weights, net.biases, x, y, weight)
    torch.testing.assert_close(net.loss(y, weight), expected)


def test_a_member_starts_the_same_beside_any_others():
    together, alone = BatchedMLP((4, 6, 1), generators(3)), BatchedMLP((4, 6, 1), generators(3)[1:])
    assert torch.equal(together.weights[0][1], alone.weights[0][0])
    assert not torch.equal(together.weights[0][1], together.weights[0][2])


def test_weights_start_within_one_over_the_root_of_the_inputs():
    net = BatchedMLP((16, 50, 1), generators(4))
    assert 0.24 < net.weights[0].abs().max() <= 0.25


def test_batches_may_change_their_size():
    net = BatchedMLP((4, 6, 1), generators(2))
    for rows in (5, 9):
        assert net.forward(batch(net, rows)[0]).shape == (2, rows)


def test_class_weights_give_both_classes_the_same_sum():
    y = torch.tensor([1.0, 0, 0, 0])
    weight = class_weights(y)
    assert weight[y == 1].sum() == pytest.approx(2) and weight[y == 0].sum() == pytest.approx(2)
