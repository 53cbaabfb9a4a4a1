"""What the beta-TCVAE minimises, and the schedules along the way."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from occamscope.representation.networks import Network
from occamscope.representation.total_correlation import kl_terms
from occamscope.scale import CROP_SIZE

TERMS = ("reconstruction_sse", "mutual_information", "total_correlation", "dimension_wise_kl")


@dataclass(frozen=True)
class TrainingSettings:
    """How the beta-TCVAE is trained.

    Attributes
    ----------
    steps : optimiser steps.
    shape_steps : of these, the steps in which a framed network learns size, ellipticity and the
        typical nucleus; then its further latents open, and all learn together at lower rates. 0 for
        the plain network.
    batch : images per step.
    sigma : sd of the Gaussian pixel noise at 64 x 64 px, in units of the nucleus' robust maximum;
        large (soft) values leave only what moves most of the light: size and shape.
    sigma_start : sd at the first step. It falls geometrically to `sigma`, so that size, which moves
        most of the light, finds its unit before shape can, and shape before brightness. With a fixed
        sigma and KL terms that rise from 0 a fourth unit (brightness) takes part of shape on some
        seeds.
    beta : weight of the total correlation.
    estimator : "mws" or "mss", see `kl_terms`.
    learning_rate : of Adam; rises linearly over `warmup_steps`, then falls as a cosine to 5 %.
    anneal : share of the steps over which the sd falls from `sigma_start` to `sigma`.
    warmup_steps : steps over which the learning rate rises.
    gradient_clip : largest norm of the gradient.
    blank_fraction : share of the images in a batch that are blank (all zero), so that the plain
        encoder has met a crop without a nucleus. They have nothing to reconstruct: they only pay
        for the distance of their code from the prior. A framed network needs none.
    report_every : steps per row of the history and per line of progress.
    validate_every : steps between validation checks.
    patience : validation checks without a new lowest loss, after the sd has reached `sigma`, that
        end the training; the weights of the lowest loss are returned. 0 never stops early.
    checkpoint_every : steps between checkpoints.
    """

    steps: int = 800
    shape_steps: int = 500
    batch: int = 256
    sigma: float = 0.33
    sigma_start: float = 1.0
    beta: float = 8.0
    estimator: str = "mws"
    learning_rate: float = 1e-3
    anneal: float = 0.3
    warmup_steps: int = 100
    gradient_clip: float = 100.0
    blank_fraction: float = 0.0
    report_every: int = 50
    validate_every: int = 100
    patience: int = 0
    checkpoint_every: int = 100

    @classmethod
    def plain(cls, **changes: Any) -> "TrainingSettings":
        """The recipe of the plain network: size and ellipticity emerge, nothing else is active."""
        recipe = {"steps": 1400, "shape_steps": 0, "sigma": 0.4, "anneal": 0.25}
        recipe["blank_fraction"] = 0.03
        return cls(**(recipe | changes))

    @property
    def n_blank(self) -> int:
        """Blank images per batch."""
        return round(self.blank_fraction * self.batch)


# After the opening, relative to `learning_rate`: all has nearly converged by then.
SECOND_RATE = 0.3
SECOND_WARMUP = 50


def learning_rate_at(step: int, settings: TrainingSettings) -> float:
    """Learning rate of the step with this number (from 0)."""
    peak, warmup, start, stop = settings.learning_rate, settings.warmup_steps, 0, settings.steps
    if settings.shape_steps:
        if step < settings.shape_steps:
            stop = settings.shape_steps
        else:
            peak, warmup, start = SECOND_RATE * peak, SECOND_WARMUP, settings.shape_steps
    rise = min(1.0, (step - start + 1) / max(warmup, 1))
    cosine = 0.5 * (1.0 + math.cos(math.pi * (step - start) / (stop - start)))
    return peak * rise * (0.05 + 0.95 * cosine)


def sigma_at(step: int, settings: TrainingSettings) -> float:
    """Sd of the pixel noise at the step with this number (from 0)."""
    done = min(1.0, step / max(settings.anneal * settings.steps, 1e-9))
    return settings.sigma_start * (settings.sigma / settings.sigma_start) ** done


def loss_terms(
    model: Network, x: Tensor, noise: Tensor, dataset_size: int, settings: TrainingSettings
) -> Tensor:
    """Batch means of the four terms, in the order of `TERMS`; shape (4,).

    Latents outside the model's `tc_group` pay their KL to the prior; it counts as dimension-wise.

    Parameters
    ----------
    x : (B, 1, h, h) images, h the model's `training_px`; the first `settings.n_blank` are blank.
    noise : (B, latents) standard normal.
    dataset_size : number of training images.

    Returns
    -------
    Sum of squared errors per image, counted over 64 x 64 px, and the KL terms in nats.
    """
    mean, log_variance = model.encode_training(x)
    z = mean + noise * torch.exp(0.5 * log_variance)
    shown = slice(settings.n_blank, None)
    pixels_per_pixel = (CROP_SIZE / model.training_px) ** 2
    decoded = model.decode_training(z[shown], mean[shown])
    error = (x[shown] - decoded).square().sum() * (pixels_per_pixel / len(x))
    group = model.tc_group
    kl = kl_terms(
        z[:, group], mean[:, group], log_variance[:, group], dataset_size, settings.estimator
    )
    dimension_wise = kl.dimension_wise_kl
    alone = slice(0, group.start or 0)
    if alone.stop:
        each = mean[:, alone].square() + log_variance[:, alone].exp() - log_variance[:, alone] - 1
        dimension_wise = dimension_wise + 0.5 * each.sum(dim=1).mean()
    return torch.stack([error, kl.mutual_information, kl.total_correlation, dimension_wise])


def term_weights(sigma: float, settings: TrainingSettings) -> Tensor:
    """Weights of the terms in the loss: SSE / (2 sigma^2) + MI + beta TC + DW; shape (4,)."""
    return torch.tensor([0.5 / sigma**2, 1.0, settings.beta, 1.0])
