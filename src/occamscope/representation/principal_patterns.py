"""Probabilistic principal components: what a linear painter starts from.

A linear variational autoencoder has its optimum where probabilistic PCA has it (Lucas, Tucker,
Grosse, Norouzi 2019, "Don't blame the ELBO!"), so that gradient descent need not look for it.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class PrincipalPatterns(NamedTuple):
    """A linear Gaussian model of pictures: picture = patterns^T z + noise, z standard normal.

    Attributes
    ----------
    patterns : (count, pixels), strongest first; what one unit of a latent adds to the picture.
    filters : (count, pixels), posterior mean of z = filters @ picture.
    log_variance : (count,) of the posterior; 0 for a pattern that the noise hides.
    strength : (count,) variance along each pattern, in units of the noise's.
    """

    patterns: Tensor
    filters: Tensor
    log_variance: Tensor
    strength: Tensor


def principal_patterns(
    pictures: Tensor, weights: Tensor, noise_variance: float, count: int
) -> PrincipalPatterns:
    """Fit probabilistic PCA (Tipping and Bishop 1999, eqs. 6-9) with a given noise.

    Parameters
    ----------
    pictures : (n, pixels); their mean is taken off.
    weights : (n,) >= 0.
    noise_variance : of each pixel. A pattern with less variance is none: its rows are 0.
    count : largest number of patterns. Signs: the largest entry of a pattern is positive.
    """
    share = (weights / weights.sum())[:, None]
    centred = pictures - (share * pictures).sum(dim=0)
    covariance = (share * centred).T @ centred
    # In double precision: near-equal eigenvalues would turn with the order of additions.
    values, vectors = torch.linalg.eigh(covariance.double())
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count].T
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    vectors = vectors * largest.sign()
    seen = values > noise_variance
    values = torch.where(seen, values, torch.full_like(values, noise_variance))
    length = (values - noise_variance).sqrt()
    return PrincipalPatterns(
        patterns=(length[:, None] * vectors).float(),
        filters=((length / values)[:, None] * vectors).float(),
        log_variance=(noise_variance / values).log().float(),
        strength=(values / noise_variance).float(),
    )
