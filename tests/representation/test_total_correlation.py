"""The split of the KL term: identities, closed forms, and the weights of MSS."""

import itertools
import math

import pytest
import torch

from occamscope.errors import InputError
from occamscope.representation.total_correlation import (
    ESTIMATORS,
    gaussian_log_density,
    kl_terms,
    pairwise_log_densities,
    stratified_log_weights,
)


def posteriors(batch: int, latents: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    mean, noise, log_variance = torch.randn(
        3, batch, latents, generator=generator, dtype=torch.float64
    )
    log_variance = log_variance - 1.0
    return mean + noise * torch.exp(0.5 * log_variance), mean, log_variance


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_three_terms_add_up_to_the_monte_carlo_kl(estimator):
    z, mean, log_variance = posteriors(16, 5)
    terms = kl_terms(z, mean, log_variance, 1000, estimator)
    total = terms.mutual_information + terms.total_correlation + terms.dimension_wise_kl
    kl = gaussian_log_density(z, mean, log_variance) - gaussian_log_density(z, 0.0, 0.0)
    torch.testing.assert_close(total, kl.sum(1).mean(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("batch", "size"), [(2, 2), (4, 10), (7, 7), (64, 3000)])
def test_stratified_weights_sum_to_one_with_own_image_on_the_diagonal(batch, size):
    weights = stratified_log_weights(batch, size).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(batch, dtype=torch.float64))
    torch.testing.assert_close(
        weights.diagonal(), torch.full((batch,), 1 / size, dtype=torch.float64)
    )


def test_stratified_weights_are_the_papers_averaged_over_the_odd_one():
    size, m = 10, 4
    placements = []
    for odd in range(m):
        others = torch.full((m,), 1 / m, dtype=torch.float64)
        others[odd] = (size - m) / (size * m)
        placements.append(others)
    row = stratified_log_weights(m + 1, size).exp()[0]
    torch.testing.assert_close(row[1:], torch.stack(placements).mean(0))


def test_stratified_density_is_unbiased_over_all_minibatches():
    z, mean, log_variance = posteriors(6, 2)
    densities = pairwise_log_densities(z, mean, log_variance).sum(0).exp()[0]
    weights = stratified_log_weights(3, 6).exp()[0]
    estimates = [
        weights @ densities[[0, *others]] for others in itertools.combinations(range(1, 6), 2)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), densities.mean())


def test_stratified_estimate_matches_correlated_gaussian_codes():
    """Means ~ N(0, C), fixed variance v: the aggregate is N(0, C + v), all terms closed."""
    n, v, rho = 1500, 0.1, 0.8
    generator = torch.Generator().manual_seed(3)
    white = torch.randn(2, n, 2, generator=generator, dtype=torch.float64)
    factor = torch.linalg.cholesky(torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64))
    mean = white[0] @ factor.T
    z = mean + math.sqrt(v) * white[1]
    terms = kl_terms(z, mean, torch.full_like(mean, math.log(v)), n, "mss")
    variance, determinant = 1 + v, (1 + v) ** 2 - rho**2
    tc = 0.5 * math.log(variance**2 / determinant)
    dimension_wise = 2 * 0.5 * (variance - 1 - math.log(variance))
    information = 0.5 * math.log(determinant / v**2)
    assert terms.total_correlation.item() == pytest.approx(tc, abs=0.06)
    assert terms.dimension_wise_kl.item() == pytest.approx(dimension_wise, abs=0.06)
    assert terms.mutual_information.item() == pytest.approx(information, abs=0.1)


def test_weighted_estimate_is_the_plain_mixture_shifted_by_log_size():
    z, mean, log_variance = posteriors(32, 3)
    mixture = pairwise_log_densities(z, mean, log_variance).sum(0).logsumexp(1) - math.log(32)
    own = gaussian_log_density(z, mean, log_variance).sum(1)
    terms = kl_terms(z, mean, log_variance, 500, "mws")
    expected = (own - mixture).mean() + math.log(500)
    torch.testing.assert_close(terms.mutual_information, expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_of_the_batch_does_not_matter(estimator):
    batch = posteriors(12, 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    ordered = kl_terms(*batch, 100, estimator)
    permuted = kl_terms(*(t[order] for t in batch), 100, estimator)
    torch.testing.assert_close(permuted.total_correlation, ordered.total_correlation)
    torch.testing.assert_close(permuted.mutual_information, ordered.mutual_information)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_of_the_latents_does_not_matter(estimator):
    batch = posteriors(12, 4)
    ordered = kl_terms(*batch, 100, estimator)
    reversed_ = kl_terms(*(t.flip(1) for t in batch), 100, estimator)
    torch.testing.assert_close(reversed_.total_correlation, ordered.total_correlation)


def test_pairwise_densities_equal_the_difference_formula():
    z, mean, log_variance = posteriors(9, 4)
    plain = gaussian_log_density(z[:, None], mean[None], log_variance[None]).permute(2, 0, 1)
    torch.testing.assert_close(pairwise_log_densities(z, mean, log_variance), plain)


def test_single_precision_is_close_for_the_sharpest_posteriors():
    z, mean, log_variance = posteriors(64, 8)
    sharp = torch.full_like(log_variance, -8.0)
    z = mean + (z - mean) * torch.exp(0.5 * (sharp - log_variance))
    exact = kl_terms(z, mean, sharp, 3000).total_correlation
    single = kl_terms(z.float(), mean.float(), sharp.float(), 3000).total_correlation
    assert single.item() == pytest.approx(exact.item(), abs=1e-2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_match_finite_differences(estimator):
    inputs = tuple(t.requires_grad_() for t in posteriors(5, 3))

    def weighted(z, mean, log_variance):
        terms = kl_terms(z, mean, log_variance, 50, estimator)
        return terms.mutual_information + 8 * terms.total_correlation + terms.dimension_wise_kl

    assert torch.autograd.gradcheck(weighted, inputs)


def test_independent_latents_have_less_total_correlation_than_copied_ones():
    z, mean, log_variance = posteriors(200, 2)
    copied = [t[:, :1].expand(-1, 2) for t in (z, mean, log_variance)]
    independent = kl_terms(z, mean, log_variance, 200, "mss").total_correlation
    assert kl_terms(*copied, 200, "mss").total_correlation > independent + 0.5


@pytest.mark.parametrize("name", ["mss_column", "MWS", ""])
def test_other_estimators_are_refused(name):
    with pytest.raises(InputError, match="mws, mss"):
        kl_terms(*posteriors(4, 2), 10, name)


def test_stratified_sampling_refuses_a_batch_above_the_data_set():
    with pytest.raises(InputError, match="smaller batch"):
        stratified_log_weights(11, 10)
