"""Beta-TCVAEs of several makers behind one call: the loss of a batch.

All have the network of Burgess et al. 2018 (arXiv 1804.03599), which disentangling-vae uses for
every data set: as many convolutions of 32 channels (4x4, stride 2) as lead to 4x4 px, two layers of
256 units, ten latents, a decoder that mirrors it. Pixels are Bernoulli. What differs is how the
total correlation is estimated and computed, and what comes with a maker's network or training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from occamscope.representation.total_correlation import (
    gaussian_log_density,
    kl_terms,
    pairwise_log_densities,
)

LATENTS, CHANNELS, HIDDEN = 10, 32, 256
# Of Chen et al. 2018 for dSprites, and the default of disentangling-vae, as is the learning rate.
BETA, LEARNING_RATE = 6.0, 5e-4
# disentangling-vae lets the KL terms rise over 10,000 of 345,600 steps (30 epochs of batches of
# 64); here over the same share.
ANNEAL = 10_000 / 345_600


class Burgess(nn.Module):
    """Encoder and decoder of square images of 32 or 64 px."""

    def __init__(self, side: int) -> None:
        super().__init__()
        halvings, features = int(math.log2(side)) - 2, CHANNELS * 4 * 4
        layers: list[nn.Module] = []
        for k in range(halvings):
            layers += [nn.Conv2d(CHANNELS if k else 1, CHANNELS, 4, 2, 1), nn.ReLU()]
        layers += [nn.Flatten(), nn.Linear(features, HIDDEN), nn.ReLU()]
        layers += [nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENTS)]
        self.encoder = nn.Sequential(*layers)
        layers = [nn.Linear(LATENTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()]
        layers += [nn.Linear(HIDDEN, features), nn.Unflatten(1, (CHANNELS, 4, 4))]
        for k in reversed(range(halvings)):
            layers += [nn.ReLU(), nn.ConvTranspose2d(CHANNELS, CHANNELS if k else 1, 4, 2, 1)]
        self.decoder = nn.Sequential(*layers)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance (B, latents)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Logits of the pixels (B, 1, side, side)."""
        return self.decoder(z)


class Engine(nn.Module):
    """A network and its loss.

    Attributes
    ----------
    network : shared by all; initialised from torch's global generator.
    random_maps : train on randomly mapped images.
    """

    random_maps = False

    def __init__(self, side: int, steps: int, dataset_size: int) -> None:
        super().__init__()
        self.network = Burgess(side)
        self.steps, self.dataset_size = steps, dataset_size

    def loss(self, x: Tensor, step: int) -> Tensor:
        """Return the loss of images (B, 1, side, side) in the step with that number, from 0."""
        raise NotImplementedError

    def optimiser(self) -> torch.optim.Optimizer:
        """Return Adam as the maker calls it."""
        return torch.optim.Adam(self.parameters(), LEARNING_RATE)


def draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Sample the posteriors."""
    return mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)


class Occamscope(Engine):
    """Our terms; the layout of images, the optimiser and the loss on logits are our training's."""

    estimator = "mws"

    def __init__(self, side: int, steps: int, dataset_size: int) -> None:
        super().__init__(side, steps, dataset_size)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def terms(self, z: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, ...]:
        """Mutual information, total correlation, dimension-wise KL."""
        kl = kl_terms(z, mean, log_variance, self.dataset_size, self.estimator)
        return kl.mutual_information, kl.total_correlation, kl.dimension_wise_kl

    def loss(self, x: Tensor, step: int) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        mean, log_variance = self.network.encode(x)
        z = draw(mean, log_variance)
        logits = self.network.decode(z)
        error = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        information, correlation, dimension_wise = self.terms(z, mean, log_variance)
        return error + information + BETA * correlation + dimension_wise

    def optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), LEARNING_RATE, fused=True)


class OccamscopeMSS(Occamscope):
    """Our stratified sampling: an image weighs 1 / N for its own sample."""

    estimator = "mss"


class OccamscopeAffine(OccamscopeMSS):
    """The same on images under random affine maps."""

    random_maps = True


