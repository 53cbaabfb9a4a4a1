"""The network of the beta-TCVAE: strided convolutions to a Gaussian code, mirrored back."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from occamscope.errors import InputError
from occamscope.scale import CROP_SIZE

HALF_SIZE = CROP_SIZE // 2
# Outside this range a posterior is either a point or wider than anything the prior allows.
LOG_VARIANCE_RANGE = (-10.0, 6.0)


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the encoder; the decoder mirrors it.

    Attributes
    ----------
    latents : number of latents.
    channels : channels of the stride-2 convolutions (kernel 4), first layer first.
    hidden : width of the fully connected layer beside the code.
    """

    latents: int = 32
    channels: tuple[int, ...] = (16, 32, 32)
    hidden: int = 256


def convolutions(settings: NetworkSettings) -> tuple[list[nn.Module], int]:
    """Layers from images (B, 1, 32, 32) to flat features, and the number of these.

    Raises
    ------
    InputError
        If there are more strided convolutions than the image can be halved.
    """
    side = HALF_SIZE >> len(settings.channels)
    if side < 1 or not settings.channels:
        raise InputError(
            f"channels must have 1 to 5 entries, got {len(settings.channels)}: each halves "
            f"an image of {HALF_SIZE} px"
        )
    layers: list[nn.Module] = []
    before = 1
    for channels in settings.channels:
        layers += [nn.Conv2d(before, channels, 4, stride=2, padding=1), nn.ReLU()]
        before = channels
    return [*layers, nn.Flatten()], settings.channels[-1] * side * side


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Uniform within 1 / sqrt(fan in), PyTorch's own choice for these layers."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = layer.weight[0].numel() ** -0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)


def _encoder(settings: NetworkSettings) -> tuple[nn.Sequential, int]:
    layers, features = convolutions(settings)
    layers += [nn.Linear(features, settings.hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(settings.hidden, 2 * settings.latents)), features


def _decoder(settings: NetworkSettings, features: int, side: int) -> nn.Sequential:
    widths = [*reversed(settings.channels), 1]
    layers: list[nn.Module] = [nn.Linear(settings.latents, settings.hidden), nn.ReLU()]
    layers += [nn.Linear(settings.hidden, features), nn.Unflatten(1, (widths[0], side, side))]
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
    return nn.Sequential(*layers)


class TCVAE(nn.Module):
    """Encoder and decoder at half the crops' resolution (a third of the time, the same latents).

    Parameters
    ----------
    settings : layer sizes.
    generator : CPU generator of the initial weights; the global generator is left alone.

    Raises
    ------
    InputError
        If there are more strided convolutions than the image can be halved.
    """

    training_px = HALF_SIZE
    tc_group = slice(None)

    def __init__(self, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        with torch.device("meta"):  # no weights yet: they come from the generator
            self.encoder, features = _encoder(settings)
            side = HALF_SIZE >> len(settings.channels)
            self.decoder = _decoder(settings, features, side)
        self.to_empty(device="cpu")
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode_training(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode_half(x)

    def decode_training(self, z: Tensor, mean: Tensor) -> Tensor:
        return self.decode_half(z)

    def encode_half(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance (B, latents) of images (B, 1, 32, 32)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def decode_half(self, z: Tensor) -> Tensor:
        """Images (B, 1, 32, 32) of codes (B, latents)."""
        return self.decoder(z)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance (B, latents) of images (B, 1, 64, 64) in [0, 1.3]."""
        return self.encode_half(functional.avg_pool2d(x, 2))

    def decode(self, z: Tensor) -> Tensor:
        """Images (B, 1, 64, 64) of codes (B, latents); 1.0 is the nucleus' robust maximum."""
        return functional.interpolate(
            self.decode_half(z), scale_factor=2, mode="bilinear", align_corners=False
        )
