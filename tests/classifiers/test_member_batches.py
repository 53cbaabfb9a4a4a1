"""Batches: every member sees its own crops, each once an epoch, in an order of its own."""

import numpy as np
import pytest
import torch

from occamscope.classifiers.member_batches import MemberBatches, member_rows
from occamscope.errors import InputError

Y = np.array([0, 1] * 10)


def start(rows, batch):
    generators = [torch.Generator().manual_seed(k) for k in range(len(rows))]
    return MemberBatches(rows, batch, generators, torch.device("cpu"))


def test_with_all_crops_every_epoch_is_one_permutation_of_each_generator():
    batches = start([torch.arange(20)] * 3, 6)
    drawn = [batches.next() for _ in range(7)]  # three of an epoch, two crops left out
    for member in range(3):
        generator = torch.Generator().manual_seed(member)
        for epoch in range(2):
            order = torch.randperm(20, generator=generator)
            seen = torch.cat([b[member] for b in drawn[3 * epoch : 3 * epoch + 3]])
            assert torch.equal(seen, order[:18])


def test_members_of_different_size_walk_their_own_epochs():
    rows = [torch.arange(4, 11), torch.arange(0, 20, 2), torch.arange(20)]
    batches = start(rows, 3)
    drawn = torch.stack([batches.next() for _ in range(12)])  # (steps, members, batch)
    for member, own in enumerate(rows):
        generator, length = torch.Generator().manual_seed(member), len(own) // 3
        for epoch in range(12 // length):
            order = torch.randperm(len(own), generator=generator)
            seen = drawn[epoch * length : (epoch + 1) * length, member].flatten()
            assert torch.equal(seen, own[order][: 3 * length])


def test_a_batch_is_no_larger_than_the_crops():
    index = start([torch.arange(5), torch.arange(5, 10)], 64).next()
    assert sorted(index[1].tolist()) == [5, 6, 7, 8, 9]


def test_masks_and_numbers_name_the_same_crops():
    mask = np.zeros((2, 20), bool)
    mask[0, [3, 4, 9]] = mask[1, [0, 1, 19]] = True
    numbers = np.array([[9, 3, 4], [0, 19, 1]])
    for rows in (mask, numbers):
        assert [own.tolist() for own in member_rows(rows, Y, 2, 3)] == [[3, 4, 9], [0, 1, 19]]


@pytest.mark.parametrize(
    ("rows", "batch", "match"),
    [
        (np.ones((1, 20), bool), 4, "2 networks"),
        (np.ones((2, 19), bool), 4, "20 crops"),
        (np.ones(20, bool), 4, "shape"),
        (np.ones((2, 20)), 4, "float64"),
        (np.ones((2, 20), int), 4, "twice"),  # a mask as 0 and 1
        ([[0, 1], [0, 20]], 2, "0..19"),
        ([[0, 1], [-1, 0]], 2, "0..19"),
        ([[0, 1], [0, 2]], 2, "network 1 lack a class"),
        (np.zeros((2, 20), bool), 4, "network 0 lack a class"),
        (np.arange(20) < np.array([[4], [20]]), 5, "lower batch"),
    ],
)
def test_unsuitable_rows_are_refused(rows, batch, match):
    with pytest.raises(InputError, match=match):
        member_rows(rows, Y, 2, batch)
