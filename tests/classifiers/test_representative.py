"""The network that is drawn: near the medians, neither best nor smallest."""

import numpy as np

from occamscope.classifiers.representative import representative_member

X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
Y = np.array([0, 0, 1, 1])


def members(network, thresholds, extra):
    """One member a threshold: logit = relu(z) - relu(-z) - t; `extra` adds idle weights."""
    n = len(thresholds)
    first = np.zeros((n, 1, 6))
    first[:, 0, :2] = [1, -1]
    first[:, 0, 2:] = [[k < e for k in range(4)] for e in extra]
    second = np.zeros((n, 6, 1))
    second[:, :2, 0] = [1, -1]
    bias = -np.asarray(thresholds, float)[:, None]
    return network([first, second], [np.zeros((n, 6)), bias])


def test_the_median_accuracy_is_taken(network):
    """Accuracies 1, .75, .5: the second."""
    assert representative_member(members(network, [0, 1.5, 2.5], [0, 0, 0]), X, Y) == 1


def test_among_equals_the_median_size_is_taken(network):
    assert representative_member(members(network, [0, 0, 0], [4, 0, 2]), X, Y) == 2


def test_the_first_of_the_same_is_taken(network):
    assert representative_member(members(network, [0, 0, 0], [1, 1, 1]), X, Y) == 0
