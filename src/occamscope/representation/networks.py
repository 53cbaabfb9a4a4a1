"""The two networks that a beta-TCVAE can be here, built from their settings."""

from dataclasses import dataclass, field

import numpy as np
import torch

from occamscope.errors import InputError
from occamscope.representation.framed_tcvae import SHAPE_LATENTS, FramedTCVAE, FrameSettings
from occamscope.representation.tcvae import TCVAE, NetworkSettings

Network = TCVAE | FramedTCVAE


@dataclass(frozen=True)
class Architecture:
    """Layers, and the frame that the decoder paints in; None for the plain network."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
    frame: FrameSettings | None = field(default_factory=FrameSettings)


def build_network(architecture: Architecture, generator: torch.Generator) -> Network:
    """Build a network with initial weights from a CPU generator."""
    if architecture.frame is None:
        return TCVAE(architecture.network, generator)
    return FramedTCVAE(architecture.network, generator, architecture.frame)


def architecture_of(model: Network) -> Architecture:
    """The settings that a network was built from."""
    return Architecture(model.settings, model.frame if isinstance(model, FramedTCVAE) else None)


def shape_latents(model: Network) -> np.ndarray:
    """Which latents are size and ellipticity by construction; bool (latents,).

    Raises
    ------
    InputError
        For a plain network, in which they are where training put them.
    """
    if not isinstance(model, FramedTCVAE):
        raise InputError(
            "representation.details: false needs representation.frame: true; in the plain network "
            "no latent is size or shape by construction"
        )
    return np.arange(model.settings.latents) < SHAPE_LATENTS
