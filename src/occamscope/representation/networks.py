"""The two networks that a beta-TCVAE can be here, built from their settings."""

from dataclasses import dataclass, field

import torch

from occamscope.representation.framed_tcvae import FramedTCVAE, FrameSettings
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
