"""From images to codes and back with a trained model."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from occamscope.errors import InputError
from occamscope.representation.networks import Network
from occamscope.scale import WHITE


@dataclass(frozen=True)
class Codes:
    """Posteriors of n images.

    Attributes
    ----------
    mean, log_variance : float32 (n, latents).
    kl : float32 (latents,), mean KL of each latent's posterior to the prior, in nats.
    """

    mean: np.ndarray
    log_variance: np.ndarray
    kl: np.ndarray


def _batches(n: int, batch: int) -> Iterator[slice]:
    for start in range(0, n, batch):
        yield slice(start, start + batch)


def to_unit_scale(images: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """Images as float32 (n, 1, h, w): uint8 is divided by 196, floats are taken as they are.

    Raises
    ------
    InputError
        For another dtype or shape.
    """
    if images.ndim != 3 or not (images.dtype == np.uint8 or images.dtype.kind == "f"):
        raise InputError(
            f"images must be (n, 64, 64) uint8 (196 = 1.0) or float (1.0 = 1.0), got shape "
            f"{images.shape} of {images.dtype}"
        )
    scale = WHITE if images.dtype == np.uint8 else 1.0
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).float()[:, None] / scale


@torch.no_grad()
def encode_images(
    model: Network, images: np.ndarray, batch: int = 512, device: str = "cpu"
) -> Codes:
    """Encode images (n, 64, 64), uint8 with 196 = 1.0 or float in [0, 1.3]."""
    n_latents = model.settings.latents
    mean = np.empty((len(images), n_latents), np.float32)
    log_variance = np.empty_like(mean)
    model = model.to(device).eval()
    for part in _batches(len(images), batch):
        x = to_unit_scale(images[part], device)
        mean[part], log_variance[part] = (t.cpu().numpy() for t in model.encode(x))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1.0)
    return Codes(mean, log_variance, kl.mean(axis=0) if len(kl) else np.zeros(n_latents, "f4"))


@torch.no_grad()
def decode_codes(
    model: Network, z: np.ndarray, batch: int = 512, device: str = "cpu"
) -> np.ndarray:
    """Decode codes (n, latents) to float32 images (n, 64, 64); 1.0 is the robust maximum."""
    z = np.asarray(z, np.float32)
    model = model.to(device).eval()
    images = [
        model.decode(torch.from_numpy(z[part]).to(device))[:, 0].cpu().numpy()
        for part in _batches(len(z), batch)
    ]
    return np.concatenate(images) if images else np.empty((0, 64, 64), np.float32)


def active_units(mean: np.ndarray, threshold: float = 0.05) -> np.ndarray:
    """Which latents carry information: variance of the posterior mean above `threshold`.

    Parameters
    ----------
    mean : (n, latents) posterior means of the training images; the prior's variance is 1.
    """
    return mean.var(axis=0, dtype=np.float64) > threshold


def mute_collapsed(mean: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Copy of the codes with inactive latents set to 0.

    Collapsed latents (sd .01-.03) leak the class at a scale that no picture shows; networks and
    laws would read them with huge constants.
    """
    return np.where(active, mean, np.zeros((), mean.dtype))
