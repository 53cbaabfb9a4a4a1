"""Probabilistic PCA: planted patterns, closed forms, and the optimum of a linear VAE."""

import numpy as np
import pytest
import torch

from occamscope.representation.principal_patterns import principal_patterns


def planted(n: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of three orthogonal patterns with sd 3, 2, 1 and noise of variance .25."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(12, 3, generator=generator)).Q.T
    z = torch.randn(n, 3, generator=generator) * torch.tensor([3.0, 2.0, 1.0])
    return z @ basis + 0.5 * torch.randn(n, 12, generator=generator) + 7.0, basis


def test_planted_patterns_come_back_in_the_order_of_their_strength():
    pictures, basis = planted()
    found = principal_patterns(pictures, torch.ones(len(pictures)), 0.25, 3)
    cosines = (torch.nn.functional.normalize(found.patterns, dim=1) @ basis.T).abs()
    torch.testing.assert_close(cosines, torch.eye(3), atol=0.03, rtol=0)
    torch.testing.assert_close(
        found.patterns.norm(dim=1), torch.tensor([3.0, 2.0, 1.0]), rtol=0.03, atol=0
    )


def test_filters_and_variances_are_the_posterior_of_the_linear_model():
    pictures, _ = planted(500)
    found = principal_patterns(pictures, torch.ones(500), 0.25, 3)
    w = found.patterns.T.double()
    posterior = torch.linalg.inv(w.T @ w + 0.25 * torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(found.filters.double(), posterior @ w.T, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        found.log_variance.exp().double(), 0.25 * posterior.diagonal(), atol=1e-6, rtol=1e-4
    )


def test_what_the_noise_hides_is_no_pattern():
    pictures, _ = planted()
    found = principal_patterns(pictures, torch.ones(len(pictures)), 2.5, 12)
    assert found.patterns.any(dim=1).tolist() == [True, True] + [False] * 10
    assert (found.log_variance[2:] == 0).all() and not found.filters[2:].any()
    assert found.strength[0] > found.strength[1] > 1 == found.strength[2]


def test_a_weight_of_two_is_two_pictures():
    pictures, _ = planted(200)
    weights = torch.tensor([2.0, 1.0]).repeat(100)
    once = principal_patterns(pictures, weights, 0.25, 3)
    twice = principal_patterns(torch.cat([pictures, pictures[::2]]), torch.ones(300), 0.25, 3)
    torch.testing.assert_close(once.patterns, twice.patterns, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_no_step_from_it_lowers_the_loss_of_the_linear_vae(seed):
    """Negative ELBO, in closed form for Gaussians, at the fit and at random changes of it."""
    rng = np.random.default_rng(seed)
    pictures = torch.from_numpy(rng.normal(size=(400, 8)) @ rng.normal(size=(8, 8)))
    pictures = pictures - pictures.mean(dim=0)
    noise = 1.5
    found = principal_patterns(pictures, torch.ones(400), noise, 4)

    def loss(patterns, filters, log_variance):
        mean, variance = pictures @ filters.T, log_variance.exp()
        error = (pictures - mean @ patterns).square().sum(dim=1).mean()
        error = error + (variance[:, None] * patterns.square()).sum()
        kl = 0.5 * (mean.square() + variance - log_variance - 1).sum(dim=1).mean()
        return float(error / (2 * noise) + kl)

    best = [part.double() for part in found[:3]]
    for _ in range(20):
        moved = [part + 0.02 * torch.from_numpy(rng.normal(size=part.shape)) for part in best]
        assert loss(*moved) > loss(*best)
