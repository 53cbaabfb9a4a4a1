"""Ensembles: a member depends on its seed only, and learns."""

import numpy as np
import pytest
import torch

from occamscope.classifiers.ensemble import (
    EnsembleSettings,
    join_ensembles,
    logits,
    torch_decision,
    train_ensemble,
)
from occamscope.classifiers.half_samples import half_samples
from occamscope.classifiers.rigl import RigLSettings
from occamscope.errors import InputError

SHORT = EnsembleSettings(hidden=(16, 16), steps=120, batch=32, log_every=40)
RIGL = RigLSettings(update_every=20, warmup_steps=30)


@pytest.fixture(scope="module")
def train(shape_codes):
    x, y = shape_codes(300, noise=True)

    def run(seeds, settings=SHORT, density=0.1, **kwargs):
        return train_ensemble(x, y, settings, RIGL, seeds, density, **kwargs)

    return run


def same(first, i, second, j):
    arrays = [(*net.weights, *net.biases, *net.masks) for net in (first, second)]
    return all(np.array_equal(a[i], b[j]) for a, b in zip(*arrays, strict=True))


@pytest.mark.parametrize("warmup", ["dense", "sparse", "none"])
def test_a_member_does_not_depend_on_its_companions(shape_codes, warmup):
    x, y = shape_codes(300, noise=True)
    rigl = RigLSettings(update_every=20, warmup=warmup, warmup_steps=30)
    first = train_ensemble(x, y, SHORT, rigl, [3, 1, 4, 15, 9, 2, 6, 5], 0.1)
    second = train_ensemble(x, y, SHORT, rigl, [5, 8, 3], 0.1)
    assert same(first, 0, second, 2) and same(first, 7, second, 0)
    assert not same(first, 0, second, 0)


def test_all_rows_are_the_default_to_the_byte(train):
    for rows in (np.ones((3, 300), bool), np.tile(np.arange(300), (3, 1))):
        given, default = train([3, 1, 4], rows=rows), train([3, 1, 4])
        assert all(same(given, k, default, k) for k in range(3))
        assert given.history.equals(default.history)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_member_is_the_network_of_its_own_rows(shape_codes, density):
    """Ten members in two blocks, with 130 to 220 crops each: their epochs end at different steps."""
    x, y = shape_codes(300, noise=True)
    rng = np.random.default_rng(0)
    rows = np.zeros((10, 300), bool)
    for k, own in enumerate(rows):
        own[rng.permutation(300)[: 130 + 10 * k]] = True
    together = train_ensemble(x, y, SHORT, RIGL, range(10), density, rows=rows)
    for k in (0, 7, 9):
        alone = train_ensemble(x[rows[k]], y[rows[k]], SHORT, RIGL, [k], density)
        assert same(together, k, alone, 0)
        losses = together.history.query("seed == @k")["loss"].tolist()
        assert losses == alone.history["loss"].tolist()


def test_crops_outside_the_rows_do_not_matter(shape_codes, train):
    x, y = shape_codes(300, noise=True)
    rows = np.tile(np.arange(300) < 150, (2, 1))
    x[150:], y[150:] = 1e6, 1 - y[150:]
    spoilt = train_ensemble(x, y, SHORT, RIGL, [0, 1], 0.1, rows=rows)
    clean = train([0, 1], rows=rows)
    assert same(spoilt, 0, clean, 0) and same(spoilt, 1, clean, 1)


def test_halves_of_the_crops_give_other_networks(train):
    rows = half_samples(300, 1, seed=0)
    net = train([5, 5], rows=rows)
    assert not same(net, 0, net, 1)


def test_rows_that_lack_a_class_are_refused(shape_codes, train):
    _, y = shape_codes(300, noise=True)
    with pytest.raises(InputError, match="network 1 lack a class"):
        train([0, 1], rows=np.stack([np.ones(300, bool), y == 1]))


def test_chunks_give_what_one_call_gives(train):
    together = train(range(10))
    joined = join_ensembles([train(range(8)), train(range(8, 10))])
    assert joined.seeds == together.seeds
    assert all(same(joined, k, together, k) for k in range(10))


def test_other_block_sizes_agree_within_rounding(train, shape_codes):
    x, _ = shape_codes(50, noise=True, seed=1)
    few = EnsembleSettings(**{**vars(SHORT), "steps": 20})
    many = EnsembleSettings(**{**vars(few), "block": 16})
    a, b = (logits(train([0, 1], settings, density=1.0), x) for settings in (few, many))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_logits_and_the_torch_function_agree(train, shape_codes):
    net, (x, _) = train([0, 1, 2]), shape_codes(40, noise=True, seed=1)
    z = torch.from_numpy(x).double()
    for member in range(3):
        decision = torch_decision(net, member)
        np.testing.assert_allclose(decision(z), logits(net, x)[member], rtol=1e-4, atol=1e-5)
        assert decision(z.view(4, 10, 32)).shape == (4, 10)


def test_the_torch_function_has_a_gradient(train):
    z = torch.full((5, 32), 0.3, requires_grad=True)
    torch_decision(train([0], density=1.0), 0)(z).sum().backward()
    assert (z.grad != 0).any()


def test_masks_tell_where_weights_may_be(train):
    net = train([0, 1])
    for weight, mask in zip(net.weights, net.masks, strict=True):
        assert (weight[~mask] == 0).all() and mask.sum() < mask.size


def test_history_has_a_row_for_each_logged_step_and_seed(train):
    history = train([7, 8]).history
    assert list(history.columns) == ["step", "seed", "loss"]
    assert history["step"].unique().tolist() == [40, 80, 120]
    assert set(history["seed"]) == {7, 8}


def test_progress_says_where_the_training_stands(train):
    lines = []
    train(range(9), progress=lines.append)
    assert len(lines) == 2  # one block of eight and one of one
    assert "120/120" in lines[0] and "seeds 0-7" in lines[0] and "density 0.1" in lines[0]


def test_settings_may_come_as_lists():
    assert EnsembleSettings(hidden=[8]).hidden == [8]


def test_no_seed_is_refused(train):
    with pytest.raises(InputError, match="seed"):
        train([])


def test_networks_of_two_densities_are_not_joined(train):
    with pytest.raises(InputError, match="density"):
        join_ensembles([train([0]), train([0], density=0.3)])


def test_both_classes_count_the_same():
    """One latent that says nothing: the logit is the log-odds of weighted classes, not 19 : 1."""
    x, y = np.zeros((400, 2), np.float32), (np.arange(400) % 20 == 0).astype(int)
    net = train_ensemble(x, y, EnsembleSettings(hidden=(4,), steps=400), RIGL, [0, 1], 1.0)
    assert abs(logits(net, x)).max() < 0.3


@pytest.mark.parametrize("noise", [False, True], ids=["muted", "noise"])
def test_sparse_networks_keep_the_dense_accuracy(shape_codes, balanced, noise):
    settings = EnsembleSettings(steps=2500)
    x, y = shape_codes(2000, noise)
    test, truth = shape_codes(2000, noise, seed=1)
    scores = {
        density: balanced(
            logits(train_ensemble(x, y, settings, RigLSettings(), range(4), density), test), truth
        )
        for density in (1.0, 0.02)
    }
    assert scores[1.0].mean() > 0.95
    assert (scores[0.02] / scores[1.0].mean()).mean() > 0.99
