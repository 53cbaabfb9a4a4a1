"""Batches of augmented crops, for training and for the validation loss."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from occamscope.errors import InputError
from occamscope.representation.augment import AffinePrior, halve_aliasing, random_affine
from occamscope.representation.networks import Network
from occamscope.representation.objective import TrainingSettings, loss_terms
from occamscope.representation.tcvae import HALF_SIZE
from occamscope.scale import WHITE

MAX_VALIDATION_IMAGES = 1024


class Crops:
    """Images and areas on their devices; hands out augmented batches."""

    def __init__(
        self, images: np.ndarray, areas_px: np.ndarray, device: str, size_px: int = HALF_SIZE
    ) -> None:
        if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(areas_px):
            raise InputError(
                f"need uint8 images (n, 64, 64) and as many areas, got {images.shape} of "
                f"{images.dtype} and {len(areas_px)} areas"
            )
        if len(images) < 2:
            raise InputError(f"cannot train on {len(images)} crops; give at least 2")
        self.size_px = size_px
        pixels = torch.from_numpy(np.ascontiguousarray(images))
        if size_px < images.shape[1]:
            pixels = halve_aliasing(pixels)
        self.pixels = pixels.to(device)
        self.areas = torch.from_numpy(np.ascontiguousarray(areas_px, np.float32))

    def batch(self, index: Tensor, generator: torch.Generator, affine: AffinePrior) -> Tensor:
        """Augmented images (B, 1, size_px, size_px) in [0, 1.3]."""
        x = self.pixels[index.to(self.pixels.device)].float()[:, None] / WHITE
        x = random_affine(x, self.areas[index], generator, affine, size=self.size_px)
        return x.contiguous(memory_format=torch.channels_last)


class HeldOut:
    """Fixed maps and noise for held-out images, so that losses compare over time."""

    def __init__(self, crops: Crops, latents: int, affine: AffinePrior, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(crops.areas), generator=generator)[:MAX_VALIDATION_IMAGES]
        self.x = crops.batch(chosen, generator, affine)
        self.noise = torch.randn(len(chosen), latents, generator=generator).to(self.x.device)

    @torch.no_grad()
    def terms(self, model: Network, dataset_size: int, settings: TrainingSettings) -> Tensor:
        """Mean loss terms over near-equal batches, on the CPU; shape (4,)."""
        n_batches = max(1, round(len(self.x) / settings.batch))
        pairs = zip(self.x.tensor_split(n_batches), self.noise.tensor_split(n_batches), strict=True)
        all_shown = replace(settings, blank_fraction=0.0)
        terms = [loss_terms(model, x, noise, dataset_size, all_shown) for x, noise in pairs]
        return torch.stack(terms).mean(dim=0).cpu()
