"""Random affine maps that make size and shape independent and Gaussian, as the prior is.

In the data they are not independent (small nuclei ARE elongated), and a code that follows the data
mixes them. Augmented with any rotation, a log-normal scale and a Gaussian stretch, size and the two
components of ellipticity become independent factors that a factorial Gaussian code can hold.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from occamscope.scale import CROP_SIZE


@dataclass(frozen=True)
class AffinePrior:
    """The distribution of the random maps.

    Attributes
    ----------
    log_scale_sd : sd of the log of the linear scale.
    stretch_sd : sd of each component of the stretch; its length is the log of the axis ratio that
        a disc gets, its direction twice the angle of the long axis.
    area_min_px, area_max_px : limits of the nucleus' area after scaling; the scale is reflected at
        them, so that nothing vanishes or leaves the crop.
    rotate : any rotation, and a reflection every other time.
    """

    log_scale_sd: float = 0.3
    stretch_sd: float = 0.25
    area_min_px: float = 110.0
    area_max_px: float = 1600.0
    rotate: bool = True


def reflect_log_scale(log_scale: Tensor, areas: Tensor, settings: AffinePrior) -> Tensor:
    """Reflect log scales (B,) at the limits of the scaled area; never past the other limit.

    A nucleus that is already outside the limits is at worst left as it is.
    """
    log_area = areas.clamp(min=1.0).log()
    high = (0.5 * (math.log(settings.area_max_px) - log_area)).clamp(min=0.0)
    low = (0.5 * (math.log(settings.area_min_px) - log_area)).clamp(max=0.0)
    log_scale = torch.where(log_scale > high, 2.0 * high - log_scale, log_scale)
    log_scale = torch.where(log_scale < low, 2.0 * low - log_scale, log_scale)
    return torch.minimum(torch.maximum(log_scale, low), high)


def stretch_matrices(stretch: Tensor) -> Tensor:
    """Symmetric matrices (B, 2, 2) of determinant 1 that stretch a disc; `stretch` is (B, 2).

    The matrix exponential of half of [[s0, s1], [s1, -s0]]: axis ratio exp(|s|).
    """
    length = stretch.norm(dim=1).clamp(min=1e-6)
    along, across = torch.cosh(length / 2), torch.sinh(length / 2) / length
    diagonal, off = across * stretch[:, 0], across * stretch[:, 1]
    rows = [along + diagonal, off, off, along - diagonal]
    return torch.stack(rows, dim=1).view(-1, 2, 2)


def draw_maps(areas: Tensor, generator: torch.Generator, settings: AffinePrior) -> Tensor:
    """Draw maps (B, 2, 2) from output to input coordinates for nuclei of `areas` (B,) in px.

    A map is a rotation times a stretch times a scale; all are drawn on the CPU.
    """
    n = len(areas)
    log_scale = settings.log_scale_sd * torch.randn(n, generator=generator)
    log_scale = reflect_log_scale(log_scale, areas, settings)
    stretch = settings.stretch_sd * torch.randn(n, 2, generator=generator)
    maps = stretch_matrices(-stretch) * torch.exp(-log_scale)[:, None, None]
    if not settings.rotate:
        return maps
    angle = 2 * math.pi * torch.rand(n, generator=generator)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, 1.0, -1.0)
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([cos * flip, sin * flip, -sin, cos], dim=1).view(-1, 2, 2)
    return rotation @ maps


def warp(x: Tensor, maps: Tensor, size: int, canvas_px: int = CROP_SIZE) -> Tensor:
    """Sample images at mapped positions, bilinearly, zeros outside; centres stay in the centre.

    Parameters
    ----------
    x : (B, 1, h, w) images, whose pixels have the canvas' spacing (h, w may differ from it).
    maps : (B, 2, 2) from output to input coordinates.
    size : the output is (B, 1, size, size).
    canvas_px : side of the output in px of the input.
    """
    half = canvas_px / 2
    ticks = torch.linspace(-half + half / size, half - half / size, size, device=x.device)
    maps = maps / (torch.tensor([x.shape[3], x.shape[2]], device=x.device) / 2)[:, None]
    # torch's affine_grid does the same with a batched matrix product, at four times the cost.
    grid = (
        maps[:, None, None, :, 0] * ticks[:, None]
        + maps[:, None, None, :, 1] * ticks[:, None, None]
    )
    return functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)


def random_affine(
    x: Tensor,
    areas: Tensor,
    generator: torch.Generator,
    settings: AffinePrior,
    size: int = CROP_SIZE,
) -> Tensor:
    """Apply a random map to each image (B, 1, h, w); returns (B, 1, size, size).

    `areas` (B,) are the nuclei's areas in px, on the CPU as the CPU `generator` is: a run on a GPU
    sees the same maps. For `size` below the crop's size pass images smoothed by `halve_aliasing`.
    """
    maps = draw_maps(areas, generator, settings).to(x.device)
    return warp(x, maps, size)


def halve_aliasing(images: Tensor, chunk: int = 4096) -> Tensor:
    """Mean over 2 x 2 px at every position; uint8 (n, h, w) -> (n, h - 1, w - 1).

    Sampling the result at every other pixel equals warping at full resolution and then pooling,
    except that the 2 x 2 square turns with the map; it costs a quarter.
    """
    pieces = [functional.avg_pool2d(part.float(), 2, 1).round() for part in images.split(chunk)]
    return torch.cat(pieces).to(torch.uint8)