def column_log_weights(batch: int, dataset_size: int) -> Tensor:
    """Log weights of stratified sampling as public code has them; shape (batch, batch).

    1 / N for the batch's first image in every row, not for the row's own; (N - M) / (N M) for the
    second, in the last row but one for the first; 1 / M for all others, M = batch - 1.
    """
    n, m = dataset_size, batch - 1
    weights = torch.full((batch, batch), 1.0 / m)
    weights[:, 0] = 1.0 / n
    weights[:, 1] = weights[m - 1, 0] = (n - m) / (n * m)
    return weights.log()


class PublicMSS(Occamscope):
    """Stratified sampling with the public weights in everything else of ours."""

    def terms(self, z: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, ...]:
        pairs = pairwise_log_densities(z, mean, log_variance)
        log_weights = column_log_weights(len(z), self.dataset_size)
        joint = (pairs.sum(dim=0) + log_weights).logsumexp(dim=1)
        marginals = (pairs + log_weights).logsumexp(dim=2).sum(dim=0)
        posterior = gaussian_log_density(z, mean, log_variance).sum(dim=1)
        prior = gaussian_log_density(z, 0.0, 0.0).sum(dim=1)
        pairs_of_logs = ((posterior, joint), (joint, marginals), (marginals, prior))
        return tuple((a - b).mean() for a, b in pairs_of_logs)


class DisentanglingVAE(Engine):
    """disentangling-vae's loss, restated; its weights' start and the rise of the KL terms.

    Stratified sampling (its default) with the public weights on a tensor of all pairs, cross entropy
    of probabilities, He's uniform weights.
    """

    def __init__(self, side: int, steps: int, dataset_size: int) -> None:
        super().__init__(side, steps, dataset_size)
        for layer in self.network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")

    def loss(self, x: Tensor, step: int) -> Tensor:
        mean, log_variance = self.network.encode(x)
        z = draw(mean, log_variance)
        probability = torch.sigmoid(self.network.decode(z))
        error = functional.binary_cross_entropy(probability, x, reduction="sum") / len(x)
        log_weights = column_log_weights(len(x), self.dataset_size)
        # (sample i, posterior j, latent)
        pairs = gaussian_log_density(z[:, None], mean[None], log_variance[None])
        joint = (pairs.sum(dim=2) + log_weights).logsumexp(dim=1)
        marginals = (pairs + log_weights[:, :, None]).logsumexp(dim=1).sum(dim=1)
        posterior = gaussian_log_density(z, mean, log_variance).sum(dim=1)
        prior = gaussian_log_density(z, 0.0, 0.0).sum(dim=1)
        kl = posterior - joint + BETA * (joint - marginals) + marginals - prior
        return error + min((step + 1) / (ANNEAL * self.steps), 1.0) * kl.mean()


class Pythae(Engine):
    """pythae's BetaTCVAE: its loss, defaults but for beta and the Bernoulli pixels."""

    def __init__(self, side: int, steps: int, dataset_size: int) -> None:
        super().__init__(side, steps, dataset_size)
        self.model = pythae_model(self.network, side)

    def loss(self, x: Tensor, step: int) -> Tensor:
        return self.model({"data": x}, dataset_size=self.dataset_size).loss


def pythae_model(network: Burgess, side: int) -> nn.Module:
    """Wrap the network as pythae's documentation asks for networks of one's own."""
    from pythae.models import BetaTCVAE, BetaTCVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=torch.sigmoid(self.layers(z)))

    config = BetaTCVAEConfig(
        input_dim=(1, side, side), latent_dim=LATENTS, reconstruction_loss="bce", beta=BETA
    )
    return BetaTCVAE(config, Encoder(), Decoder())


ENGINES: Mapping[str, Callable[[int, int, int], Engine]] = {
    "occamscope, mss": OccamscopeMSS,
    "occamscope, mws": Occamscope,
    "occamscope, public mss": PublicMSS,
    "pythae": Pythae,
    "disentangling-vae, restated": DisentanglingVAE,
    "occamscope, mss, affine prior": OccamscopeAffine,
}
