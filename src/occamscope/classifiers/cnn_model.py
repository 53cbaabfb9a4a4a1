"""The convolutional network of the black box and the judge, and how its crops are turned."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from occamscope.errors import InputError


@dataclass(frozen=True)
class CNNSettings:
    """Shape and training of the CNN."""

    epochs: int = 12  # passes over the training crops at most
    min_steps: int = 400  # optimiser steps at least: an epoch walks a small set several times
    batch: int = 64  # crops a step
    channels: tuple[int, ...] = (24, 48, 64)  # of the convolutions; each halves the image
    learning_rate: float = 3e-3  # peak, after the first tenth of the steps; then a cosine to 0
    weight_decay: float = 1e-4  # AdamW
    smoothing: float = 0.02  # label smoothing: keeps logits finite on separable classes
    patience: int = 5  # epochs without a lower validation loss before it stops; 0: never

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, *self.channels) < 1:
            raise InputError("epochs, batch and channels must be at least 1")
        if min(self.patience, self.min_steps) < 0:
            raise InputError("patience and min_steps must not be negative")


class CNN(nn.Module):
    """Convolutions at half the crop's resolution, mean over the image, one logit.

    The mean makes the decision the same wherever the nucleus lies.
    """

    def __init__(self, settings: CNNSettings, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        layers: list[nn.Module] = []
        before = 1
        with torch.random.fork_rng(devices=[]):  # torch's own initial weights, replaced below
            for channels in settings.channels:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels)]
                layers += [nn.ReLU(), nn.MaxPool2d(2)]
                before = channels
            self.output = nn.Linear(before, 1)
        self.features = nn.Sequential(*layers)
        _initialise(self, generator or torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,) of crops (B, 1, 64, 64) in 0..1.3; above 0 means positive."""
        features = self.features(functional.avg_pool2d(x, 2))
        return self.output(features.mean((2, 3)))[:, 0]


def count_weights(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def turn_randomly(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each crop (B, 1, H, W) turned by its own random angle, half of them mirrored.

    A nucleus under the microscope has no up; size is left alone, because it tells classes apart.
    """
    angle = torch.rand(len(x), generator=generator) * 2 * math.pi
    mirror = torch.where(torch.rand(len(x), generator=generator) < 0.5, 1.0, -1.0)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * mirror, -sin, torch.zeros_like(cos), sin * mirror, cos, torch.zeros_like(cos)]
    maps = torch.stack(rows, 1).view(-1, 2, 3).to(x.device)
    grid = functional.affine_grid(maps, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def _initialise(model: nn.Module, generator: torch.Generator) -> None:
    """He's initial weights from a generator of our own; the global one is left alone."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            std = math.sqrt(2 / module.weight[0].numel())
            nn.init.normal_(module.weight, std=std, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
