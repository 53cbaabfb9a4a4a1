"""The nucleus' own frame: its x axis along the long axis, unit size, and round.

Three numbers place a nucleus in its crop: the log of its linear scale and a stretch, whose length is
the log of the axis ratio and whose direction is twice the angle of the long axis (counter-clockwise
from the x axis, y up). Frame coordinates have y down, as images have.
"""

import math

import torch
from torch import Tensor

TINY = 1e-12  # keeps square roots differentiable at a stretch of 0


def long_axis(stretch: Tensor) -> Tensor:
    """Angle (B,) of the long axis in rad, -pi/2..pi/2, of stretches (B, 2)."""
    return 0.5 * torch.atan2(stretch[:, 1], stretch[:, 0])


def _ingredients(stretch: Tensor, angle: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    half = 0.5 * (stretch.square().sum(dim=1) + TINY).sqrt()
    # Images have y down: the axis at an angle counter-clockwise points to (cos, -sin).
    return angle.cos(), -angle.sin(), half.exp(), (-half).exp()


def frame_to_image(log_scale: Tensor, stretch: Tensor, angle: Tensor) -> Tensor:
    """Maps (B, 2, 2) from frame to image coordinates: where the frame's points lie in the crop.

    Parameters
    ----------
    log_scale : (B,) log of image px per frame px.
    stretch : (B, 2), see the module's head.
    angle : (B,) of the frame's x axis in rad, as from `long_axis`.
    """
    cos, sin, long, short = _ingredients(stretch, angle)
    rows = [cos * long, -sin * short, sin * long, cos * short]
    return torch.stack(rows, dim=1).view(-1, 2, 2) * log_scale.exp()[:, None, None]


def image_to_frame(log_scale: Tensor, stretch: Tensor, angle: Tensor) -> Tensor:
    """The inverse maps of `frame_to_image`: where the crop's points lie in the frame."""
    cos, sin, long, short = _ingredients(stretch, angle)
    rows = [cos * short, sin * short, -sin * long, cos * long]
    return torch.stack(rows, dim=1).view(-1, 2, 2) * (-log_scale).exp()[:, None, None]


def radial_basis(size: int, knots: int) -> tuple[Tensor, Tensor]:
    """Linear interpolation between rings: matrix (size * size, knots), and the rings' radii.

    A profile (knots,) times the transposed matrix is a radially symmetric picture. Radii run from
    0 to a little more than half of the diagonal, in px of the picture.
    """
    ticks = torch.arange(size) - (size - 1) / 2
    radius = (ticks[:, None] ** 2 + ticks[None] ** 2).sqrt().reshape(-1)
    step = 0.72 * size / (knots - 1)
    lower = (radius / step).floor().clamp(max=knots - 2).long()
    upper_share = (radius / step - lower).clamp(0.0, 1.0)
    basis = torch.zeros(size * size, knots)
    pixels = torch.arange(size * size)
    basis[pixels, lower] = 1.0 - upper_share
    basis[pixels, lower + 1] = upper_share
    return basis, torch.arange(knots) * step


def blur(images: Tensor, sd: Tensor) -> Tensor:
    """Gaussian blur of images (B, 1, n, n) by an sd in px, a scalar tensor that may be learnt.

    Two products with a small matrix: many times faster on a CPU than convolutions of one channel.
    Light that leaves the picture is lost.
    """
    ticks = torch.arange(images.shape[-1], device=images.device)
    distance = (ticks[:, None] - ticks[None]).to(images.dtype)
    kernel = torch.exp(-0.5 * (distance / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi))
    return kernel @ images @ kernel.T
