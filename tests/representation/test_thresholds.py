"""Cuts of a line, against all possible cuts."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from occamscope.representation.thresholds import balanced_accuracy, fit_cuts


def best_by_trial(values: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Largest balanced accuracy of at most k intervals, by trying all of them."""
    distinct = np.unique(values)
    middles = (distinct[1:] + distinct[:-1]) / 2
    best = 0.0
    for count in range(min(k - 1, len(middles)) + 1):
        for edges in combinations(middles, count):
            interval = np.searchsorted(edges, values)
            for classes in product(range(k), repeat=count + 1):
                predicted = np.array(classes)[interval]
                recalls = [(predicted[labels == c] == c).mean() for c in range(k)]
                best = max(best, float(np.mean(recalls)))
    return best


@st.composite
def small_cases(draw):
    """Few values with ties, and labels of which each class occurs."""
    k = draw(st.integers(2, 3))
    labels = [*range(k), *draw(st.lists(st.integers(0, k - 1), max_size=6))]
    values = draw(st.lists(st.integers(0, 6), min_size=len(labels), max_size=len(labels)))
    return np.array(values, float), np.array(draw(st.permutations(labels)))


@settings(max_examples=60, deadline=None)
@given(small_cases())
def test_no_other_cuts_are_better(case):
    values, labels = case
    predicted = fit_cuts(values[:, None], labels).predict(values[:, None])
    reached = balanced_accuracy(predicted, labels)[0]
    assert reached == pytest.approx(best_by_trial(values, labels, labels.max() + 1))


@settings(max_examples=30, deadline=None)
@given(small_cases(), small_cases())
def test_each_variable_is_cut_on_its_own(one, other):
    n = min(len(one[0]), len(other[0]))
    values = np.stack([one[0][:n], other[0][:n]], axis=1)
    labels = np.unique(one[1][:n], return_inverse=True)[1]
    both = fit_cuts(values, labels)
    for column in range(2):
        alone = fit_cuts(values[:, [column]], labels)
        np.testing.assert_array_equal(both.edges[column], alone.edges[0])
        np.testing.assert_array_equal(both.classes[column], alone.classes[0])


def test_an_edge_lies_midway_and_belongs_below():
    cuts = fit_cuts(np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([1, 1, 0, 0]))
    assert cuts.edges.tolist() == [[2.0]]
    assert cuts.predict(np.array([[-9.0], [2.0], [2.1], [9.0]]))[:, 0].tolist() == [1, 1, 0, 0]


def test_neighbouring_floats_are_told_apart():
    low = 1.0
    high = np.nextafter(low, 2)
    values = np.array([[low], [high], [high], [np.nextafter(high, 2)]])
    labels = np.array([0, 1, 1, 0])
    cuts = fit_cuts(values[:3], labels[:3])
    assert cuts.predict(values[:3])[:, 0].tolist() == [0, 1, 1]


def test_a_class_in_the_middle_gets_an_interval():
    values = np.arange(9.0)[:, None]
    labels = np.repeat([0, 2, 1], 3)
    cuts = fit_cuts(values, labels)
    assert cuts.edges.tolist() == [[2.5, 5.5]] and cuts.classes.tolist() == [[0, 2, 1]]


def test_a_constant_is_not_cut():
    assert np.isinf(fit_cuts(np.zeros((6, 1)), np.array([0, 1, 2, 0, 1, 2])).edges).all()


def test_rare_classes_count_as_much_as_common_ones():
    """One of ten below 0; its class has two members, so that calling all of them 0 costs half."""
    values = np.array([*np.zeros(10), *np.ones(2)])[:, None]
    labels = np.array([*np.zeros(9, int), 1, 1, 1])
    assert fit_cuts(values, labels).predict(values)[:, 0].tolist() == [0] * 10 + [1] * 2


def test_balanced_accuracy_equals_scikit_learns():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, (50, 4))
    expected = [balanced_accuracy_score(labels, column) for column in predicted.T]
    np.testing.assert_allclose(balanced_accuracy(predicted, labels), expected)
