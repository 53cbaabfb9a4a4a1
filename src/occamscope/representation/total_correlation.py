"""The three parts of the beta-TCVAE's KL term, estimated within a minibatch.

Chen, Li, Grosse, Duvenaud (2018), "Isolating sources of disentanglement in variational
autoencoders", eq. 2: the mean KL(q(z|x) || p(z)) is the sum of the mutual information between the
image's index and the code, the total correlation of the code, and the dimension-wise KL.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from occamscope.errors import InputError

LOG_2PI = math.log(2.0 * math.pi)
ESTIMATORS = ("mws", "mss")


@dataclass(frozen=True)
class KLTerms:
    """Minibatch means in nats; scalars that carry gradients.

    With the estimator ``mws`` the marginals subtract log(batch * dataset_size) once per latent, the
    joint density once: ``total_correlation`` is too large, and ``dimension_wise_kl`` too small, by
    about (latents - 1) * log(dataset_size). The gradients do not see such constants.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def gaussian_log_density(z: Tensor, mean: Tensor | float, log_variance: Tensor | float) -> Tensor:
    """Log density of independent Gaussians, element by element."""
    log_variance = torch.as_tensor(log_variance, dtype=z.dtype, device=z.device)
    return -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 * torch.exp(-log_variance))


def pairwise_log_densities(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log q(z_i[d] | x_j) for all pairs of a batch; shape (latents, batch i, batch j).

    The squared distance is expanded, so that one small matrix product per latent gives all pairs:
    half the time of the difference formula on a CPU, forwards and backwards.
    """
    z, mean, log_variance = z.T, mean.T, log_variance.T
    precision = torch.exp(-log_variance)
    of_sample = torch.stack([z * z, z, torch.ones_like(z)], dim=2)
    constant = -0.5 * (mean * mean * precision + log_variance + LOG_2PI)
    of_posterior = torch.stack([-0.5 * precision, mean * precision, constant], dim=1)
    return of_sample @ of_posterior


def stratified_log_weights(batch: int, dataset_size: int) -> Tensor:
    """Log importance weights of minibatch stratified sampling (MSS); shape (batch, batch).

    Row i belongs to the sample drawn from image i: that image stands for itself alone and weighs
    1 / N, on the DIAGONAL (the authors' code writes it into a column). Of the M = batch - 1 others
    the paper gives 1 / M to all but one and (N - M) / (N M) to one, whichever. Here the weight is
    averaged over that choice, (N - 1) / (N M) for each: the same expectation, a smaller variance,
    and no dependence on the order of the batch. Rows sum to 1.

    Raises
    ------
    InputError
        If the batch has fewer than 2 images or more than the data set.
    """
    if not 2 <= batch <= dataset_size:
        raise InputError(
            f"the estimator mss needs 2 <= batch <= number of training images, got batch={batch} "
            f"and {dataset_size} images; set a smaller batch"
        )
    others = (dataset_size - 1) / (dataset_size * (batch - 1))
    weights = torch.full((batch, batch), others, dtype=torch.float64)
    weights.fill_diagonal_(1.0 / dataset_size)
    return weights.log()


def kl_terms(
    z: Tensor, mean: Tensor, log_variance: Tensor, dataset_size: int, estimator: str = "mws"
) -> KLTerms:
    """Split the Monte-Carlo KL of a batch into its three terms (Chen et al. 2018, eq. 2).

    The terms add up to the batch mean of log q(z|x) - log p(z).

    Parameters
    ----------
    z, mean, log_variance : (batch, latents)
        Samples of the posteriors, and the posteriors' parameters.
    dataset_size : number of training images N.
    estimator : "mws" (minibatch weighted sampling: every weight 1 / (batch N), a biased estimate)
        or "mss" (minibatch stratified sampling, see `stratified_log_weights`).

    Raises
    ------
    InputError
        For an unknown estimator.
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"unknown estimator {estimator!r}; choose one of {', '.join(ESTIMATORS)}")
    pairs = pairwise_log_densities(z, mean, log_variance)
    if estimator == "mws":
        log_weights = torch.full((1, 1), -math.log(len(z) * dataset_size)).to(pairs)
    else:
        log_weights = stratified_log_weights(len(z), dataset_size).to(pairs)
    log_joint = (pairs.sum(dim=0) + log_weights).logsumexp(dim=1)
    log_marginals = (pairs + log_weights).logsumexp(dim=2).sum(dim=0)
    log_posterior = gaussian_log_density(z, mean, log_variance).sum(dim=1)
    log_prior = gaussian_log_density(z, 0.0, 0.0).sum(dim=1)
    return KLTerms(
        mutual_information=(log_posterior - log_joint).mean(),
        total_correlation=(log_joint - log_marginals).mean(),
        dimension_wise_kl=(log_marginals - log_prior).mean(),
    )
